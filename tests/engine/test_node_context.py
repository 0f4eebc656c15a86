"""What a running node is handed."""

from __future__ import annotations

from threading import Event
from types import SimpleNamespace

import pytest
import torch

from ponystudio.api import Image
from ponystudio.engine.node_context import RunContext
from ponystudio.engine.run_services import RunObserver
from ponystudio.errors import Cancelled


def context(observer, events=None):
    emit = [].append if events is None else events.append
    services = SimpleNamespace(observer=observer, cancel=Event(), emit=emit)
    return RunContext("n", services, torch.device("cpu"), torch.float32), services.cancel


def test_a_preview_is_made_only_when_somebody_looks_and_not_for_every_step():
    made, shown = [], []

    def make():
        made.append(1)
        return Image(torch.zeros(1, 3, 8, 8))

    unseen, _ = context(RunObserver())
    unseen.preview(make)
    assert made == []

    class Observer(RunObserver):
        def on_preview(self, node, make):
            shown.append((node, make().pixels.shape))

    seen, _ = context(Observer())
    for _ in range(10):
        seen.preview(make)
    assert shown == [("n", (1, 3, 8, 8))]


def test_progress_is_told_until_the_user_cancels():
    events = []
    running, cancel = context(RunObserver(), events)
    running.progress(1, 2)
    cancel.set()
    with pytest.raises(Cancelled):
        running.progress(2, 2)
    assert [event.as_json() for event in events] == [
        {"event": "progress", "node": "n", "step": 1, "steps": 2}
    ]
