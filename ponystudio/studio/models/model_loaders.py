"""Which nodes load files of a kind, and by which param. Kinds are those of folders."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ponystudio.api.spec import NodeSpec, ParamSpec


def loader(catalog: Mapping[str, NodeSpec], kind: str) -> tuple[NodeSpec, ParamSpec] | None:
    """The node that loads a file of a kind, and by which param: a built-in one before others, one
    that takes a single file before one that takes a list."""
    specs = sorted(catalog.values(), key=lambda spec: not spec.id.startswith("core."))
    found = [(s, p) for s in specs if s.outputs for p in s.params if takes(p, kind)]
    return min(found, key=lambda item: item[1].type == "rows", default=None)


def takes(param: ParamSpec, kind: str) -> bool:
    """Whether it names files of a kind, one or a list of them."""
    return kind in (param.kind, *(field.kind for field in param.fields if field.type == "file"))


def with_file(param: ParamSpec, name: str, present: Any) -> Any:
    """The param's value with this file: instead of its own, or one row more."""
    if param.type != "rows":
        return name
    row = {field.name: name if field.type == "file" else field.default for field in param.fields}
    return [*(present if isinstance(present, list) else ()), row]
