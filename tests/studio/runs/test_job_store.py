"""The queue on disk."""

from __future__ import annotations

from helpers.running import finish, runner_for, until
from ponystudio.engine.protocol.run_events import ErrorInfo, RunFailed
from ponystudio.studio.runs.job_queue import JobQueue
from ponystudio.studio.runs.job_store import JobStore


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
