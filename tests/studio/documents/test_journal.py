"""Journals: what was done is on the disk, and comes back with all that can be undone."""

from __future__ import annotations

import os

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from helpers.journals import replayed, start, told, told_of
from helpers.random_edits import EDITS
from ponystudio.errors import GraphError
from ponystudio.graph.catalog import Catalog
from ponystudio.graph.editing.edits import (
    AddNode,
    Edit,
    RemoveNode,
    SetParam,
    SetView,
    edit_between,
)
from ponystudio.graph.editing.undo_history import LIMIT
from ponystudio.graph.model import Graph, Node
from ponystudio.studio.documents import journal as journal_module
from ponystudio.studio.documents.document import Document
from ponystudio.studio.documents.editable_graph import gesture
from ponystudio.studio.documents.journal import Journal
from ponystudio.studio.documents.journal_writer import JournalWriter

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
                    document.saving_failed()
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


def test_a_long_journal_is_shortened_to_its_steps(document, monkeypatch):
    monkeypatch.setattr(journal_module, "MANY_LINES", 50)
    for number in range(600):
        document.do(SetParam("load", "file", str(number)), "Type", f"typing {number // 100}")
        if number % 60 == 59:
            document.journal.writer.flush()
    document.undo()
    before = told(document)
    document.begin_saving()
    document.finish_saving(1, document.graph, document.journal.path.with_name("a.json"), "digest")
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
    document.finish_saving(number, graph, document.journal.path.with_name("a.json"), "digest")
    stored = replayed(document)
    assert stored.saved == graph
    assert stored.dirty


def test_a_document_put_in_place_of_another_begins_anew(document):
    document.do(SetParam("load", "file", "b"), "Change")
    document.replace_graph(Graph.of(Node("only", "t.x")))
    document.do(SetParam("only", "x", 1), "Change x")
    stored = replayed(document)
    assert told_of(stored) == told(document)
    assert list(stored.graph.nodes) == ["only"]
