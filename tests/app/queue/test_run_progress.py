"""How far the run is, in words."""

from __future__ import annotations

import pytest

from helpers.running import until
from helpers.window import shown
from ponystudio.app.queue.bottom_bar import BottomBar
from ponystudio.engine.protocol.run_events import (
    ErrorInfo,
    NodeFinished,
    NodeStarted,
    Progress,
    RunFailed,
    RunFinished,
    RunPlanned,
    RunRefused,
    RunStarted,
)
from ponystudio.graph.editing.edits import SetParam
from ponystudio.studio.worker.worker_process import WorkerFailed


@pytest.fixture
def bar(qtbot, runner, document):
    return shown(qtbot, BottomBar(runner), 1400, 56)


def chips(bar, count):
    until(lambda: bar.chips.isVisible() and len(bar.chips.chips) == count)
    until(lambda: all(chip.isVisible() for chip in bar.chips.chips[:2]))
    return bar.chips.chips


def test_progress_in_words(bar, runner, document, worker):
    assert bar.progress.texts()[0][0][0] == "Ready"
    runner.run(document)
    worker.tell(RunStarted(nodes=2, steps=1, device=""))
    worker.tell(RunPlanned(steps=["end"]))
    worker.tell(NodeFinished(node="d", cached="memory", seconds=0.0))
    worker.tell(NodeStarted(node="end", why="x"))
    worker.tell(Progress(node="end", step=13, steps=20))
    left, right = bar.progress.texts()
    assert left[1][0] == "1 of 2 nodes, all from the cache"
    assert right[0][0] == "ready in about"
    (chip,) = chips(bar, 1)
    assert chip.state() == "Steps, step 13 of 20"
    worker.tell(NodeFinished(node="end", cached=False, seconds=6.4))
    worker.tell(RunFinished(seconds=6.44))
    assert bar.progress.texts()[0][0][0] == "Done in 6.4 s"
    runner.run(document)
    worker.tell(RunFailed(ErrorInfo("NodeFailed", "Too much.", where="end", node="end")))
    assert bar.progress.texts()[0][0] == ("Steps failed", "body", "err")


def test_a_failure_is_told_until_its_cause_is_changed(bar, runner, document, worker, qtbot):
    def check() -> str:
        with qtbot.waitSignal(runner.planner.checked):
            runner.planner.plan_all()
        return bar.progress.texts()[0][0][0]

    runner.run(document)
    error = ErrorInfo("MissingInput", "Nothing here.", node="end", socket="a")
    worker.tell(RunRefused(errors=[error]))
    assert check() == "Not run. Steps: Nothing here"
    document.do(SetParam("d", "seed", 6), "Change seed")
    assert check() == "Ready"
    runner.run(document)
    worker.tell(RunRefused(errors=[ErrorInfo("NothingToRun", "Nothing to run.")]))
    assert check() == "Nothing to run."
    document.undo()
    assert check() == "Ready"


def test_the_engine_speaks_for_itself(bar, runner, worker):
    worker.receive(WorkerFailed("There is no cuda."))
    assert bar.progress.texts()[0][0][:1] == ("There is no cuda.",)
