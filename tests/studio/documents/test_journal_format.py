"""Journals that are torn, damaged, or none."""

from __future__ import annotations

import pytest

from helpers.journals import replayed, told, told_of
from ponystudio.graph.catalog import Catalog
from ponystudio.graph.editing.edits import (
    SetParam,
)
from ponystudio.studio.documents.document import Document
from ponystudio.studio.documents.journal import Journal
from ponystudio.studio.documents.journal_format import pack, replay


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


@pytest.mark.parametrize("data", [b"", b"nonsense", b"00000000 {}\n", pack({"do": 1})])
def test_what_is_no_journal_gives_nothing(tmp_path, data):
    path = tmp_path / "x.journal"
    path.write_bytes(data)
    assert replay(path) is None
