"""Collecting garbage on the GUI's thread, and nowhere else."""

from __future__ import annotations

import gc
import threading
import weakref

import pytest

from helpers.running import until
from ponystudio.app.gui_garbage_collection import GarbageCollector


class Knot:
    """Only garbage collection ends it."""

    def __init__(self) -> None:
        self.itself = self


@pytest.fixture
def garbage(qapp):
    collector = GarbageCollector()
    yield collector
    collector.close()
    assert gc.isenabled()


def test_other_threads_collect_nothing(garbage):
    gone: list[int] = []
    weakref.finalize(Knot(), lambda: gone.append(threading.get_ident()))
    busy = threading.Thread(target=lambda: [Knot() for _ in range(5000)])
    busy.start()
    busy.join()
    assert gone == []
    until(lambda: gone)
    assert gone == [threading.get_ident()]
