"""Five hundred times killed while editing and saving: `pytest -m campaign -s` prints the toll."""

from __future__ import annotations

import sys

import pytest

from helpers.killed_runs import LAST_SECOND, kill_again_and_again

pytestmark = [
    pytest.mark.campaign,
    pytest.mark.timeout(1500),
    pytest.mark.skipif(sys.platform == "win32", reason="there is no SIGKILL on Windows"),
]


def test_five_hundred_kills_lose_at_most_a_second_and_leave_no_half_file(qapp, tmp_path):
    toll = kill_again_and_again(tmp_path, runs=10, rounds=50, seed=12)
    print(
        f"\n{toll.kills} kills, {toll.edits} actions, {toll.saves} files written:"
        f" at most {1000 * toll.lost:.0f} ms lost"
    )
    assert toll.kills == 500
    assert toll.saves > 100
    assert toll.lost <= LAST_SECOND
