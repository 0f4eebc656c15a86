from __future__ import annotations

import pytest
from PySide6.QtGui import QImage

from helpers.running import document_of, make
from ponystudio.engine.protocol.run_events import ErrorInfo, NodeResult
from ponystudio.studio.runs.node_state_writer import (
    NodeStateWriter,
    PreviewPictures,
    faults_of,
    problem_of,
    summary,
)


@pytest.mark.parametrize(
    ("error", "what", "socket"),
    [
        (ErrorInfo("X", "too large.", "d.seed", "", "d", "seed"), "Too large.", "seed"),
        (ErrorInfo("X", "Too much.", "d", "", "d"), "Too much.", ""),
        (ErrorInfo("X", "Damaged.", "d.file: /a.png", "", "d", "file"), "/a.png: Damaged.", "file"),
        (ErrorInfo("X", "Full.", "/disk", "", "d"), "/disk: Full.", ""),
        (ErrorInfo("X", "Full.", "d.png", "", "d"), "D.png: Full.", ""),
        (ErrorInfo("WorkerDied", "It ended: signal 9."), "It ended: signal 9.", ""),
    ],
)
def test_the_card_of_a_failure_does_not_say_its_own_name(qapp, error, what, socket):
    problem = problem_of(error)
    assert (problem.what, problem.socket, problem.details) == (what, socket, error.text)
    assert problem.reason == error.reason


def test_faults_are_told_by_node_with_what_to_do_in_a_window(qapp):
    remedy = "Put it into /m, or name a folder of models with --models DIR."
    first = ErrorInfo("MissingFile", "None.", "a.file", remedy, "a", "file")
    second = ErrorInfo("MissingInput", "Nothing.", "a.x", "", "a", "x")
    faults = faults_of([first, second, ErrorInfo("NothingToRun", "Nothing to run.")])
    assert [fault.socket for fault in faults["a"]] == ["file", "x"]
    assert faults["a"][0].remedy == "Put it into /m, or add a folder of models in the settings."
    assert [fault.what for fault in faults[""]] == ["Nothing to run."]


def test_what_a_node_gave_in_short():
    assert summary(NodeResult(node="a", output="b", text="'words'", bytes=7)) == "'words'"
    latent = NodeResult(node="a", output="b", shapes=[[1, 4, 64, 64], [1]], bytes=65536)
    assert summary(latent) == "1×4×64×64, 64 KB"
    assert summary(NodeResult(node="a", output="b")) == ""


def test_a_result_that_is_used_again_brings_its_picture_again(qapp):
    document = document_of(make("d", "dice", seed=5))
    pictures, picture = PreviewPictures(), QImage(2, 2, QImage.Format.Format_RGB32)
    writer = NodeStateWriter(document, {"d"}, pictures)
    writer.start()
    writer.on_planned({"d"}, {"d": "key"})
    writer.set_picture("d", picture)
    writer.on_finished("d", False, 1.0)
    document.states.clear()
    writer.start()
    writer.on_planned({"d"}, {"d": "key"})
    writer.on_finished("d", "memory", 0.0)
    assert document.states["d"].picture == picture
    assert document.states["d"].tier == "memory"
