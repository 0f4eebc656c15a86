"""Another strength of a LoRA on a full-size SD1 model, beside one copy of what it patches.

Run with `pytest -m benchmark tests/benchmarks -s`; it prints the figures that README quotes.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import closing
from typing import Any

import pytest
import torch

from helpers.make_checkpoint import write_checkpoint
from ponystudio.diffusion.loading import lora_patching
from ponystudio.diffusion.loading.load import load
from ponystudio.diffusion.lora import lora_file

pytestmark = [pytest.mark.benchmark, pytest.mark.timeout(1200)]
STRENGTHS = (0.5, 0.75, 1.0, -1.0, 0.25)


def _seconds(do: Callable[[], Any]) -> float:
    start = time.perf_counter()
    do()
    return time.perf_counter() - start


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_another_strength(dtype, tmp_path):
    model = write_checkpoint("full", tmp_path / "full.safetensors")
    file = lora_file.read(write_checkpoint("lora", tmp_path / "lora.safetensors"))
    with (
        closing(file),
        closing(load(model, "model", device="cpu", dtype=getattr(torch, dtype))) as network,
    ):
        first = _seconds(lambda: lora_patching.apply(network, [(file, 0.9)]))
        changed = min(
            _seconds(lambda s=s: lora_patching.apply(network, [(file, s)])) for s in STRENGTHS
        )
        patched = [network.module.get_parameter(name) for name in sorted(network.patched)]
        copies = [value.detach().clone() for value in patched]
        copied = min(
            _seconds(lambda: torch._foreach_copy_(copies, [value.detach() for value in patched]))
            for _ in STRENGTHS
        )
        fresh = min(_seconds(lambda: [value.detach().clone() for value in patched]) for _ in "12")
        removed = _seconds(lambda: lora_patching.apply(network, []))
        assert not network.patched
    size = sum(value.nbytes for value in copies) / 2**20
    print(
        f"\n{dtype}: {len(copies)} weights, {size:.0f} MiB; patched first {first:.2f} s, "
        f"another strength {changed:.2f} s, copied {copied:.2f} s ({fresh:.2f} s into new memory), "
        f"ratio {changed / copied:.1f} ({changed / fresh:.1f}), taken out {removed:.2f} s"
    )
