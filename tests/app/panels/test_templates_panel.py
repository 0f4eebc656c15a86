"""What to begin with, and what was closed unsaved."""

from __future__ import annotations

from PySide6.QtCore import Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QPushButton

from helpers.running import until
from helpers.studio import text_to_picture
from helpers.window import show_graph, texts
from ponystudio.graph.editing.edits import SetParam

LEFT = Qt.MouseButton.LeftButton


def test_one_click_begins_with_one(window):
    window.toggle_panel("templates")
    panel = window.shell.panels.currentWidget()
    row = next(b for b in panel.findChildren(QPushButton) if b.text() == "Text to picture")
    QTest.mouseClick(row, LEFT)
    assert "core.sample" in {n.type for n in window.documents.current.graph.nodes.values()}


def test_what_was_closed_unsaved_is_there_to_open_again(window):
    show_graph(window, text_to_picture(), "Unicorns")
    window.documents.current.do(SetParam("sampler", "steps", 7), "Change steps")
    window.toggle_panel("templates")
    window.documents.close(window.documents.current)
    panel = window.shell.panels.currentWidget()
    until(lambda: "Not saved" in texts(panel), 5)
    row = next(b for b in panel.findChildren(QPushButton) if b.text() == "Unicorns")
    QTest.mouseClick(row, LEFT)
    until(lambda: getattr(window.documents.current, "title", "") == "Unicorns", 10)
    assert "sampler" in window.documents.current.graph.nodes
