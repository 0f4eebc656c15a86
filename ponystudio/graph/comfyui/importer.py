"""A graph of ComfyUI as one of ours, and what is to be said of it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

from ponystudio.errors import GraphFileError
from ponystudio.graph.comfyui import api_format, workflow_format
from ponystudio.graph.comfyui.core_nodes import signatures
from ponystudio.graph.comfyui.folding import folded
from ponystudio.graph.comfyui.mapping import MappedOutput, mappings
from ponystudio.graph.comfyui.source_graph import SourceGraph, SourceNode, Wire
from ponystudio.graph.model import Graph, Link, Node

# What stands before the names of classes that are not known, as types of nodes.
PLACEHOLDER = "comfyui."
_NO_ID = re.compile(r"[^A-Za-z0-9_-]")


@dataclass(frozen=True)
class Remark:
    """What an import has to say: `node` is an id of the new graph, or "" for the whole."""

    node: str
    text: str


@dataclass
class Imported:
    """The graph, and what is to be said: `placeholders`: by id of the new node, the class that it
    stands for; `remarks`; `mapped`: how many nodes of theirs are known."""

    graph: Graph
    placeholders: Mapping[str, str] = field(default_factory=dict)
    remarks: tuple[Remark, ...] = ()
    mapped: int = 0

    @property
    def total(self) -> int:
        return self.mapped + len(self.placeholders)


def is_comfyui(document: Any) -> bool:
    """Whether a parsed document is a graph of ComfyUI's, in either form."""
    return workflow_format.looks_like(document) or api_format.looks_like(document)


def import_document(document: Mapping[str, Any]) -> Imported:
    """The graph of a parsed document. Raises GraphFileError where it is damaged."""
    how = workflow_format if workflow_format.looks_like(document) else api_format
    return import_graph(how.read(document))


def import_graph(source: SourceGraph) -> Imported:
    """The graph of what was read. Raises GraphFileError for none."""
    if not source.nodes:
        raise GraphFileError("This ComfyUI workflow holds no nodes that run.")
    return _GraphBuilder(source).imported()


class _GraphBuilder:
    """Makes the nodes one after the other, so that what leads to one is there before it."""

    def __init__(self, source: SourceGraph) -> None:
        self._source = source
        self._outputs: dict[Wire, MappedOutput | None] = {}
        self._nodes: dict[str, Node] = {}
        self._places: dict[str, Mapping[str, Any]] = {}
        self._ids: dict[str, list[str]] = {}
        self._remarks: list[tuple[str, str]] = []
        self._placeholders: dict[str, str] = {}
        self._used: dict[str, set[int]] = {}
        for node in source.nodes.values():
            for wire in node.wires().values():
                self._used.setdefault(wire.source, set()).add(wire.slot)

    def imported(self) -> Imported:
        known, mapped = mappings(), 0
        for id in self._order():
            node = self._source.nodes[id]
            wanted = self._used.get(id, set())
            outputs = known[node.type](node, self) if node.type in known else None
            if outputs is None:
                outputs = self._placeholder(node, max(wanted, default=-1) + 1)
            else:
                mapped += 1
            for slot in wanted:
                self._outputs[Wire(id, slot)] = outputs[slot] if slot < len(outputs) else None
        remarks = [*(Remark("", text) for text in self._source.remarks)]
        remarks += [Remark(self._ids.get(id, [""])[0], text) for id, text in self._remarks]
        view: dict[str, Any] = {"nodes": self._places} if self._places else {}
        if self._source.frames:
            view["frames"] = list(self._source.frames)
        if self._source.notes:
            view["notes"] = list(self._source.notes)
        graph = folded(Graph(self._nodes, view=view))
        return Imported(graph, self._placeholders, tuple(remarks), mapped)

    def _order(self) -> list[str]:
        """Ids, sources first; of a circle one wire is left out."""
        nodes, order = self._source.nodes, []
        state: dict[str, bool] = {}  # whether all that leads to it is there; else it is being done
        for first in nodes:
            stack = [(first, iter(nodes[first].wires().values()))] if first not in state else []
            state.setdefault(first, False)
            while stack:
                id, wires = stack[-1]
                for wire in wires:
                    if wire.source not in nodes or state.get(wire.source):
                        continue
                    if wire.source in state:
                        self._remarks.append((id, "its wires go in a circle"))
                        continue
                    state[wire.source] = False
                    stack.append((wire.source, iter(nodes[wire.source].wires().values())))
                    break
                else:
                    state[id] = True
                    order.append(id)
                    stack.pop()
        return order

    # --- What mappings build with -----------------------------------------------------------------

    def output(self, value: Any) -> MappedOutput | None:
        return self._outputs.get(value) if isinstance(value, Wire) else None

    def link(self, value: Any) -> Link | None:
        found = self.output(value)
        return found.link if found else None

    def add(
        self,
        node: SourceNode,
        type: str,
        params: Mapping[str, Any] = MappingProxyType({}),
        links: Mapping[str, Link | None] = MappingProxyType({}),
        *,
        beside: str = "",
        extra: Mapping[str, Any] = MappingProxyType({}),
    ) -> str:
        stem = type.rpartition(".")[2]
        id = _NO_ID.sub("_", "_".join(part for part in (stem, node.id, beside) if part))
        if not id[0].isalpha():
            id = f"n{id}"
        there = {name: link for name, link in links.items() if link}
        title = "" if beside else node.title
        self._nodes[id] = Node(id, type, 1, dict(params), there, "normal", title, dict(extra))
        self._ids.setdefault(node.id, []).append(id)
        if node.place:
            self._places[id] = node.place
        return id

    def is_used(self, node: SourceNode, slot: int) -> bool:
        return slot in self._used.get(node.id, ())

    def tell(self, node: SourceNode, text: str) -> None:
        self._remarks.append((node.id, text))

    def _placeholder(self, node: SourceNode, slots: int) -> list[MappedOutput]:
        """In place of a node that is not known: its values and wires, under their own names."""
        links = {name: self.link(wire) for name, wire in node.wires().items()}
        known = signatures().get(node.type)
        names = [name for name, _ in known.outputs] if known else list(node.outputs)
        names += [f"output {i}" for i in range(len(names), slots)]
        extra = {"comfyui": dict(node.properties)} if node.properties else {}
        id = self.add(node, PLACEHOLDER + node.type, node.values(), links, extra=extra)
        self._placeholders[id] = node.type
        return [MappedOutput(Link(id, name)) for name in names]
