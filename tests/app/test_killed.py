"""Killed at any moment, the studio comes back as it was, with all that could be undone."""

from __future__ import annotations

import sys

import pytest

from helpers.killed_runs import kill_again_and_again

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="there is no SIGKILL on Windows")


def test_fifty_killed_editing_runs_lose_at_most_the_last_second(qapp, tmp_path):
    toll = kill_again_and_again(tmp_path, runs=10, rounds=5, seed=4)
    assert toll.kills == 50
    assert toll.edits > 50 * 50 / 10, "hardly anything was done"
