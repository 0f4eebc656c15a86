"""How far a run is, and when it will be ready."""

from __future__ import annotations

import pytest

from ponystudio.studio.runs.duration_estimates import ProgressEstimate


def test_a_run_in_parts():
    now = [0.0]
    run = ProgressEstimate(["a", "b"], {"a": 10.0, "b": 10.0}, lambda: now[0])
    assert (run.fraction, run.left) == (0.0, 20.0)
    run.start("a")
    now[0] = 5.0
    assert run.fraction == pytest.approx(0.25)
    assert run.left == pytest.approx(15.0)
    now[0] = 60.0  # later than thought: it waits near the end
    assert run.fraction < 0.5
    run.finish("a")
    assert run.fraction == pytest.approx(0.5)
    run.start("b")
    for step in range(1, 11):
        now[0] += 0.5
        run.progress("b", step, 10)
    assert run.left == pytest.approx(0.0)
    assert run.fraction == pytest.approx(1.0)


def test_steps_correct_what_was_thought():
    now = [0.0]
    run = ProgressEstimate(["a"], {"a": 100.0}, lambda: now[0])
    run.start("a")
    for step in range(1, 6):
        now[0] += 1.0
        run.progress("a", step, 10)
    assert run.left == pytest.approx(5.0, abs=2.0)


def test_nothing_to_do_is_no_trouble():
    assert ProgressEstimate([], {}).fraction == 0.0
