"""The queue on disk."""

from __future__ import annotations

import errno
import random
from pathlib import Path

import pytest
from PySide6.QtCore import QCoreApplication

from helpers.frail_disk import FrailDisk, every_failure
from helpers.graphs import picture
from helpers.running import finish, runner_for, until
from ponystudio.engine.protocol.run_events import ErrorInfo, RunFailed
from ponystudio.studio.runs import job_store
from ponystudio.studio.runs.job_queue import Job, JobQueue
from ponystudio.studio.runs.job_store import JobStore, StoredJob


def test_it_survives_the_process(runner, document, worker, tmp_path):
    store = JobStore(tmp_path / "queue")
    kept = runner_for(worker, tmp_path, queue=JobQueue(store))
    kept.watch(document)
    kept.run(document, count=3)
    last = kept.run(document, ["end"], denoiser_on_cpu=True)
    kept.queue.move(last, 1)
    finish(worker)
    until(lambda: len(list((tmp_path / "queue").glob("job-*.json"))) == 2)
    store.close()
    kept.close()

    store = JobStore(tmp_path / "queue")
    again = runner_for(worker, tmp_path, queue=JobQueue(store))
    told = []
    again.restored.connect(told.append)
    again.restore()
    assert told == [2]
    assert again.paused
    assert [(job.count, job.done, job.targets) for job in again.queue.jobs] == [
        (3, 1, None),
        (1, 0, ("end",)),
    ]
    assert [job.denoiser_on_cpu for job in again.queue.jobs] == [False, True]
    before = len(worker.submitted)
    again.resume()
    assert len(worker.submitted) == before + 1
    again.cancel_current()
    worker.tell(RunFailed(ErrorInfo("Cancelled", "")))
    again.close()
    store.close()


def test_what_a_crash_left_beside_the_queue_is_removed(runner, document, tmp_path):
    folder = tmp_path / "queue"
    store = JobStore(folder)
    store.keep(runner.run(document).stored())
    store.keep(runner.run(document).stored())
    store.keep_order([(1, 0)])  # killed before the second one was in the order
    store.close()
    (folder / "job-7.json").write_text("{")
    (folder / ".order.json.aa.tmp").write_text("half")
    store = JobStore(folder)
    assert [stored.id for stored, _ in store.load()] == [1]
    store.close()
    assert {path.name for path in folder.iterdir()} == {"job-1.json", "order.json"}


def job(id: int) -> StoredJob:
    return StoredJob(id, f"Job {id}", "one", picture(), ((), ()), None, None)


def loaded(folder) -> list[tuple[int, int]]:
    store = JobStore(folder)
    found = [(stored.id, done) for stored, done in store.load()]
    store.close()
    return found


@pytest.mark.parametrize("code", [errno.EIO, errno.ENOSPC])
def test_whatever_fails_once_the_queue_is_safe_at_last(qapp, tmp_path, monkeypatch, code):
    monkeypatch.setattr(job_store, "RETRY", 0)

    def scenario(number: int) -> FrailDisk:
        root, told = tmp_path / f"{number}" / "disk", []
        root.mkdir(parents=True)
        with FrailDisk(root, number, code) as disk:
            store = JobStore(root / "queue", told.append)
            store.keep(job(1))
            store.keep(job(2))
            store.keep_order([(1, 0), (2, 1)])
            store.forget(1)
            store.keep_order([(2, 1)])
            until(lambda: not told or told[-1] is None)
            store.close()
            QCoreApplication.processEvents()
            cuts = [disk.cut_power(random.Random(n), root.parent / f"{n}") for n in range(5)]
        if disk.failed and not disk.failed[0].startswith(("unlink", "rmdir", "close")):
            assert [error is None for error in told] == [False, True], disk.failed
        for after in (root, *cuts):
            assert loaded(after / "queue") == [(2, 1)], disk.failed
        return disk

    every_failure(scenario)


def test_a_queue_that_cannot_be_read_once_is_not_removed(qapp, tmp_path):
    folder = tmp_path / "queue"
    store = JobStore(folder)
    for id in (1, 2):
        store.keep(job(id))
    store.keep_order([(2, 1), (1, 0)])
    store.close()
    with FrailDisk(folder) as disk:
        disk.fail_next("open")
        assert loaded(folder) == [(1, 0), (2, 0)]
        disk.fail_next("open")
        assert loaded(folder) == [(1, 0), (2, 0)]
    assert {path.name for path in folder.iterdir()} >= {"job-1.json", "job-2.json"}
    (folder / "order.json").write_text("half")
    assert loaded(folder) == [(1, 0), (2, 0)]


