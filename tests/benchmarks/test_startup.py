"""From spawn to a painted canvas that takes keys, as the first command of the README does it.

Run with `-m benchmark -s`, under Xvfb. A Tab is posted to the first canvas that was painted; what
is measured is the time from before the spawn until the palette that it opens is painted, by the
clock and by the processor. One start warms the file caches, the median of the next five counts.
"""

from __future__ import annotations

import json
import os
import resource
import statistics
import subprocess
import sys
import time

import pytest

pytestmark = [pytest.mark.benchmark, pytest.mark.timeout(300)]

# The studio as `ponystudio` starts it, watched from inside: only its event loop is entered by us.
WATCHED = """
import json, os, sys, time
from PySide6.QtCore import QEvent, QObject, Qt, QTimer
from PySide6.QtGui import QKeyEvent
from PySide6.QtWidgets import QApplication

told = {}

class Watch(QObject):
    def eventFilter(self, watched, event):
        kind = type(watched.parent()).__name__
        if event.type() == QEvent.Type.Paint and kind == "GraphView" and "painted" not in told:
            told["painted"] = time.time()
            QApplication.instance().installEventFilter(self)
            for type_ in (QEvent.Type.KeyPress, QEvent.Type.KeyRelease):
                tab = QKeyEvent(type_, Qt.Key.Key_Tab, Qt.KeyboardModifier.NoModifier, "\\t")
                QApplication.postEvent(watched.parent(), tab)
        elif event.type() == QEvent.Type.Paint and type(watched).__name__ == "Palette":
            QTimer.singleShot(0, self.end)
        return False

    def end(self):
        if "palette" not in told:
            told["palette"] = time.time()
            told["torch"] = "torch" in sys.modules
            print(json.dumps(told), flush=True)
            QTimer.singleShot(0, QApplication.closeAllWindows)

watch = Watch()
enter = QApplication.exec

def entered(*_):
    for widget in QApplication.allWidgets():  # not the application: that would slow it down
        if type(widget.parent()).__name__ == "GraphView":
            widget.installEventFilter(watch)
    return enter()

QApplication.exec = entered
from ponystudio.cli.arguments import main
sys.exit(main([]))
"""


def start(home) -> dict[str, float]:
    began, used = time.time(), _processor()
    # Compiled modules are kept, as they are where PonyStudio was installed.
    env = {**os.environ, "PONYSTUDIO_HOME": str(home), "PYTHONPYCACHEPREFIX": str(home / "pyc")}
    env.pop("PYTHONDONTWRITEBYTECODE", None)
    done = subprocess.run(
        [sys.executable, "-c", WATCHED],
        env=env,
        capture_output=True,
        text=True,
        timeout=30,
        check=True,
    )
    told = json.loads(done.stdout.splitlines()[-1])
    assert not told["torch"]
    assert not done.stderr
    times = {name: told[name] - began for name in ("painted", "palette")}
    return {**times, "processor": _processor() - used}


def _processor() -> float:
    """Seconds of the processor that ended children used."""
    children = resource.getrusage(resource.RUSAGE_CHILDREN)
    return children.ru_utime + children.ru_stime


def test_the_window_takes_a_tab_within_a_second(tmp_path, capsys):
    (tmp_path / "config").mkdir()
    (tmp_path / "config" / "settings.json").write_text('{"welcomed": true}')
    start(tmp_path)
    runs = [start(tmp_path) for _ in range(5)]
    result = {name: round(statistics.median(run[name] for run in runs), 2) for name in runs[0]}
    with capsys.disabled():
        print(json.dumps({**result, "all": [round(run["palette"], 2) for run in runs]}))
    # A busy machine is no fault of the studio; the processor's time grows with its work alone.
    assert min(run["palette"] for run in runs) < 1.0 or result["processor"] < 1.0
