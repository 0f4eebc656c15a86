"""The journal of a document: what is done to it is on the disk a moment later.

Whoever calls only hands over values that never change; the writer's thread encodes and writes.
"""

from __future__ import annotations

import contextlib
import logging
import os
import secrets
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import BinaryIO

from ponystudio.errors import PonyStudioError
from ponystudio.graph import atomic_write
from ponystudio.graph.editing.edits import Edit
from ponystudio.graph.editing.undo_history import UndoRecord
from ponystudio.graph.model import Graph
from ponystudio.studio.documents import journal_format
from ponystudio.studio.documents.journal_format import Line, pack
from ponystudio.studio.documents.journal_writer import JournalWriter

log = logging.getLogger(__name__)

# A journal longer than this is rewritten when its document is saved; far longer, at once.
MANY_LINES, MANY_BYTES = 2_000, 2 * 2**20
FAR_TOO_MANY = 8


@dataclass(frozen=True)
class AppliedEdit:
    """An edit and the graphs before and after it."""

    edit: Edit
    text: str
    merge: str
    before: Graph
    after: Graph

    def merged_with(self, other: AppliedEdit) -> AppliedEdit | None:
        """Both as one, if they are of one gesture: only its end needs to be written."""
        if not self.merge or other.merge != self.merge or other.before is not self.after:
            return None
        return AppliedEdit(other.edit, self.text, self.merge, self.before, other.after)


@dataclass(frozen=True)
class _Begin:
    """From here on the journal is another document's: this is its first line."""

    line: Callable[[], Line]


@dataclass(frozen=True)
class _Compact:
    """These lines say what the journal said before, in short."""

    lines: Callable[[], Iterable[Line]]


Entry = AppliedEdit | Line


