"""The application's loop ends, and nothing of it is left."""

from __future__ import annotations

import os
import subprocess
import sys

PROGRAM = """
import asyncio, sys, threading
from PySide6.QtCore import QTimer
from PySide6.QtWidgets import QApplication
from ponystudio.qt.background_tasks import BackgroundTasks, in_background
from ponystudio.qt.event_loop import event_loop

app = QApplication([])
tasks = BackgroundTasks("test")

async def quits():
    assert await in_background(lambda: 7) == 7
    await asyncio.sleep(0.01)
    tasks.start(stays())
    QTimer.singleShot(10, lambda: app.exit(3))

async def stays():
    try:
        await asyncio.Event().wait()
    finally:
        print("cleaned up")

with event_loop(app) as loop:
    tasks.start(quits())
    code = loop.run_forever()
    tasks.close()
assert loop.is_closed()
sys.exit(code)
"""


def test_flows_run_while_the_application_does_and_end_with_it(tmp_path):
    ended = subprocess.run(
        [sys.executable, "-X", "dev", "-c", PROGRAM],
        env={**os.environ, "QT_QPA_PLATFORM": "offscreen", "QT_API": "pyqt5"},
        capture_output=True,
        encoding="utf-8",
        timeout=60,
    )
    assert (ended.returncode, ended.stdout, ended.stderr) == (3, "cleaned up\n", "")
