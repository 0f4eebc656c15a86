"""Journals on disks that fail and lose power: what was said to be safe is there."""

from __future__ import annotations

import errno
import random
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from PySide6.QtCore import QCoreApplication

from helpers.frail_disk import FrailDisk, every_failure
from helpers.journals import start, told, told_of
from ponystudio.errors import NotWritable, PonyStudioError, StorageFull
from ponystudio.graph.catalog import Catalog
from ponystudio.graph.editing.edits import SetParam
from ponystudio.studio.documents import journal_writer
from ponystudio.studio.documents.document import Document
from ponystudio.studio.documents.journal import Journal
from ponystudio.studio.documents.journal_format import StoredDocument, replay
from ponystudio.studio.documents.journal_writer import JournalWriter

PATIENCE = 20.0


@pytest.fixture(autouse=True)
def _impatient(monkeypatch):
    monkeypatch.setattr(journal_writer, "SYNCING", 0.01)
    monkeypatch.setattr(journal_writer, "GATHERING", 0.001)
    monkeypatch.setattr(journal_writer, "LONGEST_WAIT", 0.02)


class Run:
    """A document that is edited on a frail disk, and power cuts that are looked into."""

    def __init__(self, root: Path, disk: FrailDisk) -> None:
        self.root, self.disk = root, disk
        self.told: list[PonyStudioError | None] = []
        self.writer = JournalWriter(self.told.append)
        journal = Journal(self.writer, disk_path(Path(disk.root)))
        self.document = Document("one", journal, Catalog(()))
        self.document.start(start(), "Mine")
        self.value = self.safe = 0
        self._cuts = 0

    @property
    def file(self) -> Path:
        return self.document.journal.path

    def edit(self, count: int = 1) -> None:
        for _ in range(count):
            self.value += 1
            self.document.do(SetParam("load", "file", str(self.value)), "Change")

    def sync(self) -> bool:
        value = self.value
        if self.writer.sync():
            assert not self.told or self.told[-1] is None
            self.safe = value
            return True
        assert self.told
        assert self.told[-1] is not None
        return False

    def sync_at_last(self) -> None:
        """What fails is tried again until it is safe, with the help of the GUI thread."""
        deadline = time.monotonic() + PATIENCE
        while not self.sync():
            assert time.monotonic() < deadline, self.disk.failed
            QCoreApplication.processEvents()
            time.sleep(0.005)

    def cut(self, times: int = 3) -> list[StoredDocument]:
        """Each time at least what was safe is found."""
        found = []
        for _ in range(times):
            self._cuts += 1
            safe = self.safe
            dice = random.Random(self._cuts)
            after = self.disk.cut_power(dice, self.root / f"cut{self._cuts}")
            path = disk_path(after)
            stored = replay(path) if path.exists() else None
            if safe:
                assert stored is not None, self.disk.failed
                assert value_of(stored) >= safe, self.disk.failed
                found.append(stored)
        return found


def disk_path(root: Path) -> Path:
    return root / "documents" / "one.journal"


def value_of(stored: StoredDocument) -> int:
    value = stored.graph.nodes["load"].params.get("file", "0")
    return int(value) if value.isdigit() else 0


def on_disk(tmp_path: Path, number: int, script: Callable[[Run], None], **failing) -> FrailDisk:
    """Do it on a disk whose call of this number fails; in the end all is safe."""
    folder = tmp_path / f"{number}"
    root = folder / "disk"
    root.mkdir(parents=True)
    with FrailDisk(root, number, **failing) as disk:
        run = Run(folder, disk)
        try:
            script(run)
            run.sync_at_last()
            for stored in run.cut(5):
                assert told_of(stored) == told(run.document)
            run.edit()
            run.document.close_journal()
            assert run.writer.stop()
            run.safe = run.value
            for stored in run.cut(5):
                assert told_of(stored) == told(run.document)
        finally:
            run.writer.stop()
    left = {path.name for path in disk_path(root).parent.iterdir()}
    assert left == {"one.journal"} or any("unlink" in call for call in disk.failed)
    if script is editing and any(call.startswith("fsync") for call in disk.failed):
        assert any(run.told), "nobody was told"
    return disk


