"""Run bar, bottom bar and queue panel, by mouse and keys."""

from __future__ import annotations

import pytest
from PySide6.QtCore import QPoint, Qt
from PySide6.QtGui import QFontMetricsF
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QWidget

from helpers.running import PlayedLink, document_of, make, runner_for, tiny_catalog, until
from ponystudio.app.queue.bottom_bar import BottomBar
from ponystudio.app.queue.job_chip import JobChip, longest_within
from ponystudio.app.queue.queue_panel import QueuePanel
from ponystudio.app.queue.run_actions import run_actions
from ponystudio.app.queue.run_bar import RunBar
from ponystudio.app.window.desktop_notify import DesktopNotifier
from ponystudio.graph.editing.edits import SetParam
from ponystudio.widgets import theme

CATALOG = tiny_catalog()
LEFT = Qt.MouseButton.LeftButton
USE = {
    "device": "CPU", "total": 16 * 2**30, "free": 8 * 2**30, "weights": 2 * 2**30,
    "results": 2**30, "main_total": 0, "main_free": 0, "main_weights": 0, "main_results": 0,
}  # fmt: skip


@pytest.fixture
def link(qapp):
    link = PlayedLink()
    link.become_ready(CATALOG)
    return link


@pytest.fixture
def runner(link, tmp_path):
    runner = runner_for(link, tmp_path)
    yield runner
    runner.close()


@pytest.fixture
def document(runner, link):
    document = document_of(
        make("d", "dice", seed=5), make("end", "steps", a=("d", "float")), catalog=link.catalog
    )
    runner.watch(document)
    return document


def shown(qtbot, widget, width, height):
    host = QWidget()
    host.resize(2000, 500)
    widget.setParent(host)
    widget.resize(width, height)
    qtbot.addWidget(host)
    host.show()
    qtbot.waitExposed(host)
    widget.host = host
    return widget


class TestRunBar:
    @pytest.fixture
    def bar(self, qtbot, runner, document):
        return shown(qtbot, RunBar(runner, lambda: document), 520, 32)

    def test_run_becomes_queue_and_stop_comes(self, bar, runner, link):
        assert bar.start.text() == "Run"
        assert not bar.stop.isVisible()
        width = bar.start.width()
        QTest.mouseClick(bar.start, LEFT)
        assert runner.is_running
        assert bar.start.text() == "Queue"
        assert bar.start.width() == width
        QTest.mouseClick(bar.stop, LEFT)
        assert link.cancelled
        assert not bar.stop.isEnabled()
        runner.stop_offered.emit(True)
        assert bar.stop.text() == "Stop now"
        QTest.mouseClick(bar.stop, LEFT)
        assert link.killed == 1
        link.tell("run_failed", node="", error="", hint="", reason="WorkerDied")
        assert not bar.stop.isVisible()

    def test_count_is_typed_and_stepped(self, bar, runner, document):
        count = bar.options.count
        QTest.mouseDClick(count, LEFT)
        QTest.keyClicks(count, "12")
        QTest.keyClick(count, Qt.Key.Key_Return)
        assert runner.count == 12
        QTest.keyClick(count, Qt.Key.Key_Down)
        assert (runner.count, count.text()) == (11, "11")
        QTest.mouseClick(bar.start, LEFT)
        assert runner.queue.running.count == 11

    def test_the_seed_mode_is_chosen_from_its_menu(self, bar, runner):
        QTest.keyClick(bar.options.seeds, Qt.Key.Key_Space)
        menu = bar.options.seeds.menu
        menu.actions()[1].trigger()
        menu.close()
        assert runner.seed_mode == "next"
        assert bar.options.seeds.accessibleName() == "Seed +1"

    def test_without_a_document_there_is_nothing_to_run(self, qtbot, runner):
        bar = shown(qtbot, RunBar(runner, lambda: None), 520, 32)
        assert not bar.start.isEnabled()


