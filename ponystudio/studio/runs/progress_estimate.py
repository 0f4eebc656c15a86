"""How far a run is, and when it will be ready."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence

# A node without steps of its own is never quite done before it says so.
NEARLY = 0.95


class ProgressEstimate:
    """Made when it is known what will run; `seconds` has what each node is thought to take."""

    def __init__(
        self,
        steps: Sequence[str],
        seconds: Mapping[str, float],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._expected = {id: max(seconds.get(id, 0.0), 0.01) for id in steps}
        self._clock = clock
        self._done: set[str] = set()
        self._node = ""
        self._share = 0.0
        self._began = clock()
        self._first_step: tuple[int, float] | None = None

    def start(self, node: str) -> None:
        self._node, self._share = node, 0.0
        self._began, self._first_step = self._clock(), None

    def progress(self, node: str, step: int, steps: int) -> None:
        """Steps tell the truth about this run: what was thought of the node gives way to it."""
        if node != self._node or steps <= 0:
            return
        now = self._clock()
        self._share = min(1.0, step / steps)
        if self._first_step is None:
            self._first_step = step, now
        first, since = self._first_step
        if step > first and node in self._expected:
            per_step = (now - since) / (step - first)
            measured = (now - self._began) + per_step * (steps - step)
            trust = min(1.0, 2 * (step - first) / steps)
            self._expected[node] += (measured - self._expected[node]) * trust

    def finish(self, node: str) -> None:
        self._done.add(node)
        if node == self._node:
            self._node = ""

    @property
    def fraction(self) -> float:
        """Of the whole run's time."""
        total = sum(self._expected.values())
        if not total:
            return 0.0
        done = sum(self._expected[id] for id in self._done if id in self._expected)
        return min(1.0, (done + self._current * self._expected.get(self._node, 0.0)) / total)

    @property
    def left(self) -> float:
        """Seconds until all is done."""
        waiting = sum(s for id, s in self._expected.items() if id not in self._done)
        return max(0.0, waiting - self._current * self._expected.get(self._node, 0.0))

    def node_left(self) -> float | None:
        """Seconds until the running node is done."""
        if self._node not in self._expected:
            return None
        return max(0.0, self._expected[self._node] * (1 - self._current))

    @property
    def _current(self) -> float:
        """Of the running node's time."""
        if self._share:
            return self._share
        if self._node not in self._expected:
            return 0.0
        return min(NEARLY, (self._clock() - self._began) / self._expected[self._node])
