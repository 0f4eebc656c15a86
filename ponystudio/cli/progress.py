"""How a run shows itself: JSON lines, progress bars in a terminal, or only what came of it."""

from __future__ import annotations

import json
from abc import ABC, abstractmethod
from collections.abc import Mapping
from types import TracebackType
from typing import Any, Self, TextIO

from tqdm import tqdm

from ponystudio.engine.protocol.run_events import (
    Memory,
    NodeFinished,
    Note,
    Output,
    Progress,
    RunEvent,
    RunFailed,
    RunStarted,
    WeightsEvent,
)

# tqdm would start a thread to watch over slow bars; ours move at every step.
tqdm.monitor_interval = 0


class NodePlanned(RunEvent, frozen=True, tag="planned"):
    """What a run would do with a node, and why."""

    node: str
    what: str


class RunDisplay(ABC):
    """Called with every event of a run; left when the run is over, however it ended.

    When whoever listened has left, or the stream takes no more, the run goes on in silence.
    """

    _has_reader = True

    def __call__(self, event: RunEvent) -> None:
        try:
            if self._has_reader:
                self.show_event(event)
        except OSError:
            self._has_reader = False

    @abstractmethod
    def show_event(self, event: RunEvent) -> None: ...

    @abstractmethod
    def show_plan(self, planned: Mapping[str, str]) -> None:
        """Show what a run would do with each node, and why."""

    def __enter__(self) -> Self:
        return self

    @abstractmethod
    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None: ...


class JsonLines(RunDisplay):
    """One JSON object a line, at once, so that another program can follow."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._failed = False

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """What ends it before there is a run, or past it, is told here: no end goes untold."""
        if error is None or self._failed:
            return
        self(RunFailed.of(error))

    def show_event(self, event: RunEvent) -> None:
        self._failed = self._failed or isinstance(event, RunFailed)
        print(json.dumps(event.as_json()), file=self._stream, flush=True)

    def show_plan(self, planned: Mapping[str, str]) -> None:
        for node, what in planned.items():
            self(NodePlanned(node, what))


class TextReport(RunDisplay):
    """Results on one stream, a path a line; notes on the other, with bars if it is a terminal."""

    def __init__(self, results: TextIO, notes: TextIO) -> None:
        self._results = results
        self._notes = notes
        self._has_bars = notes.isatty()
        self._bars: dict[str, tqdm[Any]] = {}

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for bar in self._bars.values():
            bar.close()

    def show_event(self, event: RunEvent) -> None:
        match event:
            case RunStarted(nodes, steps, device):
                self._print(f"{steps} of {nodes} nodes to run on {device}")
            case Output(path=path):
                self._print(path, self._results)
            case Memory(text, node) | Note(node, text):
                self._print(f"{node}: {text}" if node else text)
            case WeightsEvent() if self._has_bars:
                self._print(_weights_text(event))
            case Progress(node, step, steps) if self._has_bars:
                self._move_bar(node, step, steps)
            case NodeFinished(node) if node in self._bars:
                self._bars.pop(node).close()

    def show_plan(self, planned: Mapping[str, str]) -> None:
        width = max(map(len, planned), default=0)
        for node, what in planned.items():
            print(f"{node:<{width}}  {what}", file=self._results)

    def _move_bar(self, node: str, step: int, steps: int) -> None:
        bar = self._bars.get(node)
        if bar is None:
            bar = self._bars[node] = tqdm(total=steps, desc=node, file=self._notes)
        bar.update(step - bar.n)

    def _print(self, text: str, stream: TextIO | None = None) -> None:
        """A line that leaves the bars below it whole."""
        stream = stream or self._notes
        tqdm.write(text, file=stream)
        stream.flush()


def _weights_text(event: WeightsEvent) -> str:
    size, seconds = f"{event.bytes / 2**20:,.0f} MiB", f"{event.seconds:.1f} s"
    if event.action == "stream":
        return f"{event.file}: {size} came as they were needed, {seconds} of waiting"
    return f"{event.action} {event.file}: {size} in {seconds}"