class TestBottomBar:
    @pytest.fixture
    def bar(self, qtbot, runner, document):
        return shown(qtbot, BottomBar(runner), 1400, 56)

    def chips(self, bar, count):
        until(lambda: bar.chips.isVisible() and len(bar.chips.chips) == count)
        until(lambda: all(chip.isVisible() for chip in bar.chips.chips[:2]))
        return bar.chips.chips

    def test_chips_are_dragged_into_another_order(self, bar, runner, document):
        runner.set_count(4)
        jobs = [runner.run(document) for _ in range(3)]
        bar.resize(2000, 56)
        _, second, third = self.chips(bar, 3)
        until(lambda: third.isVisible())
        assert second.state() == "4 pictures, waiting"
        grip = QPoint(8, 20)
        QTest.mousePress(third, LEFT, pos=grip)
        for x in range(0, -230, -10):
            QTest.mouseMove(third, grip + QPoint(-10 if x else -20, 0))
        QTest.mouseRelease(third, LEFT)
        assert list(runner.queue.jobs) == [jobs[0], jobs[2], jobs[1]]
        assert third.x() < second.x()

    def test_chips_are_closed_and_moved_by_keys(self, bar, runner, document, link):
        jobs = [runner.run(document) for _ in range(3)]
        bar.resize(2000, 56)
        _, second, third = self.chips(bar, 3)
        QTest.keyClick(third, Qt.Key.Key_Left, Qt.KeyboardModifier.AltModifier)
        assert list(runner.queue.jobs) == [jobs[0], jobs[2], jobs[1]]
        QTest.mouseClick(second, LEFT, pos=second.close_rect().center())
        assert list(runner.queue.jobs) == [jobs[0], jobs[2]]
        QTest.keyClick(third, Qt.Key.Key_Delete)
        assert list(runner.queue.jobs) == [jobs[0]]

    def test_what_does_not_fit_is_counted(self, bar, runner, document):
        for _ in range(6):
            runner.run(document)
        self.chips(bar, 6)
        assert bar.chips.fitting() < 6
        assert bar.memory.unload.geometry().right() <= bar.memory.width()

    @pytest.mark.parametrize("scale", [1.0, 1.5])
    def test_what_a_chip_says_is_shorter_where_there_is_less_room(
        self, qtbot, runner, document, link, scale
    ):
        theme.set_scale(scale)
        try:
            runner.run(document, count=12)
            runner.run(document, count=12)
            link.tell("run_started", nodes=2, steps=1, device="")
            link.tell("node_started", node="end", why="x")
            link.tell("progress", node="end", step=118, steps=1250)
            running, waiting = runner.queue.jobs
            metrics = QFontMetricsF(theme.font("caption"))
            for job, words in (
                (running, ["1/12  Steps, 118 of 1250", "1/12  118 of 1250"]),
                (waiting, ["12 pictures, waiting", "12 pictures"]),
            ):
                chip = JobChip(job)
                qtbot.addWidget(chip)
                # The whole of it is always there to be read.
                assert chip.toolTip() == chip.accessibleName() == f"Untitled, {chip.state()}"
                for text in words:
                    room = metrics.horizontalAdvance(text) + 1
                    assert longest_within(chip.states(), metrics, room) == text
            assert longest_within(["Long words"], metrics, 30).endswith("…")
        finally:
            theme.set_scale(1.0)

    def test_pause(self, bar, runner, document, link):
        runner.run(document, count=2)
        self.chips(bar, 1)
        QTest.mouseClick(bar.pause, LEFT)
        assert runner.paused
        link.tell("run_finished", seconds=1.0)
        assert [piece[0] for piece in bar.progress.words()[0]] == ["Paused", "1 job waits"]
        QTest.mouseClick(bar.pause, LEFT)
        assert not runner.paused

    def test_progress_in_words(self, bar, runner, document, link):
        assert bar.progress.words()[0][0][0] == "Ready"
        runner.run(document)
        link.tell("run_started", nodes=2, steps=1, device="")
        link.tell("run_planned", steps=["end"])
        link.tell("node_finished", node="d", cached="memory", seconds=0.0)
        link.tell("node_started", node="end", why="x")
        link.tell("progress", node="end", step=13, steps=20)
        left, right = bar.progress.words()
        assert left[1][0] == "1 of 2 nodes, all from the cache"
        assert right[0][0] == "ready in about"
        (chip,) = self.chips(bar, 1)
        assert chip.state() == "Steps, step 13 of 20"
        link.tell("node_finished", node="end", cached=False, seconds=6.4)
        link.tell("run_finished", seconds=6.44)
        assert bar.progress.words()[0][0][0] == "Done in 6.4 s"
        runner.run(document)
        link.tell("run_failed", node="end", error="end: Too much.", hint="", reason="NodeFailed")
        assert bar.progress.words()[0][0] == ("Steps failed", "body", "err")

    def test_a_failure_is_told_until_its_cause_is_changed(self, bar, runner, document, link, qtbot):
        def check() -> str:
            with qtbot.waitSignal(runner.planner.checked):
                runner.planner.plan_all()
            return bar.progress.words()[0][0][0]

        runner.run(document)
        error = {"what": "Nothing here.", "reason": "MissingInput", "node": "end", "socket": "a"}
        link.tell("refused", errors=[error])
        assert check() == "Not run. Steps: Nothing here"
        document.do(SetParam("d", "seed", 6), "Change seed")
        assert check() == "Ready"
        runner.run(document)
        link.tell("refused", errors=[{"what": "Nothing to run.", "reason": "NothingToRun"}])
        assert check() == "Nothing to run."
        document.undo()
        assert check() == "Ready"

    def test_the_engine_speaks_for_itself(self, bar, runner, link):
        link.tell("worker_failed", error="There is no cuda.")
        assert bar.progress.words()[0][0][:1] == ("There is no cuda.",)

    def test_memory(self, bar, link):
        link.tell("memory_use", **USE)
        assert "Weights 2.0 GB" in bar.memory.describe()
        assert "8.0 GB free of 16.0 GB" in bar.memory.describe()
        QTest.mouseClick(bar.memory.unload, LEFT)
        assert link.unloaded
        bar.resize(1000, 56)
        assert not bar.memory.legend.isVisible()


