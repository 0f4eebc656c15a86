"""The journal of a document: what is done to it is on the disk a moment later.

Whoever calls only hands over values that never change; the writer's thread encodes and writes.

After an error of the disk nothing that it was given before can be trusted, even where a later sync
succeeds: Linux forgets what it could not write. The journal is suspect then, until the document's
whole content stands in a new one in its place.
"""

from __future__ import annotations

import contextlib
import errno
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
from ponystudio.graph.model import Graph
from ponystudio.studio.documents import journal_format
from ponystudio.studio.documents.journal_format import Line, pack
from ponystudio.studio.documents.journal_writer import JournalWriter, Sync

log = logging.getLogger(__name__)

# A journal longer than this is rewritten when its document is saved; far longer, at once.
MANY_LINES, MANY_BYTES = 2_000, 2 * 2**20
FAR_TOO_MANY = 8

# What keeps a line from being written and does nothing to those before it.
_HARMLESS = (errno.ENOSPC, errno.EDQUOT, errno.EMFILE, errno.ENFILE, errno.ENOMEM)

Content = Callable[[], Iterable[Line]]
"""All lines of a journal that says what there is to be said of a document, in short."""


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
class _Rewrite:
    """These lines say what the journal said before."""

    lines: Content


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
        self._ask: Callable[[], object] | None = None
        self._queue: deque[Entry | _Begin | _Rewrite] = deque()
        self._queue_lock = threading.Lock()
        # What follows is the writer's thread's alone.
        self._file: BinaryIO | None = None
        self._intact_bytes: int | None = None
        self._unwritten: deque[bytes] = deque()
        self._rewriting: _Rewrite | None = None
        # Of what is unwritten, how much the journal that is being written anew has already.
        self._covered = 0
        self._appended_since: list[bytes] = []
        # Which of the files that stood at the path one after the other is there.
        self._generation = 0
        self._is_named = False
        self._is_suspect = False
        self._is_closed = False
        self._last_content: Content | None = None
        self._then: Callable[[], object] = lambda: None

    @property
    def long(self) -> bool:
        return self._longer(1)

    @property
    def far_too_long(self) -> bool:
        return self._longer(FAR_TOO_MANY)

    def _longer(self, times: int) -> bool:
        lines, bytes = self.lines - self._least_lines, self.bytes - self._least_bytes
        return lines > times * MANY_LINES or bytes > times * MANY_BYTES

    def set_source(self, ask: Callable[[], object]) -> None:
        """`ask` is called on the writer's thread when the whole content is needed: it has somebody
        call `rewrite`, soon."""
        self._ask = ask

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

    def rewrite(self, content: Content, lines: int) -> None:
        """Write it anew, as about so many lines."""
        self.lines = self._least_lines = lines
        self.bytes = self._least_bytes = 0
        self._enqueue(_Rewrite(content))

    def close(
        self, content: Content | None = None, then: Callable[[], object] = lambda: None
    ) -> None:
        """Let go of the file once all is safe, and call `then` on the writer's thread. `content` is
        what to write anew if that fails."""
        self.writer.do(partial(self._close, content, then))

    def delete(self) -> None:
        self.writer.do(self._delete)

    def _enqueue(self, entry: Entry | _Begin | _Rewrite) -> None:
        with self._queue_lock:
            first = not self._queue
            self._queue.append(entry)
        if first:
            self.writer.do(self._write)

    # --- On the writer's writing thread -----------------------------------------------------------

    def _write(self) -> None:
        """Write what was added; what cannot be written now is tried again later."""
        with self._queue_lock:
            entries, self._queue = self._queue, deque()
        run: list[Entry] = []
        for entry in entries:
            if isinstance(entry, _Begin):
                self._end_rewriting()
                run.append(entry.line())
            elif isinstance(entry, _Rewrite):
                self._append_all(run)
                self._begin_rewriting(entry)
                run = []
            else:
                run.append(entry)
        self._append_all(run)

    def retry(self) -> None:
        self._write()
        self._renew()

    def begin_sync(self) -> Sync | None:
        """Not while it is written anew: what is added meanwhile goes into the new file without
        being safe there, so it must not have been safe in the old one."""
        if self._is_suspect or self._rewriting is not None or self._unwritten:
            return None
        try:
            handle = os.dup(self._open_file().fileno())
        except OSError as error:
            self._not_done(error)
            return None
        return Sync(self._generation, handle, None if self._is_named else self.path.parent)

    def synced(self, sync: Sync) -> None:
        if sync.generation == self._generation and not self._is_suspect:
            self._is_named = True
            if not self._unwritten:
                self.writer.safe(self)
                self._renew()

    def sync_failed(self, sync: Sync, error: OSError) -> None:
        if sync.generation == self._generation:
            self._suspect(error)

    def _not_done(self, error: OSError) -> None:
        if error.errno in _HARMLESS:
            self._failed(error)
        else:
            self._suspect(error)

    def _suspect(self, error: OSError | PonyStudioError) -> None:
        """Nothing of what was written so far is sure to be there: have all of it written anew."""
        first, self._is_suspect = not self._is_suspect, True
        self._failed(error)
        if first:
            self._renew()

    def _renew(self) -> None:
        if self._is_closed:
            self._end()
        elif self._is_suspect and self._rewriting is None and self._ask is not None:
            with contextlib.suppress(RuntimeError):  # the document is gone, and closes this soon
                self._ask()

    def _failed(self, error: OSError | PonyStudioError) -> None:
        if isinstance(error, OSError):
            error = atomic_write.write_error(error, self.path)
        self.writer.unsafe(self, error)

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
                if self._covered:
                    self._covered -= 1
                elif self._rewriting is not None:
                    self._appended_since.append(data)
        except OSError as error:
            self._close_file()
            self._not_done(error)
        else:
            self.writer.sync_soon(self)

    def _open_file(self) -> BinaryIO:
        if self._file is None:
            atomic_write.make_folder(self.path.parent)
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
        file, self._file = self._file, None
        if file is not None:
            try:
                file.close()
            except OSError:  # what it did not take could be missing
                self._is_suspect = True

    def _close(self, content: Content | None, then: Callable[[], object]) -> None:
        self._write()
        self._end_rewriting()
        self._is_closed, self._ask, self._last_content, self._then = True, None, content, then
        self._end()

    def _end(self) -> None:
        """Nothing is added any more: make it safe at once, in a new file if need be."""
        try:
            if self._file is not None and not self._is_suspect and not self._unwritten:
                handle = os.dup(self._file.fileno())
                Sync(self._generation, handle, self.path.parent).run()
            self._close_file()
            if (self._is_suspect or self._unwritten) and self._last_content is not None:
                self._covered = len(self._unwritten)
                self._replace(self._drafted(self._last_content))
                atomic_write.sync_folder(self.path.parent)
        except (OSError, PonyStudioError) as error:
            self._suspect(error)
        else:
            if not self._is_suspect and not self._unwritten:
                self.writer.forget(self)
                self._then()

    def _delete(self) -> None:
        with self._queue_lock:
            self._queue.clear()
        self._end_rewriting()
        self._ask = None
        self._close_file()
        self._unwritten.clear()
        self.writer.forget(self)
        self.path.unlink(missing_ok=True)

    # --- Writing anew: the old journal goes on until the new one is safe on the disk --------------

    def _begin_rewriting(self, rewrite: _Rewrite) -> None:
        if self._is_closed or (self._unwritten and not self._is_suspect):
            return  # a full disk is no time for it
        self._end_rewriting()
        self._rewriting, self._covered = rewrite, len(self._unwritten)
        self.writer.do_slowly(partial(self._draft, rewrite))

    def _end_rewriting(self) -> None:
        self._rewriting, self._covered, self._appended_since = None, 0, []

    def _draft(self, rewrite: _Rewrite) -> None:
        """On the writer's slow thread."""
        try:
            draft = self._drafted(rewrite.lines)
        except (OSError, PonyStudioError) as error:
            self.writer.do(partial(self._not_rewritten, rewrite, error))
        except Exception as error:  # no JSON: no file could hold it
            log.exception("A journal cannot be written anew.")
            fault = PonyStudioError(f"PonyStudio itself is at fault: {error!r}.")
            self.writer.do(partial(self._not_rewritten, rewrite, fault))
        else:
            self.writer.do(partial(self._swap, rewrite, draft))

    def _drafted(self, content: Content) -> Path:
        """A file beside the journal that holds this, and survives a power cut."""
        draft = self.path.with_suffix(f".{secrets.token_hex(4)}.draft")
        try:
            with os.fdopen(_open_private(draft), "wb") as file:
                file.writelines(map(pack, content()))
                file.flush()
                os.fsync(file.fileno())
        except BaseException:
            _unlink(draft)
            raise
        return draft

    def _swap(self, rewrite: _Rewrite, draft: Path) -> None:
        """Put the new journal, and what was added since, in the place of the old one."""
        if rewrite is not self._rewriting:
            _unlink(draft)
            return
        try:
            self._replace(draft, self._appended_since)
        except OSError as error:
            self._not_rewritten(rewrite, error)
            return
        self._end_rewriting()
        self.writer.sync_soon(self)
        self._append_all(())
        with contextlib.suppress(OSError):  # told when it is to be synced
            self.bytes = self._least_bytes = self._open_file().tell()

    def _replace(self, draft: Path, later: Iterable[bytes] = ()) -> None:
        """Go on with another file, which holds all that may be missing in the one before; `later`
        is what was added since, and is not safe yet."""
        try:
            with draft.open("ab") as file:
                file.writelines(later)
            self._close_file()
            draft.replace(self.path)
        except OSError:
            _unlink(draft)
            raise
        for _ in range(self._covered):
            self._unwritten.popleft()
        self._covered = 0
        self._generation += 1
        self._is_named = self._is_suspect = False
        self._intact_bytes = None

    def _not_rewritten(self, rewrite: _Rewrite, error: OSError | PonyStudioError) -> None:
        """The old one goes on, as it is."""
        if rewrite is self._rewriting:
            self._end_rewriting()
        if self._is_suspect:
            self._failed(error)


def _unlink(draft: Path) -> None:
    with contextlib.suppress(OSError):
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
