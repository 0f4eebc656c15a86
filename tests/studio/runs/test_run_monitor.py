"""What a run writes into the states of its document."""

from __future__ import annotations

import pytest
from PySide6.QtGui import QImage

from helpers.running import (
    document_of,
    encoded,
    finish,
    make,
)
from ponystudio.engine.protocol.run_events import (
    ErrorInfo,
    NodeFinished,
    NodePreview,
    NodesLeftOut,
    NodeStarted,
    Note,
    Output,
    RunFailed,
    RunFinished,
    RunPlanned,
    RunRefused,
    RunStarted,
    WeightsEvent,
)
from ponystudio.graph.catalog import Catalog
from ponystudio.graph.editing.edits import SetParam
from ponystudio.studio.documents.editable_graph import Problem


def test_a_failure_is_shown_at_its_node_and_what_waited_says_so(runner, document, worker):
    runner.run(document)
    worker.tell(RunPlanned(steps=["d", "end"]))
    worker.tell(NodeStarted(node="d", why="not run before"))
    assert document.states["d"].phase == "running"
    worker.tell(RunFailed(ErrorInfo("X", "too large.", "d.seed", "Make it less.", "d", "seed")))
    problem = document.states["d"].problem
    assert (problem.what, problem.remedy, problem.socket) == (
        "Too large.",
        "Make it less.",
        "seed",
    )
    assert document.states["end"].phase == "not_run"
    assert document.states["end"].reason == "Not run: Dice failed"
    document.do(SetParam("d", "seed", 1), "Change seed")
    assert document.states["d"].phase == document.states["end"].phase == "rest"
    assert document.states["d"].problem is None


def test_what_is_refused_lands_at_its_socket(runner, document, worker):
    runner.run(document)
    error = ErrorInfo("MissingInput", "Nothing here.", node="end", socket="a")
    worker.tell(RunRefused(errors=[error]))
    assert [fault.socket for fault in document.states["end"].faults] == ["a"]
    assert document.states["end"].phase == "failed"
    assert document.states["end"].problem.what == "Nothing here."
    assert document.states["d"].phase == "rest"
    document.do(SetParam("d", "seed", 1), "Change seed")
    assert document.states["end"].phase == "rest"


def test_what_needs_a_refused_node_did_not_run(runner, document, worker):
    runner.run(document)
    worker.tell(RunFinished(seconds=1.0))
    runner.run(document)
    worker.tell(RunRefused(errors=[ErrorInfo("MissingFile", "No.", node="d")]))
    assert document.states["end"].phase == "not_run"
    assert document.states["end"].reason == "Not run: Dice is not ready"
    document.do(SetParam("d", "seed", 1), "Change seed")
    assert document.states["end"].phase == "rest"


def test_what_is_left_out_says_why_and_the_rest_runs(runner, worker):
    document = document_of(
        make("d", "dice", seed=5),
        make("end", "steps", a=("d", "float")),
        make("half", "steps"),
        make("after", "steps", a=("half", "float")),
        catalog=worker.catalog,
    )
    runner.watch(document)
    told = []
    runner.left_out.connect(lambda of, problems: told.append((of, problems)))
    error = ErrorInfo("MissingInput", "Nothing here.", node="half", socket="a")
    for _ in range(2):
        job = runner.run(document)
        worker.tell(NodesLeftOut(errors=[error]))
        worker.tell(RunStarted(nodes=2, steps=2, device=""))
        worker.tell(RunPlanned(steps=["d", "end"]))
        assert {id: document.states[id].phase for id in document.graph.nodes} == {
            "d": "waiting",
            "end": "waiting",
            "half": "failed",
            "after": "not_run",
        }
        assert document.states["half"].problem.socket == "a"
        assert document.states["half"].reason == ""
        assert document.states["after"].reason == "Not run: Steps is not ready"
        finish(worker)
        assert job.left_out == 1
    # Not at every run, but again when it comes back.
    assert [list(problems) for _, problems in told] == [["half"]]
    runner.run(document)
    worker.tell(RunStarted(nodes=2, steps=2, device=""))
    finish(worker)
    runner.run(document)
    worker.tell(NodesLeftOut(errors=[error]))
    finish(worker)
    assert len(told) == 2
    assert told[0][0] is document


