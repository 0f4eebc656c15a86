"""What most tests of the window begin with; a file that begins otherwise has its own."""

from __future__ import annotations

import pytest

from helpers.window import open_window


@pytest.fixture
def home(tmp_path, monkeypatch, qapp):
    """An empty data folder."""
    monkeypatch.setenv("PONYSTUDIO_HOME", str(tmp_path))
    return tmp_path


@pytest.fixture
def window(home):
    with open_window() as window:
        yield window
