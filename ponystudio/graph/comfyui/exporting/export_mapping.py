"""How a node of ours becomes nodes of ComfyUI: the way back of `mapping.py`.

A Mapped says both directions. Where a function maps their class, another in the same module maps
our type: it is a row of `EXPORTS` there, takes the node and an ExportBuilder, adds nodes of theirs,
and gives what each output of ours is among them.
"""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from types import MappingProxyType
from typing import Any, Protocol

from ponystudio.api.spec import NodeSpec
from ponystudio.graph.comfyui.core_nodes import signatures
from ponystudio.graph.comfyui.mapping import Mapped, Named, NodeMapping, mappings
from ponystudio.graph.comfyui.source_graph import Wire
from ponystudio.graph.model import Link, Node
from ponystudio.graph.plain_json import shown


@dataclass(frozen=True)
class Target:
    """What an output of ours is there: an output of theirs.

    `turned`: a mask that is 1 where ours is 0. `seen_through`: it is the picture that has this
    transparency in it. `words`: no node of theirs says them yet, for the one that they lead to says
    them with what it adds."""

    wire: Wire
    turned: bool = False
    seen_through: bool = False
    words: OurNode | None = None


Targets = Mapping[str, Target]


class Unsaid(ValueError):
    """A value that theirs has none for; `instead` is what stands there, None for its default."""

    def __init__(self, text: str, instead: Any = None) -> None:
        super().__init__(text)
        self.instead = instead


class OurNode(Mapping[str, Any]):
    """A node of ours, by name what it is given: a Wire of theirs, or a value; None for a socket
    that nothing leads to. `was`: the class of theirs that it was made of, or "".

    It remembers what was looked at, so that the rest can be told.
    """

    def __init__(self, node: Node, spec: NodeSpec | None, builder: ExportBuilder, was: str) -> None:
        self.node, self.spec, self.was = node, spec, was
        self._builder = builder
        self._defaults = {p.name: p.default for p in spec.params} if spec else {}
        self.seen: set[str] = set()

    def __getitem__(self, name: str) -> Any:
        self.seen.add(name)
        if name in self.node.inputs and (target := self._builder.target(self.node.inputs[name])):
            return self._builder.wire(target)
        return self.value(name)

    def __iter__(self) -> Iterator[str]:
        sockets = self.spec.input_by_name if self.spec else {}
        return iter({**sockets, **self._defaults, **self.node.params, **self.node.inputs})

    def __len__(self) -> int:
        return sum(1 for _ in self)

    def value(self, name: str) -> Any:
        """Of a param, without looking at what is wired to it."""
        return self.node.params.get(name, self._defaults.get(name))

    def target(self, name: str) -> Target | None:
        """What a socket is wired to."""
        self.seen.add(name)
        return self._builder.target(self.node.inputs[name]) if name in self.node.inputs else None

    def is_wired(self, name: str) -> bool:
        return name in self.node.inputs

    def is_default(self, name: str) -> bool:
        """Whether a name says nothing: no wire leads to it, and its value is the usual one."""
        if name in self.node.inputs:
            return False
        return name not in self.node.params or self.value(name) == self._defaults.get(name)

    def said(self) -> list[str]:
        """The names that say something."""
        return [name for name in self if not self.is_default(name)]


class ExportBuilder(Protocol):
    """What the functions of mappings build a graph of theirs with."""

    def target(self, link: Link) -> Target | None:
        """What an output of ours has become; None where it leads nowhere."""

    def wire(self, target: Target) -> Wire:
        """It as an output of theirs, with a node that turns a mask round where one is wanted."""

    def add(self, node: OurNode, type: str, inputs: Mapping[str, Any], *, beside: str = "") -> str:
        """Add a node of theirs for one of ours and give its id. `inputs`: Wires and plain values;
        None is nothing, and what is missing has its default there. `beside`: what tells it from
        the one that stands for the node itself."""

    def behind(self, node: OurNode, socket: str) -> OurNode | None:
        """The node that a socket is wired to."""

    def only_reader(self, node: OurNode) -> OurNode | None:
        """The node that all of its outputs lead to by one wire; None where there are more."""

    def is_used(self, node: OurNode, output: str) -> bool:
        """Whether any wire leads from that output."""

    def upstream(self, node: OurNode) -> Iterator[OurNode]:
        """What leads to it, nearest first, itself among them."""

    def family(self, node: OurNode) -> str:
        """Whose model the node works with, as its file says, else its name; "" where neither
        does."""

    def tell(self, node: OurNode, text: str) -> None:
        """Say what cannot be said there."""


