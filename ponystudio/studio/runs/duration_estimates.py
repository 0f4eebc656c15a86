"""How long nodes take here, learned from the runs there were; by that, how far a run is, and when
it will be ready.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec

from ponystudio.api.spec import NodeSpec
from ponystudio.errors import Cycle
from ponystudio.graph.model import Graph, Node
from ponystudio.graph.topology import ancestors, effective, order
from ponystudio.studio.json_store import save_text

# What the latest run counts for, beside all before it.
WEIGHT = 0.3
# Seconds of a node of which nothing is known.
UNKNOWN = 0.3


@dataclass(frozen=True)
class Work:
    """How much a node has to do: pixels of its picture or latent, and steps (0: it has none)."""

    pixels: float = 0.0
    steps: int = 0

    @property
    def bucket(self) -> str:
        return str(round(2 * math.log2(self.pixels))) if self.pixels >= 1 else "0"


@dataclass(frozen=True)
class Estimate:
    """`per_step` is 0 for a node without steps; `runs` is of how many runs this is known."""

    seconds: float
    per_step: float = 0.0
    runs: int = 0


class _Mean(msgspec.Struct, array_like=True):
    """Of `runs` nodes alike: the seconds of each, or of each step if `stepped`; in files a list."""

    runs: float
    seconds: float
    stepped: float
    pixels: float

    def estimate(self, work: Work, ratio: float = 1.0) -> Estimate:
        per_step = self.seconds * ratio if self.stepped else 0.0
        seconds = per_step * max(work.steps, 1) if self.stepped else self.seconds * ratio
        return Estimate(seconds, per_step, int(self.runs))

    def learn(self, work: Work, latest: float) -> None:
        """The node took `latest` seconds, each step if it has any."""
        self.runs += 1
        self.seconds += (latest - self.seconds) * WEIGHT
        self.stepped, self.pixels = float(bool(work.steps)), work.pixels


_Known = dict[str, dict[str, dict[str, _Mean]]]


class Estimates:
    """By device, node type and size of the work. Kept in `file` by `save` (None: nowhere)."""

    def __init__(self, file: Path | None = None) -> None:
        self._file = file
        self._known: _Known = {}
        self._changed = False
        if file is not None:
            self._known = _read(file)

    def of(self, device: str, type: str, work: Work) -> Estimate:
        """What a node will take; from another size, scaled, where this one was never run."""
        sizes = self._known.get(device, {}).get(type, {})
        if same := sizes.get(work.bucket):
            return same.estimate(work)
        if not sizes:
            return Estimate(UNKNOWN)
        near = min(sizes.values(), key=lambda mean: abs(_log(mean.pixels) - _log(work.pixels)))
        ratio = work.pixels / near.pixels if work.pixels and near.pixels else 1.0
        guess = near.estimate(work, ratio)
        return Estimate(guess.seconds, guess.per_step)

    def of_nodes(
        self,
        device: str,
        graph: Graph,
        catalog: Mapping[str, NodeSpec],
        ids: Collection[str],
    ) -> list[Estimate]:
        """What nodes of a graph will take, as its params are now."""
        types = {id: graph.nodes[id].type for id in ids}
        known = self._known.get(device, {})
        found = works(graph, catalog, [id for id, type in types.items() if type in known])
        return [self.of(device, type, found.get(id, Work())) for id, type in types.items()]

    def learn(self, device: str, type: str, work: Work, seconds: float) -> None:
        sizes = self._known.setdefault(device, {}).setdefault(type, {})
        latest = seconds / work.steps if work.steps else seconds
        sizes.setdefault(work.bucket, _Mean(0, latest, 0, 0)).learn(work, latest)
        self._changed = True

    def text(self) -> str | None:
        """What to keep, if anything was learned since the last time."""
        if not self._changed or self._file is None:
            return None
        self._changed = False
        return msgspec.json.encode(self._known).decode()

    def save(self, text: str | None = None) -> None:
        """Write it down; may be called on another thread with what `text` gave."""
        save_text(self._file, text or self.text())


def works(
    graph: Graph, catalog: Mapping[str, NodeSpec], targets: Collection[str] | None = None
) -> dict[str, Work]:
    """The work of these nodes (None: of all) and of what they depend on, of those that run, as far
    as the params tell."""
    if targets is not None and not targets:
        return {}
    running = effective(graph, catalog)
    try:
        ids = order(running, None if targets is None else ancestors(running, targets))
    except Cycle:
        return {}
    found: dict[str, Work] = {}
    for id in ids:
        node = running.nodes[id]
        spec = catalog.get(node.type)
        above = max((found[s].pixels for s in node.sources if s in found), default=0.0)
        values = {p.name: node.params.get(p.name, p.default) for p in spec.params} if spec else {}
        found[id] = Work(_pixels(node, values, above), int(_number(values.get("steps"))))
    return found


def _pixels(node: Node, values: Mapping[str, Any], above: float) -> float:
    size = _number(values.get("width")) * _number(values.get("height"))
    if size > 0:
        batch = max(1.0, _number(values.get("batch")))
        return size * batch if not node.inputs else max(size, 1.0)
    factor = _number(values.get("factor")) or _number(values.get("scale")) or 1.0
    return above * min(factor, 16.0) ** 2


def _number(value: Any) -> float:
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else 0.0


def _log(pixels: float) -> float:
    return math.log2(pixels) if pixels >= 1 else 0.0


def _read(file: Path) -> _Known:
    try:
        return msgspec.json.decode(file.read_bytes(), type=_Known)
    except (OSError, msgspec.MsgspecError):
        return {}  # none yet, or a damaged one


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
