"""The graph as frozen values. An edit makes a new graph that shares what did not change."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Any, Literal

Mode = Literal["normal", "muted", "bypassed"]
# Letters of the title of a node: each is drawn and measured whole.
LONGEST_TITLE = 10_000
NODE_ID = re.compile(r"[A-Za-z_][A-Za-z0-9_-]*")
_EMPTY: Mapping[str, Any] = MappingProxyType({})


def _empty() -> Mapping[str, Any]:
    return _EMPTY


@dataclass(frozen=True, slots=True)
class Link:
    """Where an input's value comes from: an output of another node."""

    source: str
    output: str


@dataclass(frozen=True, slots=True)
class Node:
    """One node. `inputs` holds links by socket or param name; a link wins over the param.

    Mappings are never changed in place. `extra` keeps keys of the file that are not known here.
    """

    id: str
    type: str
    version: int = 1
    params: Mapping[str, Any] = field(default_factory=_empty)
    inputs: Mapping[str, Link] = field(default_factory=_empty)
    mode: Mode = "normal"
    title: str = ""
    extra: Mapping[str, Any] = field(default_factory=_empty)

    # What the value's readers work out once: since it never changes, neither does that.
    _sources: tuple[str, ...] | None = field(default=None, init=False, repr=False, compare=False)
    _checked: Any = field(default=None, init=False, repr=False, compare=False)
    _keyed: Any = field(default=None, init=False, repr=False, compare=False)

    @property
    def sources(self) -> tuple[str, ...]:
        """The ids it is linked from, each once, in the order of its sockets' names."""
        if self._sources is None:
            links = (self.inputs[socket] for socket in sorted(self.inputs))
            self.remember("_sources", tuple(dict.fromkeys(link.source for link in links)))
        return self._sources or ()

    def remember(self, name: str, value: object) -> None:
        object.__setattr__(self, name, value)


@dataclass(frozen=True)
class Graph:
    """Nodes by id, what is known of the model files they name, and how it all is laid out.

    `view` is {"nodes": {id: {"pos": [x, y], ...}}, "frames": [...], "notes": [...]}, plain JSON.
    """

    nodes: Mapping[str, Node] = field(default_factory=_empty)
    models: Mapping[str, Any] = field(default_factory=_empty)
    view: Mapping[str, Any] = field(default_factory=_empty)
    extra: Mapping[str, Any] = field(default_factory=_empty)

    @classmethod
    def of(cls, *nodes: Node) -> Graph:
        return cls().with_nodes(nodes)

    def with_nodes(self, nodes: Iterable[Node]) -> Graph:
        """A graph in which these nodes replace or join those of the same id."""
        return replace(self, nodes={**self.nodes, **{node.id: node for node in nodes}})

    def without(self, *ids: str) -> Graph:
        """A graph without these nodes; links from them stay behind, for the caller to remove."""
        return replace(self, nodes={i: node for i, node in self.nodes.items() if i not in ids})


# Beyond it nothing is placed: numbers of a view come from files, too.
FARTHEST = 1e7


def position(value: object) -> tuple[float, float] | None:
    """A pair of numbers of the view, nearer than FARTHEST, or None for anything else."""
    if isinstance(value, list | tuple) and len(value) == 2 and all(map(_is_near, value)):
        x, y = value
        return float(x), float(y)
    return None


def _is_near(value: object) -> bool:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return False
    return abs(value) < FARTHEST


def malformed_part(view: Mapping[str, Any]) -> str:
    """The first part of a view that is not the object or list that it must be, or ""."""
    for name, kind in (("nodes", Mapping), ("frames", list), ("notes", list)):
        if name in view and not isinstance(view[name], kind):
            return name
    return ""
