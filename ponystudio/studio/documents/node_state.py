"""What is known of each node besides the graph: how its last or present run goes.

Written by the runner, read by cards, minimap and inspector; never saved with the graph.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any, Literal

from PySide6.QtCore import QObject, Signal
from PySide6.QtGui import QImage

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
class NodeState:
    """`phase` is about the present or last run, `tier` and `reason` about the next one.

    `tier` says where the result lies that the next run would use; "" with a `reason` says why the
    node would run ("Seed changed"). `seconds` is how long it took when it last ran, `left` an
    estimate. `picture` is what it last showed, `live` that it is a preview of the present run,
    `stale` that it belongs to an earlier run. `problem` is a failure of the run, `faults` are what
    the check of the graph finds.
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
    outputs: tuple[tuple[str, str], ...] = ()
    """(name, summary) of what it gave, e.g. ("latent", "1×4×64×64, 64 KB")."""


REST = NodeState()


class NodeStates(QObject):
    """The states of a document's nodes. `changed` carries the id of a node, "" for all."""

    changed = Signal(str)

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._states: dict[str, NodeState] = {}

    def __getitem__(self, node: str) -> NodeState:
        return self._states.get(node, REST)

    def __iter__(self) -> Iterator[str]:
        return iter(self._states)

    def set(self, node: str, state: NodeState) -> None:
        if self[node] != state:
            self._states[node] = state
            self.changed.emit(node)

    def update(self, node: str, **changes: Any) -> None:
        """Change some fields of a node's state."""
        self.set(node, replace(self[node], **changes))

    def forget(self, node: str) -> None:
        if self._states.pop(node, None) is not None:
            self.changed.emit(node)

    def clear(self) -> None:
        self._states.clear()
        self.changed.emit("")
