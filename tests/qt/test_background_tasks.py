"""Jobs off the GUI thread: their order, their answers, their end."""

from __future__ import annotations

import threading
import time

import pytest
from PySide6.QtCore import QCoreApplication, QThread

from helpers.running import until
from ponystudio.errors import MissingFile
from ponystudio.qt import background_tasks
from ponystudio.qt.background_tasks import BackgroundTasks


@pytest.fixture
def held(qapp):
    """Background work whose first job goes on until it is let go."""
    made: list[BackgroundTasks] = []
    go = threading.Event()

    def hold(**more):
        work = BackgroundTasks("test", **more)
        made.append(work)
        begun = threading.Event()
        work.do(lambda: (begun.set(), go.wait(5)))
        assert begun.wait(5)
        return work, go

    yield hold
    go.set()
    for work in made:
        work.close()


@pytest.mark.parametrize(("newest_first", "order"), [(False, "cA"), (True, "Ac")])
def test_jobs_of_one_key_replace_each_other(held, newest_first, order):
    done: list[str] = []
    work, go = held(newest_first=newest_first)
    for name in ("a", "b", "c"):
        work.do(lambda name=name: done.append(name), key=name)
    work.do(lambda: done.append("A"), key="a")
    work.drop("b")
    go.set()
    work.wait()
    assert done == list(order)
    assert not work.busy


def test_answers_come_on_the_objects_own_thread_and_waiting_has_them_all(qapp):
    answers: list[object] = []
    work = BackgroundTasks("test")

    def then(value: object) -> None:
        assert QThread.currentThread() is QCoreApplication.instance().thread()
        answers.append(value)
        if value == 1:
            work.do(lambda: 2, then)  # a job that an answer gives

    work.do(lambda: 1, then)
    work.wait()
    assert answers == [1, 2]
    work.do(lambda: 3, answers.append)
    until(lambda: answers == [1, 2, 3])
    work.finish()
    work.do(lambda: 4, answers.append)
    assert not work.busy


@pytest.mark.log_warnings
def test_a_job_that_fails_stops_no_other(qapp, caplog):
    done: list[object] = []
    work = BackgroundTasks("test")

    def gone() -> None:
        raise MissingFile("There is no such file.")

    work.do(gone, done.append, lambda error: done.append(error.what))
    work.do(lambda: 1 / 0, done.append)
    work.do(lambda: 1 / 0, done.append, lambda error: done.append("at fault" in error.what))
    work.do(lambda: 5, done.append)
    work.finish()
    assert done == ["There is no such file.", True, 5]
    # An error that is told is no news for the log, a fault of ours is.
    assert [record.getMessage() for record in caplog.records] == ["A job of test failed."] * 2


def test_threads_are_there_while_there_is_work(qapp, monkeypatch):
    monkeypatch.setattr(background_tasks, "IDLE_SECONDS", 0.01)
    work = BackgroundTasks("test lingering", threads=2)
    both = threading.Barrier(2)
    for _ in range(2):
        work.do(lambda: both.wait(5))  # which needs the two of them
    work.wait()
    names = [thread.name for thread in threading.enumerate()]
    assert names.count("test lingering") <= 2
    until(lambda: not [t for t in threading.enumerate() if t.name == "test lingering"])
    done: list[int] = []
    work.do(lambda: 1, done.append)
    work.finish()  # else its thread might be the last to know it, and end it off its own thread
    assert done == [1]


def test_the_end_forgets_what_waits_and_has_patience_but_not_for_ever(held, monkeypatch):
    monkeypatch.setattr(background_tasks, "CLOSE_TIMEOUT", 0.05)
    done: list[int] = []
    work, go = held()
    work.do(lambda: done.append(1))
    start = time.monotonic()
    work.close()
    assert time.monotonic() - start < 3
    assert work.closing
    assert work.busy  # with what has begun
    go.set()
    until(lambda: not work.busy)
    assert not done


def test_nobody_is_answered_after_the_end(held, monkeypatch):
    monkeypatch.setattr(background_tasks, "CLOSE_TIMEOUT", 0.05)
    told: list[object] = []
    begun = threading.Event()
    work, go = held(threads=2)
    work.do(lambda: (begun.set(), go.wait(5)), told.append)
    assert begun.wait(5)
    work.close()
    go.set()
    until(lambda: not work.busy)
    work.wait()
    assert told == []
