"""The graph that is being edited, the only way to change it, and what is known of its nodes."""

from __future__ import annotations

import secrets
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import count
from typing import Any, Literal

import msgspec
from PySide6.QtCore import QObject, Signal
from PySide6.QtGui import QImage

from ponystudio.api.spec import NodeSpec
from ponystudio.graph.catalog import Catalog
from ponystudio.graph.editing.edits import Compound, Edit, changed_keys
from ponystudio.graph.editing.undo_history import UndoHistory, UndoRecord, UndoStep
from ponystudio.graph.model import Graph

Phase = Literal["rest", "waiting", "running", "done", "failed", "not_run"]
Tier = Literal["", "device", "memory", "disk"]


@dataclass(frozen=True)
class Problem:
    """Why a node cannot run or failed: `what` in one sentence, `remedy` what to do.

    `reason` is the error's class name; `socket` the input or param it is about, or "".
    `details` is for those who ask for more.
    """

    what: str
    remedy: str = ""
    reason: str = ""
    socket: str = ""
    details: str = ""


@dataclass(frozen=True)
class Offer:
    """What a node could have: `title` and `text` say what and why, `button` what pressing it does;
    `params` are pairs of names and values, `files` those that lie elsewhere, by kind, the name in
    the graph and the one to take; `page` is an address to open."""

    title: str
    text: str
    button: str
    params: tuple[tuple[str, Any], ...] = ()
    files: tuple[tuple[str, str, str], ...] = ()
    page: str = ""


class NodeState(msgspec.Struct, frozen=True):
    """`phase` is about the present or last run, `tier` and `reason` about the next one.

    `tier` says where the result lies that the next run would use; "" with a `reason` says why the
    node would run ("Seed changed"). `seconds` is how long it took when it last ran, `left` an
    estimate. `picture` is what it last showed, `live` that it is a preview of the present run,
    `stale` that it belongs to an earlier run. `problem` is a failure of the run, `faults` are what
    the check of the graph finds, `offer` what its card offers.
    """

    phase: Phase = "rest"
    tier: Tier = ""
    reason: str = ""
    step: int = 0
    steps: int = 0
    seconds: float | None = None
    left: float | None = None
    picture: QImage | None = None
    live: bool = False
    stale: bool = False
    problem: Problem | None = None
    faults: tuple[Problem, ...] = ()
    notes: tuple[str, ...] = ()
    offer: Offer | None = None
    outputs: tuple[tuple[str, str], ...] = ()
    """(name, summary) of what it gave, e.g. ("latent", "1×4×64×64, 64 KB")."""


REST = NodeState()
_MANY = 200


class NodeStates(QObject):
    """The states of a document's nodes. `changed` carries the id of a node, "" for all."""

    changed = Signal(str)

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._states: dict[str, NodeState] = {}
        self._held: dict[str, None] | None = None

    @contextmanager
    def at_once(self) -> Iterator[None]:
        """What changes within it is told of at its end, many nodes as all: whoever follows would
        spend seconds on thousands of signals."""
        self._held = {}
        try:
            yield
        finally:
            held, self._held = self._held, None
            for node in held if len(held) <= _MANY else [""] * bool(held):
                self.changed.emit(node)

    def __getitem__(self, node: str) -> NodeState:
        return self._states.get(node, REST)

    def __iter__(self) -> Iterator[str]:
        return iter(self._states)

    def set(self, node: str, state: NodeState) -> None:
        if self[node] != state:
            self._states[node] = state
            if self._held is None:
                self.changed.emit(node)
            else:
                self._held[node] = None

    def update(self, node: str, **changes: Any) -> None:
        """Change some fields of a node's state."""
        self.set(node, msgspec.structs.replace(self[node], **changes))

    def forget(self, node: str) -> None:
        if self._states.pop(node, None) is not None:
            self.changed.emit(node)

    def clear(self) -> None:
        self._states.clear()
        self.changed.emit("")


_PROCESS = secrets.token_hex(4)
_gestures = count(1)
# The gesture of edits that nobody made; journals know it by this name.
_AUTOMATIC = "by the way"


@dataclass(frozen=True)
class Change:
    """From one graph to the next. `nodes` are the ids whose node came, went or changed;
    `looks` those whose entry in the view did; `view` that anything in the view did."""

    before: Graph
    after: Graph
    nodes: frozenset[str]
    looks: frozenset[str]
    view: bool


@dataclass(frozen=True)
class Record:
    """What the journal keeps: an edit that was made, or a move in the undo history to `index`."""

    kind: Literal["do", "to"]
    edit: Edit | None = None
    text: str = ""
    merge: str = ""
    index: int = 0


