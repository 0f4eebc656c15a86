"""How a run shows itself: JSON lines, progress bars in a terminal, or only what came of it."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from types import TracebackType
from typing import Any, Self, TextIO

from tqdm import tqdm

Event = Mapping[str, Any]

# tqdm would start a thread to watch over slow bars; ours move at every step.
tqdm.monitor_interval = 0


def json_lines(event: Event) -> None:
    """One JSON object a line on stdout, at once, so that another program can follow."""
    print(json.dumps(event), flush=True)


class Report:
    """Results on stdout, one path a line; everything else on stderr, bars only in a terminal."""

    def __init__(self, results: TextIO, notes: TextIO) -> None:
        self._results = results
        self._notes = notes
        self._bars: dict[str, tqdm[Any]] = {}
        self._handlers: dict[str, Callable[[Event], None]] = {
            "output": self._output,
            "memory": self._memory,
        }
        if notes.isatty():
            self._handlers |= {
                "progress": self._progress,
                "node_finished": self._finished,
                "weights": self._weights,
            }

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for bar in self._bars.values():
            bar.close()

    def __call__(self, event: Event) -> None:
        handle = self._handlers.get(event["event"])
        if handle:
            handle(event)

    def _output(self, event: Event) -> None:
        self._say(event["path"], self._results)

    def _memory(self, event: Event) -> None:
        self._say(f"short of memory: {event['action']}", self._notes)

    def _weights(self, event: Event) -> None:
        size = f"{event['bytes'] / 2**20:,.0f} MiB"
        self._say(
            f"{event['action']} {event['file']}, {size}, {event['seconds']:.1f} s", self._notes
        )

    def _progress(self, event: Event) -> None:
        node = event["node"]
        bar = self._bars.get(node)
        if bar is None:
            bar = self._bars[node] = tqdm(total=event["steps"], desc=node, file=self._notes)
        bar.update(event["step"] - bar.n)

    def _finished(self, event: Event) -> None:
        bar = self._bars.pop(event["node"], None)
        if bar is not None:
            bar.close()

    def _say(self, text: str, stream: TextIO) -> None:
        """A line that leaves the bars below it whole."""
        tqdm.write(text, file=stream)
        stream.flush()