class Journal:
    """Its methods may be called from one thread, and return at once.

    `lines` and `bytes` tell how long it is, about.
    """

    def __init__(self, writer: JournalWriter, path: Path) -> None:
        self.path = path
        self.lines = 0
        self.bytes = 0
        # How long it was when it was written anew: it cannot become shorter than that.
        self._least_lines = 0
        self._least_bytes = 0
        self.writer = writer
        self._queue: deque[Entry | _Begin | _Compact] = deque()
        self._queue_lock = threading.Lock()
        # What follows is the writer's thread's alone.
        self._file: BinaryIO | None = None
        self._intact_bytes: int | None = None
        self._unwritten: deque[bytes] = deque()
        self._compacting: _Compact | None = None
        self._appended_since: list[bytes] = []

    @property
    def long(self) -> bool:
        return self._longer(1)

    @property
    def far_too_long(self) -> bool:
        return self._longer(FAR_TOO_MANY)

    def _longer(self, times: int) -> bool:
        lines, bytes = self.lines - self._least_lines, self.bytes - self._least_bytes
        return lines > times * MANY_LINES or bytes > times * MANY_BYTES

    def begin(self, id: str, title: str, file: Path | None, graph: Graph) -> None:
        """Start the journal anew: this is the document."""
        now = time.time()
        self._enqueue(_Begin(lambda: journal_format.header(id, title, file, graph, now)))

    def resume(self, lines: int, intact_bytes: int) -> None:
        """Go on with the journal that is there, of which so much is intact."""
        self.lines, self.bytes = lines, intact_bytes
        self._intact_bytes = intact_bytes  # nobody writes yet

    def add(self, entry: Entry) -> None:
        """Append a line, or what was done."""
        self.lines += 1
        self._enqueue(entry)

    def compact(
        self,
        head: Line,
        graph: Graph,
        record: UndoRecord,
        saved: Graph | None,
        last_save: Line | None,
    ) -> None:
        """Write it anew with a line for every step of the undo history."""
        self.lines = self._least_lines = len(record.steps) + 4
        self.bytes = self._least_bytes = 0
        self._enqueue(
            _Compact(lambda: journal_format.compacted_lines(head, graph, record, saved, last_save))
        )

    def flush(self) -> None:
        """Wait until all that was added is written."""
        self.writer.flush()

    def close(self) -> None:
        """Let go of the file once all is written."""
        self.writer.do(self._close)

    def delete(self) -> None:
        self.writer.do(self._delete)

    def _enqueue(self, entry: Entry | _Begin | _Compact) -> None:
        with self._queue_lock:
            first = not self._queue
            self._queue.append(entry)
        if first:
            self.writer.do(self.write)

    # --- On the writer's writing thread -----------------------------------------------------------

    def write(self) -> None:
        """Write what was added; what cannot be written now is tried again later."""
        with self._queue_lock:
            entries, self._queue = self._queue, deque()
        run: list[Entry] = []
        for entry in entries:
            if isinstance(entry, _Begin):
                self._compacting = None
                run.append(entry.line())
            elif isinstance(entry, _Compact):
                self._append_all(run)
                self._begin_compacting(entry)
                run = []
            else:
                run.append(entry)
        self._append_all(run)

    def open_handle(self) -> int | None:
        return None if self._file is None else os.dup(self._file.fileno())

    def sync_failed(self, error: OSError) -> None:
        self.writer.retry_later(self, atomic_write.write_error(error, self.path))

    def _append_all(self, entries: Iterable[Entry]) -> None:
        self._unwritten.extend(map(_pack_entry, _merge_gestures(entries)))
        if not self._unwritten:
            return
        try:
            file = self._open_file()
            while self._unwritten:
                self._append(file, self._unwritten[0])
                data = self._unwritten.popleft()
                self.bytes += len(data)
                if self._compacting is not None:
                    self._appended_since.append(data)
        except OSError as error:
            self._close_file()
            self.writer.retry_later(self, atomic_write.write_error(error, self.path))
        else:
            self.writer.sync_soon(self)

    def _open_file(self) -> BinaryIO:
        if self._file is None:
            if not self.path.exists():
                self.path.parent.mkdir(parents=True, exist_ok=True)
                self.writer.sync_folder_of(self.path)
            self._file = os.fdopen(_open_private(self.path), "r+b", buffering=0)
            if self._intact_bytes is not None:  # what a crash left half is no part of it
                self._file.truncate(self._intact_bytes)
                self._intact_bytes = None
            self._file.seek(0, os.SEEK_END)
        return self._file

    def _append(self, file: BinaryIO, data: bytes) -> None:
        """The whole line or, on a full disk, nothing of it."""
        start = file.tell()
        try:
            written = 0
            while written < len(data):
                written += file.write(data[written:]) or 0
        except OSError:
            self._intact_bytes = start
            raise

    def _close_file(self) -> None:
        if self._file is not None:
            with contextlib.suppress(OSError):
                self._file.close()
            self._file = None

    def _close(self) -> None:
        self.write()
        self._compacting = None
        if self._file is not None:
            with contextlib.suppress(OSError):
                os.fsync(self._file.fileno())
        self._close_file()
        if not self._unwritten:
            self.writer.forget(self)

    def _delete(self) -> None:
        with self._queue_lock:
            self._queue.clear()
        self._compacting = None
        self._close_file()
        self._unwritten.clear()
        self.writer.forget(self)
        self.path.unlink(missing_ok=True)

    # --- Shortening: the long journal goes on until the short one is safe on the disk -------------

    def _begin_compacting(self, compact: _Compact) -> None:
        if not self._unwritten:  # a full disk is no time for it
            self._compacting, self._appended_since = compact, []
            self.writer.do_slowly(partial(self._draft, compact))

    def _draft(self, compact: _Compact) -> None:
        """On the writer's slow thread."""
        draft = self.path.with_suffix(f".{secrets.token_hex(4)}.draft")
        try:
            with os.fdopen(_open_private(draft), "wb") as file:
                file.writelines(pack(line) for line in compact.lines())
                file.flush()
                os.fsync(file.fileno())
        except (OSError, PonyStudioError):
            draft.unlink(missing_ok=True)  # the long one does as well
        else:
            self.writer.do(partial(self._swap, compact, draft))

    def _swap(self, compact: _Compact, draft: Path) -> None:
        """Put the short journal, and what was added since, in the place of the long one."""
        try:
            if compact is self._compacting:
                self._compacting = None
                with draft.open("ab") as file:
                    file.writelines(self._appended_since)
                self._close_file()
                draft.replace(self.path)
                self.writer.sync_folder_of(self.path)
                self.bytes = self._least_bytes = self._open_file().tell()
                self.writer.sync_soon(self)
        except OSError:
            pass  # the long one goes on
        finally:
            draft.unlink(missing_ok=True)


def _open_private(path: Path) -> int:
    """What is in a journal is the user's alone."""
    return os.open(path, os.O_RDWR | os.O_CREAT | getattr(os, "O_BINARY", 0), 0o600)


def _merge_gestures(entries: Iterable[Entry]) -> Iterable[Entry]:
    """With edits of one gesture that follow each other as one."""
    last: Entry | None = None
    for entry in entries:
        both = None
        if isinstance(last, AppliedEdit) and isinstance(entry, AppliedEdit):
            both = last.merged_with(entry)
        if both is None and last is not None:
            yield last
        last = both or entry
    if last is not None:
        yield last


def _pack_entry(entry: Entry) -> bytes:
    try:
        if isinstance(entry, AppliedEdit):
            entry = journal_format.edit_line(
                entry.edit, entry.text, entry.merge, entry.before, entry.after
            )
        return pack(entry)
    except (TypeError, ValueError, RecursionError):
        # No JSON: no file could hold it. What comes after it is still worth keeping.
        log.exception("An edit cannot be written.")
        return b""
