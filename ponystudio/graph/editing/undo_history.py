"""What an undo stack holds, as values, and the stack's own rules without Qt.

`UndoHistory` does what QUndoStack does with the same records, so that a journal can be read in a
thread and checked without a window.
"""

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
    """The steps of an undo stack, how many of them are done, and at how many it was sealed.

    Nothing merges into the step on which the stack was sealed, i.e. QUndoStack's clean one; -1:
    it is gone.
    """

    steps: tuple[UndoStep, ...] = ()
    index: int = 0
    sealed: int = 0


class UndoHistory:
    """Records played onto a graph, with QUndoStack's rules of merging and forgetting."""

    def __init__(self, base: Graph) -> None:
        self.states = [base]
        self._steps: list[_Played] = []
        self.index = 0
        self.sealed = 0

    @property
    def graph(self) -> Graph:
        return self.states[self.index]

    def do(self, edit: Edit, text: str, merge: str = "", *, alone: bool = False) -> None:
        """Make an edit; `alone`: as a step of its own, whatever its gesture."""
        after, inverse = edit.apply(self.graph)
        top = self._steps[self.index - 1] if self.index else None
        del self._steps[self.index :], self.states[self.index + 1 :]
        if self.sealed > self.index:
            self.sealed = -1
        joins = top is not None and merge and top.merge == merge and self.index != self.sealed
        if top is not None and joins and not alone:
            top.merged = True
            self.states[self.index] = after
        else:
            self._steps.append(_Played(edit, inverse, text, merge))
            self.states.append(after)
            self.index += 1
            self._forget(len(self._steps) - LIMIT)

    def _forget(self, oldest: int) -> None:
        if oldest > 0:
            del self._steps[:oldest], self.states[:oldest]
            self.index -= oldest
            self.sealed = self.sealed - oldest if self.sealed >= oldest else -1

    def to(self, index: int) -> None:
        """Undo or redo until `index` steps are done."""
        if not 0 <= index <= len(self._steps):
            raise GraphError("There is no such step to undo or redo.")
        self.index = index

    def seal(self) -> None:
        self.sealed = self.index

    def history(self) -> UndoRecord:
        steps = (
            UndoStep(
                edit_between(before, after), edit_between(after, before), step.text, step.merge
            )
            if step.merged
            else UndoStep(step.edit, step.inverse, step.text, step.merge)
            for step, before, after in zip(self._steps, self.states, self.states[1:], strict=False)
        )
        return UndoRecord(tuple(steps), self.index, self.sealed)


@dataclass
class _Played:
    edit: Edit
    inverse: Edit
    text: str
    merge: str
    merged: bool = False


def states(graph: Graph, history: UndoRecord) -> list[Graph]:
    """The graph before the first step, after it, and so on, from the present one."""
    past = _walked(graph, (step.inverse for step in reversed(history.steps[: history.index])))
    future = _walked(graph, (step.edit for step in history.steps[history.index :]))
    return [*reversed(past), graph, *future]


def _walked(graph: Graph, edits: Iterable[Edit]) -> list[Graph]:
    result = []
    for edit in edits:
        graph, _ = edit.apply(graph)
        result.append(graph)
    return result
