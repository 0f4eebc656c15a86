"""A graph of ComfyUI as one of ours, and what is to be said of it."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field, replace
from itertools import count
from types import MappingProxyType
from typing import Any

from ponystudio.api.spec import NodeSpec
from ponystudio.errors import GraphError, GraphFileError
from ponystudio.graph.catalog import shipped_catalog
from ponystudio.graph.comfyui import api_format, two_documents, workflow_format
from ponystudio.graph.comfyui.arrangement import arranged
from ponystudio.graph.comfyui.card_noise import drawn_on_cards
from ponystudio.graph.comfyui.flux_shift import with_flux_shift
from ponystudio.graph.comfyui.folding import folded
from ponystudio.graph.comfyui.literal_texts import read_as_marks
from ponystudio.graph.comfyui.mapping import (
    Builder,
    Carried,
    Mapped,
    MappedOutput,
    Outputs,
    mappings,
    signatures,
)
from ponystudio.graph.comfyui.source_graph import (
    MOST_BENDS,
    Bend,
    SourceGraph,
    SourceNode,
    Wire,
    size_of,
)
from ponystudio.graph.comfyui.told_models import told_models
from ponystudio.graph.doubtful_values import doubts, without_slips
from ponystudio.graph.model import LONGEST_TITLE, Graph, Link, Node
from ponystudio.graph.placeholder import PLACEHOLDER, PROPERTIES, REASON
from ponystudio.graph.plain_json import plain, plain_text
from ponystudio.graph.topology import CONSTANTS, bypass_input

# What a graph keeps under this name are the documents that it was imported from.
SOURCE = "comfyui"
# Values of them; with more, the graph's own file would be too large to be read again.
_MOST_KEPT = 1_000_000
# What stands before our types, as classes of nodes that ComfyUI has none for.
OWN_CLASS = "PonyStudio:"
# Our nodes that hand a text encoder on, with the layer that was chosen.
_PASS_ON = frozenset(("core.apply_lora", "core.apply_loras", "core.merge_clips"))
# What a param can be: where a wire of theirs brings it, it needs none here.
_PLAIN = (str, int, float)
_NO_ID = re.compile(r"[^A-Za-z0-9_-]")


@dataclass(frozen=True)
class Remark:
    """What an import has to say: `node` is an id of the new graph, or "" for the whole."""

    node: str
    text: str

    def __str__(self) -> str:
        return f"{self.node}: {self.text}" if self.node else self.text


@dataclass
class Imported:
    """The graph, and what is to be said: `placeholders`: by id of the new node, the class that it
    stands for; `remarks`; `mapped`: how many nodes of theirs are known; `sources`: by id of the new
    node, the ids of those that it comes from; `program`: whose file or text it was."""

    graph: Graph
    placeholders: Mapping[str, str] = field(default_factory=dict)
    remarks: tuple[Remark, ...] = ()
    mapped: int = 0
    sources: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    outputs: Mapping[Wire, Link] = field(default_factory=dict)
    program: str = "ComfyUI"

    @property
    def total(self) -> int:
        return self.mapped + len(self.placeholders)


def is_comfyui(document: Any) -> bool:
    """Whether a parsed document is a graph of ComfyUI's in either form, or has one inside."""
    return (
        workflow_format.looks_like(document)
        or api_format.looks_like(document)
        or two_documents.workflow_in(document) is not None
    )


def import_document(document: Any) -> Imported:
    """The graph of a parsed document. Raises GraphFileError where it is damaged."""
    if workflow_format.looks_like(document):
        return import_documents(workflow=document)
    if api_format.looks_like(document):
        return import_documents(prompt=document)
    return import_documents(workflow=two_documents.workflow_in(document))