def test_a_queue_that_is_put_aside_is_unread_and_can_be_taken_up_later(qapp, tmp_path):
    store = JobStore(tmp_path / "queue")
    store.keep(job(1))
    store.keep_order([(1, 1)])
    store.close()
    queue = JobQueue(store := JobStore(tmp_path / "queue"))
    assert store.has_jobs
    store.put_aside()
    assert not store.has_jobs
    assert queue.restore() == 0
    queue.add(Job(queue.new_id(), "Job", "one", picture(), ((), ())))
    (folder,) = store.aside()
    aside = JobStore(folder)
    assert queue.restore(aside) == 1
    aside.close()
    store.close()
    assert not folder.exists()
    assert [(waiting.id, waiting.done) for waiting in queue.jobs] == [(1, 0), (2, 1)]
    assert loaded(tmp_path / "queue") == [(1, 0), (2, 1)]


@pytest.fixture
def refusals(qapp, monkeypatch):
    """What the disk refuses: methods of `Path`, with names of files. Stores try again soon."""
    monkeypatch.setattr(job_store, "RETRY", 0)
    refused: set[tuple[str, str]] = set()
    for method in ("unlink", "replace"):
        done = getattr(Path, method)

        def try_it(path, *rest, _done=done, _method=method, **more):
            if (_method, path.name) in refused:
                raise OSError(errno.EBUSY, "Busy", str(path))
            return _done(path, *rest, **more)

        monkeypatch.setattr(Path, method, try_it)
    return refused


def test_what_a_crash_left_and_the_disk_holds_takes_no_later_jobs_with_it(tmp_path, refusals):
    folder, told = tmp_path / "queue", []
    (folder / "a folder").mkdir(parents=True)
    for id in (8, 9):
        (folder / f"job-{id}.json").write_text("{}")
        refusals.add(("unlink", f"job-{id}.json"))
    store = JobStore(folder, told.append)
    assert store.load() == []
    until(lambda: told)
    store.keep(job(7))
    store.keep(job(9))  # in the place of what was to be removed
    store.keep_order([(7, 0), (9, 0)])
    until((folder / "order.json").exists)
    refusals.clear()
    until(lambda: told[-1] is None)
    store.close()
    assert not (folder / "job-8.json").exists()
    assert loaded(folder) == [(7, 0), (9, 0)]


def put_aside(folder: Path, *ids: int) -> Path:
    store = JobStore(folder)
    for id in ids:
        store.keep(job(id))
    store.keep_order([(id, 0) for id in ids])
    store.close()
    assert store.put_aside()
    return store.aside()[0]


def test_a_queue_that_is_taken_up_stays_aside_until_it_is_safe(tmp_path, refusals, monkeypatch):
    folder = put_aside(tmp_path / "queue", 1, 2)
    (folder / "job-2.json").write_text("half")
    told, full, write = [], [True], job_store.write_text

    def write_text(path, text):
        if full[0] and path.name != "order.json":
            raise OSError(errno.ENOSPC, "Full")
        write(path, text)

    monkeypatch.setattr(job_store, "write_text", write_text)
    store = JobStore(tmp_path / "queue", told.append)
    queue = JobQueue(store)
    aside = JobStore(folder)
    assert queue.restore(aside) == 1
    aside.close()
    until(lambda: told)
    assert (folder / "job-1.json").exists()
    assert store.aside() == []  # nobody takes it up twice
    full[0] = False
    until(lambda: told[-1] is None)
    store.close()
    assert loaded(tmp_path / "queue") == [(1, 0)]
    assert {path.name for path in folder.iterdir()} == {"job-2.damaged.json", "order.json"}
    assert JobStore(tmp_path / "queue").aside() == []


def test_a_queue_that_cannot_be_put_aside_is_not_written_over(tmp_path, refusals):
    folder, told = tmp_path / "queue", []
    put_aside(folder, 1).replace(folder)
    before = {path.name: path.read_text() for path in folder.iterdir()}
    refusals.add(("replace", "queue"))
    store = JobStore(folder, told.append)
    assert not store.put_aside()
    queue = JobQueue(store)
    queue.add(Job(queue.new_id(), "Job", "one", picture(), ((),)))
    until(lambda: told)
    QCoreApplication.processEvents()
    assert {path.name: path.read_text() for path in folder.iterdir()} == before
    assert not store.is_free
    refusals.clear()
    until(lambda: told[-1] is None)
    store.close()
    (aside,) = store.aside()
    assert {path.name: path.read_text() for path in aside.iterdir()} == before
    assert [path.name for path in folder.iterdir() if path.name.startswith("job")] == ["job-1.json"]
