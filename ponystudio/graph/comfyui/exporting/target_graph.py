"""A graph of ours as nodes of ComfyUI, before it is written in one of their forms."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import count
from types import MappingProxyType
from typing import Any

from ponystudio.api.spec import NodeSpec
from ponystudio.graph.comfyui.core_nodes import signatures
from ponystudio.graph.comfyui.exporting.export_mapping import (
    ExportBuilder,
    OurNode,
    Target,
    Targets,
    exports,
)
from ponystudio.graph.comfyui.importer import OWN_CLASS, Remark
from ponystudio.graph.comfyui.source_graph import Wire
from ponystudio.graph.model import Graph, Link, Mode
from ponystudio.graph.placeholder import stands_for
from ponystudio.graph.plain_json import shown
from ponystudio.graph.topology import order

# Nodes that name the file of a model; and words in such names, with whose models those are.
_LOADERS = ("core.load_model", "core.load_checkpoint")
_WORDS = (
    ("flux", "flux"),
    ("auraflow", "aura"),
    ("auraflow", "pony-v7"),
    ("auraflow", "pony_v7"),
    ("sd3", "sd3"),
)


@dataclass(frozen=True)
class TargetNode:
    """One of their nodes: `type` is the name of the class, `inputs` has Wires and plain values by
    name. `ours` is the node that it stands for, or stands beside, which `beside` says."""

    id: str
    type: str
    inputs: Mapping[str, Any]
    ours: str
    beside: str = ""
    title: str = ""
    mode: Mode = "normal"


@dataclass
class TargetGraph:
    """Their nodes by id, sources first; what outputs of ours are among them; and what cannot be
    said there."""

    nodes: dict[str, TargetNode] = field(default_factory=dict)
    outputs: dict[Link, Target] = field(default_factory=dict)
    remarks: list[Remark] = field(default_factory=list)


def translate(
    graph: Graph,
    catalog: Mapping[str, NodeSpec],
    *,
    only: Collection[str] | None = None,
    known: Mapping[Link, Target] = MappingProxyType({}),
    classes: Mapping[str, str] = MappingProxyType({}),
    ids: Mapping[str, str] = MappingProxyType({}),
    named: Mapping[str, Sequence[str]] = MappingProxyType({}),
    families: Mapping[str, str] = MappingProxyType({}),
    first: int = 1,
) -> TargetGraph:
    """The graph as nodes of theirs. Raises Cycle for one whose nodes wait for each other.

    `only`: the nodes of ours that are translated, None for all; the outputs of the others are
    `known`. `classes` are those of theirs that nodes of ours were made of, `ids` theirs, and
    `named` what their outputs are called; numbers from `first` on are the ids of the others.
    `families` are those of models, by the names of their files.
    """
    builder = _Builder(graph, catalog, dict(known), classes, ids, named, families, first)
    for id in order(graph):
        if only is None or id in only:
            builder.translate(id)
    return builder.found


class _Builder(ExportBuilder):
    def __init__(
        self,
        graph: Graph,
        catalog: Mapping[str, NodeSpec],
        known: dict[Link, Target],
        classes: Mapping[str, str],
        ids: Mapping[str, str],
        named: Mapping[str, Sequence[str]],
        families: Mapping[str, str],
        first: int,
    ) -> None:
        self._graph, self._catalog = graph, catalog
        self._classes, self._ids, self._named = classes, ids, named
        self._families = families
        self.found = TargetGraph(outputs=known)
        used = set(ids.values())
        self._fresh = (id for id in map(str, count(first)) if id not in used)
        self._readers: dict[str, list[str]] = defaultdict(list)
        self._used: dict[str, set[str]] = defaultdict(set)
        for id, node in graph.nodes.items():
            for link in node.inputs.values():
                self._readers[link.source].append(id)
                self._used[link.source].add(link.output)
        self._turned: dict[Wire, Wire] = {}
        self._beside: dict[str, str] = {}
        self._made: dict[str, OurNode] = {}

    def translate(self, id: str) -> None:
        node = self._node(id)
        was = self._as_it_was(node)
        outputs = self._mapped(node) if was is None else was
        for name, target in outputs.items():
            self.found.outputs[Link(id, name)] = target
        for name in sorted(self._used[id] - outputs.keys()):
            self.tell(node, f"its output {name} has no counterpart there")
        for socket, link in node.node.inputs.items():
            if link.source not in self._graph.nodes:
                self.tell(node, f"nothing comes along the wire to {socket}")
            elif socket not in node.seen and link in self.found.outputs:
                self.tell(node, f"what is wired to {socket} has no place there, and is left out")
        for name in node.said():
            if name not in node.seen and not node.is_wired(name):
                self.tell(node, f"{name} {shown(node.value(name))} has no counterpart there")

    def _mapped(self, node: OurNode) -> Targets:
        if known := exports().get(node.node.type):
            before = len(self.found.nodes)
            try:
                return known(node, self)
            except (TypeError, ValueError, LookupError, ArithmeticError, AttributeError):
                self._forget(before)
                self.tell(node, "its values are of other kinds than they should be")
        self.tell(node, f"{node.node.type} is no node of ComfyUI: it stands there as one unknown")
        id = self.add(node, f"{OWN_CLASS}{node.node.type}", dict(node))
        names = [output.name for output in node.spec.outputs] if node.spec else []
        names += sorted(self._used[node.node.id] - set(names))
        return {name: Target(Wire(id, slot)) for slot, name in enumerate(names)}

    def _forget(self, before: int) -> None:
        """The nodes that were added since there were so many."""
        nodes = self.found.nodes
        while len(nodes) > before:
            nodes.popitem()
        self._beside = {key: id for key, id in self._beside.items() if id in nodes}
        self._turned = {key: wire for key, wire in self._turned.items() if wire.source in nodes}

    def _as_it_was(self, node: OurNode) -> Targets | None:
        """A node that stands in for one of theirs is that one again."""
        type = stands_for(node.node)
        if not type:
            return None
        id = self._put(node, type, {k: v for k, v in node.items() if v is not None})
        used = sorted(self._used[node.node.id])
        if known := signatures().get(type):
            names = [name for name, _ in known.outputs]
        else:
            names = list(self._named.get(node.node.id, ())) or used
        return {name: Target(Wire(id, _slot(name, names))) for name in used}

    def _node(self, id: str) -> OurNode:
        if id not in self._made:
            node = self._graph.nodes[id]
            spec, was = self._catalog.get(node.type), self._classes.get(id, "")
            self._made[id] = OurNode(node, spec, self, was)
        return self._made[id]

    # --- What mappings build with -----------------------------------------------------------------

    def target(self, link: Link) -> Target | None:
        return self.found.outputs.get(link)

    def wire(self, target: Target) -> Wire:
        if not target.turned:
            return target.wire
        if target.wire not in self._turned:
            ours = self.found.nodes[target.wire.source].ours if self._is_new(target) else ""
            id = next(self._fresh)
            self.found.nodes[id] = TargetNode(
                id, "InvertMask", {"mask": target.wire}, ours, beside="mask"
            )
            self._turned[target.wire] = Wire(id, 0)
        return self._turned[target.wire]

    def _is_new(self, target: Target) -> bool:
        return target.wire.source in self.found.nodes

    def add(self, node: OurNode, type: str, inputs: Mapping[str, Any], *, beside: str = "") -> str:
        wanted = self._checked(node, type, inputs)
        if not beside:
            return self._put(node, type, wanted)
        # One serves all that want the same.
        key = f"{type} {sorted(wanted.items())}"
        if key not in self._beside:
            id = self._beside[key] = next(self._fresh)
            self.found.nodes[id] = TargetNode(id, type, wanted, node.node.id, beside)
        return self._beside[key]

    def _put(self, node: OurNode, type: str, inputs: Mapping[str, Any]) -> str:
        """The node that stands for one of ours."""
        ours = node.node
        own = self._ids.get(ours.id, "")
        id = own if own and own not in self.found.nodes else next(self._fresh)
        self.found.nodes[id] = TargetNode(
            id, type, inputs, ours.id, title=ours.title, mode=ours.mode
        )
        return id

    def _checked(self, node: OurNode, type: str, inputs: Mapping[str, Any]) -> dict[str, Any]:
        """All that the class wants, with choices that it has."""
        found = {name: value for name, value in inputs.items() if value is not None}
        if (signature := signatures().get(type)) is None:
            return found
        for name, _, values in signature.inputs:
            choices = signature.choices.get(name, ())
            default = signature.defaults.get(name, next(iter(choices), None))
            if name not in found:
                if values and default is not None:
                    found[name] = default
                continue
            value = found[name]
            if choices and not isinstance(value, Wire) and value not in choices:
                self.tell(node, f"{name} {shown(value)} is not there: {shown(default)} instead")
                found[name] = default
        return found

    def behind(self, node: OurNode, socket: str) -> OurNode | None:
        link = node.node.inputs.get(socket)
        return self._node(link.source) if link and link.source in self._graph.nodes else None

    def only_reader(self, node: OurNode) -> OurNode | None:
        readers = self._readers[node.node.id]
        return self._node(readers[0]) if len(readers) == 1 else None

    def is_used(self, node: OurNode, output: str) -> bool:
        return output in self._used[node.node.id]

    def upstream(self, node: OurNode) -> Iterator[OurNode]:
        seen, wave = {node.node.id}, [node.node.id]
        while wave:
            for id in wave:
                yield self._node(id)
            sources = [source for id in wave for source in self._graph.nodes[id].sources]
            wave = [
                id for id in dict.fromkeys(sources) if id in self._graph.nodes and id not in seen
            ]
            seen.update(wave)

    def family(self, node: OurNode) -> str:
        for there in self.upstream(node):
            if there.node.type == "core.load_clip":
                return str(there.value("family"))
            if there.node.type in _LOADERS:
                file = str(there.value("file"))
                words = (family for family, word in _WORDS if word in file.lower())
                return self._families.get(file) or next(words, "")
        return ""

    def tell(self, node: OurNode, text: str) -> None:
        self.found.remarks.append(Remark(node.node.id, text))


def _slot(name: str, names: list[str]) -> int:
    """The number of an output, of which a node that is not known may have numbers alone."""
    if name in names:
        return names.index(name)
    number = name.removeprefix("output ")
    return int(number) if number.isdecimal() and number.isascii() and len(number) < 5 else 0
