"""Runs, one after the other: their seeds, and documents that come and go meanwhile."""

from __future__ import annotations

import gc
import weakref

import pytest

from helpers.running import (
    PlayedWorker,
    document_of,
    finish,
    make,
    runner_for,
    tiny_catalog,
)
from ponystudio.engine.protocol.run_events import (
    NodeStarted,
    RunFailed,
    RunFinished,
    RunPlanned,
    RunStarted,
)
from ponystudio.errors import WorkerDied
from ponystudio.graph.editing.edits import SetParam, SetView
from ponystudio.studio.documents.editable_graph import Problem
from ponystudio.studio.runs.run_monitor import RunMonitor
from ponystudio.studio.worker.worker_process import WorkerFailed

CATALOG = tiny_catalog()


def seed(document):
    return document.graph.nodes["d"].params["seed"]


def sent_seed(worker, number=None):
    return worker.submitted[number or worker.run].graph.nodes["d"].params["seed"]


def test_a_seed_set_by_hand_is_used_once_then_rolled(runner, document, worker):
    runner.run(document)
    assert sent_seed(worker) == seed(document) == 5
    finish(worker)
    runner.run(document)
    assert sent_seed(worker) == seed(document) != 5
    assert runner.last_seed(document, "d", "seed") == seed(document)


def test_a_seed_as_made_is_rolled_at_once(runner, worker):
    document = document_of(
        make("d", "dice", seed=0), make("end", "steps", a=("d", "float")), catalog=worker.catalog
    )
    runner.watch(document)
    runner.run(document)
    assert sent_seed(worker) == seed(document) != 0


def test_the_next_seed_wraps_round_at_64_bits(runner, document, worker):
    runner.set_seed_mode("next")
    document.do(SetParam("d", "seed", 2**64 - 1), "Change seed")
    runner.run(document)
    assert sent_seed(worker) == 2**64 - 1
    finish(worker)
    runner.run(document)
    assert sent_seed(worker) == seed(document) == 0


@pytest.mark.parametrize("how", ["fixed", "locked"])
def test_fixed_and_locked_ones_stay(runner, document, worker, how):
    if how == "fixed":
        runner.set_seed_mode("fixed")
    else:
        document.do(SetView(("nodes", "d", "locked"), ["seed"]), "Lock")
    for _ in range(2):
        runner.run(document)
        assert sent_seed(worker) == 5
        finish(worker)


def test_a_fixed_seed_counts_up_in_a_batch_and_stays_shown(runner, document, worker):
    runner.set_seed_mode("fixed")
    runner.run(document, count=3)
    seeds = []
    for _ in range(3):
        seeds.append(sent_seed(worker))
        finish(worker)
    assert seeds == [5, 6, 7]
    assert seed(document) == 5


def test_rolling_adds_no_steps_to_undo_and_undo_brings_the_seed_back(runner, document):
    for _ in range(5):
        runner.run(document)
    assert document.undo_count == 1
    document.undo()
    assert seed(document) == 5


def test_a_run_that_will_be_refused_rolls_nothing(runner, document, worker):
    runner.run(document)
    finish(worker)
    document.states.update("end", faults=(Problem("Nothing is linked"),))
    runner.run(document)
    assert sent_seed(worker) == seed(document) == 5
    assert runner.last_seed(document, "d", "seed") == 5


def test_every_picture_of_a_batch_has_its_own(runner, document, worker):
    job = runner.run(document, count=3)
    seeds = []
    for _ in range(3):
        seeds.append(sent_seed(worker))
        finish(worker)
    assert len(set(seeds)) == 3
    assert seeds[0] == 5
    assert seeds[-1] == seed(document)
    assert job.seconds == 3.0
    assert not runner.queue.jobs


def test_a_run_that_was_begun_before_the_worker_told_its_nodes_is_shown(qapp, tmp_path):
    """A queue that was left goes on at once, perhaps with nodes of a pack that is new here."""
    worker = PlayedWorker()
    runner = runner_for(worker, tmp_path)
    document = document_of(
        make("d", "dice", seed=5), make("end", "steps", a=("d", "float")), catalog=worker.catalog
    )
    worker.catalog_changed.connect(document.set_catalog)
    runner.watch(document)
    runner.run(document)
    assert document.states["end"].phase == "rest"  # nobody knows that it does something
    worker.become_ready(CATALOG)
    assert {document.states[id].phase for id in ("d", "end")} == {"waiting"}
    worker.tell(RunStarted(nodes=2, steps=2, device=""))
    worker.tell(RunPlanned(steps=["d", "end"]))
    worker.tell(NodeStarted(node="end", why="not run before"))
    assert document.states["end"].phase == "running"
    assert runner.queue.running.node_title == "Steps"
    finish(worker)
    runner.close()


def test_a_run_that_is_over_is_let_go_of(runner, document, worker):
    """It holds its graph and pictures."""
    job = runner.run(document)
    over = weakref.ref(job)
    worker.tell(NodeStarted(node="end", why="x"))
    finish(worker)
    del job
    gc.collect()
    assert over() is None


@pytest.mark.log_warnings
@pytest.mark.parametrize(
    "end", [RunFinished(1.0), RunFailed.of(WorkerDied("gone"))], ids=["finished", "failed"]
)
def test_a_fault_in_showing_a_run_leaves_none_unended(runner, document, worker, monkeypatch, end):
    ended = []
    runner.job_done.connect(lambda _, how: ended.append(how))
    runner.run(document)
    runner.run(document)
    with monkeypatch.context() as broken:
        broken.setattr(RunMonitor, "on_event", lambda *_: 1 / 0)
        worker.tell(NodeStarted("d", ""))
        assert ended == []
        worker.tell(end)
        assert ended == ["failed"]
    assert worker.run == 2, "the queue goes on"
    finish(worker)
    assert ended == ["failed", "done"]


def test_a_worker_that_is_given_up_pauses_the_queue_with_its_own_remedy(runner, document, worker):
    told = []
    runner.refused.connect(lambda _, problem: told.append(problem))
    runner.run(document)
    worker.receive(WorkerFailed("It ended 3 times in a row.", "Try again."))
    assert told == [Problem("It ended 3 times in a row.", "Try again.")]
    assert runner.paused
    worker.receive(WorkerFailed("There is no cuda."))
    assert "settings" in told[-1].remedy