class EditableGraph(QObject):
    """A graph, its undo history and its nodes' states.

    Edits that cannot be made raise a GraphError and change nothing. Whoever shows the graph listens
    to `changed`; whoever keeps it listens to `recorded`, which comes after `changed`.
    """

    changed = Signal(object)
    recorded = Signal(object)
    catalog_changed = Signal()

    def __init__(
        self,
        graph: Graph | None = None,
        catalog: Catalog | None = None,
        parent: QObject | None = None,
    ) -> None:
        super().__init__(parent)
        self._history = UndoHistory(graph or Graph())
        self._catalog = catalog or Catalog(())
        self.states = NodeStates(self)

    @property
    def graph(self) -> Graph:
        return self._history.graph

    @property
    def catalog(self) -> Catalog:
        return self._catalog

    def set_catalog(self, catalog: Catalog) -> None:
        if catalog is not self._catalog:
            self._catalog = catalog
            self.catalog_changed.emit()

    def spec(self, node: str) -> NodeSpec | None:
        """What is known of this node's kind; None if its pack is missing."""
        return self._catalog.get(self.graph.nodes[node].type)

    def looks(self, node: str) -> Mapping[str, Any]:
        """The node's entry in the view: pos, width, collapsed, dots, sockets, locked, ..."""
        looks: Mapping[str, Any] = self.graph.view.get("nodes", {}).get(node, {})
        return looks

    def has_default(self, node: str, param: str) -> bool:
        """Whether a param still has the value that its node came with."""
        spec = self.spec(node)
        known = spec.param_by_name.get(param) if spec else None
        params = self.graph.nodes[node].params
        return known is not None and params.get(param, known.default) == known.default

    def do(self, edit: Edit, text: str, merge: str = "") -> None:
        """Make an edit, as one step of the undo history named `text` ("Move Sample").

        Edits that follow each other with the same `merge`, which `gesture` makes, are one step.
        """
        before = self.graph
        after, inverse = edit.apply(before)
        if after != before:
            self._history.push(UndoStep(edit, inverse, text, merge), after)
            self._announce(before)
            self.recorded.emit(Record("do", edit, text, merge))

    def do_all(self, edits: Iterable[Edit], text: str, merge: str = "") -> None:
        """Make several edits as one step, none of them if one cannot be made."""
        edits = tuple(edits)
        if edits:
            self.do(edits[0] if len(edits) == 1 else Compound(edits), text, merge)

    def do_automatic(self, edits: Iterable[Edit], text: str) -> None:
        """Make edits that are no act of the person's own, such as the seeds that a run rolls.

        They join the gesture before them and are undone with it, or are one step however often.
        """
        last = self._history.last
        self.do_all(edits, text, (last.merge if last else "") or _AUTOMATIC)

    @property
    def can_undo(self) -> bool:
        return self._history.last is not None

    @property
    def can_redo(self) -> bool:
        return self._history.next is not None

    @property
    def undo_text(self) -> str:
        """What would be undone, e.g. "Move Sample", or ""."""
        return self._history.last.text if self._history.last else ""

    @property
    def undo_index(self) -> int:
        """How many steps are done."""
        return self._history.index

    @property
    def undo_count(self) -> int:
        """How many steps there are, done and undone."""
        return len(self._history)

    def undo(self) -> None:
        if self.can_undo:
            self.go_to(self.undo_index - 1)

    def redo(self) -> None:
        if self.can_redo:
            self.go_to(self.undo_index + 1)

    def go_to(self, index: int) -> None:
        """Undo or redo until so many steps are done. Raises GraphError if there are fewer."""
        before = self.graph
        if index != self.undo_index:
            self._history.go_to(index)
            self._announce(before)
            self.recorded.emit(Record("to", index=index))

    def seal(self) -> None:
        """Make what comes now a step of its own."""
        self._history.seal()

    def replace_graph(self, graph: Graph) -> None:
        """Another graph in place of this one, without a step to undo: it was just opened."""
        self.restore(graph, UndoRecord())

    def undo_record(self) -> UndoRecord:
        """The undo history as values."""
        return self._history.record()

    def restore(self, graph: Graph, record: UndoRecord) -> None:
        """A graph and the undo history that belongs to it in place of those that are here."""
        before = self.graph
        self._history = UndoHistory(graph, record)
        self._announce(before)

    def _announce(self, before: Graph) -> None:
        change = _difference(before, self.graph)
        for node in change.nodes - self.graph.nodes.keys():
            self.states.forget(node)
        self.changed.emit(change)


def gesture(name: str) -> str:
    """A `merge` of its own for one drag or one spell of typing; journals outlive this process."""
    return f"{name}#{_PROCESS}-{next(_gestures)}"


def _difference(before: Graph, after: Graph) -> Change:
    nodes = changed_keys(before.nodes, after.nodes)
    if before.view is after.view:
        return Change(before, after, nodes, frozenset(), False)
    looks = changed_keys(before.view.get("nodes", {}), after.view.get("nodes", {}))
    return Change(before, after, nodes, looks, before.view != after.view)
