"""Pictures made again by the queue: what is told, and that nothing of it is left behind."""

from __future__ import annotations

import json
import shutil

import pytest
from PIL import Image

from helpers.pictures import drawn, save_picture, text_to_picture
from helpers.running import PlayedWorker, runner_for, tiny_catalog, until
from ponystudio.app.window.picture_verifier import PictureVerifier
from ponystudio.engine.protocol.run_events import (
    ErrorInfo,
    Output,
    RunFailed,
    RunFinished,
    RunRefused,
)
from ponystudio.graph.formats.embedded_metadata import RECEIPT
from ponystudio.graph.formats.picture_writer import embed
from ponystudio.pictures.picture_reader import read_fields
from ponystudio.studio.runs.job_queue import JobQueue
from ponystudio.studio.runs.job_store import JobStore


@pytest.fixture
def worker(qapp):
    worker = PlayedWorker()
    worker.become_ready(tiny_catalog())
    return worker


@pytest.fixture
def store(tmp_path):
    store = JobStore(tmp_path / "queue")
    yield store
    store.close()


@pytest.fixture
def runner(worker, tmp_path, store):
    runner = runner_for(worker, tmp_path, queue=JobQueue(store))
    yield runner
    runner.close()


@pytest.fixture
def verifier(runner):
    verifier = PictureVerifier(runner)
    yield verifier
    verifier.close()


@pytest.fixture
def notices(verifier):
    shown = []
    verifier.notice.connect(shown.append)
    return shown


@pytest.fixture
def picture(tmp_path):
    return save_picture(tmp_path / "old" / "fox.png", text_to_picture())


def began(verifier, worker, picture):
    """The submission by which it is made again."""
    verifier.verify(picture)
    until(lambda: worker.submitted)
    return worker.submitted[worker.run]


def finish(worker, picture, again=None, change=lambda receipt: None):
    """The run saves a picture like this one, or with other pixels, or another receipt."""
    place = worker.submitted[worker.run].output / "fox_00001.png"
    if again is None:
        shutil.copy(picture, place)
    else:
        save_picture(place, text_to_picture(), again)
    fields = read_fields(place)
    receipt = json.loads(fields[RECEIPT])
    change(receipt)
    with Image.open(place) as image:
        image.load()
        embed(image, place, "png", {**fields, RECEIPT: json.dumps(receipt)})
    worker.tell(Output(node="save", path=str(place)))
    worker.tell(RunFinished(seconds=1.0))
    return place


def test_the_same_picture(verifier, worker, runner, notices, picture, store, tmp_path):
    verdicts, made = [], []
    verifier.verified.connect(lambda path, verdict: verdicts.append((path, verdict.unlike)))
    runner.picture_made.connect(lambda *what: made.append(what))
    asked = began(verifier, worker, picture)
    assert asked.ignore_cache
    assert asked.targets == ("save",)
    assert asked.graph.nodes == text_to_picture().nodes
    assert asked.folders.graph_dir == picture.parent
    assert asked.output != tmp_path / "output"
    (job,) = runner.queue.jobs
    assert job.title == "Verify fox.png"
    finish(worker, picture)
    until(lambda: verdicts)
    assert verdicts == [(picture, "")]
    (notice,) = notices
    assert (notice.title, notice.kind) == ("fox.png is verified", "ok")
    assert made == []
    assert not asked.output.exists()
    assert not runner.queue.jobs


def test_it_does_not_outlive_the_process(verifier, worker, picture, store, tmp_path):
    began(verifier, worker, picture)
    store.close()
    assert store.load() == []
    assert not list((tmp_path / "queue").glob("job-*"))


def test_another_picture_and_its_causes(verifier, worker, notices, picture):
    began(verifier, worker, picture)
    older = lambda receipt: receipt["environment"].update(torch="3.0")  # noqa: E731
    finish(worker, picture, drawn(face="#ff8a33"), older)
    until(lambda: notices)
    (notice,) = notices
    assert (notice.title, notice.kind) == ("fox.png is another picture now", "warn")
    assert "of its pixels differ, by 3 of 255 at most" in notice.text
    assert "torch was None, is 3.0" in notice.text


def test_rounding_is_no_other_picture(verifier, worker, notices, picture):
    began(verifier, worker, picture)
    finish(worker, picture, drawn(face="#ff8a32"))
    until(lambda: notices)
    (notice,) = notices
    assert (notice.title, notice.kind) == ("fox.png is verified", "ok")
    assert "the same but for rounding" in notice.text


def test_a_run_that_fails_says_why(verifier, worker, notices, picture):
    folder = began(verifier, worker, picture).output
    what = "There is no starter."
    error = ErrorInfo("MissingFile", what, remedy="Get it.", node="checkpoint")
    worker.tell(RunRefused(errors=[error]))
    until(lambda: notices)
    (notice,) = notices
    assert (notice.title, notice.kind) == ("fox.png was not verified", "warn")
    assert notice.text == "There is no starter. Get it."
    assert not folder.exists()


def test_who_stops_it_is_told_nothing(verifier, worker, runner, notices, picture):
    folder = began(verifier, worker, picture).output
    runner.cancel_current()
    worker.tell(RunFailed(ErrorInfo("Cancelled", "Cancelled.")))
    until(lambda: not folder.exists())
    assert notices == []


def test_a_run_without_the_picture(verifier, worker, notices, picture):
    began(verifier, worker, picture)
    worker.tell(RunFinished(seconds=1.0))
    until(lambda: notices)
    assert "there are 0 pictures" in notices[0].text


def test_a_picture_that_does_not_tell(verifier, worker, notices, tmp_path):
    Image.new("RGB", (8, 8)).save(tmp_path / "plain.png")
    verifier.verify(tmp_path / "plain.png")
    until(lambda: notices)
    assert notices[0].title == "plain.png was not verified"
    assert notices[0].text
    assert not worker.submitted
