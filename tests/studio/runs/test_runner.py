"""The queue, seeds and states, with a worker that is played."""

from __future__ import annotations

import gc
import os
import weakref

import pytest
from PySide6.QtCore import QBuffer
from PySide6.QtGui import QImage

from helpers.running import PlayedLink, document_of, make, runner_for, tiny_catalog, until
from ponystudio.engine.protocol.error_info import ErrorInfo
from ponystudio.engine.protocol.run_events import (
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
from ponystudio.engine.protocol.worker_messages import PlanAnswer
from ponystudio.graph.catalog import Catalog
from ponystudio.graph.editing.edits import RemoveNode, SetParam, SetView
from ponystudio.studio.documents.node_state import Problem
from ponystudio.studio.runs.job_queue import JobQueue
from ponystudio.studio.runs.job_store import JobStore
from ponystudio.studio.runs.last_run import LastPictures, LastSeeds
from ponystudio.studio.worker.worker_process import WorkerFailed

CATALOG = tiny_catalog()


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


def seed(document):
    return document.graph.nodes["d"].params["seed"]


def sent_seed(link, number=None):
    return link.submitted[number or link.run].graph.nodes["d"].params["seed"]


def encoded(picture):
    data = QBuffer()
    picture.save(data, "JPEG")
    return bytes(data.data())


def finish(link):
    link.tell(RunFinished(seconds=1.0))


class TestSeeds:
    def test_a_seed_set_by_hand_is_used_once_then_rolled(self, runner, document, link):
        runner.run(document)
        assert sent_seed(link) == seed(document) == 5
        finish(link)
        runner.run(document)
        assert sent_seed(link) == seed(document) != 5
        assert runner.last_seed(document, "d", "seed") == seed(document)

    def test_a_seed_as_made_is_rolled_at_once(self, runner, link):
        document = document_of(
            make("d", "dice", seed=0), make("end", "steps", a=("d", "float")), catalog=link.catalog
        )
        runner.watch(document)
        runner.run(document)
        assert sent_seed(link) == seed(document) != 0

    def test_the_next_seed_wraps_round_at_64_bits(self, runner, document, link):
        runner.set_seed_mode("next")
        document.do(SetParam("d", "seed", 2**64 - 1), "Change seed")
        runner.run(document)
        assert sent_seed(link) == 2**64 - 1
        finish(link)
        runner.run(document)
        assert sent_seed(link) == seed(document) == 0

    @pytest.mark.parametrize("how", ["fixed", "locked"])
    def test_fixed_and_locked_ones_stay(self, runner, document, link, how):
        if how == "fixed":
            runner.set_seed_mode("fixed")
        else:
            document.do(SetView(("nodes", "d", "locked"), ["seed"]), "Lock")
        for _ in range(2):
            runner.run(document)
            assert sent_seed(link) == 5
            finish(link)

    def test_a_fixed_seed_counts_up_in_a_batch_and_stays_shown(self, runner, document, link):
        runner.set_seed_mode("fixed")
        runner.run(document, count=3)
        seeds = []
        for _ in range(3):
            seeds.append(sent_seed(link))
            finish(link)
        assert seeds == [5, 6, 7]
        assert seed(document) == 5

    def test_rolling_adds_no_steps_to_undo_and_undo_brings_the_seed_back(self, runner, document):
        for _ in range(5):
            runner.run(document)
        assert document.undo_count == 1
        document.undo()
        assert seed(document) == 5

    def test_a_run_that_will_be_refused_rolls_nothing(self, runner, document, link):
        runner.run(document)
        finish(link)
        document.states.update("end", faults=(Problem("Nothing is linked"),))
        runner.run(document)
        assert sent_seed(link) == seed(document) == 5
        assert runner.last_seed(document, "d", "seed") == 5

    def test_every_picture_of_a_batch_has_its_own(self, runner, document, link):
        job = runner.run(document, count=3)
        seeds = []
        for _ in range(3):
            seeds.append(sent_seed(link))
            finish(link)
        assert len(set(seeds)) == 3
        assert seeds[0] == 5
        assert seeds[-1] == seed(document)
        assert job.seconds == 3.0
        assert not runner.queue.jobs


class TestQueue:
    def test_one_at_a_time_in_order_and_to_the_front(self, runner, document, link):
        first, second, third = (runner.run(document) for _ in range(3))
        front = runner.run(document, front=True)
        assert list(runner.queue.jobs) == [first, front, second, third]
        assert len(link.submitted) == 1
        runner.queue.move(third, 1)
        runner.queue.move(third, 0)  # never before the running one
        assert list(runner.queue.jobs) == [first, third, front, second]
        finish(link)
        assert runner.queue.running is third

    def test_pause_finishes_the_present_picture_only(self, runner, document, link):
        runner.run(document, count=2)
        runner.pause()
        finish(link)
        assert len(link.submitted) == 1
        assert runner.queue.running is None
        assert runner.queue.next.done == 1
        runner.resume()
        assert len(link.submitted) == 2

    def test_a_run_holds_its_graph_while_the_document_goes_on(self, runner, document, link):
        runner.run(document)
        later = runner.run(document)
        document.do(RemoveNode("end"), "Delete")
        link.tell(NodeStarted(node="end", why="x"))
        finish(link)
        assert "end" in link.submitted[link.run].graph.nodes
        assert runner.queue.running is later

    def test_stop_and_cancel(self, runner, document, link):
        how = []
        runner.job_done.connect(lambda job, text: how.append((job, text)))
        running, waiting = runner.run(document, count=4), runner.run(document)
        runner.cancel(waiting)
        runner.cancel(running)
        assert link.cancelled == [running.number]
        link.tell(RunFailed(ErrorInfo("Cancelled", "Cancelled.")))
        assert how == [(waiting, "stopped"), (running, "stopped")]
        assert not runner.queue.jobs

    def test_it_survives_the_process(self, runner, document, link, tmp_path):
        store = JobStore(tmp_path / "queue")
        kept = runner_for(link, tmp_path, queue=JobQueue(store))
        kept.watch(document)
        kept.run(document, count=3)
        last = kept.run(document, ["end"], denoiser_on_cpu=True)
        kept.queue.move(last, 1)
        finish(link)
        until(lambda: len(list((tmp_path / "queue").glob("job-*.json"))) == 2)
        store.close()
        kept.close()

        store = JobStore(tmp_path / "queue")
        again = runner_for(link, tmp_path, queue=JobQueue(store))
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
        before = len(link.submitted)
        again.resume()
        assert len(link.submitted) == before + 1
        again.cancel_current()
        link.tell(RunFailed(ErrorInfo("Cancelled", "")))
        again.close()
        store.close()

    def test_what_a_crash_left_beside_the_queue_is_removed(self, runner, document, tmp_path):
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

    def test_an_engine_that_cannot_start_keeps_the_queue(self, runner, document, link):
        refused = []
        runner.refused.connect(lambda document, problem: refused.append(problem.what))
        runner.run(document)
        runner.run(document)
        link.receive(WorkerFailed("No such device."))
        link.tell(RunFailed(ErrorInfo("WorkerDied", "No such device.")))
        assert len(runner.queue.jobs) == 1
        assert runner.paused
        assert "No such device." in refused


def test_a_run_that_was_begun_before_the_worker_told_its_nodes_is_shown(qapp, tmp_path):
    """A queue that was left goes on at once, perhaps with nodes of a pack that is new here."""
    link = PlayedLink()
    runner = runner_for(link, tmp_path)
    document = document_of(
        make("d", "dice", seed=5), make("end", "steps", a=("d", "float")), catalog=link.catalog
    )
    link.catalog_changed.connect(document.set_catalog)
    runner.watch(document)
    runner.run(document)
    assert document.states["end"].phase == "rest"  # nobody knows that it does something
    link.become_ready(CATALOG)
    assert {document.states[id].phase for id in ("d", "end")} == {"waiting"}
    link.tell(RunStarted(nodes=2, steps=2, device=""))
    link.tell(RunPlanned(steps=["d", "end"]))
    link.tell(NodeStarted(node="end", why="not run before"))
    assert document.states["end"].phase == "running"
    assert runner.queue.running.node_title == "Steps"
    finish(link)
    runner.close()


class TestStates:
    def test_a_failure_is_shown_at_its_node_and_what_waited_says_so(self, runner, document, link):
        runner.run(document)
        link.tell(RunPlanned(steps=["d", "end"]))
        link.tell(NodeStarted(node="d", why="not run before"))
        assert document.states["d"].phase == "running"
        link.tell(RunFailed(ErrorInfo("X", "too large.", "d.seed", "Make it less.", "d", "seed")))
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

    def test_what_is_refused_lands_at_its_socket(self, runner, document, link):
        runner.run(document)
        error = ErrorInfo("MissingInput", "Nothing here.", node="end", socket="a")
        link.tell(RunRefused(errors=[error]))
        assert [fault.socket for fault in document.states["end"].faults] == ["a"]
        assert document.states["end"].phase == "failed"
        assert document.states["end"].problem.what == "Nothing here."
        assert document.states["d"].phase == "rest"
        document.do(SetParam("d", "seed", 1), "Change seed")
        assert document.states["end"].phase == "rest"

    def test_what_needs_a_refused_node_did_not_run(self, runner, document, link):
        runner.run(document)
        link.tell(RunFinished(seconds=1.0))
        runner.run(document)
        link.tell(RunRefused(errors=[ErrorInfo("MissingFile", "No.", node="d")]))
        assert document.states["end"].phase == "not_run"
        assert document.states["end"].reason == "Not run: Dice is not ready"
        document.do(SetParam("d", "seed", 1), "Change seed")
        assert document.states["end"].phase == "rest"

    def test_what_is_left_out_says_why_and_the_rest_runs(self, runner, link):
        document = document_of(
            make("d", "dice", seed=5),
            make("end", "steps", a=("d", "float")),
            make("half", "steps"),
            make("after", "steps", a=("half", "float")),
            catalog=link.catalog,
        )
        runner.watch(document)
        told = []
        runner.left_out.connect(lambda of, problems: told.append((of, problems)))
        error = ErrorInfo("MissingInput", "Nothing here.", node="half", socket="a")
        for _ in range(2):
            job = runner.run(document)
            link.tell(NodesLeftOut(errors=[error]))
            link.tell(RunStarted(nodes=2, steps=2, device=""))
            link.tell(RunPlanned(steps=["d", "end"]))
            assert {id: document.states[id].phase for id in document.graph.nodes} == {
                "d": "waiting",
                "end": "waiting",
                "half": "failed",
                "after": "not_run",
            }
            assert document.states["half"].problem.socket == "a"
            assert document.states["half"].reason == ""
            assert document.states["after"].reason == "Not run: Steps is not ready"
            finish(link)
            assert job.left_out == 1
        # Not at every run, but again when it comes back.
        assert [list(problems) for _, problems in told] == [["half"]]
        runner.run(document)
        link.tell(RunStarted(nodes=2, steps=2, device=""))
        finish(link)
        runner.run(document)
        link.tell(NodesLeftOut(errors=[error]))
        finish(link)
        assert len(told) == 2
        assert told[0][0] is document

    def test_what_is_left_out_keeps_its_seed(self, runner, link):
        document = document_of(
            make("d", "dice", seed=0),
            make("end", "steps", a=("d", "float")),
            make("other", "dice", seed=0),
            make("half", "steps", a=("other", "float")),
            catalog=link.catalog,
        )
        runner.watch(document)
        document.states.update("half", faults=(Problem("Not ready"),))
        runner.run(document)
        assert seed(document) != 0
        assert document.graph.nodes["other"].params["seed"] == 0

    def test_what_no_node_can_show_is_told(self, runner, document, link):
        told = []
        runner.refused.connect(lambda document, problem: told.append(problem))
        runner.run(document)
        link.tell(RunRefused(errors=[ErrorInfo("NothingToRun", "Nothing to run.")]))
        assert [problem.what for problem in told] == ["Nothing to run."]

    def test_a_note_stays_with_what_is_kept_and_goes_when_it_runs_again(
        self, runner, document, link
    ):
        notes = []

        def run(steps, said=()):
            runner.run(document)
            link.tell(RunStarted(nodes=2, steps=len(steps), device=""))
            link.tell(RunPlanned(steps=steps))
            for node in steps:
                link.tell(NodeStarted(node=node, why="x"))
                for text in said:
                    link.tell(Note(node=node, text=text))
                link.tell(NodeFinished(node=node, cached=False, seconds=1.0))
            notes.append(document.states["d"].notes)
            finish(link)
            notes.append(document.states["d"].notes)

        run(["d"], ["No effect.", "No effect."])
        run([])
        run(["d"], [])
        assert notes == [("No effect.",)] * 4 + [()] * 2

    def test_a_stop_leaves_pictures_as_they_were(self, runner, document, link):
        old = QImage(2, 2, QImage.Format.Format_RGB32)
        document.states.update("end", picture=old, phase="done")
        runner.run(document)
        assert document.states["end"].stale
        link.tell(NodeStarted(node="end", why="x"))
        link.tell(NodePreview(node="end", jpeg=encoded(QImage(3, 3, QImage.Format.Format_RGB32))))
        assert document.states["end"].live
        link.tell(RunFailed(ErrorInfo("Cancelled", "")))
        assert document.states["end"].picture == old
        assert not document.states["end"].live

    def test_time_left_is_learned(self, runner, document, link):
        for _ in range(3):
            runner.run(document)
            link.tell(RunStarted(nodes=2, steps=2, device=""))
            link.tell(RunPlanned(steps=["d", "end"]))
            link.tell(NodeStarted(node="d", why="x"))
            link.tell(NodeFinished(node="d", cached=False, seconds=3.0))
            link.tell(NodeStarted(node="end", why="x"))
            job = runner.queue.running
            link.tell(NodeFinished(node="end", cached=False, seconds=1.0))
            finish(link)
        assert 0.7 < job.fraction <= 1
        assert runner.costs(document, ["d"])[0].seconds == pytest.approx(3.0)
        assert runner.costs(document, ["d"])[0].runs == 3

    def test_that_a_node_takes_no_time_is_learned_too(self, runner, document, link):
        assert runner.costs(document, ["d"])[0].runs == 0
        runner.run(document)
        link.tell(WeightsEvent(file="a", action="loaded", bytes=1, seconds=0.2))
        link.tell(NodeFinished(node="d", cached=False, seconds=0.0))
        finish(link)
        (cost,) = runner.costs(document, ["d"])
        assert (cost.seconds, cost.runs) == (0.0, 1)

    def test_a_document_opened_during_its_run_shows_it_and_a_closed_one_harms_nothing(
        self, runner, document, link
    ):
        runner.run(document)
        runner.unwatch(document)
        link.tell(NodeStarted(node="d", why="x"))
        finish(link)
        assert document.states["d"].phase == "waiting"  # nobody wrote it any more

    def test_a_picture_that_is_read_after_its_document_was_closed_goes_nowhere(
        self, runner, document, link, tmp_path
    ):
        path = tmp_path / "end.png"
        QImage(2, 2, QImage.Format.Format_RGB32).save(str(path))
        runner.run(document)
        link.tell(Output(node="end", path=str(path)))
        finish(link)
        runner.unwatch(document)
        runner.pictures.work.wait()
        assert document.states["end"].picture is None
        assert runner.run(document).picture is None

    def test_a_document_keeps_the_catalog_that_it_was_given(self, runner, link):
        own = Catalog(link.catalog.values())
        document = document_of(make("d", "dice", seed=5), catalog=own)
        runner.watch(document)
        assert document.catalog is own


class TestPicturesOfAnEarlierProcess:
    """A card shows what its node last saved, until something newer is known."""

    @pytest.fixture
    def saved(self, tmp_path):
        path = tmp_path / "end_00001.png"
        picture = QImage(8, 4, QImage.Format.Format_RGB32)
        picture.fill(0xFF336699)
        assert picture.save(str(path))
        return path

    def document(self, link):
        document = document_of(
            make("d", "dice", seed=5), make("end", "steps", a=("d", "float")), catalog=link.catalog
        )
        document.id = "the-same-after-a-restart"
        return document

    def made(self, link, tmp_path, saved):
        """A process that has run the document and ended."""
        file = tmp_path / "last-pictures.json"
        runner = runner_for(link, tmp_path, last_pictures=LastPictures(file))
        document = self.document(link)
        runner.watch(document)
        runner.run(document)
        link.tell(RunPlanned(steps=["d", "end"], keys={"d": "kd", "end": "ke"}))
        link.tell(Output(node="end", path=str(saved)))
        finish(link)
        until(lambda: document.states["end"].picture is not None)
        assert not document.states["end"].stale
        runner.close()
        return file

    def again(self, link, tmp_path, file):
        link.asked.clear()
        runner = runner_for(link, tmp_path, last_pictures=LastPictures(file))
        document = self.document(link)
        runner.watch(document)
        return runner, document

    def test_it_is_shown_again_as_of_the_last_run(self, link, tmp_path, saved):
        runner, document = self.again(link, tmp_path, self.made(link, tmp_path, saved))
        until(lambda: document.states["end"].picture is not None)
        assert document.states["end"].picture.size().toTuple() == (8, 4)
        assert document.states["end"].stale
        assert document.states["d"].picture is None
        # The plan finds that the result is still that one.
        until(lambda: link.asked)
        nodes = {"d": "not needed", "end": "skipped: its files still stand"}
        link.receive(PlanAnswer(max(link.asked), nodes, {"end": "ke"}, []))
        until(lambda: not document.states["end"].stale)
        assert document.states["end"].tier == "disk"
        assert document.states["d"].phase == "done"
        runner.close()

    def test_a_file_that_was_written_since_is_another_picture(self, link, tmp_path, saved):
        file = self.made(link, tmp_path, saved)
        os.utime(saved, (1, 1))
        runner, document = self.again(link, tmp_path, file)
        runner.pictures.work.wait()
        until(lambda: link.asked)
        assert document.states["end"].picture is None
        runner.close()


def test_last_seeds_are_kept(tmp_path):
    seeds = LastSeeds(tmp_path / "seeds.json")
    seeds.note("a", {("n", "seed"): 2**64 - 1})
    seeds.save()
    assert LastSeeds(tmp_path / "seeds.json").of("a") == {("n", "seed"): 2**64 - 1}


def test_a_run_that_is_over_is_let_go_of(runner, document, link):
    """It holds its graph and pictures."""
    job = runner.run(document)
    over = weakref.ref(job)
    link.tell(NodeStarted(node="end", why="x"))
    finish(link)
    del job
    gc.collect()
    assert over() is None
