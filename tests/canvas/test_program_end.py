"""A program that just ends: nobody closed its windows."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

TESTS = Path(__file__).parents[1]
PROGRAM = """
from PySide6.QtCore import QRectF
from PySide6.QtWidgets import QApplication, QLineEdit
from helpers.scenes import chain
from ponystudio.canvas.scene.scene import GraphScene
from ponystudio.canvas.view.view import GraphView

app = QApplication([])
view = GraphView(GraphScene(chain()))
view.show()
view.activateWindow()
app.processEvents()
{open}
app.processEvents()
assert view.editors.widget
"""


@pytest.mark.parametrize(
    "open",
    [
        "view.editors.open(QLineEdit(), QRectF(0, 0, 100, 24))",
        "view.field_host.edit('sample', 'steps')",
    ],
)
def test_the_interpreter_ends_well_with_an_editor_open(open: str) -> None:
    ended = subprocess.run(
        [sys.executable, "-c", PROGRAM.format(open=open)],
        env={**os.environ, "QT_QPA_PLATFORM": "offscreen", "PYTHONPATH": str(TESTS)},
        cwd=TESTS.parent,
        capture_output=True,
        encoding="utf-8",
        timeout=60,
    )
    assert (ended.returncode, ended.stderr) == (0, "")
