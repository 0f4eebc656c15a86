"""The functions of the samplers, found by the rows of `names.py`."""

from __future__ import annotations

from functools import cache
from importlib import import_module

from ponystudio.diffusion.sampling.names import SAMPLER_SPECS
from ponystudio.diffusion.sampling.process import Sampler


@cache
def samplers() -> dict[str, Sampler]:
    """Every sampler by its name."""
    return {
        spec.name: getattr(
            import_module(f"ponystudio.diffusion.sampling.{spec.module}"),
            spec.function or spec.name,
        )
        for spec in SAMPLER_SPECS
    }


BROWNIAN = frozenset(spec.name for spec in SAMPLER_SPECS if spec.brownian)
