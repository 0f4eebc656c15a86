"""What was found out about model files, kept on disk: nothing is read twice that did not change.

Any number of processes may share the index. It holds nothing that cannot be found out again, so a
damaged one is thrown away.
"""

from __future__ import annotations

import json
import os
import sqlite3
import threading
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, TypeVar

from ponystudio.errors import ModelFileError, NotWritable
from ponystudio.library.formats.content_id import content_id, hashes, identity
from ponystudio.library.formats.tensor_info import Closing
from ponystudio.library.recognition.model_file import ModelFile, Part
from ponystudio.library.recognition.recognise import recognise

VERSION = 3  # of what is kept, and of what recognition finds
PATIENCE = 10.0  # seconds to wait for another process that writes
COLUMNS = "path, size, mtime_ns, inode, config_ns, content, sha256, model, error"
TABLE = """
CREATE TABLE IF NOT EXISTS files (
    path BLOB PRIMARY KEY, size INTEGER, mtime_ns INTEGER, inode TEXT, config_ns INTEGER,
    content TEXT, sha256 TEXT, model TEXT, error TEXT
);
CREATE INDEX IF NOT EXISTS by_sha256 ON files (sha256);
CREATE INDEX IF NOT EXISTS by_content ON files (content);
"""
T = TypeVar("T")


@dataclass(frozen=True)
class IndexEntry:
    """A model file: its quick content id, what it is, or in `error` why it is none.

    The id is that of when the file was examined; a tokenizer put beside it since is not in it.
    `sha256` is "" until somebody asked for it.
    """

    path: Path
    content: str
    model: ModelFile | None
    error: str = ""
    sha256: str = ""


