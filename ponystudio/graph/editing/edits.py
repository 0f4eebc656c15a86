"""Edits as values: each makes a new graph and gives the edit that undoes it exactly.

An edit that cannot be made raises a GraphError and, since graphs never change in place, changes
nothing. Edits know no catalog: whether sockets exist and types match is for `check` to say, so
that a graph with missing packs can still be edited.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, get_args

from ponystudio.errors import (
    BrokenLink,
    GraphError,
    ParamChoice,
    UnknownNode,
    UnknownParam,
    UnknownSocket,
)
from ponystudio.graph.catalog import did_you_mean
from ponystudio.graph.model import (
    LONGEST_TITLE,
    NODE_ID,
    Graph,
    Link,
    Mode,
    Node,
    malformed_part,
)
from ponystudio.graph.plain_json import plain, shown
from ponystudio.graph.topology import ancestors, cycle_error, find_cycle

Key = str | int
Path = tuple[Key, ...]
_MODES = get_args(Mode)


class Removed:
    """In place of a value: there is none (any more)."""

    def __repr__(self) -> str:
        return "REMOVED"


REMOVED = Removed()


class Edit(ABC):
    """One thing a person does to a graph."""

    @abstractmethod
    def apply(self, graph: Graph) -> tuple[Graph, Edit]:
        """The edited graph, and the edit that turns it back into this one."""


@dataclass(frozen=True)
class Restore(Edit):
    """Put nodes (None: no such node), the view and what is known of model files back as they were;
    what every undo is."""

    nodes: Mapping[str, Node | None]
    view: Mapping[str, Any] | None = None
    models: Mapping[str, Any] | None = None

    def apply(self, graph: Graph) -> tuple[Graph, Edit]:
        old = Restore(
            {id: graph.nodes.get(id) for id in self.nodes},
            None if self.view is None else graph.view,
            None if self.models is None else graph.models,
        )
        nodes = graph.nodes
        if self.nodes:
            nodes = {id: node for id, node in nodes.items() if self.nodes.get(id, node)}
            nodes.update((id, node) for id, node in self.nodes.items() if node)
        view = graph.view if self.view is None else self.view
        models = graph.models if self.models is None else self.models
        return replace(graph, nodes=nodes, view=view, models=models), old


def edit_between(before: Graph, after: Graph) -> Restore:
    """The edit that turns one graph into the other, as far as nodes, view and what is known of
    model files go."""
    return Restore(
        {id: after.nodes.get(id) for id in changed_keys(before.nodes, after.nodes)},
        None if after.view is before.view else after.view,
        None if after.models is before.models else after.models,
    )


def changed_keys(before: Mapping[str, Any], after: Mapping[str, Any]) -> frozenset[str]:
    """The keys that came, went or changed; identity first, as what did not change is shared."""
    if before is after:
        return frozenset()
    gone_or_changed = {
        key for key, old in before.items() if (new := after.get(key)) is not old and new != old
    }
    return frozenset(gone_or_changed | (after.keys() - before.keys()))


@dataclass(frozen=True)
class Compound(Edit):
    """Several edits that are done, and undone, as one; if one cannot be made none is."""

    edits: Sequence[Edit]

    def apply(self, graph: Graph) -> tuple[Graph, Edit]:
        before, own = graph, _Own()
        for edit in self.edits:
            if isinstance(edit, SetView):  # many things are moved with one copy of the layout
                graph = replace(graph, view=edit.on(graph.view, own))
            else:
                graph, _ = edit.apply(graph)
                own = _Own()
        return graph, edit_between(graph, before)


@dataclass(frozen=True)
class AddNode(Edit):
    """A new node, with what is known of its looks, e.g. {"pos": [0, 0]}."""

    node: Node
    view: Mapping[str, Any] = field(default_factory=dict)

    def apply(self, graph: Graph) -> tuple[Graph, Edit]:
        _check_free(graph, self.node.id)
        view = _with_node_view(graph.view, self.node.id, plain(self.view)) if self.view else None
        return _placed(graph, _checked(self.node), view)


@dataclass(frozen=True)
class RemoveNode(Edit):
    """Take a node away, with the links into it, the links from it, and its looks."""

    id: str

    def apply(self, graph: Graph) -> tuple[Graph, Edit]:
        _node(graph, self.id)
        changes: dict[str, Node | None] = {
            node.id: replace(
                node,
                inputs={s: link for s, link in node.inputs.items() if link.source != self.id},
            )
            for node in graph.nodes.values()
            if any(link.source == self.id for link in node.inputs.values())
        }
        changes[self.id] = None
        return Restore(changes, _with_node_view(graph.view, self.id, REMOVED)).apply(graph)


@dataclass(frozen=True)
class ReplaceNode(Edit):
    """Another node of the same id, e.g. one of a newer version; links from it stay."""

    node: Node

    def apply(self, graph: Graph) -> tuple[Graph, Edit]:
        _node(graph, self.node.id)
        return _placed(graph, _checked(self.node), None)


@dataclass(frozen=True)
class RenameNode(Edit):
    """Another id for a node; links from it and its looks follow."""

    id: str
    new: str

    def apply(self, graph: Graph) -> tuple[Graph, Edit]:
        node = _node(graph, self.id)
        _check_free(graph, self.new)
        changes: dict[str, Node | None] = {
            other.id: replace(other, inputs=self._followed(other.inputs))
            for other in graph.nodes.values()
            if any(link.source == self.id for link in other.inputs.values())
        }
        changes[self.id] = None
        changes[self.new] = replace(node, id=self.new, inputs=self._followed(node.inputs))
        looks = graph.view.get("nodes", {}).get(self.id, REMOVED)
        view = _with_node_view(graph.view, self.id, REMOVED)
        return Restore(changes, _with_node_view(view, self.new, looks)).apply(graph)

    def _followed(self, inputs: Mapping[str, Link]) -> dict[str, Link]:
        return {
            socket: Link(self.new, link.output) if link.source == self.id else link
            for socket, link in inputs.items()
        }


@dataclass(frozen=True)
class SetParam(Edit):
    """A param's value; REMOVED leaves it to the default."""

    node: str
    name: str
    value: Any

    def apply(self, graph: Graph) -> tuple[Graph, Edit]:
        node = _node(graph, self.node)
        params = dict(node.params)
        if self.value is not REMOVED:
            params[self.name] = _plain_at(self.value, self.node, self.name)
        elif params.pop(self.name, REMOVED) is REMOVED:
            raise UnknownParam(
                f"No value of {shown(self.name)} is set.", node=self.node, socket=self.name
            )
        return Restore({self.node: replace(node, params=params)}).apply(graph)


