"""The threads that write journals, on disks that take nothing."""

from __future__ import annotations

import errno
import io
import os
import time

from helpers.journals import replayed, start, told, told_of
from ponystudio.errors import StorageFull
from ponystudio.graph.catalog import Catalog
from ponystudio.graph.editing.edits import (
    SetParam,
)
from ponystudio.studio.documents import journal_writer as writer_module
from ponystudio.studio.documents.document import Document
from ponystudio.studio.documents.journal import Journal
from ponystudio.studio.documents.journal_format import replay
from ponystudio.studio.documents.journal_writer import JournalWriter


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
    dup = os.dup

    def refused(handle: int) -> int:
        raise OSError(errno.EMFILE, "Too many open files")

    monkeypatch.setattr(os, "dup", refused)
    monkeypatch.setattr(writer_module, "SYNCING", 0.05)
    document.do(SetParam("sample", "seed", 1), "Change seed")
    writer.flush()
    time.sleep(0.3)
    monkeypatch.setattr(os, "dup", dup)
    document.do(SetParam("sample", "seed", 2), "Change seed")
    assert writer.flush()
    assert replayed(document).graph.nodes["sample"].params["seed"] == 2
