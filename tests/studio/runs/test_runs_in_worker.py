"""Runs in a real worker, as documents show them."""

from __future__ import annotations

from pathlib import Path

import pytest

from helpers.running import document_of, make, real_worker, runner_for, until
from ponystudio.graph.editing.edits import SetParam
from ponystudio.graph.model import Node


@pytest.fixture(scope="module")
def worker(tmp_path_factory, qapp):
    worker = real_worker(tmp_path_factory.mktemp("running"))
    worker.start()
    until(lambda: worker.is_ready, 120)
    yield worker
    worker.close()


@pytest.fixture
def runner(worker, tmp_path):
    runner = runner_for(worker, tmp_path)
    yield runner
    runner.cancel_all()
    until(lambda: not runner.queue.jobs)
    runner.close()
    runner.deleteLater()


@pytest.fixture
def ended(runner):
    ended: list[str] = []
    runner.job_done.connect(lambda job, how: ended.append(how))
    return ended


@pytest.fixture
def open_document(runner, worker):
    documents = []

    def open_one(*nodes):
        document = document_of(*nodes, catalog=worker.catalog)
        documents.append(document)
        runner.watch(document)
        return document

    yield open_one
    for document in documents:
        runner.unwatch(document)


def test_the_catalog_is_known_at_the_next_start(worker, tmp_path_factory):
    assert "tiny.number" in worker.catalog
    assert "core.sample" in worker.catalog
    again = real_worker(worker.log_file.parent.parent)
    assert again.catalog.to_json() == worker.catalog.to_json()


def test_a_run_from_waiting_to_done(runner, ended, open_document):
    document = open_document(
        make("p", "picture", level=0.25), make("save", "save", image=("p", "image"))
    )
    made = []
    runner.picture_made.connect(lambda *args: made.append(args))
    runner.run(document)
    assert {document.states[id].phase for id in ("p", "save")} == {"waiting"}
    until(lambda: ended)
    assert ended == ["done"]
    assert document.states["p"].phase == "done"
    assert document.states["p"].outputs[0][1].startswith("1×3×64×64")
    assert not document.states["p"].picture.isNull()
    ((of, node, path),) = made
    assert (of, node) == (document, "save")
    assert Path(path).is_file()
    until(lambda: document.states["save"].picture is not None)
    until(lambda: document.states["p"].tier == "memory")


def test_plans_follow_edits_in_the_cards_words(runner, ended, open_document):
    document = open_document(
        make("p", "picture", level=0.3),
        make("save", "save", image=("p", "image")),
    )
    until(lambda: document.states["p"].reason == "Not run yet")
    assert document.states["save"].reason == "Not run yet"
    runner.run(document)
    until(lambda: ended and document.states["p"].tier)
    document.do(SetParam("p", "level", 0.4), "Change level")
    until(lambda: document.states["p"].reason)
    assert document.states["p"].reason == "Level changed"
    assert document.states["p"].tier == ""
    assert document.states["p"].stale
    assert document.states["save"].reason == "Will run: after Picture"
    document.undo()
    until(lambda: document.states["p"].tier == "memory")
    assert not document.states["p"].stale


def test_faults_land_on_their_nodes_and_the_rest_is_planned(runner, open_document):
    document = open_document(
        make("p", "picture"),
        make("bad", "save"),
        make("save", "save", image=("p", "image")),
        make("n", "number"),
        make("half", "steps", count="many", a=("n", "float")),
    )
    until(lambda: document.states["bad"].faults and document.states["p"].reason)
    assert document.states["n"].reason == "Not run yet"
    assert document.states["half"].reason == ""
    (fault,) = document.states["bad"].faults
    assert (fault.reason, fault.socket) == ("MissingInput", "image")
    assert document.states["bad"].reason == ""


def test_a_forgotten_node_is_left_out_and_the_rest_is_made(runner, ended, open_document):
    document = open_document(
        make("p", "picture"), make("bad", "save"), make("save", "save", image=("p", "image"))
    )
    made, left_out = [], []
    runner.picture_made.connect(lambda _, node, path: made.append(node))
    runner.left_out.connect(lambda _, problems: left_out.append(problems))
    runner.run(document)
    until(lambda: ended)
    assert (ended, made) == (["done"], ["save"])
    assert [(id, problem.socket) for id, problem in left_out[0].items()] == [("bad", "image")]
    assert document.states["save"].phase == "done"
    assert document.states["bad"].phase == "failed"
    runner.run_to(document, "bad")
    until(lambda: len(ended) == 2)
    assert ended[-1] == "failed"


