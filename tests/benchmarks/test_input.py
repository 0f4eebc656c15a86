"""Input while the worker computes with all cores: handled before anybody notices.

Run with `-m benchmark -s`. A pulse is sent every few milliseconds, as a mouse would; what is
measured is the time until the window has handled it, with the canvas moving under it.
"""

from __future__ import annotations

import json
import threading
import time
from pathlib import Path

import pytest
from PySide6.QtCore import QObject, QPoint, Qt, Signal
from PySide6.QtTest import QTest

from helpers.running import document_of, make, real_worker, runner_for, until
from ponystudio.canvas.scene.scene import GraphScene
from ponystudio.canvas.view.view import GraphView

pytestmark = [pytest.mark.benchmark, pytest.mark.timeout(300)]

BURN = """
from ponystudio.api import Context, Image, node

@node("tiny.burn", effects=True)
def burn(a: float, *, count: int = 400, ctx: Context) -> None:
    import torch

    x = torch.rand(1200, 1200)
    for step in range(count):
        for _ in range(8):
            x = (x @ x).softmax(0)
        ctx.preview(lambda: Image(torch.rand(1, 3, 64, 64)))
        ctx.progress(step + 1, count)
"""


class Pulse(QObject):
    sent = Signal(float)


def test_input_while_the_worker_uses_all_cores(qtbot, tmp_path, capsys):
    worker = real_worker(tmp_path)
    (Path(tmp_path) / "nodes" / "burn.py").write_text(BURN)
    worker.start()
    until(lambda: worker.is_ready, 120)
    runner = runner_for(worker, tmp_path)
    nodes = [make("n", "number"), make("end", "burn", a=("n", "float"))]
    nodes += [make(f"other{i}", "number") for i in range(200)]
    document = document_of(*nodes, catalog=worker.catalog)
    runner.watch(document)
    view = GraphView(GraphScene(document))
    view.resize(1600, 900)
    qtbot.addWidget(view)
    view.show()
    qtbot.waitExposed(view)
    runner.run_to(document, "end")
    until(lambda: document.states["end"].step > 3)

    waited: list[float] = []
    pulse = Pulse()

    def handle(sent: float) -> None:
        place = QPoint(400 + len(waited) % 800, 300 + len(waited) % 200)
        QTest.mouseMove(view.viewport(), place)
        if len(waited) % 10 == 0:
            view.horizontalScrollBar().setValue(view.horizontalScrollBar().value() + 3)
        waited.append(time.perf_counter() - sent)

    pulse.sent.connect(handle, Qt.ConnectionType.QueuedConnection)
    stop = threading.Event()

    def beat() -> None:
        while not stop.wait(0.008):
            pulse.sent.emit(time.perf_counter())

    thread = threading.Thread(target=beat)
    thread.start()
    until(lambda: len(waited) >= 1000 or document.states["end"].phase != "running")
    stop.set()
    thread.join()
    runner.cancel_all()
    until(lambda: not runner.queue.jobs)
    runner.unwatch(document)
    runner.close()
    worker.close()
    waited.sort()
    result = {
        "pulses": len(waited),
        "median_ms": round(1000 * waited[len(waited) // 2], 2),
        "p99_ms": round(1000 * waited[int(len(waited) * 0.99)], 2),
        "worst_ms": round(1000 * waited[-1], 2),
    }
    with capsys.disabled():
        print(json.dumps(result))
    assert result["p99_ms"] < 50
