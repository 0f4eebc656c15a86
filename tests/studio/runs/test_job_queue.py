"""The queue: its order, its pauses, and that it survives."""

from __future__ import annotations

from helpers.running import (
    finish,
)
from ponystudio.engine.protocol.run_events import (
    ErrorInfo,
    NodeStarted,
    RunFailed,
)
from ponystudio.graph.editing.edits import RemoveNode
from ponystudio.studio.worker.worker_process import WorkerFailed


def test_one_at_a_time_in_order_and_to_the_front(runner, document, worker):
    first, second, third = (runner.run(document) for _ in range(3))
    front = runner.run(document, front=True)
    assert list(runner.queue.jobs) == [first, front, second, third]
    assert len(worker.submitted) == 1
    runner.queue.move(third, 1)
    runner.queue.move(third, 0)  # never before the running one
    assert list(runner.queue.jobs) == [first, third, front, second]
    finish(worker)
    assert runner.queue.running is third


def test_pause_finishes_the_present_picture_only(runner, document, worker):
    runner.run(document, count=2)
    runner.pause()
    finish(worker)
    assert len(worker.submitted) == 1
    assert runner.queue.running is None
    assert runner.queue.next.done == 1
    runner.resume()
    assert len(worker.submitted) == 2


def test_a_run_holds_its_graph_while_the_document_goes_on(runner, document, worker):
    runner.run(document)
    later = runner.run(document)
    document.do(RemoveNode("end"), "Delete")
    worker.tell(NodeStarted(node="end", why="x"))
    finish(worker)
    assert "end" in worker.submitted[worker.run].graph.nodes
    assert runner.queue.running is later


def test_stop_and_cancel(runner, document, worker):
    how = []
    runner.job_done.connect(lambda job, text: how.append((job, text)))
    running, waiting = runner.run(document, count=4), runner.run(document)
    runner.cancel(waiting)
    runner.cancel(running)
    assert worker.cancelled == [running.number]
    worker.tell(RunFailed(ErrorInfo("Cancelled", "Cancelled.")))
    assert how == [(waiting, "stopped"), (running, "stopped")]
    assert not runner.queue.jobs


def test_an_engine_that_cannot_start_keeps_the_queue(runner, document, worker):
    refused = []
    runner.refused.connect(lambda document, problem: refused.append(problem.what))
    runner.run(document)
    runner.run(document)
    worker.receive(WorkerFailed("No such device."))
    worker.tell(RunFailed(ErrorInfo("WorkerDied", "No such device.")))
    assert len(runner.queue.jobs) == 1
    assert runner.paused
    assert "No such device." in refused