def import_documents(workflow: Any = None, prompt: Any = None) -> Imported:
    """The graph of a workflow, of what ran of it, or of both as a picture has them. The documents
    stay in it, as `extra["comfyui"]`. Raises GraphFileError where they are damaged."""
    drawn = two_documents.workflow_in(prompt) if workflow is None else workflow
    imported = import_graph(two_documents.read(drawn, prompt))
    if prompt is not None:
        said = tuple(Remark(*marks) for marks in read_as_marks(imported.graph))
        imported = replace(imported, remarks=(*imported.remarks, *said))
    models = plain(told_models(imported.graph, shipped_catalog(), drawn))
    imported = replace(imported, graph=replace(imported.graph, models=models))
    given = {"workflow": workflow, "prompt": prompt}
    given = {name: document for name, document in given.items() if document is not None}
    unkept = ""
    if size_of(given) > _MOST_KEPT:
        unkept = "it is too large"
    else:
        try:
            given = plain(given)
        except GraphError as error:
            unkept = error.what
    if unkept:
        remark = Remark("", f"the file itself is not kept in the graph: {unkept}")
        return replace(imported, remarks=(*imported.remarks, remark))
    return replace(imported, graph=replace(imported.graph, extra={SOURCE: given}))


def import_graph(source: SourceGraph, catalog: Mapping[str, NodeSpec] | None = None) -> Imported:
    """The graph of what was read, by the specs of a catalog; without one, by those that ship.
    Raises GraphFileError for no nodes."""
    if not source.nodes:
        raise GraphFileError("This ComfyUI workflow holds no nodes that run.")
    return _GraphBuilder(source, catalog or shipped_catalog()).imported()


# What an output of theirs comes to.
_Found = MappedOutput | Carried | None