def test_the_queue_panel_moves_and_closes(qtbot, runner, document):
    panel = shown(qtbot, QueuePanel(runner), 220, 400)
    assert panel.hint.isVisible()
    jobs = [runner.run(document) for _ in range(3)]
    chips = panel.chips
    assert [chip.y() for chip in chips] == [0, 48, 96]
    QTest.keyClick(chips[2], Qt.Key.Key_Up, Qt.KeyboardModifier.AltModifier)
    assert list(runner.queue.jobs) == [jobs[0], jobs[2], jobs[1]]
    QTest.mouseClick(panel.empty, LEFT)
    assert [job.status for job in runner.queue.jobs] == ["stopping"]


def test_actions_know_what_they_can_do(runner, document, link):
    chosen: list[str] = []
    actions = {
        action.id: action for action in run_actions(runner, lambda: document, lambda: chosen)
    }
    assert not actions["run.selection"].enabled()
    assert not actions["run.stop"].enabled()
    actions["run.run"].run()
    chosen.append("d")
    actions["run.selection"].run()
    actions["run.front"].run()
    assert [job.targets for job in runner.queue.jobs] == [None, None, ("d",)]
    actions["run.stop"].run()
    assert link.cancelled
    actions["run.seed_fixed"].run()
    assert actions["run.seed_fixed"].checked()
    assert len({action.id for action in actions.values()}) == len(actions)


def test_who_looks_elsewhere_is_told_once_at_the_end(runner, document, link):
    told = []
    notifier = DesktopNotifier(runner, send=lambda *words: told.append(words))
    runner.run(document, count=2)
    runner.run(document)
    for _ in range(3):
        link.tell("run_finished", seconds=4.0)
    assert told == [("Pictures are ready", "3 pictures in 12 s")]
    runner.run(document)
    link.tell("run_finished", seconds=0.1)  # nobody had time to look away
    notifier.set_on(False)
    runner.run(document)
    link.tell("run_finished", seconds=60.0)
    assert len(told) == 1
