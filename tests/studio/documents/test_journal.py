"""Journals: what was done is on the disk, and comes back with all that can be undone."""

from __future__ import annotations

import errno
import io
import os
import time
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from helpers.graphs import picture
from helpers.random_edits import EDITS
from ponystudio.errors import GraphError, StorageFull
from ponystudio.graph.catalog import Catalog
from ponystudio.graph.editing.edits import (
    AddNode,
    Edit,
    RemoveNode,
    SetParam,
    SetView,
    edit_between,
)
from ponystudio.graph.editing.undo_history import LIMIT, states
from ponystudio.graph.model import Graph, Node
from ponystudio.studio.documents import journal as journal_module
from ponystudio.studio.documents import journal_writer as writer_module
from ponystudio.studio.documents.document import Document
from ponystudio.studio.documents.editable_graph import EditableGraph, gesture
from ponystudio.studio.documents.journal import Journal
from ponystudio.studio.documents.journal_format import packed, replay
from ponystudio.studio.documents.journal_writer import JournalWriter


def start() -> Graph:
    view = {"nodes": {"load": {"pos": [0, 0]}, "save": {"pos": [9, 9]}}, "frames": [{"title": "A"}]}
    return replace(picture(), view=view, extra={"kept": 1})


@pytest.fixture
def writer():
    writer = JournalWriter()
    yield writer
    writer.stop()


@pytest.fixture
def document(qapp, writer, tmp_path):
    document = Document("one", Journal(writer, tmp_path / "one.journal"), Catalog(()))
    document.start(start(), "Mine")
    return document


def replayed(document: Document):
    document.journal.writer.settle()
    stored = replay(document.journal.path)
    assert stored is not None
    return stored


def told(document: EditableGraph):
    """All that a person could notice of a document's past and future."""
    history = document.undo_record()
    texts = [(step.text, step.merge) for step in history.steps]
    return texts, history.index, history.sealed, states(document.graph, history)


def told_of(stored):
    history = stored.history.record()
    texts = [(step.text, step.merge) for step in history.steps]
    return texts, history.index, history.sealed, states(stored.graph, history)


ACTIONS = st.lists(
    st.one_of(
        st.tuples(st.just("do"), EDITS, st.sampled_from(["", "drag", "typing"])),
        st.tuples(st.just("to"), st.integers(0, 20)),
        st.tuples(st.just("seal")),
        st.tuples(st.just("compact")),
        st.tuples(st.just("reopen")),
    ),
    max_size=25,
)


@settings(max_examples=150)
@given(ACTIONS, st.sampled_from([3, LIMIT]))
def test_a_document_and_its_journal_tell_the_same(qapp, tmp_path_factory, actions, limit):
    quick = pytest.MonkeyPatch()
    quick.setattr("ponystudio.graph.editing.undo_history.LIMIT", limit)
    writer = JournalWriter()
    path = tmp_path_factory.mktemp("journal") / "one.journal"
    document = Document("one", Journal(writer, path), Catalog(()))
    document.start(start(), "Mine")
    quick.setattr(os, "fsync", lambda handle: None)
    try:
        for action in actions:
            match action:
                case ("do", edit, merge):
                    try:
                        document.do(edit, f"Do {edit}", merge)
                    except GraphError:
                        continue
                case ("to", index):
                    document.go_to(index % (document.undo_count + 1))
                case ("seal",):
                    document.begin_saving()
                    document.was_not_saved()
                case ("compact",):
                    document.compact()
                case ("reopen",):
                    stored = replayed(document)
                    document.journal.close()
                    document = Document("one", Journal(writer, path), Catalog(()))
                    document.resume(stored)
        stored = replayed(document)
        assert told_of(stored) == told(document)
        assert stored.graph == document.graph
        assert stored.dirty == document.dirty
    finally:
        quick.undo()
        writer.stop()


def test_a_drag_becomes_a_few_lines(document):
    drag = gesture("move")
    for x in range(2000):
        document.do(SetView(("nodes", "load", "pos"), [x, 1]), "Move", drag)
    stored = replayed(document)
    assert stored.lines < 500
    assert told_of(stored) == told(document)
    assert document.undo_count == 1


def test_a_drag_back_to_where_it_began_is_a_step_all_the_same(document):
    drag = gesture("move")
    for x in (8, 16, 0):
        document.do(SetView(("nodes", "load", "pos"), [x, 0]), "Move", drag)
    document.do(SetParam("load", "file", "b"), "Change file")
    document.undo()
    assert told_of(replayed(document)) == told(document)


def test_edits_made_while_an_edit_is_shown_are_kept_in_their_order(document):
    """No part should do so; if one does, the journal must not be what breaks."""

    def react(change):
        if "new" in change.after.nodes and "new" not in change.before.nodes:
            document.do(SetParam("new", "seed", 5), "React")

    document.changed.connect(react)
    document.do(AddNode(Node("new", "t.x")), "Add")
    document.do(RemoveNode("load"), "Delete")
    assert replayed(document).graph == document.graph


def test_an_edit_that_nobody_can_write_is_kept_as_what_it_did(document):
    class Strange(Edit):
        def apply(self, graph):
            return SetParam("load", "file", "strange").apply(graph)

    document.do(Strange(), "Be strange")
    document.do(edit_between(document.graph, start()), "Restore")
    assert told_of(replayed(document)) == told(document)


