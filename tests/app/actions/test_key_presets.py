"""Presets of keys: of commands that there are, each key once."""

from __future__ import annotations

import pytest
from PySide6.QtGui import QKeySequence

from helpers.window import open_window
from ponystudio.app.actions.action_registry import PRESETS


@pytest.fixture
def specs(home):
    with open_window() as window:
        yield window.actions_.specs()


@pytest.mark.parametrize("preset", PRESETS)
def test_presets_name_what_there_is_and_share_no_keys(home, preset):
    with open_window(key_preset=preset) as window:
        specs = window.actions_.specs()
    assert set(PRESETS[preset]) <= {spec.id for spec in specs}
    taken: dict[str, str] = {}
    for spec in specs:
        for keys in spec.keys:
            other = taken.setdefault(QKeySequence(keys).toString(), spec.id)
            assert other == spec.id, keys