class _GraphBuilder:
    """Makes the nodes one after the other, so that what leads to one is there before it."""

    def __init__(self, source: SourceGraph, catalog: Mapping[str, NodeSpec]) -> None:
        self._source, self._catalog = source, catalog
        self._outputs: dict[Wire, _Found] = {}
        self._links: dict[Wire, Link] = {}  # those of outputs that nobody uses, too
        self._nodes: dict[str, Node] = {}
        self._dots: dict[str, dict[str, tuple[Bend, ...]]] = {}
        # Of the node that is being made: where the wires from these outputs bend.
        self._bends: dict[Link, tuple[Bend, ...]] = {}
        self._ids: dict[str, list[str]] = {}
        self._alike: dict[str, int] = {}  # up to which number ids that begin so are taken
        self._remarks: list[tuple[str, str]] = []
        self._placeholders: dict[str, str] = {}
        self._count = 0
        self._turns: dict[str, int] = {}  # when a node was looked at
        self._stand_ins: dict[Wire, MappedOutput] = {}  # for nodes that are not known
        self._used: dict[str, set[int]] = {}
        for node in source.nodes.values():
            for wire in node.wires().values():
                self._used.setdefault(wire.source, set()).add(wire.slot)

    def imported(self) -> Imported:
        for id in self._order():
            self._turns[id] = len(self._turns)
            node, slots = self._settled(self._source.nodes[id]), self._used.get(id, set())
            wires = ((self.output(wire), wire.bends) for wire in node.wires().values())
            bent = {out.link: (*out.bends, *bends) for out, bends in wires if out}
            self._bends = {link: bends[-MOST_BENDS:] for link, bends in bent.items() if bends}
            told = len(self._remarks)
            outputs = self._mapped(node)
            found: Mapping[int, _Found]
            if outputs is None:
                reason = next((text for _, text in self._remarks[told:]), "")
                found = self._placeholder(node, slots, reason)
            else:
                self._count += 1
                found = {slot: self._through(node, out) for slot, out in enumerate(outputs)}
            if node.mode == "muted":
                own = {slot: out for slot, out in found.items() if self._is_own(node, out)}
                if slots - own.keys():
                    self.tell(node, "is muted: what it is wired to gets nothing of it")
                found = own
            elif node.mode == "bypassed":
                found = self._passed_on(node, found, slots)
            self._outputs |= {Wire(id, slot): found.get(slot) for slot in slots}
            self._links |= {
                Wire(id, slot): out.link
                for slot, out in found.items()
                if isinstance(out, MappedOutput) and out.link
            }
        graph = without_slips(Graph(self._nodes), self._catalog)
        graph, renamed = folded(graph)
        graph, shifts, in_doubt = with_flux_shift(graph)
        for ids in self._ids.values():
            ids += [shifts[id] for id in ids if id in shifts]
        view = arranged(graph, self._source, *self._cards(graph, renamed), self._catalog)
        graph = replace(graph, view=view)
        sources: dict[str, tuple[str, ...]] = {}
        for id, made in self._ids.items():
            for ours in made:
                ours = renamed.get(ours, ours)
                sources[ours] = (*sources.get(ours, ()), id)
        remarks = []
        for id, text in (*self._source.remarks, *self._remarks):
            ours = self._ids.get(id, [""])[0]
            said = text if ours or not id else f"{self._source.nodes[id].type} {id}: {text}"
            remarks.append(Remark(renamed.get(ours, ours), said))
        in_doubt += [*doubts(graph, self._catalog), *drawn_on_cards(graph)]
        remarks += [Remark(id, text) for id, text in in_doubt]
        links = {
            wire: replace(link, source=renamed.get(link.source, link.source))
            for wire, link in self._links.items()
        }
        return Imported(graph, self._placeholders, tuple(remarks), self._count, sources, links)

    def _mapped(self, node: SourceNode) -> Outputs | None:
        """What its outputs lead to; None where it is not known, or says what cannot be taken."""
        how = _own if node.type.startswith(OWN_CLASS) else mappings().get(node.type)
        if how is None:
            return None
        inputs = _Watched(node.inputs)
        try:
            outputs = how(replace(node, inputs=inputs), self)
        except (TypeError, ValueError, LookupError, ArithmeticError, AttributeError):
            self.tell(node, "its values are of other kinds than they should be")
            outputs = None
        if outputs is None:
            for id in self._ids.pop(node.id, ()):
                del self._nodes[id]
                self._dots.pop(id, None)
            return None
        for name in node.inputs.keys() - inputs.seen:
            self.tell(node, f"{name} is not known, and left out")
        if isinstance(how, Mapped):
            for name in how.inputs:
                if name in node.inputs and node.inputs[name] is None:
                    self.tell(node, f"{name} is no value there: that of a new node holds here")
        return outputs

    def _cards(
        self, graph: Graph, renamed: Mapping[str, str]
    ) -> tuple[dict[str, list[str]], dict[str, dict[str, tuple[Bend, ...]]]]:
        """Which nodes stand where theirs does, by its id, and the bends of wires into them, when
        some were folded: the parts of a run have no cards of their own."""
        made: dict[str, list[str]] = {}
        for theirs, ids in self._ids.items():
            whole = [id for id in ids if id not in renamed or id.startswith("sample_custom")]
            made[theirs] = [renamed.get(id, id) for id in whole]
        dots: dict[str, dict[str, tuple[Bend, ...]]] = {}
        for id, bent in self._dots.items():
            id = renamed.get(id, id)
            there = graph.nodes[id].inputs
            dots.setdefault(id, {}).update((n, bends) for n, bends in bent.items() if n in there)
        return made, dots

    def _through(
        self, node: SourceNode, output: MappedOutput | Carried | None
    ) -> MappedOutput | Carried | None:
        """An output, with a bend where a node stood that only hands it on."""
        x, y = node.place.get("pos", (None, None))
        if not isinstance(output, MappedOutput) or self._is_own(node, output) or x is None:
            return output
        width, height = node.place.get("size", (0, 0))
        here = Bend(node.area, x + width / 2, y + height / 2)
        return replace(output, bends=(*self._bends.get(output.link, output.bends), here))

    def _settled(self, node: SourceNode) -> SourceNode:
        """The node with a plain value in the place of each wire that brings one."""
        plain = {name: self.carried(wire) for name, wire in node.wires().items()}
        plain = {name: value for name, value in plain.items() if isinstance(value, _PLAIN)}
        return replace(node, inputs={**node.inputs, **plain}) if plain else node

    # --- Muted and bypassed nodes -----------------------------------------------------------------

    def _is_own(self, node: SourceNode, output: _Found) -> bool:
        """Whether an output comes from a node that was made for this one."""
        return isinstance(output, MappedOutput) and output.link.source in self._ids.get(node.id, ())

    def _passed_on(
        self, node: SourceNode, outputs: Mapping[int, _Found], slots: Collection[int]
    ) -> dict[int, _Found]:
        """What a bypassed node gives: itself, where it passes on here what it does there, else what
        it is wired to."""
        found: dict[int, _Found] = {}
        past = False
        for slot in slots:
            passed, own = node.passes.get(slot), outputs.get(slot)
            if passed is not None and not isinstance(passed, Wire):
                found[slot] = Carried(passed)
                continue
            source = self._outputs.get(passed) if passed else None
            found[slot] = source
            if not isinstance(own, MappedOutput) or not self._is_own(node, own):
                continue
            if isinstance(source, MappedOutput) and self._past(node, own.link) == source.link:
                found[slot] = replace(source, link=own.link)
            elif source is None and self._past(node, own.link) is None:
                found[slot] = own
            else:
                past = past or source is not None
        if past:
            self.tell(node, "is bypassed, and wired past: here it would pass on something else")
        return found

    def _past(self, node: SourceNode, link: Link) -> Link | None:
        """Where a link leads through those made for a bypassed node, which pass on what feeds
        them."""
        found: Link | None = link
        own = self._ids[node.id]
        while found and found.source in own:
            made = self._nodes[found.source]
            spec = self._catalog.get(made.type)
            found = made.inputs.get(bypass_input(spec, found.output)) if spec else None
        return found

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
        found = self._outputs.get(value) if isinstance(value, Wire) else None
        return found if isinstance(found, MappedOutput) else None

    def link(self, value: Any) -> Link | None:
        found = self.output(value)
        return found.link if found else None

    def carried(self, value: Any) -> Any:
        found = self._outputs.get(value) if isinstance(value, Wire) else None
        return found.value if isinstance(found, Carried) else None

    def is_known(self, value: Any) -> bool:
        link = self.link(value)
        return link is not None and link.source not in self._placeholders

    def constant(self, value: Any) -> Any:
        if not isinstance(value, Wire):
            return value
        link = self.link(value)
        node = self._nodes.get(link.source) if link else None
        # A seed may be another one with each run.
        if node is None or node.type not in CONSTANTS - {"core.seed"} or node.inputs:
            return None
        return node.params.get("value")

    def add(
        self,
        node: SourceNode,
        type: str,
        values: Mapping[str, Any] = MappingProxyType({}),
        *,
        beside: str = "",
        extra: Mapping[str, Any] = MappingProxyType({}),
    ) -> str:
        params: dict[str, Any] = {}
        links: dict[str, Link] = {}
        for name, value in values.items():
            found = self.output(value) if isinstance(value, Wire) else value
            if isinstance(found, MappedOutput):
                links[name] = found.link
                self._tell_what_is_lost(node, type, name, found, values)
            elif isinstance(found, Link):
                links[name] = found
            elif isinstance(value, Wire):
                if value.source in self._source.nodes:
                    self.tell(node, f"nothing comes along the wire to {name}")
            elif value is not None:
                try:
                    params[name] = plain(value)
                except GraphError as error:
                    self.tell(node, f"{name} is left out: {error.what}")
        self._tell_what_is_muted(node, type, links)
        id = self._id(type, node, beside)
        title = "" if beside else plain_text(node.title[:LONGEST_TITLE])
        try:
            more = plain(extra)
        except GraphError as error:
            self.tell(node, f"what else is said of it is left out: {error.what}")
            more = {}
        self._nodes[id] = Node(id, type, 1, params, links, node.mode, title, more)
        self._ids.setdefault(node.id, []).append(id)
        if bent := {name: self._bends[to] for name, to in links.items() if to in self._bends}:
            self._dots[id] = bent
        return id

    def _id(self, type: str, node: SourceNode, beside: str) -> str:
        parts = (type.rpartition(".")[2], node.id, beside)
        id = _NO_ID.sub("_", "_".join(part for part in parts if part)) or "node"
        if not id[0].isalpha():
            id = f"n{id}"
        names = ((n, id if n == 1 else f"{id}_{n}") for n in count(self._alike.get(id, 1)))
        self._alike[id], name = next(found for found in names if found[1] not in self._nodes)
        return name

    def _tell_what_is_lost(
        self,
        node: SourceNode,
        type: str,
        name: str,
        found: MappedOutput,
        values: Mapping[str, Any],
    ) -> None:
        """What theirs has in a wire, and ours beside it, where nobody took it up."""
        if found.clip_skip and "clip_skip" not in values and type not in _PASS_ON:
            self.tell(node, f"the layer that was chosen for {name} is not taken up")
        if found.alpha and "alpha" not in values:
            self.tell(node, f"the transparency of {name} is left out")
        if found.perpendicular and "empty" not in values:
            self.tell(node, "the empty prompt of its model's PerpNeg is left out")

    def _tell_what_is_muted(self, node: SourceNode, type: str, links: Mapping[str, Link]) -> None:
        """Params have values of their own here, and do without the wire."""
        spec = self._catalog.get(type)
        for name in links.keys() & (spec.param_by_name if spec else {}):
            if node.mode == "normal" and self._nodes[links[name].source].mode == "muted":
                said = "its own value holds here, where ComfyUI would not run it"
                self.tell(node, f"what {name} comes from is muted: {said}")

    def is_used(self, node: SourceNode, slot: int) -> bool:
        return slot in self._used.get(node.id, ())

    def is_muted(self, output: MappedOutput) -> bool:
        return self._nodes[output.link.source].mode == "muted"

    def tell(self, node: SourceNode, text: str) -> None:
        self._remarks.append((node.id, text))

    def _placeholder(
        self, node: SourceNode, slots: Collection[int], reason: str
    ) -> dict[int, MappedOutput]:
        """In place of a node that is not known, and of those that only make sense to it."""
        for source in self._carrying(node):
            made = self._stand_in(self._settled(source), self._used[source.id])
            self._stand_ins |= {Wire(source.id, slot): output for slot, output in made.items()}
            self._count -= 1
        return self._stand_in(node, slots, reason)

    def _carrying(self, node: SourceNode) -> list[SourceNode]:
        """The nodes that what it is given comes from without being a wire here, the first first:
        what no node of ours takes up stands there as it did in the file."""
        found: dict[str, SourceNode] = {}
        rest = [node]
        while rest:
            for wire in rest.pop().wires().values():
                stands = wire in self._stand_ins or wire.source in found
                if self._is_packed(wire) and not stands:
                    source = found[wire.source] = self._source.nodes[wire.source]
                    rest.append(source)
        return sorted(found.values(), key=lambda source: self._turns[source.id])

    def _is_packed(self, wire: Wire) -> bool:
        """Whether it brings what is neither a wire here nor a plain value."""
        found = self._outputs.get(wire)
        return isinstance(found, Carried) and not isinstance(found.value, _PLAIN)

    def _stand_in(
        self, node: SourceNode, slots: Collection[int], reason: str = ""
    ) -> dict[int, MappedOutput]:
        """A node of its class, with its values and wires under their own names."""
        known = signatures().get(node.type)
        names = [name for name, _ in known.outputs] if known else []
        names = names or list(node.outputs)
        extra: dict[str, Any] = {PROPERTIES: dict(node.properties)} if node.properties else {}
        if reason:
            extra[REASON] = reason
        values = {
            name: self._stand_ins.get(value, value)
            if isinstance(value, Wire) and self._is_packed(value)
            else value
            for name, value in node.inputs.items()
        }
        id = self.add(node, PLACEHOLDER + node.type, values, extra=extra)
        self._placeholders[id] = node.type
        return {
            slot: MappedOutput(Link(id, names[slot] if slot < len(names) else f"output {slot}"))
            for slot in slots
            if slot >= 0
        }


def _own(node: SourceNode, builder: Builder) -> Outputs:
    """A node of ours that an export left as it is."""
    id = builder.add(node, node.type.removeprefix(OWN_CLASS), dict(node.inputs))
    return [MappedOutput(Link(id, name)) for name in node.outputs]


class _Watched(Mapping[str, Any]):
    """Inputs of a node, and which of them somebody has looked at."""

    def __init__(self, inputs: Mapping[str, Any]) -> None:
        self._inputs, self.seen = inputs, set[str]()

    def __getitem__(self, name: str) -> Any:
        self.seen.add(name)
        return self._inputs[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._inputs)

    def __len__(self) -> int:
        return len(self._inputs)