def test_a_torn_tail_is_left_out_and_written_over(document, writer):
    document.do(SetParam("load", "file", "b"), "Change")
    document.do(SetParam("load", "file", "c"), "Change")
    replayed(document)
    path = document.journal.path
    document.journal.close()
    writer.flush()
    whole = path.read_bytes()
    for cut in range(1, 60):
        path.write_bytes(whole[:-cut])
        stored = replay(path)
        assert not stored.lost
        assert stored.graph.nodes["load"].params["file"] == "b"
    again = Document("one", Journal(writer, path), Catalog(()))
    again.resume(stored)
    again.do(SetParam("load", "file", "d"), "Change")
    stored = replayed(again)
    assert told_of(stored) == told(again)
    assert stored.graph.nodes["load"].params["file"] == "d"


def test_damage_in_the_middle_is_told_and_what_is_before_it_kept(document, writer):
    for name in "bcde":
        document.do(SetParam("load", "file", name), "Change")
    replayed(document)
    document.journal.close()
    writer.flush()
    path = document.journal.path
    lines = path.read_bytes().splitlines(keepends=True)
    lines[5] = lines[5].replace(b"set_param", b"set_paraM")
    path.write_bytes(b"".join(lines))
    stored = replay(path)
    assert stored.lost
    assert stored.graph.nodes["load"].params["file"] in "bc"


@pytest.mark.parametrize("data", [b"", b"nonsense", b"00000000 {}\n", packed({"do": 1})])
def test_what_is_no_journal_gives_nothing(tmp_path, data):
    path = tmp_path / "x.journal"
    path.write_bytes(data)
    assert replay(path) is None


def test_a_long_journal_is_shortened_to_its_steps(document, monkeypatch):
    monkeypatch.setattr(journal_module, "MANY_LINES", 50)
    for number in range(600):
        document.do(SetParam("load", "file", str(number)), "Type", f"typing {number // 100}")
        if number % 60 == 59:
            document.journal.writer.flush()
    document.undo()
    before = told(document)
    document.begin_saving()
    document.was_saved(1, document.graph, document.journal.path.with_name("a.json"), "digest")
    stored = replayed(document)
    assert stored.lines < 20
    assert stored.saved == document.graph
    assert not stored.dirty
    assert told_of(stored)[3] == before[3] == told(document)[3]
    assert stored.path is not None
    assert stored.path.name == "a.json"


def test_a_long_past_is_not_shortened_again_and_again(document, monkeypatch):
    monkeypatch.setattr(journal_module, "MANY_LINES", 20)
    monkeypatch.setattr(journal_module, "FAR_TOO_MANY", 10)
    for number in range(100):
        document.do(SetParam("load", "file", str(number)), "Type")
    assert document.journal.long
    document.compact()
    assert not document.journal.long
    for number in range(30):
        document.do(SetParam("load", "file", f"{number}!"), "Type")
    assert document.journal.long
    assert not document.journal.far_too_long


def test_a_save_on_its_way_survives_a_compaction(document):
    document.do(SetParam("load", "file", "b"), "Change")
    number, graph = document.begin_saving(), document.graph
    document.compact()
    document.do(SetParam("load", "file", "c"), "Change")
    document.was_saved(number, graph, document.journal.path.with_name("a.json"), "digest")
    stored = replayed(document)
    assert stored.saved == graph
    assert stored.dirty


def test_a_full_disk_is_told_once_and_nothing_is_lost(qapp, tmp_path, monkeypatch):
    told_errors = []
    writer = JournalWriter(told_errors.append)
    document = Document("one", Journal(writer, tmp_path / "one.journal"), Catalog(()))
    document.start(start(), "Mine")
    writer.flush()
    full = [True]

    class Disk(io.FileIO):
        def write(self, data):
            if full[0]:
                super().write(data[:20])  # half a line, then the disk is full
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            return super().write(data)

    document.journal.close()
    monkeypatch.setattr(os, "fdopen", lambda handle, mode, **_: Disk(handle, mode))
    for name in "bcd":
        document.do(SetParam("load", "file", name), "Change")
        writer.flush()
    assert [type(error) for error in told_errors] == [StorageFull]
    full[0] = False
    document.do(SetParam("load", "file", "e"), "Change")
    assert writer.stop()
    assert told_errors[1:] == [None]
    stored = replay(document.journal.path)
    assert told_of(stored) == told(document)


def test_too_many_open_files_end_no_thread(document, writer, monkeypatch):
    open_handle = Journal.open_handle

    def refused(journal: Journal) -> int | None:
        raise OSError(errno.EMFILE, "Too many open files")

    monkeypatch.setattr(Journal, "open_handle", refused)
    monkeypatch.setattr(writer_module, "SYNCING", 0.05)
    document.do(SetParam("sample", "seed", 1), "Change seed")
    document.journal.flush()
    time.sleep(0.3)
    monkeypatch.setattr(Journal, "open_handle", open_handle)
    document.do(SetParam("sample", "seed", 2), "Change seed")
    assert writer.flush()
    assert replayed(document).graph.nodes["sample"].params["seed"] == 2


def test_a_document_put_in_place_of_another_begins_anew(document):
    document.do(SetParam("load", "file", "b"), "Change")
    document.replace_graph(Graph.of(Node("only", "t.x")))
    document.do(SetParam("only", "x", 1), "Change x")
    stored = replayed(document)
    assert told_of(stored) == told(document)
    assert list(stored.graph.nodes) == ["only"]