@dataclass(frozen=True)
class SetModels(Edit):
    """What is known of the model files that the graph names."""

    models: Mapping[str, Any]

    def apply(self, graph: Graph) -> tuple[Graph, Edit]:
        return Restore({}, models=_plain_at(self.models, "", "models")).apply(graph)


@dataclass(frozen=True)
class Connect(Edit):
    """A link from an output to an input (or a param); it takes the place of the one there."""

    source: str
    output: str
    target: str
    input: str

    def apply(self, graph: Graph) -> tuple[Graph, Edit]:
        node = _node(graph, self.target)
        link = Link(self.source, self.output)
        return _placed(graph, replace(node, inputs={**node.inputs, self.input: link}), None)


@dataclass(frozen=True)
class Disconnect(Edit):
    """No link into this input any more."""

    target: str
    input: str

    def apply(self, graph: Graph) -> tuple[Graph, Edit]:
        node = _node(graph, self.target)
        if self.input not in node.inputs:
            raise UnknownSocket(
                f"Nothing is linked to {shown(self.input)}.",
                node=self.target,
                socket=self.input,
                remedy=did_you_mean(self.input, node.inputs),
            )
        inputs = {socket: link for socket, link in node.inputs.items() if socket != self.input}
        return Restore({self.target: replace(node, inputs=inputs)}).apply(graph)


@dataclass(frozen=True)
class SetMode(Edit):
    """Whether a node runs: normal, muted or bypassed."""

    node: str
    mode: Mode

    def apply(self, graph: Graph) -> tuple[Graph, Edit]:
        node = _node(graph, self.node)
        if self.mode not in _MODES:
            raise ParamChoice(
                f"{shown(self.mode)} is no mode.",
                node=self.node,
                remedy=f"Choose one of: {', '.join(_MODES)}.",
            )
        return Restore({self.node: replace(node, mode=self.mode)}).apply(graph)


@dataclass(frozen=True)
class SetTitle(Edit):
    """A node's own title, of LONGEST_TITLE letters at most; "" shows that of its kind."""

    node: str
    title: str

    def apply(self, graph: Graph) -> tuple[Graph, Edit]:
        node = replace(_node(graph, self.node), title=self.title[:LONGEST_TITLE])
        return Restore({self.node: node}).apply(graph)


