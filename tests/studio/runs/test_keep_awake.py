"""The machine does not fall asleep over a run; where the desktop cannot help, nothing is said."""

from __future__ import annotations

import pytest
import wakepy

from helpers.running import until
from ponystudio.graph.model import Graph
from ponystudio.studio.runs import keep_awake
from ponystudio.studio.runs.job_queue import Job, JobQueue
from ponystudio.studio.runs.keep_awake import SleepInhibitor


@pytest.fixture
def queue(qapp):
    return JobQueue()


@pytest.fixture
def inhibitor(queue, monkeypatch):
    monkeypatch.setattr(keep_awake, "RELEASE_DELAY", 0)
    inhibitor = SleepInhibitor(queue)
    yield inhibitor
    inhibitor.close()


def run(queue):
    job = Job(queue.new_id(), "", "", Graph(), status="running")
    queue.add(job)
    return job


def test_it_is_held_awake_while_something_runs(queue, inhibitor):
    assert not inhibitor.is_held
    job = run(queue)
    assert inhibitor.is_held
    queue.remove(job)
    until(lambda: not inhibitor.is_held)
    inhibitor.set_on(False)
    job = run(queue)
    assert not inhibitor.is_held
    inhibitor.set_on(True)
    assert inhibitor.is_held


def test_without_a_desktop_nothing_happens(queue, inhibitor, monkeypatch, capfd, recwarn):
    monkeypatch.delenv("WAKEPY_FAKE_SUCCESS")
    monkeypatch.setenv("DBUS_SESSION_BUS_ADDRESS", "unix:path=/nonexistent")
    run(queue)
    inhibitor.close()
    assert capfd.readouterr() == ("", "")
    assert not recwarn.list


def test_a_desktop_that_is_gone_at_the_end_is_not_spoken_of(queue, inhibitor, monkeypatch, capfd):
    class Mode:
        def __enter__(self):
            pass

        def __exit__(self, *_):
            raise RuntimeError("The exit_mode was unsuccessful!")

    monkeypatch.setattr(wakepy.keep, "running", lambda **_: Mode())
    run(queue)
    inhibitor.close()
    assert capfd.readouterr() == ("", "")
