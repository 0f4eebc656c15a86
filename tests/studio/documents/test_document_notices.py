"""What is said about documents."""

from __future__ import annotations

import os
from types import SimpleNamespace

import pytest

from ponystudio.errors import NotWritable, StorageFull
from ponystudio.graph.comfyui.importer import Imported, Remark
from ponystudio.graph.model import Graph
from ponystudio.studio.documents import document_notices as notices
from ponystudio.studio.documents.file_lock import LockHolder
from ponystudio.studio.documents.saving import ChangedOnDisk

DOCUMENT = SimpleNamespace(title="ponies", read_only="It is open in another tab.")


@pytest.mark.parametrize(
    ("holder", "protected", "reason"),
    [
        (None, False, ""),
        (None, True, "The file may not be written to."),
        (LockHolder(os.getpid()), False, "It is open in another tab."),
        (LockHolder(os.getpid() + 1), True, f"another PonyStudio (process {os.getpid() + 1})"),
        (LockHolder(), False, "another PonyStudio (process ?)"),
    ],
    ids=["free", "protected", "another tab", "another process", "nobody knows"],
)
def test_why_a_file_may_not_be_written(holder, protected, reason):
    found = notices.read_only_reason(holder, protected)
    assert reason in found
    assert bool(found) == bool(reason)


def recovered(*, lost=False, **more):
    given = {"gone": False, "changed": False, "fresh": None, **more}
    return SimpleNamespace(stored=SimpleNamespace(lost=lost), **given)


@pytest.mark.parametrize(
    ("how", "titles"),
    [
        (recovered(), []),
        (recovered(gone=True), ["The file of ponies is not there any more"]),
        (recovered(changed=True), ["ponies was changed by another program"]),
        (recovered(changed=True, fresh=Graph()), []),
        (
            recovered(gone=True, lost=True),
            ["The file of ponies is not there any more", "The last changes to ponies are lost"],
        ),
    ],
)
def test_what_is_to_be_known_of_a_document_that_comes_back(how, titles):
    assert [notice.title for notice in notices.recovery(DOCUMENT, how)] == titles


def test_only_what_others_changed_may_be_saved_over(tmp_path):
    path, over, elsewhere = tmp_path / "a.json", object(), object()
    changed = notices.not_saved(DOCUMENT, path, ChangedOnDisk("It is new."), over, elsewhere)
    assert (changed.title, changed.text) == ("a.json was changed by another program", "It is new.")
    assert changed.actions == (("Save over it", over), ("Save as…", elsewhere))
    full = notices.not_saved(DOCUMENT, path, StorageFull("The disk is full."), over, elsewhere)
    assert (full.title, full.actions) == ("ponies is not saved", (("Save as…", elsewhere),))


def test_whether_what_is_done_is_kept():
    assert notices.journal_writing(None).kind == "ok"
    lost = notices.journal_writing(NotWritable("No room.", remedy="Make some."))
    assert (lost.kind, lost.text) == ("warn", "No room. Make some.")
    assert lost.lasting
    assert notices.journal_writing(None).ends == lost.title


def test_a_closed_document_can_be_opened_again():
    notice = notices.closed(DOCUMENT, print)
    assert (notice.title, notice.actions) == ("ponies is closed", (("Open again", print),))


def test_what_an_import_says_names_its_nodes_and_has_an_end():
    told = Imported(Graph(), remarks=(Remark("", "of the whole"), Remark("a_1", "lost")), mapped=2)
    notice = notices.imported("theirs", told)
    assert (notice.title, notice.kind) == ("theirs was translated", "warn")
    assert [text for _, text, _ in notice.rows] == ["of the whole", "a_1: lost"]
    assert notices.imported("theirs", Imported(Graph(), mapped=2)).kind == "ok"
    unknown = {str(n): f"Unknown{n % 5}" for n in range(6)}
    remarks = tuple(Remark(f"a_{n}", "lost") for n in range(7))
    rows = notices.imported("theirs", Imported(Graph(), unknown, remarks)).rows
    assert rows[0] == ("item", "Unknown0", "2")
    assert [text for _, text, _ in rows[7:]] == ["a_2: lost", "and 4 more"]
