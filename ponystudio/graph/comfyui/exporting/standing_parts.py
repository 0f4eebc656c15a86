"""Of a workflow that was imported and changed, what still stands, with what joined it.

Subgraphs and group nodes of which nothing was changed stay what they are, with all that only wires
others; the nodes that were changed, or are new, are written anew and take the wires of those that
they replace.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from ponystudio.graph.comfyui import workflow_format
from ponystudio.graph.comfyui.exporting.export_mapping import Target
from ponystudio.graph.comfyui.exporting.kept_source import KeptSource
from ponystudio.graph.comfyui.exporting.target_graph import TargetGraph
from ponystudio.graph.comfyui.exporting.workflow_writer import copied
from ponystudio.graph.comfyui.source_graph import Wire, inside, listed, objects, slot, text, whole
from ponystudio.graph.model import Graph, Link


@dataclass(frozen=True)
class RawLink:
    """A link as a document has it: both versions say the same."""

    id: int
    source: str
    out: int
    target: str

    @classmethod
    def of(cls, link: Any) -> RawLink | None:
        match link:
            case [id, source, out, target, *_]:
                pass
            case {"id": id, "origin_id": source, "origin_slot": out, "target_id": target}:
                pass
            case _:
                return None
        number, origin = whole(id), slot(out)
        if number is None or origin is None:
            return None
        return cls(number, text(source), origin, text(target))


class StandingParts:
    """Which nodes of a document stand. `gone` are ids of those that do not, `fresh` the nodes of
    ours that are to be written, `known` what outputs of the others are there."""

    def __init__(self, graph: Graph, source: KeptSource) -> None:
        """Raises GraphFileError for a damaged document."""
        self._graph, self._source = graph, source
        self.document: Mapping[str, Any] = source.documents["workflow"]
        self._behind = workflow_format.wires_of(self.document)
        self.gone, standing = self._sorted()
        self.fresh = set(graph.nodes) - standing
        self.known = dict(self._known())

    def _sorted(self) -> tuple[set[str], set[str]]:
        """The ids of theirs that are gone, and those of ours that stand. What several of theirs
        became one of stands or goes with all of them."""
        inner = {
            ours: {one.partition(":")[0] for one in theirs}
            for ours, theirs in self._source.imported.sources.items()
        }
        gone: set[str] = set()
        rest = dict(inner)
        while True:
            touched = {
                ours
                for ours, units in rest.items()
                if units & gone or ours not in self._graph.nodes or not self._source.is_same(ours)
            }
            if not touched:
                return gone, set(rest)
            for ours in touched:
                gone |= rest.pop(ours)

    def _known(self) -> Iterator[tuple[Link, Target]]:
        outputs = self._source.imported.outputs
        for node in reversed(objects(self.document, "nodes")):
            id = text(node.get("id"))
            if not id or id in self.gone:
                continue
            for out in range(len(listed(node, "outputs"))):
                wire = self._behind(id, out)
                # What only wires others leads to what another gives, too.
                if wire and wire.source.partition(":")[0] == id and wire in outputs:
                    yield outputs[wire], Target(Wire(id, out))

    @property
    def has_inner_graphs(self) -> bool:
        """Whether any node stands that has a graph inside."""
        return bool(workflow_format.inner_graphs(self.document).keys() - self.gone)

    def base(self) -> dict[str, Any]:
        """The document without the nodes that are gone, and what leads to them."""
        document: dict[str, Any] = copied(self.document)
        document["nodes"] = [
            node for node in document["nodes"] if text(node.get("id")) not in self.gone
        ]
        links = [(raw, RawLink.of(raw)) for raw in listed(document, "links")]
        dropped = {link.id for _, link in links if link and link.target in self.gone}
        document["links"] = [raw for raw, link in links if link is None or link.id not in dropped]
        for node in document["nodes"]:
            for output in objects(node, "outputs"):
                if kept := listed(output, "links"):
                    kept[:] = [id for id in kept if whole(id) not in dropped]
        return document

    def handed_on(self, target: TargetGraph) -> dict[int, Wire] | None:
        """Which links that stand come from nodes that are gone, and what gives the same now; None
        where nothing does."""
        found: dict[int, Wire] = {}
        outputs = self._source.imported.outputs
        for raw in listed(self.document, "links"):
            link = RawLink.of(raw)
            if link is None or link.source not in self.gone or link.target in self.gone:
                continue
            wire = self._behind(link.source, link.out)
            given = target.outputs.get(outputs[wire]) if wire and wire in outputs else None
            if given is None or given.turned or given.words:
                return None
            found[link.id] = given.wire
        return found

    def lacks(self, target: TargetGraph) -> bool:
        """Whether a node that was written is wired to an output that is not there."""
        return any(
            link.source in self._graph.nodes and link not in target.outputs
            for id in self.fresh
            for link in self._graph.nodes[id].inputs.values()
        )

    @property
    def is_wired_by_rules(self) -> bool:
        """Whether links are said apart from the others, as Use Everywhere does."""
        return bool(inside(self.document, "extra").get("ue_links"))