class _Own:
    """Objects and lists of a view that were copied for edits that are still being made."""

    def __init__(self) -> None:
        self._copies: dict[int, Any] = {}

    def copied(self, container: Any) -> Any:
        """A copy of the object or list, or the container itself if it is one."""
        known = self._copies.get(id(container))
        if known is container:
            return known
        copy = dict(container) if isinstance(container, Mapping) else list(container)
        self._copies[id(copy)] = copy
        return copy


@dataclass(frozen=True)
class SetView(Edit):
    """Anything about the layout: a value, or REMOVED, at a path inside the view.

    SetView(("nodes", "sampler", "pos"), [760, 0]); SetView(("frames", 2, "title"), "Upscaling").
    Missing objects on the way are made; a list is extended by setting the place after its last.
    """

    path: Path
    value: Any

    def apply(self, graph: Graph) -> tuple[Graph, Edit]:
        return Restore({}, self.on(graph.view, _Own())).apply(graph)

    def on(self, view: Mapping[str, Any], own: _Own) -> Mapping[str, Any]:
        """The view with this done; what was copied for it joins `own`, which nobody else has seen
        and which may therefore be changed in place."""
        value = self.value if self.value is REMOVED else plain(self.value)
        result: Mapping[str, Any] = self._set(view, self.path, value, own)
        if malformed_part(result):
            raise self._no_such_place()
        return result

    def _set(self, container: Any, path: Path, value: Any, own: _Own) -> Any:
        if not path:
            if not isinstance(value, Mapping):
                raise self._no_such_place()
            return value
        key, rest = path[0], path[1:]
        if isinstance(container, Mapping) and isinstance(key, str):
            present = key in container
        elif isinstance(container, list | tuple) and isinstance(key, int):
            present = key < len(container)
            if not 0 <= key <= len(container):
                raise self._no_such_place()
        else:
            raise self._no_such_place()
        copy = own.copied(container)
        if rest:
            value = self._set(copy[key] if present else {}, rest, value, own)
        if value is REMOVED:
            if not present:
                raise self._no_such_place()
            del copy[key]
        elif present or isinstance(copy, dict):
            copy[key] = value
        else:
            copy.append(value)
        return copy

    def _no_such_place(self) -> GraphError:
        place = ".".join(["view", *map(str, self.path)])
        return GraphError("There is no such place in the layout.", where=place)


def _placed(graph: Graph, node: Node, view: Mapping[str, Any] | None) -> tuple[Graph, Edit]:
    """The graph with this node new or in place of its namesake, if its links may be so."""
    before = graph.nodes.get(node.id)
    links = node.inputs.items() - (before.inputs.items() if before else set())
    for socket, link in sorted(links, key=lambda item: item[0]):
        if link.source not in graph.nodes and link.source != node.id:
            raise BrokenLink(
                f"There is no node {shown(link.source)} to link from.",
                node=node.id,
                socket=socket,
                remedy=did_you_mean(link.source, graph.nodes),
            )
    after, undo = Restore({node.id: node}, view).apply(graph)
    sources = {link.source for _, link in links}
    upstream = ancestors(after, sources)
    if node.id in upstream:
        raise cycle_error(find_cycle(after, upstream))
    return after, undo


def _node(graph: Graph, id: str) -> Node:
    if id not in graph.nodes:
        raise UnknownNode(
            f"There is no node {shown(id)}.", node=id, remedy=did_you_mean(id, graph.nodes)
        )
    return graph.nodes[id]


def _check_free(graph: Graph, id: str) -> None:
    if not NODE_ID.fullmatch(id):
        raise GraphError(
            f"{shown(id)} cannot be the id of a node.",
            remedy="Ids are made of letters, digits, _ and -, and do not begin with a digit or -.",
        )
    if id in graph.nodes:
        raise GraphError(f"There is already a node {id}.", node=id, remedy="Use another id.")


def _checked(node: Node) -> Node:
    return replace(node, params=_plain_at(node.params, node.id, "params"))


def _plain_at(value: Any, node: str, socket: str) -> Any:
    try:
        return plain(value)
    except GraphError as error:
        raise type(error)(error.what, remedy=error.remedy, node=node, socket=socket) from None


def _with_node_view(view: Mapping[str, Any], id: str, looks: Any) -> Mapping[str, Any]:
    """The view with other looks of one node, REMOVED for none."""
    nodes = view.get("nodes", {})
    if looks is REMOVED:
        if id not in nodes:
            return view
        return {**view, "nodes": {key: value for key, value in nodes.items() if key != id}}
    return {**view, "nodes": {**nodes, id: looks}}
