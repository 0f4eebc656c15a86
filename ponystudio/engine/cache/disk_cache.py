"""The disk tier: results that outlive the process, in a folder that several processes may share.

One file an entry, written whole or not at all, so that the files are the truth; the SQLite index
beside them only knows what they cost and what keys were made from, and is made anew when damaged.
The entry that is cheapest to make again per byte leaves first, with an allowance for age
(GreedyDual-Size: Cao & Irani 1997).
"""

from __future__ import annotations

import contextlib
import json
import math
import os
import queue
import sqlite3
import struct
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ponystudio.engine.cache.result_codec import Damaged, decode, encode
from ponystudio.engine.cache.tensor_walk import size_in_bytes
from ponystudio.errors import PonyStudioError
from ponystudio.graph.atomic_write import make_folder, write_bytes
from ponystudio.system.file_names import spelt_out

LIMIT = 4 * 2**30
ENTRY_LIMIT = 256 * 2**20
# Results that wait to be written; when a slow disk lags further behind, later ones are not kept.
BACKLOG = 1 * 2**30
# What is evicted at once goes this far below the limit, so that it is not done for every entry.
EVICT_TO = 0.9
# Seconds to wait for another process that writes to the index.
LOCK_TIMEOUT = 10.0
# Seconds between the attempts to write an entry; a neighbour that was in the way has gone by then.
PAUSES = (0.05, 0.2)
# After that nothing is tried for so many seconds, then for longer and longer, up to the second.
FIRST_RETRY, LAST_RETRY = 5.0, 300.0
# An entry that could not be read counts as none for so long.
UNREADABLE_SECONDS = 60.0
_STALE_DRAFT = 3600.0

_INDEX = "index.sqlite"
_SCHEMA = """
CREATE TABLE IF NOT EXISTS entries (key TEXT PRIMARY KEY, bytes INTEGER NOT NULL,
    worth REAL NOT NULL, priority REAL NOT NULL) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS by_priority ON entries (priority);
CREATE TABLE IF NOT EXISTS preimages (digest TEXT PRIMARY KEY, text TEXT NOT NULL,
    used REAL NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS last (scope TEXT, node TEXT, digest TEXT NOT NULL,
    PRIMARY KEY (scope, node)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS clock (id INTEGER PRIMARY KEY CHECK (id = 0), priority REAL NOT NULL);
INSERT OR IGNORE INTO clock VALUES (0, 0);
"""
# Preimages are small; those of the last so many results are kept.
PREIMAGES = 50_000


@dataclass(frozen=True)
class _WriteJob:
    key: str
    value: Any
    seconds: float
    size: int


class _Outage:
    """Whether writing fails at present, and when it is tried again."""

    def __init__(self) -> None:
        self._wait, self._until = 0.0, 0.0

    @property
    def over(self) -> bool:
        """Whether there is none, or it is time to try."""
        return time.monotonic() >= self._until

    def begin(self) -> bool:
        """It failed; whether this is news."""
        news = not self._wait
        self._wait = min(self._wait * 2, LAST_RETRY) or FIRST_RETRY
        self._until = time.monotonic() + self._wait
        return news

    def end(self) -> None:
        """It succeeded."""
        self._wait = self._until = 0.0


