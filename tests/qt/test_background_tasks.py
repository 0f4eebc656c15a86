"""Jobs off the GUI thread: their order, their answers, their end."""

from __future__ import annotations

import asyncio
import threading
import time

import pytest
import shiboken6
from PySide6.QtCore import QCoreApplication, QObject, QThread

from helpers.running import until
from ponystudio.errors import Cancelled, MissingFile
from ponystudio.qt import background_tasks
from ponystudio.qt.background_tasks import BackgroundTasks, in_background


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


# --- Flows ----------------------------------------------------------------------------------------


@pytest.fixture
def tasks(qapp):
    tasks = BackgroundTasks("test")
    yield tasks
    tasks.close()


def test_a_flow_works_in_the_background_and_goes_on_here(tasks):
    seen = []

    def double(number: int) -> int:
        seen.append(threading.current_thread().name)
        return 2 * number

    async def flow():
        seen.append(await in_background(double, await in_background(double, 3)))
        assert QThread.currentThread() is QCoreApplication.instance().thread()

    tasks.start(flow())
    assert not seen  # it begins when the caller is done
    tasks.wait()
    assert seen == ["test", "test", 12]


def test_a_flow_may_do_several_things_at_once(qapp):
    tasks, met = BackgroundTasks("test", threads=2), threading.Barrier(2, timeout=5)

    async def flow():
        await asyncio.gather(in_background(met.wait), in_background(met.wait))

    tasks.start(flow())
    tasks.finish()
    assert not met.broken


def test_what_goes_wrong_in_a_job_comes_up_where_it_is_awaited(tasks):
    told = []

    def missing():
        raise MissingFile("It is gone.")

    async def catches():
        with pytest.raises(MissingFile, match="gone"):
            await in_background(missing)
        await asyncio.sleep(0)
        told.append("caught")

    async def passes():
        await in_background(missing)

    tasks.start(catches())
    tasks.start(passes(), lambda error: told.append(error.what))
    tasks.wait()
    assert told == ["caught", "It is gone."]


@pytest.mark.log_warnings
def test_errors_that_nobody_takes_are_logged(tasks, caplog):
    faults = []

    async def flow():
        raise ZeroDivisionError("zero")

    tasks.start(flow())
    tasks.start(flow(), faults.append)
    tasks.wait()
    assert [record.exc_info[0] for record in caplog.records] == [ZeroDivisionError] * 2
    assert "at fault" in faults[0].what


def test_a_cancelled_job_ends_its_flow_without_a_word(tasks):
    def cancelled():
        raise Cancelled

    async def flow():
        await in_background(cancelled)

    tasks.start(flow(), pytest.fail)
    tasks.wait()


def test_a_later_flow_of_the_same_key_replaces_an_earlier_one(held):
    work, go = held()
    seen = []

    async def flow(name):
        try:
            seen.append(await in_background(lambda: name))
        except asyncio.CancelledError:
            seen.append(f"no {name}")
            raise

    work.start(flow("a"), key="pair")
    QCoreApplication.processEvents()  # it waits for its job
    work.start(flow("b"), key="pair")
    go.set()
    work.wait()
    assert seen == ["no a", "b"]


def test_closing_cancels_flows_which_may_clean_up(held):
    work, go = held()
    cleaned = []

    async def flow():
        try:
            await in_background(pytest.fail, "nobody wants it any more")
        finally:
            cleaned.append(True)

    work.start(flow())
    QCoreApplication.processEvents()
    go.set()
    work.close()
    until(lambda: cleaned)
    ignored = flow()
    work.start(ignored)  # closes it: else Python would complain that nobody awaited it
    assert ignored.cr_frame is None


def test_flows_end_with_the_object_that_they_belong_to(qapp):
    owner, begun, ended = QObject(), [], []

    async def flow():
        begun.append(True)
        try:
            await asyncio.Event().wait()
        finally:
            ended.append(True)

    BackgroundTasks("test", parent=owner).start(flow())
    until(lambda: begun)
    shiboken6.delete(owner)
    until(lambda: ended)


def test_who_waits_for_flows_within_one_is_refused_and_does_not_stand_still(tasks):
    other, refused = BackgroundTasks("other"), []

    async def saves():
        await in_background(time.sleep, 0.01)

    async def waits():
        other.start(saves())
        try:
            other.wait()
        except AssertionError:
            refused.append(True)

    tasks.start(waits())
    tasks.wait()
    other.finish()
    assert refused


def test_jobs_tell_how_far_they_are(tasks):
    seen = []

    def job():
        for share in (0.5, 1.0):
            tasks.post(lambda share=share: seen.append((share, threading.current_thread())))

    tasks.do(job)
    tasks.wait()
    assert seen == [(share, threading.main_thread()) for share in (0.5, 1.0)]
