"""A word at the end of the queue to whoever is looking elsewhere."""

from __future__ import annotations

from ponystudio.app.window.notifications import DesktopNotifier
from ponystudio.engine.protocol.run_events import RunFinished


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