class NodeExport(Protocol):
    """A way to say one of our types there."""

    def __call__(self, node: OurNode, builder: ExportBuilder) -> Targets: ...


@cache
def exports() -> Mapping[str, NodeExport]:
    """Every type of ours that has a counterpart: `EXPORTS` of the modules of `mappings/`, and the
    other way round of their Mapped."""
    from ponystudio.graph.comfyui import mappings as package

    types = {how.type for how in mappings().values() if isinstance(how, Mapped)}
    found: dict[str, NodeExport] = {type: Inverse.of(type, mappings()) for type in types}
    for module in pkgutil.iter_modules(package.__path__):
        named = importlib.import_module(f"{package.__name__}.{module.name}")
        found |= getattr(named, "EXPORTS", {})
    return MappingProxyType(found)


@dataclass(frozen=True)
class Inverse:
    """The other way round of Mapped of one type: of their classes that which says the most."""

    rows: Sequence[tuple[str, Mapped]]

    @classmethod
    def of(cls, type: str, mappings: Mapping[str, NodeMapping]) -> Inverse:
        """Of all that are said of a type; of nodes of packs none is written."""
        return cls(
            [
                (theirs, how)
                for theirs, how in mappings.items()
                if isinstance(how, Mapped) and how.type == type and theirs in signatures()
            ]
        )

    def __call__(self, node: OurNode, builder: ExportBuilder) -> Targets:
        def cost(row: tuple[str, Mapped]) -> tuple[int, bool]:
            return _unsaid(node, builder, *row), row[0] != node.was

        return say(node, builder, *min(self.rows, key=cost))


def say(node: OurNode, builder: ExportBuilder, type: str, how: Mapped, **more: Any) -> Targets:
    """The node as one of that class. `more`: what else it is given, by their names."""
    inputs: dict[str, Any] = {}
    for theirs, name, convert in names_of(type, how):
        value = node[name]
        if theirs in more:
            continue
        try:
            inputs[theirs] = convert(value) if convert and not isinstance(value, Wire) else value
        except Unsaid as unsaid:
            builder.tell(node, str(unsaid))
            inputs[theirs] = unsaid.instead
    for name, fixed in how.fixed.items():
        node.seen.add(name)
        if node.is_wired(name) or node.value(name) != fixed:
            builder.tell(node, f"{name} {shown(node.value(name))} is {shown(fixed)} there")
    id = builder.add(node, type, {**inputs, **more})
    return {name: Target(Wire(id, slot)) for slot, name in enumerate(how.outputs)}


def one_of(said: Mapping[Any, Any], what: str) -> Callable[[Any], Any]:
    """What turns our names into theirs, where there is one for each: theirs → ours."""
    theirs = {ours: name for name, ours in said.items()}

    def converted(value: Any) -> Any:
        if value not in theirs:
            raise Unsaid(f"{what} {shown(value)} has no name there")
        return theirs[value]

    return converted


def names_of(type: str, how: Mapped) -> Iterator[tuple[str, str, Callable[[Any], Any] | None]]:
    """Their name, ours, and what turns our value into theirs, of what the class has. Raises
    KeyError for a class that is none of the core."""
    signature = signatures()[type]
    known = {name for name, _, _ in signature.inputs}
    for theirs, named in how.inputs.items():
        if theirs in known:
            yield theirs, *_back(named)


def _back(named: Named) -> tuple[str, Callable[[Any], Any] | None]:
    if isinstance(named, str):
        return named, None
    return named[0], named[2] if len(named) > 2 else None


def _unsaid(node: OurNode, builder: ExportBuilder, type: str, how: Mapped) -> int:
    """How much of the node that class does not say."""
    names = {name: theirs for theirs, name, _ in names_of(type, how)}
    optional = signatures()[type].optional
    sockets = node.spec.input_by_name if node.spec else {}
    return (
        sum(1 for name in node.said() if name not in names and name not in how.fixed)
        + sum(1 for name, fixed in how.fixed.items() if node.value(name) != fixed)
        + sum(
            1
            for name, theirs in names.items()
            if name in sockets and not node.is_wired(name) and theirs not in optional
        )
        + sum(
            1
            for output in (node.spec.outputs if node.spec else ())
            if output.name not in how.outputs and builder.is_used(node, output.name)
        )
    )
