"""The undo stack: a graph and steps of edits, without Qt, so that journals are replayed by it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from ponystudio.errors import GraphError
from ponystudio.graph.editing.edits import Edit, edit_between
from ponystudio.graph.model import Graph

# So many steps an undo stack holds; the oldest goes when one more comes. Journals are replayed by
# it: with another limit, those that were written before may be misread.
LIMIT = 1000


@dataclass(frozen=True)
class UndoStep:
    """One step to undo: the edit, the one that undoes it, its text, the gesture it belongs to."""

    edit: Edit
    inverse: Edit
    text: str
    merge: str = ""


@dataclass(frozen=True)
class UndoRecord:
    """An undo stack as a value: its steps, how many of them are done, and at how many it was
    sealed; -1: that state is gone."""

    steps: tuple[UndoStep, ...] = ()
    index: int = 0
    sealed: int = 0


class UndoHistory:
    """A graph and the steps that led to it and from it.

    `index` steps are done. Edits of one gesture become one step, but none merges into the step at
    which the stack was sealed. It keeps no graph but the present one: a thousand copies of a large
    layout would fill a memory.
    """

    def __init__(self, graph: Graph, record: UndoRecord = UndoRecord()) -> None:
        self.graph = graph
        self.index = record.index
        self.sealed = record.sealed
        self._steps = list(record.steps)

    def __len__(self) -> int:
        return len(self._steps)

    @property
    def last(self) -> UndoStep | None:
        """The step that an undo would undo."""
        return self._steps[self.index - 1] if self.index else None

    @property
    def next(self) -> UndoStep | None:
        """The step that a redo would do again."""
        return self._steps[self.index] if self.index < len(self._steps) else None

    def do(self, edit: Edit, text: str, merge: str = "", *, alone: bool = False) -> None:
        """Make an edit; `alone`: as a step of its own, whatever its gesture. Raises GraphError."""
        after, inverse = edit.apply(self.graph)
        self.push(UndoStep(edit, inverse, text, merge), after, alone=alone)

    def push(self, step: UndoStep, after: Graph, *, alone: bool = False) -> None:
        """Go on to the graph to which this step leads; what was undone is gone."""
        before, last = self.graph, self.last
        del self._steps[self.index :]
        if self.sealed > self.index:
            self.sealed = -1
        merges = step.merge and not alone and self.index != self.sealed
        if merges and last is not None and last.merge == step.merge:
            before, _ = last.inverse.apply(before)
            self._steps[-1] = UndoStep(
                edit_between(before, after), edit_between(after, before), last.text, last.merge
            )
        else:
            self._steps.append(step)
            self.index += 1
            self._drop_oldest(len(self._steps) - LIMIT)
        self.graph = after

    def go_to(self, index: int) -> None:
        """Undo or redo until `index` steps are done. Raises GraphError for one there is not."""
        if not 0 <= index <= len(self._steps):
            raise GraphError("There is no such step to undo or redo.")
        graph = self.graph
        for step in reversed(self._steps[index : self.index]):
            graph, _ = step.inverse.apply(graph)
        for step in self._steps[self.index : index]:
            graph, _ = step.edit.apply(graph)
        self.graph, self.index = graph, index

    def seal(self) -> None:
        """Let nothing merge into the present step."""
        self.sealed = self.index

    def unseal(self) -> None:
        """Note that the sealed state is gone."""
        self.sealed = -1

    def record(self) -> UndoRecord:
        return UndoRecord(tuple(self._steps), self.index, self.sealed)

    def _drop_oldest(self, count: int) -> None:
        if count > 0:
            del self._steps[:count]
            self.index -= count
            self.sealed = self.sealed - count if self.sealed >= count else -1


def states(graph: Graph, record: UndoRecord) -> list[Graph]:
    """The graph before the first step, after it, and so on, from the present one."""
    past = _graphs(graph, (step.inverse for step in reversed(record.steps[: record.index])))
    future = _graphs(graph, (step.edit for step in record.steps[record.index :]))
    return [*reversed(past), graph, *future]


def _graphs(graph: Graph, edits: Iterable[Edit]) -> list[Graph]:
    result = []
    for edit in edits:
        graph, _ = edit.apply(graph)
        result.append(graph)
    return result
