"""What was open is open again at the next start."""

from __future__ import annotations

import json
import os

import pytest

from helpers.documents import change, seed, titles
from helpers.graphs import CATALOG, node, picture
from ponystudio.errors import GraphError
from ponystudio.graph.editing.edits import AddNode
from ponystudio.graph.formats import graph_file
from ponystudio.studio.documents.document import Document
from ponystudio.studio.documents.documents import Documents
from ponystudio.studio.documents.templates import template


def test_the_next_start_shows_the_same_tabs(studio, file, tmp_path):
    documents = studio.documents
    documents.new().do(AddNode(node("a", "t.number")), "Add")
    opened = documents.open_now(file)
    change(opened, 3)
    opened.set_camera_source(lambda: {"center": [5, 5], "zoom": 2.0})
    documents.new(template("upscale"))
    documents.move(documents.current, 0)
    documents.set_current(opened)
    expected = titles(documents)
    documents = studio.again()
    assert titles(documents) == expected == ["Upscale", "Untitled", "graph"]
    assert documents.current.title == "graph"
    assert documents.current.camera == {"center": [5, 5], "zoom": 2.0}
    assert documents.current.dirty
    assert documents.current.undo_text == "Change seed"
    assert studio.notices == []


def test_after_a_crash_all_is_there_and_it_is_said(studio, file):
    documents = studio.documents
    change(documents.open_now(file), 3)
    documents.new(template("upscale"))
    documents = studio.crash()
    assert titles(documents) == ["graph", "Upscale"]
    assert seed(next(iter(documents))) == 3
    assert studio.notices == ["Everything is back"]
    assert not next(iter(documents)).read_only


def test_a_saved_document_follows_its_file(studio, file):
    change(studio.documents.open_now(file), 3)
    studio.documents.save(studio.documents.current)
    studio.end()
    newer = graph_file.read(file)
    newer = newer.with_nodes([node("more", "t.number")])
    graph_file.write(newer, file)
    studio.start()
    document = studio.documents.current
    assert "more" in document.graph.nodes
    assert not document.dirty
    document.undo()
    assert "more" not in document.graph.nodes
    assert seed(document) == 3


def test_a_document_outlives_its_file(studio, file):
    studio.documents.open_now(file)
    studio.end()
    file.unlink()
    studio.start()
    document = studio.documents.current
    assert document.graph.nodes == picture().nodes
    assert document.dirty
    assert studio.notices == ["The file of graph is not there any more"]
    studio.documents.save(document)
    studio.documents.wait()
    assert graph_file.read(file).nodes.keys() == picture().nodes.keys()


def test_session_and_recent_survive_nonsense(qapp, tmp_path):
    for text in ("", "{", "[]", json.dumps({"open": 3})):
        (tmp_path / "session.json").write_text(text)
        (tmp_path / "recent.json").write_text(text)
        documents = Documents(tmp_path)
        restored = []
        documents.restored.connect(lambda restored=restored: restored.append(True))
        documents.restore()
        documents.wait()
        assert restored == [True]
        assert documents.recent.entries() == ()
        documents.shutdown()


@pytest.mark.log_warnings
def test_a_document_that_fails_keeps_no_other_from_coming_back(studio, file, monkeypatch, caplog):
    change(studio.documents.open_now(file), 3)
    studio.documents.new(template("upscale"))
    first = studio.documents.current
    studio.end()
    resume = Document.resume

    def resume_others(document, stored):
        if document.id == first.id:
            raise GraphError("This one cannot be shown.")
        resume(document, stored)

    with monkeypatch.context() as broken:
        broken.setattr(Document, "resume", resume_others)
        studio.start()
    assert titles(studio.documents) == ["graph"]
    assert "This one cannot be shown." in caplog.text


def test_what_a_killed_process_left_half_is_swept(studio, file):
    document = studio.documents.open_now(file)
    folder = studio.folder / "documents"
    mine = folder / f"{document.id}.0123abcd.draft"
    orphan, half = folder / "gone.0123abcd.draft", folder / ".session.json.0123abcd.ponystudio.tmp"
    for path in (mine, orphan, half):
        path.write_text("half")
        os.utime(path, (0, 0))
    other = Documents(studio.folder, CATALOG)  # another PonyStudio, in the same folder
    other.restore()
    other.wait()
    assert mine.exists()
    assert not orphan.exists()
    assert not half.exists()
    other.shutdown()
    studio.again()
    assert not mine.exists()
