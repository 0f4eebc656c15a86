"""How the names of pictures begin where nobody says: as the settings have it."""

from __future__ import annotations

from dataclasses import replace

from ponystudio.api.spec import NodeSpec, ParamSpec
from ponystudio.errors import UnsafePath
from ponystudio.graph.catalog import Catalog
from ponystudio.graph.file_prefix import checked_prefix
from ponystudio.studio.settings import BY_NAME

USUAL = BY_NAME["file_name_pattern"].default


def with_prefix(catalog: Catalog, prefix: str) -> Catalog:
    """The catalog with this prefix in nodes that would take the usual one; as it was if this
    cannot be one."""
    try:
        checked_prefix(prefix)
    except UnsafePath:
        return catalog
    return Catalog((_named(spec, prefix) for spec in catalog.values()), catalog.problems)


def _named(spec: NodeSpec, prefix: str) -> NodeSpec:
    if not any(map(_is_usual, spec.params)):
        return spec
    params = (
        replace(param, default=prefix) if _is_usual(param) else param for param in spec.params
    )
    return replace(spec, params=tuple(params))


def _is_usual(param: ParamSpec) -> bool:
    return param.file_name and param.default == USUAL