def test_what_is_left_out_keeps_its_seed(runner, worker):
    document = document_of(
        make("d", "dice", seed=0),
        make("end", "steps", a=("d", "float")),
        make("other", "dice", seed=0),
        make("half", "steps", a=("other", "float")),
        catalog=worker.catalog,
    )
    runner.watch(document)
    document.states.update("half", faults=(Problem("Not ready"),))
    runner.run(document)
    assert document.graph.nodes["d"].params["seed"] != 0
    assert document.graph.nodes["other"].params["seed"] == 0


def test_what_no_node_can_show_is_told(runner, document, worker):
    told = []
    runner.refused.connect(lambda document, problem: told.append(problem))
    runner.run(document)
    worker.tell(RunRefused(errors=[ErrorInfo("NothingToRun", "Nothing to run.")]))
    assert [problem.what for problem in told] == ["Nothing to run."]


def test_a_note_stays_with_what_is_kept_and_goes_when_it_runs_again(runner, document, worker):
    notes = []

    def run(steps, said=()):
        runner.run(document)
        worker.tell(RunStarted(nodes=2, steps=len(steps), device=""))
        worker.tell(RunPlanned(steps=steps))
        for node in steps:
            worker.tell(NodeStarted(node=node, why="x"))
            for text in said:
                worker.tell(Note(node=node, text=text))
            worker.tell(NodeFinished(node=node, cached=False, seconds=1.0))
        notes.append(document.states["d"].notes)
        finish(worker)
        notes.append(document.states["d"].notes)

    run(["d"], ["No effect.", "No effect."])
    run([])
    run(["d"], [])
    assert notes == [("No effect.",)] * 4 + [()] * 2


def test_a_stop_leaves_pictures_as_they_were(runner, document, worker):
    old = QImage(2, 2, QImage.Format.Format_RGB32)
    document.states.update("end", picture=old, phase="done")
    runner.run(document)
    assert document.states["end"].stale
    worker.tell(NodeStarted(node="end", why="x"))
    worker.tell(NodePreview(node="end", jpeg=encoded(QImage(3, 3, QImage.Format.Format_RGB32))))
    assert document.states["end"].live
    worker.tell(RunFailed(ErrorInfo("Cancelled", "")))
    assert document.states["end"].picture == old
    assert not document.states["end"].live


def test_time_left_is_learned(runner, document, worker):
    for _ in range(3):
        runner.run(document)
        worker.tell(RunStarted(nodes=2, steps=2, device=""))
        worker.tell(RunPlanned(steps=["d", "end"]))
        worker.tell(NodeStarted(node="d", why="x"))
        worker.tell(NodeFinished(node="d", cached=False, seconds=3.0))
        worker.tell(NodeStarted(node="end", why="x"))
        job = runner.queue.running
        worker.tell(NodeFinished(node="end", cached=False, seconds=1.0))
        finish(worker)
    assert 0.7 < job.fraction <= 1
    assert runner.costs(document, ["d"])[0].seconds == pytest.approx(3.0)
    assert runner.costs(document, ["d"])[0].runs == 3


def test_that_a_node_takes_no_time_is_learned_too(runner, document, worker):
    assert runner.costs(document, ["d"])[0].runs == 0
    runner.run(document)
    worker.tell(WeightsEvent(file="a", action="loaded", bytes=1, seconds=0.2))
    worker.tell(NodeFinished(node="d", cached=False, seconds=0.0))
    finish(worker)
    (cost,) = runner.costs(document, ["d"])
    assert (cost.seconds, cost.runs) == (0.0, 1)


def test_a_document_opened_during_its_run_shows_it_and_a_closed_one_harms_nothing(
    runner, document, worker
):
    runner.run(document)
    runner.unwatch(document)
    worker.tell(NodeStarted(node="d", why="x"))
    finish(worker)
    assert document.states["d"].phase == "waiting"  # nobody wrote it any more


def test_a_picture_that_is_read_after_its_document_was_closed_goes_nowhere(
    runner, document, worker, tmp_path
):
    path = tmp_path / "end.png"
    QImage(2, 2, QImage.Format.Format_RGB32).save(str(path))
    runner.run(document)
    worker.tell(Output(node="end", path=str(path)))
    finish(worker)
    runner.unwatch(document)
    runner.pictures.work.wait()
    assert document.states["end"].picture is None
    assert runner.run(document).picture is None


def test_a_document_keeps_the_catalog_that_it_was_given(runner, worker):
    own = Catalog(worker.catalog.values())
    document = document_of(make("d", "dice", seed=5), catalog=own)
    runner.watch(document)
    assert document.catalog is own
