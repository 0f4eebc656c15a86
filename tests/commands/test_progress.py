"""What a run shows, and where."""

from __future__ import annotations

import io
import json

from ponystudio.commands.progress import Report, json_lines

RUN = (
    {"event": "run_started"},
    {"event": "weights", "file": "a.safetensors", "action": "load", "bytes": 2**21, "seconds": 1.5},
    {"event": "node_started", "node": "sampler"},
    *({"event": "progress", "node": "sampler", "step": step, "steps": 3} for step in (1, 2, 3)),
    {"event": "node_finished", "node": "sampler", "cached": False, "seconds": 2.0},
    {"event": "memory", "action": "tiled decode"},
    {"event": "output", "node": "save", "path": "/there/pony_00001.png"},
    {"event": "run_finished", "seconds": 3.0},
)


class Terminal(io.StringIO):
    def isatty(self):
        return True


def shown(notes):
    results = io.StringIO()
    with Report(results, notes) as report:
        for event in RUN:
            report(event)
    return results.getvalue(), notes.getvalue()


def test_a_pipe_gets_results_and_what_must_be_known():
    assert shown(io.StringIO()) == ("/there/pony_00001.png\n", "short of memory: tiled decode\n")


def test_a_terminal_gets_bars():
    results, notes = shown(Terminal())
    assert results == "/there/pony_00001.png\n"
    assert "sampler: 100%" in notes
    assert "3/3" in notes
    assert "load a.safetensors, 2 MiB, 1.5 s" in notes


def test_a_bar_is_closed_when_the_run_breaks_off():
    notes = Terminal()
    try:
        with Report(io.StringIO(), notes) as report:
            for event in RUN[:4]:
                report(event)
            raise RuntimeError
    except RuntimeError:
        assert report._bars["sampler"].disable  # tqdm's word for closed
    assert notes.getvalue().endswith("\n")


def test_json_lines(capsys):
    for event in RUN:
        json_lines(event)
    lines = capsys.readouterr().out.splitlines()
    assert [json.loads(line) for line in lines] == list(RUN)
