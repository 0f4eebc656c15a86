"""Collecting garbage on the GUI's thread, and nowhere else."""

from __future__ import annotations

import gc
import threading
import weakref

import pytest

from helpers.running import until
from ponystudio.app.gui_garbage_collection import MANY, MANY_NEW, GarbageCollector


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


def test_many_new_objects_are_set_aside_and_looked_through_once_they_are_gone(garbage):
    gone: list[bool] = []
    weakref.finalize(Knot(), lambda: gone.append(True))
    many = [[i] for i in range(MANY + MANY_NEW)]
    until(lambda: gc.get_freeze_count() > len(many))
    assert not gone
    many.clear()
    for _ in range(11):  # so many of the young make the oldest due
        gc.collect(1)
    until(lambda: gone)