class ModelIndex(Closing):
    """The index in the file `path`, which is made when it is not there. A context manager.

    May be used by several threads. Raises NotWritable for a place where it cannot be kept; when it
    can no longer be read or written later, files are examined anew.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._lock = threading.Lock()
        try:
            self._connection = self._whole()
        except (OSError, sqlite3.Error) as error:
            raise NotWritable(
                f"The index of model files cannot be kept: {error}.",
                where=str(path),
                remedy="Choose another folder for the cache.",
            ) from None

    def look(self, path: Path) -> IndexEntry:
        """What a file is, from the index if it has not changed. Raises MissingFile."""
        known = self._known(path)
        return known or self._store(path, self._examine(path), "")

    def sha256(self, path: Path, heard: Callable[[int], object] | None = None) -> str:
        """The SHA-256 of a file, which is read to the end once; `heard` is that of `hashes`.

        Raises MissingFile.
        """
        entry = self.look(path)
        if not entry.sha256:
            entry = self._store(path, entry, hashes(path, heard)["sha256"])
        return entry.sha256

    def by_sha256(self, prefix: str) -> list[Path]:
        """The files, as last seen, whose SHA-256 begins so (10 digits make an AutoV2)."""
        return self._paths("sha256", prefix.lower())

    def by_content(self, content: str) -> list[Path]:
        """The files, as last seen, with this quick content id."""
        return self._paths("content", content)

    def forget_missing(self) -> int:
        """Drop the files that are gone; how many they were."""
        paths = self._run(lambda db: [row[0] for row in db.execute("SELECT path FROM files")])
        gone = [(path,) for path in paths if not Path(os.fsdecode(path)).exists()]
        self._run(lambda db: db.executemany("DELETE FROM files WHERE path = ?", gone))
        return len(gone)

    def close(self) -> None:
        with self._lock:
            self._connection.close()

    def _examine(self, path: Path) -> IndexEntry:
        content = content_id(path)
        try:
            return IndexEntry(path, content, recognise(path))
        except ModelFileError as error:
            return IndexEntry(path, content, None, f"{error.what} {error.remedy}".strip())

    def _known(self, path: Path) -> IndexEntry | None:
        key = _key(path)
        query = f"SELECT {COLUMNS} FROM files WHERE path = ?"
        try:
            row = self._run(lambda db: db.execute(query, key[:1]).fetchone())
            if row is None or row[: len(key)] != key:
                return None
            content, sha256, model, error = row[len(key) :]
            return IndexEntry(
                path, content, _model(json.loads(model)) if model else None, error, sha256
            )
        except (sqlite3.OperationalError, ValueError, TypeError, KeyError):
            return None  # locked for too long, or written by another version

    def _store(self, path: Path, entry: IndexEntry, sha256: str) -> IndexEntry:
        model = json.dumps(asdict(entry.model), default=str) if entry.model else ""
        row = (*_key(path), entry.content, sha256, model, entry.error)
        marks = ", ".join("?" * len(row))
        try:
            self._run(
                lambda db: db.execute(f"REPLACE INTO files ({COLUMNS}) VALUES ({marks})", row)
            )
        except sqlite3.OperationalError:
            pass  # the disk is full, or another process writes for too long: only time is lost
        return IndexEntry(path, entry.content, entry.model, entry.error, sha256)

    def _paths(self, column: str, prefix: str) -> list[Path]:
        # A range, not LIKE: it uses the index and knows no wildcards.
        query = f"SELECT path FROM files WHERE {column} >= ? AND {column} < ? ORDER BY path"
        bounds = (prefix, prefix + "g")
        return self._run(
            lambda db: [Path(os.fsdecode(row[0])) for row in db.execute(query, bounds)]
        )

    def _run(self, work: Callable[[sqlite3.Connection], T]) -> T:
        """Do some work in a transaction; on a damaged file, once more on an empty one."""
        with self._lock:
            try:
                with self._connection:
                    return work(self._connection)
            except sqlite3.DatabaseError as error:
                if type(error) is not sqlite3.DatabaseError:
                    raise  # locked, full or closed: not damaged
                self._connection.close()
                self._connection = self._rebuilt()
                with self._connection:
                    return work(self._connection)

    def _open(self) -> sqlite3.Connection:
        self.path.parent.mkdir(parents=True, exist_ok=True)
        connection = sqlite3.connect(self.path, timeout=PATIENCE, check_same_thread=False)
        try:
            connection.execute("PRAGMA journal_mode = WAL")
            connection.execute("PRAGMA synchronous = NORMAL")
            version = connection.execute("PRAGMA user_version").fetchone()[0]
            if version not in (0, VERSION):
                raise sqlite3.DatabaseError(f"version {version}")
            connection.executescript(TABLE)
            connection.execute(f"PRAGMA user_version = {VERSION}")
        except BaseException:
            connection.close()
            raise
        return connection

    def _whole(self) -> sqlite3.Connection:
        deadline = time.monotonic() + PATIENCE
        while True:
            try:
                return self._open()
            except sqlite3.OperationalError as error:
                # SQLite itself does not wait where two processes turn WAL on at once.
                if "locked" not in str(error) or time.monotonic() > deadline:
                    raise
                time.sleep(0.02)
            except sqlite3.DatabaseError:  # damaged, or of another version
                return self._rebuilt()

    def _rebuilt(self) -> sqlite3.Connection:
        for suffix in ("", "-wal", "-shm"):
            self.path.with_name(self.path.name + suffix).unlink(missing_ok=True)
        return self._open()


def _key(path: Path) -> tuple[bytes, int, int, str, int]:
    """The columns that must agree for a row to hold; names of files need not be UTF-8."""
    name, size, mtime_ns, inode, config_ns = identity(path)
    return os.fsencode(name), size, mtime_ns, str(inode), config_ns


def _model(data: dict[str, Any]) -> ModelFile:
    parts = {name: Part(**part) for name, part in data.pop("parts").items()}
    path, why = Path(data.pop("path")), tuple(data.pop("why"))
    return ModelFile(path=path, parts=parts, why=why, **data)