class DiskCache:
    """Results in `folder`, at most `limit` bytes of them and none above `entry_limit`.

    Writing and accounting happen on a thread of its own; `flush` waits for them. What fails is
    tried again, and when that fails too, with a later result after some time; `on_failure` is told
    once, until a result was kept again.
    """

    def __init__(
        self,
        folder: Path,
        *,
        limit: int = LIMIT,
        entry_limit: int = ENTRY_LIMIT,
        on_failure: Callable[[str], None] = lambda _: None,
    ) -> None:
        self._folder, self._limit, self._entry_limit = folder, limit, entry_limit
        self._on_failure = on_failure
        self._outage, self._index_outage = _Outage(), _Outage()
        # Bytes and seconds of entries whose account could not be written.
        self._owed: dict[str, tuple[int, float]] = {}
        self._lock = threading.Lock()
        self._jobs: queue.SimpleQueue[Callable[[], None] | None] = queue.SimpleQueue()
        self._backlog = 0
        self._backlog_lock = threading.Lock()
        self._known: set[str] = set()
        self._unreadable: dict[str, float] = {}
        self._index, self._index_at = _memory_index(), (0, 0)
        try:
            make_folder(folder)
            self._known = {path.stem for path in self._files()}
        except OSError as error:
            self._fail(error)
        self._renew_index(self._open_index)
        self._thread = threading.Thread(target=self._work, name="disk cache", daemon=True)
        self._thread.start()

    # --- Results ----------------------------------------------------------------------------------

    def known(self, key: str) -> bool:
        """Whether the entry was there when last looked."""
        return key in self._known

    def has(self, key: str) -> bool:
        """Whether the entry is there now, perhaps written by another process."""
        readable = time.monotonic() >= self._unreadable.get(key, 0.0)
        # Not Path.exists, which raises where a folder may not be searched.
        if readable and os.path.exists(self._path(key)):  # noqa: PTH110
            self._known.add(key)
            return True
        self._known.discard(key)
        return False

    def read(self, key: str) -> Any:
        """The result, tensors on the CPU. Raises KeyError for none, a torn or a foreign one."""
        path = self._path(key)
        try:
            value, about = decode(path.read_bytes())
            if about.get("key") != key:
                raise Damaged("another key")
        except FileNotFoundError:  # evicted, perhaps by a neighbour, who may write it again
            self._known.discard(key)
            raise KeyError(key) from None
        except (OSError, MemoryError):
            self._unreadable[key] = time.monotonic() + UNREADABLE_SECONDS
            raise KeyError(key) from None
        except Damaged:
            self.forget(key)
            raise KeyError(key) from None
        self._jobs.put(lambda: self._touch(key))
        return value

    def write(self, key: str, value: Any, seconds: float) -> None:
        """Keep a result that took `seconds` to make, soon and in the background."""
        size = size_in_bytes(value)
        with self._backlog_lock:
            if not self._outage.over or size > self._entry_limit or self._backlog + size > BACKLOG:
                return
            self._backlog += size
        self._unreadable.pop(key, None)
        job = _WriteJob(key, value, seconds, size)
        self._jobs.put(lambda: self._write(job))

    def forget(self, key: str) -> None:
        """Remove an entry, even one that still waits to be written."""

        def remove() -> None:
            self._known.discard(key)
            with contextlib.suppress(OSError):
                self._path(key).unlink(missing_ok=True)
            self._owed.pop(key, None)
            with self._lock, self._index:
                self._index.execute("DELETE FROM entries WHERE key = ?", (key,))

        # Until it is written anew, for it may stay there where nothing can be removed.
        self._unreadable[key] = math.inf
        self._jobs.put(remove)

    def clear(self) -> None:
        """Remove every entry; what keys were made from is forgotten too."""
        self.flush()
        with self._lock:
            for path in self._files():
                with contextlib.suppress(OSError):
                    path.unlink(missing_ok=True)
            self._known.clear()
            with contextlib.suppress(sqlite3.Error), self._index:
                self._index.executescript(
                    "DELETE FROM entries; DELETE FROM preimages; DELETE FROM last;"
                )

    # --- What keys were made from -----------------------------------------------------------------

    def remember(self, scope: str, node: str, digest: str, preimages: Mapping[str, str]) -> None:
        """The node of this id in this document ran with this digest; its preimages by digest."""
        place = spelt_out(scope)  # the path of a document, say
        texts = {spelt_out(key): text for key, text in preimages.items()}
        self._jobs.put(lambda: self._remember(place, node, spelt_out(digest), texts))

    def last(self, scope: str, node: str) -> str | None:
        query = "SELECT digest FROM last WHERE scope = ? AND node = ?"
        return self._query_text(query, spelt_out(scope), node)

    def preimage(self, digest: str) -> str | None:
        return self._query_text("SELECT text FROM preimages WHERE digest = ?", spelt_out(digest))

    # --- The thread -------------------------------------------------------------------------------

    def flush(self) -> None:
        """Wait until everything asked for is done."""
        done = threading.Event()
        self._jobs.put(done.set)
        done.wait()

    def close(self) -> None:
        """Finish what is asked for and let go of the folder."""
        self._jobs.put(None)
        self._thread.join()
        self._index.close()

    def _work(self) -> None:
        self._sweep()
        while (job := self._jobs.get()) is not None:
            try:
                job()
            except sqlite3.OperationalError:
                pass  # locked or full: what is owed is accounted for with the next entry
            except sqlite3.Error:
                self._rebuild_index()
            except Exception as error:  # the thread serves whatever else is kept
                self._fail(error)
            del job  # it holds a result, which may leave the memory now

    def _write(self, job: _WriteJob) -> None:
        with self._backlog_lock:
            self._backlog -= job.size
        if not self._outage.over:
            return
        try:
            data = encode(job.value, {"key": job.key, "seconds": f"{job.seconds:.6g}"})
        except Exception:  # of a kind that cannot be stored, or there is no memory for a copy
            return
        if len(data) > self._entry_limit:
            return
        try:
            self._write_file(self._path(job.key), data)
        except (OSError, PonyStudioError) as error:
            self._fail(error)
            return
        self._outage.end()
        self._known.add(job.key)
        self._account(job.key, len(data), job.seconds)
        self._evict()

    def _write_file(self, path: Path, data: bytes) -> None:
        for pause in (*PAUSES, None):
            try:
                make_folder(path.parent)
                write_bytes(path, data)
                return
            except (OSError, PonyStudioError):
                if pause is None:
                    raise
                time.sleep(pause)

    def _account(self, key: str, size: int, seconds: float) -> None:
        self._owed[key] = size, seconds
        # Somebody tidied up, or it could not be opened.
        if self._index_at != _place(self._folder / _INDEX) and self._index_outage.over:
            self._renew_index(self._open_index)
        with self._lock, self._index:
            for owed, about in self._owed.items():
                _enter(self._index, owed, *about)
        self._owed.clear()

    def _touch(self, key: str) -> None:
        with self._lock, self._index:
            self._index.execute(
                "UPDATE entries SET priority = worth + (SELECT priority FROM clock) WHERE key = ?",
                (key,),
            )

    def _evict(self) -> None:
        with self._lock, self._index:
            (total,) = self._index.execute("SELECT coalesce(sum(bytes), 0) FROM entries").fetchone()
            if total <= self._limit:
                return
            rows = self._index.execute("SELECT key, bytes, priority FROM entries ORDER BY priority")
            leaving = []
            (clock,) = self._index.execute("SELECT priority FROM clock").fetchone()
            for key, size, priority in rows:
                if total <= self._limit * EVICT_TO:
                    break
                try:
                    self._path(key).unlink(missing_ok=True)
                except OSError:  # another process reads it (Windows), or owns it
                    continue
                leaving.append((key,))
                total -= size
                self._known.discard(key)
                clock = priority
            self._index.executemany("DELETE FROM entries WHERE key = ?", leaving)
            self._index.execute("UPDATE clock SET priority = ?", (clock,))

    def _remember(self, scope: str, node: str, digest: str, preimages: Mapping[str, str]) -> None:
        with self._lock, self._index:
            self._index.executemany(
                "INSERT OR REPLACE INTO preimages VALUES (?, ?, ?)",
                [(key, text, time.time()) for key, text in preimages.items()],
            )
            self._index.execute(
                "INSERT OR REPLACE INTO last VALUES (?, ?, ?)", (scope, node, digest)
            )

    def _sweep(self) -> None:
        """What processes that were killed have left, and preimages too old to matter."""
        with contextlib.suppress(OSError):
            for draft in self._folder.glob("*/.*.tmp"):
                if time.time() - draft.stat().st_mtime > _STALE_DRAFT:
                    draft.unlink(missing_ok=True)
        with contextlib.suppress(sqlite3.Error), self._lock, self._index:
            self._index.execute(
                "DELETE FROM preimages WHERE digest IN "
                "(SELECT digest FROM preimages ORDER BY used DESC LIMIT -1 OFFSET ?)",
                (PREIMAGES,),
            )

    # --- The index --------------------------------------------------------------------------------

    def _open_index(self) -> sqlite3.Connection:
        try:
            return self._connected()
        except sqlite3.OperationalError:
            raise  # locked, or not to be written: no reason to take it away from others
        except sqlite3.DatabaseError:
            return self._rebuilt()

    def _connected(self) -> sqlite3.Connection:
        index = sqlite3.connect(
            self._folder / _INDEX, timeout=LOCK_TIMEOUT, check_same_thread=False
        )
        try:
            index.execute("PRAGMA journal_mode = WAL")
            index.execute("PRAGMA synchronous = NORMAL")
            index.executescript(_SCHEMA)
            known = {key for (key,) in index.execute("SELECT key FROM entries")}
            # Entries that lost their account, as after a crash between file and index, and
            # accounts that lost their entry, as when somebody tidies up.
            files = {path.stem: path for path in self._files()}
            for key in files.keys() - known:
                _enter(index, key, *_said_by(files[key]))
            gone = [(key,) for key in known - files.keys()]
            index.executemany("DELETE FROM entries WHERE key = ?", gone)
            index.commit()
        except BaseException:
            index.close()
            raise
        return index

    def _rebuilt(self) -> sqlite3.Connection:
        for suffix in ("", "-wal", "-shm"):
            (self._folder / f"{_INDEX}{suffix}").unlink(missing_ok=True)
        return self._connected()

    def _renew_index(self, opened: Callable[[], sqlite3.Connection]) -> None:
        """Another index in place of the one at hand, which stays if that fails."""
        try:
            index = opened()
        except (OSError, sqlite3.Error):
            self._index_outage.begin()  # entries are kept without
            return
        with self._lock:
            self._index.close()
            self._index, self._index_at = index, _place(self._folder / _INDEX)
        self._index_outage.end()

    def _rebuild_index(self) -> None:
        """The index failed while in use: start it anew, or do without for the time being."""
        with self._lock:
            self._index.close()
            self._index, self._index_at = _memory_index(), (0, 0)
        self._renew_index(self._rebuilt)

    def _query_text(self, query: str, *values: str) -> str | None:
        try:
            with self._lock:
                row = self._index.execute(query, values).fetchone()
        except sqlite3.Error:
            return None
        return str(row[0]) if row else None

    # --- The folder -------------------------------------------------------------------------------

    def _path(self, key: str) -> Path:
        return self._folder / key[:2] / f"{key}.safetensors"

    def _files(self) -> Iterator[Path]:
        return self._folder.glob("??/*.safetensors")

    def _fail(self, error: Exception) -> None:
        if self._outage.begin():
            reason = error.what.rstrip(".") if isinstance(error, PonyStudioError) else str(error)
            self._on_failure(f"results are not kept on disk for now: {reason}")


def _memory_index() -> sqlite3.Connection:
    """In place of one on disk that cannot be had."""
    index = sqlite3.connect(":memory:", check_same_thread=False)
    index.executescript(_SCHEMA)
    return index


def _place(path: Path) -> tuple[int, int]:
    """Which file it is; of none no other's."""
    try:
        found = path.stat()
    except OSError:
        return -1, -1
    return found.st_dev, found.st_ino


def _enter(index: sqlite3.Connection, key: str, size: int, seconds: float) -> None:
    """Account for an entry."""
    worth = seconds / max(size, 1)
    index.execute(
        "INSERT OR REPLACE INTO entries SELECT ?, ?, ?, clock.priority + ? FROM clock",
        (key, size, worth, worth),
    )


def _said_by(path: Path) -> tuple[int, float]:
    """Bytes and seconds of an entry by its header; one that says nothing is worth nothing."""
    size, seconds = 0, 0.0
    with contextlib.suppress(OSError, ValueError, KeyError, struct.error), path.open("rb") as file:
        size = path.stat().st_size
        (length,) = struct.unpack("<Q", file.read(8))
        header = json.loads(file.read(min(length, 2**20)))
        seconds = float(header["__metadata__"]["seconds"])
    return size, seconds
