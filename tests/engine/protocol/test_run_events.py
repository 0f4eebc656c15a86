from __future__ import annotations

import json
from typing import get_args

from ponystudio.engine.protocol.run_events import (
    Event,
    Memory,
    NodeFinished,
    Output,
    Progress,
    RunFailed,
    RunStarted,
    WeightsEvent,
)
from ponystudio.errors import BadInput, Cancelled, NodeFailed

# Scripts know the events of --events by these names.
NAMES = {
    *("run_started", "node_started", "progress", "node_finished", "weights", "output", "memory"),
    *("note", "run_finished", "run_failed"),
}


def lines(*events):
    return [json.dumps(event.as_json()) for event in events]


def test_their_names_stay():
    tags = {kind.__struct_config__.tag for kind in get_args(Event)}
    own = {"run_planned", "results_renamed", "left_out", "preview", "result", "refused"}
    assert tags == NAMES | own


def test_as_json_they_are_lines_with_the_name_first():
    assert lines(
        RunStarted(3, 2, "CPU, fp32"),
        Progress("a", 1, 20),
        NodeFinished("a", False, 0.25),
        NodeFinished("a", "disk", 0.0),
        WeightsEvent("a.gguf", "load", 7, 0.5),
        Output("a", "/a.png"),
        Memory("smaller tiles"),
    ) == [
        '{"event": "run_started", "nodes": 3, "steps": 2, "device": "CPU, fp32"}',
        '{"event": "progress", "node": "a", "step": 1, "steps": 20}',
        '{"event": "node_finished", "node": "a", "cached": false, "seconds": 0.25}',
        '{"event": "node_finished", "node": "a", "cached": "disk", "seconds": 0.0}',
        '{"event": "weights", "file": "a.gguf", "action": "load", "bytes": 7, "seconds": 0.5}',
        '{"event": "output", "node": "a", "path": "/a.png", "unchanged": false}',
        '{"event": "memory", "action": "smaller tiles", "node": ""}',
    ]


def test_a_failure_says_where_and_what():
    assert lines(
        RunFailed.of(NodeFailed("Too much.", node="a", socket="x", remedy="Take less.")),
        RunFailed.of(BadInput("No.")),
        RunFailed.of(Cancelled()),
        RunFailed.of(KeyboardInterrupt()),
        RunFailed.of(ValueError("odd")),
    ) == [
        '{"event": "run_failed", "node": "a", "error": "a.x: Too much.", "hint": "Take less.",'
        ' "reason": "NodeFailed"}',
        '{"event": "run_failed", "node": "", "error": "No.", "hint": "", "reason": "BadInput"}',
        *['{"event": "run_failed", "node": "", "error": "Cancelled.", "hint": "",'
          ' "reason": "Cancelled"}'] * 2,
        '{"event": "run_failed", "node": "", "error": "ValueError: odd", "hint": "",'
        ' "reason": "ValueError"}',
    ]  # fmt: skip
