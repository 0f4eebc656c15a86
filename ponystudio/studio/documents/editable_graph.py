"""The graph that is being edited, and the only way to change it."""

from __future__ import annotations

import secrets
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from itertools import count
from typing import Any, Literal

from PySide6.QtCore import QObject, Signal
from PySide6.QtGui import QUndoCommand, QUndoStack

from ponystudio.api.spec import NodeSpec
from ponystudio.graph.catalog import Catalog
from ponystudio.graph.editing import undo_history
from ponystudio.graph.editing.edits import Compound, Edit, changed_keys, edit_between
from ponystudio.graph.editing.undo_history import UndoRecord, UndoStep
from ponystudio.graph.model import Graph
from ponystudio.studio.documents.node_state import NodeStates

_MERGING = 1
_PROCESS = secrets.token_hex(4)
_gestures = count(1)

_ABSORBED = "by the way"


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
    """What the journal keeps: an edit that was made, or a step of the undo stack to `index`."""

    kind: Literal["do", "to"]
    edit: Edit | None = None
    text: str = ""
    merge: str = ""
    index: int = 0


class EditableGraph(QObject):
    """A graph, its undo stack and its nodes' states.

    Edits that cannot be made raise a GraphError and change nothing. The undo stack holds
    history.LIMIT steps. Whoever shows the graph listens to `changed`; whoever keeps it listens to
    `recorded`, which comes after `changed`.
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
        self._graph = graph or Graph()
        self._catalog = catalog or Catalog(())
        self._told_index = 0
        self._pushing = False
        self._restoring = False
        self.states = NodeStates(self)
        self.undo_stack = QUndoStack(self)
        self.undo_stack.setUndoLimit(undo_history.LIMIT)
        self.undo_stack.indexChanged.connect(self._moved)

    def __del__(self) -> None:
        # Python's garbage collector would delete the steps one by one, and the stack them again.
        with suppress(RuntimeError, AttributeError):  # Qt has deleted it, or it was never made
            self.undo_stack.blockSignals(True)
            self.undo_stack.clear()

    @property
    def graph(self) -> Graph:
        return self._graph

    @property
    def catalog(self) -> Catalog:
        return self._catalog

    def set_catalog(self, catalog: Catalog) -> None:
        if catalog is not self._catalog:
            self._catalog = catalog
            self.catalog_changed.emit()

    def spec(self, node: str) -> NodeSpec | None:
        """What is known of this node's kind; None if its pack is missing."""
        return self._catalog.get(self._graph.nodes[node].type)

    def looks(self, node: str) -> Mapping[str, Any]:
        """The node's entry in the view: pos, width, collapsed, dots, sockets, locked, ..."""
        looks: Mapping[str, Any] = self._graph.view.get("nodes", {}).get(node, {})
        return looks

    def do(self, edit: Edit, text: str, merge: str = "") -> None:
        """Make an edit, as one step of the undo stack named `text` ("Move Sample").

        Edits that follow each other with the same `merge`, which `gesture` makes, are one step.
        """
        before = self._graph
        after, inverse = edit.apply(before)
        if after == before:
            return
        around, self._pushing = self._pushing, True
        try:
            self.undo_stack.push(_Step(self, edit, inverse, text, merge, after))
        finally:
            self._pushing = around
        self._told_index = self.undo_stack.index()
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
        top = self.undo_stack.command(self.undo_stack.index() - 1)
        merge = top._merge if isinstance(top, _Step) else ""
        self.do_all(edits, text, merge or _ABSORBED)

    def undo(self) -> None:
        self.undo_stack.undo()

    def redo(self) -> None:
        self.undo_stack.redo()

    def replace_graph(self, graph: Graph) -> None:
        """Another graph in place of this one, without a step to undo: it was just opened."""
        self.undo_stack.clear()
        self._told_index = 0
        self._set(graph)

    def history(self) -> UndoRecord:
        """The undo stack as values."""
        stack = self.undo_stack
        commands = (stack.command(index) for index in range(stack.count()))
        steps = tuple(item.step() for item in commands if isinstance(item, _Step))
        return UndoRecord(steps, stack.index(), stack.cleanIndex())

    def restore(self, graph: Graph, history: UndoRecord) -> None:
        """A graph and the undo stack that belongs to it in place of those that are here."""
        self._restoring = True
        try:
            self.undo_stack.clear()
            for number, step in enumerate(history.steps):
                if number == history.sealed:
                    self.undo_stack.setClean()
                self.undo_stack.push(_Step(self, step.edit, step.inverse, step.text, step.merge))
            if history.sealed == len(history.steps):
                self.undo_stack.setClean()
            elif history.sealed < 0:
                self.undo_stack.resetClean()
            self.undo_stack.setIndex(history.index)
        finally:
            self._restoring = False
        self._told_index = history.index
        self._set(graph)

    def _set(self, graph: Graph) -> None:
        before, self._graph = self._graph, graph
        change = _difference(before, graph)
        for node in change.nodes - graph.nodes.keys():
            self.states.forget(node)
        self.changed.emit(change)

    def _apply(self, edit: Edit) -> None:
        if self._restoring:
            return
        self._set(edit.apply(self._graph)[0])

    def _moved(self, index: int) -> None:
        if not (self._pushing or self._restoring) and index != self._told_index:
            self._told_index = index
            self.recorded.emit(Record("to", index=index))


def gesture(name: str) -> str:
    """A `merge` of its own for one drag or one spell of typing; journals outlive this process."""
    return f"{name}#{_PROCESS}-{next(_gestures)}"


class _Step(QUndoCommand):
    def __init__(
        self,
        document: EditableGraph,
        edit: Edit,
        inverse: Edit,
        text: str,
        merge: str,
        after: Graph | None = None,
    ) -> None:
        super().__init__(text)
        self._document, self._edit, self._inverse, self._merge = document, edit, inverse, merge
        self._after = after  # what the first redo, which Qt calls, leads to

    def step(self) -> UndoStep:
        return UndoStep(self._edit, self._inverse, self.text(), self._merge)

    def redo(self) -> None:
        after, self._after = self._after, None
        if after is not None:
            self._document._set(after)
        else:
            self._document._apply(self._edit)

    def undo(self) -> None:
        self._document._apply(self._inverse)

    def id(self) -> int:
        return _MERGING if self._merge else -1

    def mergeWith(self, other: QUndoCommand) -> bool:
        if not isinstance(other, _Step) or other._merge != self._merge:
            return False
        if self._document._restoring:  # what was apart stays apart
            return False
        after = self._document.graph  # Qt merges when the other one is done
        before, _ = Compound((other._inverse, self._inverse)).apply(after)
        self._edit, self._inverse = edit_between(before, after), edit_between(after, before)
        return True


def _difference(before: Graph, after: Graph) -> Change:
    nodes = changed_keys(before.nodes, after.nodes)
    if before.view is after.view:
        return Change(before, after, nodes, frozenset(), False)
    looks = changed_keys(before.view.get("nodes", {}), after.view.get("nodes", {}))
    return Change(before, after, nodes, looks, before.view != after.view)
