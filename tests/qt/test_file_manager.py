"""The system's window of files."""

from __future__ import annotations

import os
import sys

import pytest
from PySide6.QtCore import QUrl

from ponystudio.qt import file_manager


@pytest.fixture
def begun(monkeypatch):
    """What was started or opened."""
    begun = []
    monkeypatch.setattr(file_manager.QProcess, "startDetached", lambda *what: begun.append(what))
    monkeypatch.setattr(file_manager.QDesktopServices, "openUrl", begun.append)
    return begun


@pytest.mark.parametrize(
    ("platform", "program", "option"), [("win32", "explorer", "/select,"), ("darwin", "open", "-R")]
)
def test_the_file_is_marked_where_that_can_be_asked_for(
    begun, tmp_path, monkeypatch, platform, program, option
):
    monkeypatch.setattr(sys, "platform", platform)
    file_manager.show_in_folder(tmp_path / "a b.png")
    assert begun == [(program, [option, os.path.normpath(tmp_path / "a b.png")])]


def test_elsewhere_its_folder_opens(begun, tmp_path, monkeypatch):
    monkeypatch.setattr(sys, "platform", "linux")
    file_manager.show_in_folder(tmp_path / "a b.png")
    assert begun == [QUrl.fromLocalFile(str(tmp_path))]
