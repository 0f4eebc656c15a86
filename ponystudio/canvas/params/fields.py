"""Which field shows which kind of param."""

from __future__ import annotations

from collections.abc import Callable

from ponystudio.api.spec import ParamSpec
from ponystudio.canvas.params.field import Field

_MAKERS: dict[str, Callable[[ParamSpec], Field]] = {}


def for_spec(spec: ParamSpec) -> Field:
    """A field for params of this spec; keep it, it serves all nodes of the kind."""
    return _MAKERS.get(spec.type, Field)(spec)