def test_what_was_only_shown_is_up_to_date_after_its_run(runner, ended, open_document):
    document = open_document(
        make("p", "picture", level=0.6), make("show", "show", image=("p", "image"))
    )
    runner.run(document)
    until(lambda: ended and document.states["show"].tier)
    state = document.states["show"]
    assert (state.tier, state.reason, state.stale) == ("disk", "", False)
    until(lambda: document.states["show"].picture is not None)
    runner.run(document)
    until(lambda: len(ended) == 2)
    assert runner.folders.previews.is_dir()
    assert len(list(runner.folders.previews.iterdir())) == 1
    document.do(SetParam("p", "level", 0.7), "Change level")
    until(lambda: document.states["show"].reason)
    assert document.states["show"].stale


def test_nodes_of_an_older_version_are_upgraded(runner, worker, open_document):
    old = Node("g", "tiny.grown", version=1, params={"half": 4.0})
    document = open_document(old, make("end", "steps", a=("g", "float"), count=1))
    until(lambda: document.graph.nodes["g"].version == 2)
    assert document.graph.nodes["g"].params == {"value": 8.0}
    until(lambda: document.states["g"].reason)
    assert not document.states["g"].faults
    document.undo()
    assert document.graph.nodes["g"] == old


def test_progress_previews_stop(runner, ended, open_document):
    document = open_document(
        make("n", "number"), make("end", "steps", a=("n", "float"), count=100_000)
    )
    job = runner.run(document)
    until(lambda: document.states["end"].step > 3 and document.states["end"].live)
    assert job.node_title == "Steps"
    assert 0 < job.fraction < 1
    assert job.left is not None
    runner.cancel_current()
    assert job.status == "stopping"
    until(lambda: ended)
    assert ended == ["stopped"]
    assert document.states["end"].phase == "rest"
    assert not document.states["end"].live


def test_a_worker_that_dies_or_is_killed_costs_its_run_alone(tmp_path, qapp, monkeypatch):
    monkeypatch.setattr("ponystudio.studio.runs.runner.STOP_OFFER_DELAY", 100)
    worker = real_worker(tmp_path)
    runner = runner_for(worker, tmp_path)
    ended, offered = [], []
    runner.job_done.connect(lambda job, how: ended.append(how))
    runner.stop_offered.connect(offered.append)
    worker.start()
    until(lambda: worker.is_ready, 120)

    def opened(*nodes):
        document = document_of(*nodes, catalog=worker.catalog)
        runner.watch(document)
        return document

    dying = opened(make("n", "number"), make("end", "die", a=("n", "float")))
    fine = opened(make("n", "number"), make("end", "steps", a=("n", "float"), count=2))
    stuck = opened(make("n", "number"), make("end", "kernel", a=("n", "float")))
    runner.run(dying)
    runner.run(fine)
    until(lambda: len(ended) == 2)
    assert ended == ["failed", "done"]
    assert dying.states["end"].phase == "failed"
    assert dying.states["end"].problem.reason == "WorkerDied"
    assert fine.states["end"].phase == "done"

    runner.run(stuck)
    until(lambda: stuck.states["end"].phase == "running")
    runner.cancel_current()
    until(lambda: True in offered)
    runner.stop_now()
    until(lambda: len(ended) == 3)
    assert ended[-1] == "stopped"
    assert stuck.states["end"].phase == "rest"
    assert offered[-1] is False

    # Other settings, in the middle of a run: it is begun anew by the next worker.
    again = opened(
        make("n", "number"), make("end", "steps", a=("n", "float"), count=100, pause=0.01)
    )
    runner.run(again)
    until(lambda: again.states["end"].step > 2)
    worker.restart()
    until(lambda: len(ended) == 4)
    assert ended[-1] == "done"
    runner.close()
    worker.close()