@contextmanager
def running(folder: Path) -> Iterator[Run]:
    root = folder / "disk"
    root.mkdir(parents=True)
    with FrailDisk(root) as disk:
        run = Run(folder, disk)
        try:
            yield run
        finally:
            run.writer.stop()


def editing(run: Run) -> None:
    for _ in range(3):
        run.edit(2)
        run.sync()
        run.cut()
        QCoreApplication.processEvents()
    run.document.undo()
    run.document.redo()


def shortening(run: Run) -> None:
    """More is done before, while and after the journal is written anew."""
    run.edit(3)
    run.sync()
    run.document.compact()
    run.edit()
    run.cut(2)
    run.writer.flush()
    run.edit()
    run.sync()
    run.cut()
    QCoreApplication.processEvents()
    run.document.compact()
    run.edit()
    run.cut()


@pytest.mark.parametrize("script", [editing, shortening])
@pytest.mark.parametrize(
    ("code", "failures"), [(errno.EIO, 1), (errno.ENOSPC, 1), (errno.EROFS, 3)]
)
def test_whatever_fails_what_was_safe_stays(qapp, tmp_path, script, code, failures):
    every_failure(lambda n: on_disk(tmp_path, n, script, code=code, failures=failures))


def test_power_cuts_lose_nothing_that_was_safe(qapp, tmp_path):
    for number in range(10):
        with running(tmp_path / f"{number}") as run:
            dice = random.Random(number)
            for _ in range(12):
                run.edit(dice.randrange(4))
                if dice.random() < 0.4:
                    run.document.compact()
                    run.edit(dice.randrange(3))
                if dice.random() < 0.5:
                    assert run.sync()
                run.cut()


def test_a_sync_that_failed_once_is_not_believed_again(qapp, tmp_path):
    """The disk says "written" after one error, and has lost it all the same."""
    with running(tmp_path) as run:
        run.edit(3)
        run.sync_at_last()
        before = run.file.stat().st_ino
        run.edit(3)
        run.writer.flush()
        run.disk.fail_next("fsync")
        assert not run.writer.sync()
        (error,) = run.told
        assert isinstance(error, NotWritable)
        # As long as nobody answers, nothing is said to be safe: another sync proves nothing.
        for _ in range(3):
            assert not run.writer.sync()
        assert run.told == [error]
        run.sync_at_last()
        assert run.told == [error, None]
        assert run.file.stat().st_ino != before
        for stored in run.cut(20):
            assert told_of(stored) == told(run.document)


def test_while_a_save_is_on_its_way_the_new_journal_waits_for_it(qapp, tmp_path):
    with running(tmp_path) as run:
        run.edit()
        run.sync_at_last()
        number, graph = run.document.begin_saving(), run.document.graph
        run.edit()
        run.writer.flush()
        run.disk.fail_next("fsync")
        assert not run.sync()
        QCoreApplication.processEvents()
        assert not run.sync()
        run.document.finish_saving(number, graph, run.root / "graph.json", "digest")
        run.sync_at_last()
        (stored,) = run.cut(1)
        assert stored.saved == graph
        assert told_of(stored) == told(run.document)


def test_a_full_disk_is_no_reason_to_write_all_anew(qapp, tmp_path):
    with running(tmp_path) as run:
        run.edit()
        run.sync_at_last()
        before = run.file.stat().st_ino
        run.disk.fail_next("write", errno.ENOSPC)
        run.edit()
        run.writer.flush()
        assert [type(error) for error in run.told[:1]] == [StorageFull]
        run.sync_at_last()
        assert run.file.stat().st_ino == before
        assert run.told[1:] == [None]


def test_what_cannot_be_made_safe_at_the_end_is_told(qapp, tmp_path):
    with running(tmp_path) as run:
        run.edit()
        run.sync_at_last()
        run.edit()
        run.writer.flush()
        run.disk.fail_at, run.disk.failures = run.disk.calls + 1, 10**6
        run.document.close_journal()
        assert not run.writer.stop()
        assert run.told[-1] is not None
