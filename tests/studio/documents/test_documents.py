"""Open documents: tabs, and what is closed unsaved."""

from __future__ import annotations

import json
import threading
from dataclasses import asdict

from PySide6.QtTest import QTest

from helpers.documents import change, seed, titles
from helpers.graphs import CATALOG, node
from helpers.running import until
from ponystudio.graph.editing.edits import AddNode
from ponystudio.graph.formats import graph_file
from ponystudio.studio import restore_guard
from ponystudio.studio.documents import opening
from ponystudio.studio.documents.documents import Documents
from ponystudio.studio.restore_guard import Restored, RestoreGuard


def test_a_new_document_gives_way_to_one_that_is_opened(studio, file):
    documents = studio.documents
    empty = documents.new()
    assert (empty.title, empty.pristine, empty.dirty, empty.path) == ("Untitled", True, False, None)
    closed = []
    documents.closed.connect(closed.append)
    documents.open(file)
    documents.wait()
    assert titles(documents) == ["graph"]
    assert closed == [empty]
    assert documents.current.path == file
    documents.new()
    documents.new().do(AddNode(node("a", "t.number")), "Add")
    assert titles(documents) == ["graph", "Untitled", "Untitled 2"]


def test_a_file_is_open_once(studio, file):
    documents = studio.documents
    documents.open(file)
    documents.open(file)
    documents.wait()
    first = documents.current
    documents.new()
    assert documents.open_now(file) is first
    assert documents.current is first


def test_closing_asks_nothing_and_loses_nothing(studio, file):
    documents = studio.documents
    document = documents.open_now(file)
    change(document, 5)
    change(document, 6)
    document.undo()
    documents.close(document)
    assert len(documents) == 0
    assert documents.current is None
    assert studio.notices == ["graph is closed"]
    studio.actions["Open again"]()
    documents.wait()
    back = documents.current
    assert seed(back) == 5
    assert back.dirty
    assert not back.read_only
    back.redo()
    assert seed(back) == 6
    assert not [entry for entry in documents.recent.entries() if entry.unsaved]


def test_what_was_open_is_read_before_it_is_written_anew(studio, file):
    """As the window starts: with an empty document, while what was open is still to be read."""
    documents = studio.documents
    first = documents.open_now(file)
    documents.new().do(AddNode(node("a", "t.number")), "Add")
    documents.set_current(first)
    studio.end()
    studio.documents = documents = Documents(studio.folder, CATALOG)
    documents.notice.connect(lambda notice: studio.notices.append(notice.title))
    documents.new()
    documents.restore()
    QTest.qWait(50)
    documents.wait()
    assert titles(documents) == ["graph", "Untitled"]
    assert documents.current.path == file
    assert studio.notices == []
    assert titles(studio.again()) == ["graph", "Untitled"]


def test_a_saved_document_leaves_nothing_behind(studio, file):
    documents = studio.documents
    documents.close(documents.open_now(file))
    documents.flush()
    assert not list((studio.folder / "documents").iterdir())
    assert [(entry.title, entry.unsaved) for entry in documents.recent.entries()] == [
        ("graph", False)
    ]


def test_a_folder_that_takes_nothing_is_told_and_work_goes_on(qapp, tmp_path, file):
    (tmp_path / "data").write_text("a file in its place")
    documents = Documents(tmp_path / "data", CATALOG)
    told = []
    documents.notice.connect(told.append)
    documents.restore()
    document = documents.open_now(file)
    change(document, 5)
    documents.flush()
    documents.save(document)
    documents.wait()
    qapp.processEvents()
    assert {notice.title for notice in told} == {"What you do now could be lost"}
    assert graph_file.read(file).nodes["sample"].params["seed"] == 5
    assert not documents.shutdown()


def accusing(notes, id: str, title: str = "", path: str = "") -> RestoreGuard:
    """A guard after a start that ended while it restored this document."""
    what = asdict(Restored("document", id, title, path))
    notes.write_text(json.dumps(["begin", what]) + "\n")
    return RestoreGuard(notes)


def test_what_the_guard_suspects_is_not_restored_and_stands_under_recent(studio, file):
    documents = studio.documents
    document = documents.open_now(file)
    change(document, 5)
    other = documents.new()
    other.do(AddNode(node("a", "t.number")), "Add")
    id = document.id
    studio.end()
    notes = studio.folder / "restoring.jsonl"
    guard = accusing(notes, id, "graph", str(file))
    documents = studio.documents = Documents(studio.folder, CATALOG, guard=guard)
    documents.restore()
    documents.wait()
    assert titles(documents) == ["Untitled"]
    assert [suspect.id for suspect in guard.suspects] == [id]
    (entry,) = [entry for entry in documents.recent.entries() if entry.unsaved]
    assert (entry.id, entry.title, entry.path) == (id, "graph", str(file))
    documents.open(file)  # by name: with what was not saved
    documents.wait()
    assert documents.current.id == id
    assert seed(documents.current) == 5
    assert guard.suspects == ()
    guard.close()


def test_each_is_noted_before_it_is_read_and_until_it_is_closed(studio, file, monkeypatch):
    documents = studio.documents
    documents.open_now(file)
    studio.end()
    notes, noted = studio.folder / "restoring.jsonl", []
    recover = opening.recover

    def read(journal):
        noted.append([suspect.id for suspect in RestoreGuard(notes.with_name("copy")).suspects])
        return recover(journal)

    def copied(journal):
        notes.with_name("copy").write_bytes(notes.read_bytes())
        return read(journal)

    monkeypatch.setattr(opening, "recover", copied)
    guard = RestoreGuard(notes)
    documents = studio.documents = Documents(studio.folder, CATALOG, guard=guard)
    documents.restore()
    documents.wait()
    (document,) = documents
    assert noted == [[document.id]]
    assert notes.stat().st_size
    documents.close(document)
    assert not notes.stat().st_size
    guard.close()


def test_one_that_takes_long_to_read_is_suspect_all_the_while(studio, file, monkeypatch):
    studio.documents.open_now(file)
    studio.end()
    for name, value in (("SETTLED", 0.1), ("UNSEEN", 0.05), ("BEAT", 5)):
        monkeypatch.setattr(restore_guard, name, value)
    notes, recover = studio.folder / "restoring.jsonl", opening.recover
    begun, read = threading.Event(), threading.Event()

    def read_slowly(journal):
        begun.set()
        read.wait()
        return recover(journal)

    monkeypatch.setattr(opening, "recover", read_slowly)
    guard = RestoreGuard(notes)
    documents = studio.documents = Documents(studio.folder, CATALOG, guard=guard)
    documents.restore()
    try:
        until(begun.is_set)
        QTest.qWait(600)
        assert notes.stat().st_size
    finally:
        read.set()
    until(lambda: len(documents) == 1 and not notes.stat().st_size)  # nobody draws it here
    guard.close()


def test_suspects_whose_journal_is_gone_are_forgotten(studio):
    studio.end()
    notes = studio.folder / "restoring.jsonl"
    guard = accusing(notes, "gone")
    studio.documents = documents = Documents(studio.folder, CATALOG, guard=guard)
    documents.restore()
    documents.wait()
    assert guard.suspects == ()
    assert not documents.recent.entries()
