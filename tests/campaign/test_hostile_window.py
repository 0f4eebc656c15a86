"""Hostile files through the studio's window: it never stands still, and stays small.

All are put where strangers' files get to: opened, dropped and pasted, in the folder of results and
in those of models, and named by graphs.
"""

from __future__ import annotations

import gc
import json
import os
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from operator import itemgetter
from pathlib import Path

import psutil
import pytest
from PySide6.QtCore import QMimeData, QPointF, QTimer
from PySide6.QtTest import QTest

from helpers import hostile, hostile_files, hostile_pictures
from helpers.window import open_window
from ponystudio.app.gui_garbage_collection import GarbageCollector
from ponystudio.app.studio_main import SWITCH_INTERVAL

pytestmark = [pytest.mark.campaign, pytest.mark.timeout(3600), pytest.mark.log_warnings]
GAP, GROWTH = 0.2, 500 * 2**20
BEAT = 5


class Heartbeat:
    """How long the event loop was busy at most, in seconds by the clock and of the processor, and
    with which file."""

    def __init__(self) -> None:
        self.gaps: list[tuple[float, float, str]] = [(0.0, 0.0, "")]
        self.doing = ""
        self._last, self._worked = time.perf_counter(), time.thread_time()
        self._timer = QTimer(interval=BEAT)
        self._timer.timeout.connect(self._beat)
        self._timer.start()

    def stop(self) -> None:
        self._beat()
        self._timer.stop()

    def _beat(self) -> None:
        now, worked = time.perf_counter(), time.thread_time()
        if now - self._last > GAP / 4:
            self.gaps.append((now - self._last, worked - self._worked, self.doing))
        self._last, self._worked = now, worked


@contextmanager
def watched() -> Iterator[Heartbeat]:
    """Everything within leaves the window alive and the process small.

    Gaps are judged by the clock; where others have the cores, by the processor's time of the
    window's thread, which does not see what another thread holds up.
    """
    process = psutil.Process()
    gc.collect()
    before, heart = process.memory_info().rss, Heartbeat()
    yield heart
    heart.stop()
    gc.collect()
    grown = process.memory_info().rss - before
    load = psutil.getloadavg()[0]
    print(f"longest gap {_told(max(heart.gaps))}, {grown >> 20} MB more, load {load:.1f}")
    print(f"most work {_told(max(heart.gaps, key=itemgetter(1)))}")
    judged = itemgetter(1 if load > (os.cpu_count() or 1) else 0)
    slow = sorted((gap for gap in heart.gaps if judged(gap) > GAP), key=judged, reverse=True)
    assert not slow, "\n".join(map(_told, slow[:20]))
    assert grown < GROWTH, f"{grown >> 20} MB more"


def _told(gap: tuple[float, float, str]) -> str:
    return f"{gap[0] * 1000:.0f} ms, of the processor {gap[1] * 1000:.0f} ms: {gap[2]}"


@pytest.fixture
def home(tmp_path, monkeypatch, qapp) -> Path:
    monkeypatch.setenv("PONYSTUDIO_HOME", str(tmp_path))
    return tmp_path


@pytest.fixture
def window(home):
    # As in the studio: no other thread collects it, and those that compute make way.
    garbage, usual = GarbageCollector(), sys.getswitchinterval()
    sys.setswitchinterval(SWITCH_INTERVAL)
    with open_window() as window:
        QTest.qWait(500)
        yield window
    sys.setswitchinterval(usual)
    garbage.close()


def settle(done, seconds: float = 60.0) -> None:
    """Wait until that is so, or for so long: who waits in vain is found by other tests."""
    end = time.monotonic() + seconds
    while not done() and time.monotonic() < end:
        QTest.qWait(20)


def test_graphs_are_opened_dropped_and_pasted(window, tmp_path):
    folder = tmp_path / "graphs"
    folder.mkdir()
    graphs = hostile_files.graphs()
    files = {**graphs, **hostile_files.pictures()}
    for name, content in files.items():
        (folder / name).write_bytes(content)
    texts: dict[str, QMimeData] = {}
    for name, content in graphs.items():
        texts[name] = QMimeData()
        texts[name].setText(content.decode()[:20_000_000])
    documents, drops = window.documents, window.drop_handler
    heard: list[object] = []
    signals = (documents.opened, documents.notice, documents.current_changed, drops.added)
    for signal in (*signals, drops.notice):
        signal.connect(lambda *told: heard.append(told))
    first = window.page.document

    def close_all(name: str) -> None:
        heart.doing = f"close {name}"
        for document in list(documents):
            if document is not first:
                documents.close(document)
        QTest.qWait(50)

    with watched() as heart:
        for name in files:
            path = folder / name
            heart.doing = f"open {name}"
            heard.clear()
            documents.open(path)
            settle(lambda: heard)
            QTest.qWait(50)
            close_all(name)
            heart.doing = f"drop {name}"
            heard.clear()
            drops.take([path], documents.new(), QPointF(0, 0))
            settle(lambda: heard)
            QTest.qWait(50)
            close_all(name)
            path.unlink()
        for name, mime in texts.items():
            heart.doing = f"paste {name}"
            documents.new()
            heard.clear()
            window.page.commands.gestures.dropped.emit(mime, QPointF(0, 0))
            settle(lambda: heard, 5)  # blanks are nothing
            QTest.qWait(50)
            close_all(name)
        heart.doing = "all is done"
        QTest.qWait(2000)


def test_results_are_shown(window):
    folder = window.results.index.folder
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in hostile_files.pictures().items():
        (folder / name).write_bytes(content)
    loader = window.results.loader
    with watched() as heart:
        heart.doing = "look for results"
        window.results.start()
        window.toggle_panel("gallery")
        page = window.shell.pages.currentWidget()
        settle(lambda: page.listing.ready and page.listing.pictures)
        QTest.qWait(2000)
        for picture in page.listing.pictures:
            heart.doing = f"show {picture.name}"
            page.show_paths([picture.path])
            settle(lambda path=picture.path: loader.get(path) or loader.problem(path), 20)
        heart.doing = "all results"
        page.show_all()
        QTest.qWait(2000)


def test_models_are_listed_and_looked_into(window, home):
    kinds = ("checkpoints", "loras", "embeddings", "vae")
    folder = home / "data" / "models"
    for number, (name, content) in enumerate(hostile.FILES.items()):
        suffix = {"zip": ".ckpt", "legacy": ".pt"}.get(name.partition(":")[0], ".safetensors")
        path = folder / kinds[number % len(kinds)] / f"file{number}{suffix}"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
        sidecar = {"description": "<" * 400_000, "trainedWords": ["a"] * 50_000}
        if number % 20 == 0:
            path.with_suffix(".json").write_text(json.dumps(sidecar))
            path.with_suffix(".png").write_bytes(hostile_pictures.NO_PICTURES["svg that opens"]())
    with watched() as heart:
        heart.doing = "list models"
        window.toggle_panel("models")
        page = window.shell.pages.currentWidget()
        settle(lambda: page.model.rowCount() >= len(hostile.FILES) // 2, 120)
        for row in range(page.model.rowCount()):
            heart.doing = f"look into model {row}"
            page.list.setCurrentIndex(page.model.index(row))
            QTest.qWait(15)
        QTest.qWait(1000)
