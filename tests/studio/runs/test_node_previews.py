"""Pictures on cards: of this run, and again after a restart."""

from __future__ import annotations

import os

import pytest
import shiboken6
from PySide6.QtGui import QImage

from helpers.running import document_of, finish, make, runner_for, tiny_catalog, until
from ponystudio.engine.protocol.run_events import (
    NodePlan,
    Output,
    ResultsRenamed,
    RunPlanned,
)
from ponystudio.engine.protocol.worker_messages import PlanAnswer
from ponystudio.studio.runs.last_run import LastPicture, LastPictures
from ponystudio.studio.runs.node_previews import LONGEST, NodePreviews, small_copy


def saved(path, width: int, height: int):
    picture = QImage(width, height, QImage.Format.Format_RGB32)
    picture.fill(0xFF336699)
    assert picture.save(str(path))
    return path


def test_a_document_that_is_closed_meanwhile_gets_none(qapp, tmp_path):
    path = saved(tmp_path / "end.png", 8, 4)
    document = document_of(make("end", "steps"), catalog=tiny_catalog())
    pictures, shown = NodePreviews(), []
    last = LastPicture(str(path), path.stat().st_mtime_ns, "key")
    pictures.last.note("scope", {"end": last})
    pictures.show_last(document, "scope", lambda: shown.append("end"))
    shiboken6.delete(document)
    pictures.work.wait()
    assert shown == []
    pictures.close()


def test_copies_are_small_and_what_is_gone_is_none(tmp_path):
    copy, _ = small_copy(str(saved(tmp_path / "wide.png", 3 * LONGEST, 30)))
    assert copy.size().toTuple() == (LONGEST, 10)
    copy, _ = small_copy(str(saved(tmp_path / "small.png", 8, 4)))
    assert copy.size().toTuple() == (8, 4)
    copy, written = small_copy(str(tmp_path / "gone.png"))
    assert copy.isNull()
    assert written == 0


class TestPicturesOfAnEarlierProcess:
    """A card shows what its node last saved, until something newer is known."""

    @pytest.fixture
    def saved(self, tmp_path):
        path = tmp_path / "end_00001.png"
        picture = QImage(8, 4, QImage.Format.Format_RGB32)
        picture.fill(0xFF336699)
        assert picture.save(str(path))
        return path

    def document(self, worker):
        document = document_of(
            make("d", "dice", seed=5),
            make("end", "steps", a=("d", "float")),
            catalog=worker.catalog,
        )
        document.id = "the-same-after-a-restart"
        return document

    def made(self, worker, tmp_path, saved, renamed=None):
        """A process that has run the document and ended."""
        file = tmp_path / "last-pictures.json"
        runner = runner_for(worker, tmp_path, last_pictures=LastPictures(file))
        document = self.document(worker)
        runner.watch(document)
        runner.run(document)
        worker.tell(RunPlanned(steps=["d", "end"], keys={"d": "kd", "end": "ke"}))
        worker.tell(Output(node="end", path=str(saved)))
        if renamed:
            worker.tell(ResultsRenamed(renamed))
        finish(worker)
        until(lambda: document.states["end"].picture is not None)
        assert not document.states["end"].stale
        runner.close()
        return file

    def again(self, worker, tmp_path, file):
        worker.asked.clear()
        runner = runner_for(worker, tmp_path, last_pictures=LastPictures(file))
        document = self.document(worker)
        runner.watch(document)
        return runner, document

    def test_it_is_shown_again_as_of_the_last_run(self, worker, tmp_path, saved):
        runner, document = self.again(worker, tmp_path, self.made(worker, tmp_path, saved))
        until(lambda: document.states["end"].picture is not None)
        assert document.states["end"].picture.size().toTuple() == (8, 4)
        assert document.states["end"].stale
        assert document.states["d"].picture is None
        # The plan finds that the result is still that one.
        until(lambda: worker.asked)
        nodes = {"d": NodePlan("not needed"), "end": NodePlan("skipped")}
        worker.receive(PlanAnswer(max(worker.asked), nodes, {"end": "ke"}, []))
        until(lambda: not document.states["end"].stale)
        assert document.states["end"].tier == "disk"
        assert document.states["d"].phase == "done"
        runner.close()

    def test_so_it_is_where_results_got_other_keys_at_the_end_of_their_run(
        self, worker, tmp_path, saved
    ):
        file = self.made(worker, tmp_path, saved, renamed={"kd": "kd", "ke": "ke2"})
        runner, document = self.again(worker, tmp_path, file)
        until(lambda: document.states["end"].picture is not None)
        until(lambda: worker.asked)
        nodes = {"d": NodePlan("not needed"), "end": NodePlan("skipped")}
        worker.receive(PlanAnswer(max(worker.asked), nodes, {"end": "ke2"}, []))
        until(lambda: not document.states["end"].stale)
        runner.close()

    def test_a_file_that_was_written_since_is_another_picture(self, worker, tmp_path, saved):
        file = self.made(worker, tmp_path, saved)
        os.utime(saved, (1, 1))
        runner, document = self.again(worker, tmp_path, file)
        runner.pictures.work.wait()
        until(lambda: worker.asked)
        assert document.states["end"].picture is None
        runner.close()
