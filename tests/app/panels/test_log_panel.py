"""The log, as it comes."""

from __future__ import annotations

from PySide6.QtCore import Qt
from PySide6.QtGui import QGuiApplication
from PySide6.QtTest import QTest

from helpers.running import until
from ponystudio.app.panels.log_panel import LogPanel

LEFT = Qt.MouseButton.LeftButton


def test_it_shows_what_comes_while_it_is_open(qtbot, tmp_path):
    file = tmp_path / "engine.log"
    panel = LogPanel(file)
    qtbot.addWidget(panel)
    panel.show()
    assert panel.text.toPlainText() == ""
    file.write_bytes(b"one\n\xff\n")
    until(lambda: "one" in panel.text.toPlainText(), 5)
    with file.open("ab") as more:
        more.write(b"two\n")
    until(lambda: panel.text.toPlainText().endswith("two\n"), 5)
    file.write_bytes(b"anew\n")
    until(lambda: panel.text.toPlainText() == "anew\n", 5)
    QTest.mouseClick(panel.copy, LEFT)
    assert QGuiApplication.clipboard().text() == "anew\n"
    panel.hide()
    assert not panel.is_following


def test_of_a_long_one_it_reads_the_end(qtbot, tmp_path):
    file = tmp_path / "engine.log"
    file.write_bytes(b"x" * 60 + b"\n" + (b"line\n" * 200_000) + b"end\n")
    panel = LogPanel(file)
    qtbot.addWidget(panel)
    panel.show()
    assert panel.text.toPlainText().endswith("end\n")
    assert panel.text.document().blockCount() <= 5000
