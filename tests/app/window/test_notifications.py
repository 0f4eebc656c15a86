"""What happened elsewhere, as toasts say it."""

from __future__ import annotations

import pytest
from PySide6.QtWidgets import QAbstractButton, QLabel

from helpers.studio import text_to_picture
from helpers.window import open_window, show_graph
from ponystudio.app.window.notifications import DesktopNotifier
from ponystudio.engine.protocol.run_events import RunFinished
from ponystudio.studio.runs.run_texts import fallback_rows


@pytest.fixture
def window(tmp_path, monkeypatch, qapp):
    monkeypatch.setenv("PONYSTUDIO_HOME", str(tmp_path))
    with open_window() as window:
        show_graph(window, text_to_picture(), "Ponies")
        yield window


def labels(toast) -> list[str]:
    return [label.text() for label in toast.findChildren(QLabel)]


def memory_short(runner, document, node: str, action: str) -> None:
    """As if a run had to do this."""
    runner.fallbacks.append(action)
    runner.memory_short.emit(document, node, action)


def test_the_memory_ladder_lists_its_rungs_with_what_they_freed(window):
    document, runner = window.documents.current, window.runner
    node = next(iter(document.graph.nodes))
    memory_short(runner, document, node, "took idle weights off the device (412 MiB)")
    memory_short(runner, document, node, "works in smaller pieces")
    (toast,) = window.toasts.shown
    said = labels(toast)
    assert said[:2] == ["Memory was short", "Ponies, Load checkpoint"]
    rows = [tuple(said[at : at + 3]) for at in range(2, len(said), 3)]
    assert rows == [
        ("…", "Forget results that can be made again", ""),
        ("✓", "Move idle models off the device", "412 MiB"),
        ("✓", "Work in smaller pieces", ""),
        ("…", "Read the model block by block", ""),
        ("…", "Run this node on the CPU", ""),
    ]
    assert [row[1:] for row in rows] == [row[1:] for row in fallback_rows(runner.fallbacks)]


def test_a_full_disk_is_no_rung(window):
    memory_short(window.runner, None, "", "results are no longer kept on disk: it is full")
    (toast,) = window.toasts.shown
    assert labels(toast)[0] == "The disk takes no results"
    assert all(sign == "spare" for sign, _, _ in fallback_rows(window.runner.fallbacks))


def test_an_engine_that_is_given_up_can_be_tried_again(window, monkeypatch):
    worker, started = window.runner.worker, []
    monkeypatch.setattr(worker, "restart", lambda: started.append(1))
    worker.failure, worker.remedy = "The engine ended 3 times in a row.", "Try again."
    worker.failed.emit(worker.failure)
    (toast,) = window.toasts.shown
    assert labels(toast)[:2] == ["No engine", "The engine ended 3 times in a row. Try again."]
    (button,) = [b for b in toast.findChildren(QAbstractButton) if b.text() == "Try again"]
    button.click()
    assert started == [1]


def test_who_looks_elsewhere_is_told_once_at_the_end(runner, document, worker):
    told = []
    notifier = DesktopNotifier(runner, send=lambda *words: told.append(words))
    runner.run(document, count=2)
    runner.run(document)
    for _ in range(3):
        worker.tell(RunFinished(seconds=4.0))
    assert told == [("Pictures are ready", "3 pictures in 12 s")]
    runner.run(document)
    worker.tell(RunFinished(seconds=0.1))  # nobody had time to look away
    notifier.set_on(False)
    runner.run(document)
    worker.tell(RunFinished(seconds=60.0))
    assert len(told) == 1
