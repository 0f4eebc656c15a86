"""What a run shows, and where."""

from __future__ import annotations

import contextlib
import io
import json

import pytest

from ponystudio.cli.progress import JsonLines, TextReport
from ponystudio.engine.protocol.run_events import (
    Memory,
    NodeFinished,
    NodeStarted,
    Output,
    Progress,
    RunFailed,
    RunFinished,
    RunStarted,
    WeightsEvent,
)
from ponystudio.errors import Cancelled, NodeFailed, ParamRange

RUN = (
    RunStarted(3, 2, "CPU, fp32"),
    WeightsEvent("a.safetensors", "load", 2**21, 1.5),
    NodeStarted("sampler", "seed changed"),
    *(Progress("sampler", step, 3) for step in (1, 2, 3)),
    NodeFinished("sampler", cached=False, seconds=2.0),
    Memory("tiled decode", "decode"),
    Output("save", "/there/pony_00001.png"),
    RunFinished(3.0),
)
LINES = [
    {"event": "run_started", "nodes": 3, "steps": 2, "device": "CPU, fp32"},
    {"event": "weights", "file": "a.safetensors", "action": "load", "bytes": 2**21, "seconds": 1.5},
    {"event": "node_started", "node": "sampler", "why": "seed changed"},
    *({"event": "progress", "node": "sampler", "step": step, "steps": 3} for step in (1, 2, 3)),
    {"event": "node_finished", "node": "sampler", "cached": False, "seconds": 2.0},
    {"event": "memory", "action": "tiled decode", "node": "decode"},
    {"event": "output", "node": "save", "path": "/there/pony_00001.png", "unchanged": False},
    {"event": "run_finished", "seconds": 3.0},
]


class Terminal(io.StringIO):
    def isatty(self):
        return True


def shown(notes):
    results = io.StringIO()
    with TextReport(results, notes) as report:
        for event in RUN:
            report(event)
    return results.getvalue(), notes.getvalue()


def test_a_pipe_gets_results_and_what_must_be_known():
    results, notes = shown(io.StringIO())
    assert results == "/there/pony_00001.png\n"
    assert notes == "2 of 3 nodes to run on CPU, fp32\ndecode: tiled decode\n"


def test_a_terminal_gets_bars():
    results, notes = shown(Terminal())
    assert results == "/there/pony_00001.png\n"
    assert "sampler: 100%" in notes
    assert "3/3" in notes
    assert "load a.safetensors: 2 MiB in 1.5 s" in notes


def test_a_bar_is_closed_when_the_run_breaks_off():
    notes = Terminal()
    with contextlib.suppress(RuntimeError), TextReport(io.StringIO(), notes) as report:
        for event in RUN[:4]:
            report(event)
        assert not notes.getvalue().endswith("\n")
        raise RuntimeError
    assert notes.getvalue().endswith("\n")


def events_of(run):
    """The JSON lines told of a run that raises what is no event."""
    stream = io.StringIO()
    with contextlib.suppress(BaseException), JsonLines(stream) as show:
        for event in run:
            if isinstance(event, BaseException):
                raise event
            show(event)
    return [json.loads(line) for line in stream.getvalue().splitlines()]


def test_json_lines():
    assert events_of(RUN) == LINES


def test_json_lines_of_a_run_that_could_not_start():
    error = ParamRange("0 is out of range.", node="sampler", socket="steps", remedy="Use 1 to 9.")
    assert events_of([error]) == [
        {
            "event": "run_failed",
            "node": "sampler",
            "error": "sampler.steps: 0 is out of range.",
            "hint": "Use 1 to 9.",
            "reason": "ParamRange",
        }
    ]


def test_a_failure_is_told_once():
    for error in (NodeFailed("It broke.", node="sampler"), Cancelled()):
        failed = RunFailed.of(error)
        assert events_of([RUN[0], failed, error]) == [LINES[0], failed.as_json()]


@pytest.mark.parametrize("error", [Cancelled(), KeyboardInterrupt(), ZeroDivisionError("ours")])
def test_no_end_goes_untold(error):
    (told,) = events_of([error])
    reason = type(error).__name__.replace("KeyboardInterrupt", "Cancelled")
    assert (told["event"], told["reason"]) == ("run_failed", reason)


def test_a_plan_is_a_table_or_json_lines():
    planned = {"sampler": "runs: seed changed", "save": "runs: always"}
    results, notes, lines = io.StringIO(), io.StringIO(), io.StringIO()
    with TextReport(results, notes) as report, JsonLines(lines) as events:
        report.show_plan(planned)
        events.show_plan(planned)
    assert results.getvalue() == "sampler  runs: seed changed\nsave     runs: always\n"
    assert notes.getvalue() == ""
    assert [json.loads(line) for line in lines.getvalue().splitlines()] == [
        {"event": "planned", "node": node, "what": what} for node, what in planned.items()
    ]
