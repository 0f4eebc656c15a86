"""What was found out about model files, kept on disk: nothing is read twice that did not change.

Any number of processes may share the index. It holds nothing that cannot be found out again, so a
damaged one is thrown away.
"""

from __future__ import annotations

import hashlib
import json
import os
import sqlite3
import threading
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, TypeVar

from ponystudio.errors import ChangedFile, ModelFileError, NotWritable, UnknownModel, UnreadFile
from ponystudio.library.formats.content_id import (
    Heard,
    Identity,
    hashes,
    identity,
    known_sha256,
    model_files,
    remember_sha256,
    sha256_of,
)
from ponystudio.library.formats.tensor_info import Closing
from ponystudio.library.recognition.model_file import ModelFile, Part
from ponystudio.library.recognition.recognise import recognise

VERSION = 5  # of what is kept, and of what recognition finds
PATIENCE = 10.0  # seconds to wait for another process that writes
# A smaller file is read again as soon as its hash is looked up.
WORTH_KEEPING = 8 << 20
TABLES = """
CREATE TABLE IF NOT EXISTS files (
    path BLOB PRIMARY KEY, identity TEXT, files TEXT, model TEXT, error TEXT
);
CREATE TABLE IF NOT EXISTS hashes (
    device TEXT, inode TEXT, identity TEXT, sha256 TEXT, seal TEXT, PRIMARY KEY (device, inode)
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS by_sha256 ON hashes (sha256);
CREATE INDEX IF NOT EXISTS by_identity ON files (identity);
CREATE TABLE IF NOT EXISTS all_hashes (
    path BLOB PRIMARY KEY, identity TEXT, hashes TEXT, seal TEXT
) WITHOUT ROWID;
"""
# Damaged and not to be mended, full, locked for too long, or closed meanwhile.
_NOT_NOW = (sqlite3.Error, OSError)
_NOWHERE = (-1, -1)
T = TypeVar("T")


@dataclass(frozen=True)
class IndexEntry:
    """A model file: what it is, or in `error` why it is none; its SHA-256, "" while not known."""

    path: Path
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
        self._lock, self._closed = threading.Lock(), False
        try:
            self._connection = self._whole()
        except (OSError, sqlite3.Error) as error:
            raise NotWritable(
                f"The index of model files cannot be kept: {error}.",
                where=str(path),
                remedy="Choose another folder for the cache.",
            ) from None
        self._file = _file_at(path)

    def look(self, path: Path) -> IndexEntry:
        """What a file is, from the index if it has not changed.

        Raises MissingFile, UnknownModel for what is no file.
        """
        files = model_files(path)
        own = files.own
        beside = hashlib.sha256(repr(files.identities).encode()).hexdigest()
        key = (os.fsencode(path), identity_text(own) if own else "", beside)
        entry, settled = self._known(path, key), files.settled
        if entry is None:
            try:
                entry = self._examine(path)
            except UnreadFile as error:  # perhaps the next time
                entry, settled = _refused(path, error), False
            if settled:
                self._keep(key, entry)
        return replace(entry, sha256=self.known_sha256(own)) if own else entry

    def sha256(self, path: Path, heard: Heard = lambda _: None) -> str:
        """The SHA-256 of a file, which is read to the end once; `heard` is that of `sha256_of`.

        Raises what that raises, MissingFile, and UnknownModel for what is no file.
        """
        own = model_files(path).own
        if own is None:
            raise UnknownModel("This is a folder, not a file.", where=str(path))
        return self.known_sha256(own) or self.read_sha256(path, own, heard, keep=True)

    def known_sha256(self, identity: Identity) -> str:
        """The SHA-256 of a file of this identity; "" if none of the processes has read it yet."""
        if known := known_sha256(identity):
            return known
        query = "SELECT identity, sha256, seal FROM hashes WHERE device = ? AND inode = ?"
        try:
            row = self._run(lambda db: db.execute(query, _place(identity)).fetchone())
        except _NOT_NOW:
            return ""
        if row is None or row[0] != identity_text(identity) or row[2] != _seal(*row[:2]):
            return ""
        remember_sha256(identity, row[1])
        return str(row[1])

    def read_sha256(
        self, path: Path, identity: Identity, heard: Heard, *, keep: bool = False
    ) -> str:
        """As `sha256_of`, and kept for all processes if a change from now on will be seen; of a
        small file only with `keep`."""
        settled, sha256 = identity.settled, sha256_of(path, identity, heard)
        if settled and (keep or identity.size >= WORTH_KEEPING):
            text = identity_text(identity)
            row = (*_place(identity), text, sha256, _seal(text, sha256))
            try:
                self._run(lambda db: db.execute("REPLACE INTO hashes VALUES (?, ?, ?, ?, ?)", row))
            except _NOT_NOW:
                pass  # only time is lost
        return sha256

    def kept_hashes(self) -> dict[Path, tuple[str, dict[str, str]]]:
        """Of every file that was read by `all_hashes` in any process: the identity that it had
        then, as `identity_text` writes it, and its hashes."""
        query = "SELECT path, identity, hashes, seal FROM all_hashes"
        rows = self._run_if_it_can(lambda db: db.execute(query).fetchall(), [])
        found: dict[Path, tuple[str, dict[str, str]]] = {}
        for path, text, written, seal in rows:
            if isinstance(path, bytes) and seal == _seal(text, written):
                found[Path(os.fsdecode(path))] = text, json.loads(written)
        return found

    def all_hashes(self, path: Path, heard: Heard = lambda _: None) -> dict[str, str]:
        """The hashes by which a file is known elsewhere, read to its end once and kept for all
        processes; `heard` is that of `hashes`. Raises what that raises, and ChangedFile."""
        before = identity(path)
        settled, found = before.settled, hashes(path, heard, every=True)
        if identity(path) != before:
            raise ChangedFile(
                "The file was changed while it was in use.",
                where=str(path),
                remedy="Try again once nothing writes to it any more.",
            )
        if settled:
            remember_sha256(before, found["sha256"])
            text, written = identity_text(before), json.dumps(found)
            row = (os.fsencode(path), text, written, _seal(text, written))
            own = (*_place(before), text, found["sha256"], _seal(text, found["sha256"]))

            def keep(db: sqlite3.Connection) -> None:
                db.execute("REPLACE INTO all_hashes VALUES (?, ?, ?, ?)", row)
                db.execute("REPLACE INTO hashes VALUES (?, ?, ?, ?, ?)", own)

            try:
                self._run(keep)
            except _NOT_NOW:
                pass  # only time is lost
        return found

    def by_sha256(self, prefix: str) -> list[Path]:
        """The files, as last seen, whose SHA-256 begins so (10 digits make an AutoV2)."""
        # A range, not LIKE: it uses the index and knows no wildcards.
        query = (
            "SELECT path FROM files JOIN hashes USING (identity)"
            " WHERE sha256 >= ? AND sha256 < ? ORDER BY path"
        )
        bounds = (prefix.lower(), prefix.lower() + "g")
        rows = self._run_if_it_can(lambda db: db.execute(query, bounds).fetchall(), [])
        return [Path(os.fsdecode(row[0])) for row in rows]

    def close(self) -> None:
        with self._lock:
            self._closed = True
            self._connection.close()

    def _examine(self, path: Path) -> IndexEntry:
        try:
            return IndexEntry(path, recognise(path))
        except UnreadFile:
            raise
        except ModelFileError as error:
            return _refused(path, error)

    def _known(self, path: Path, key: tuple[bytes, str, str]) -> IndexEntry | None:
        query = "SELECT model, error FROM files WHERE path = ? AND identity = ? AND files = ?"
        try:
            row = self._run_if_it_can(lambda db: db.execute(query, key).fetchone(), None)
            if row is None:
                return None
            model, error = row
            return IndexEntry(path, _model(json.loads(model)) if model else None, error)
        except (ValueError, TypeError, KeyError):
            return None  # written by another version

    def _keep(self, key: tuple[bytes, str, str], entry: IndexEntry) -> None:
        model = json.dumps(asdict(entry.model), default=str) if entry.model else ""
        row = (*key, model, entry.error)
        query = "REPLACE INTO files VALUES (?, ?, ?, ?, ?)"
        self._run_if_it_can(lambda db: db.execute(query, row), None)

    def _run_if_it_can(self, work: Callable[[sqlite3.Connection], Any], otherwise: Any) -> Any:
        """As `_run`; on a disk that fails only time is lost."""
        try:
            return self._run(work)
        except _NOT_NOW:
            if self._closed:
                raise
            return otherwise

    def _run(self, work: Callable[[sqlite3.Connection], T]) -> T:
        """Do some work in a transaction; on a damaged file, once more on an empty one."""
        with self._lock:
            try:
                if not self._closed and _file_at(self.path) != self._file:  # somebody tidied up
                    self._reopen()
                with self._connection:
                    return work(self._connection)
            except sqlite3.DatabaseError as error:
                if type(error) is not sqlite3.DatabaseError:
                    raise  # locked, full or closed: not damaged
                self._connection.close()
                self._file = _NOWHERE  # should this fail, it is tried again the next time
                self._connection = self._rebuilt()
                self._file = _file_at(self.path)
                with self._connection:
                    return work(self._connection)

    def _reopen(self) -> None:
        try:
            connection = self._open()
        except (OSError, sqlite3.Error):
            return  # what is there no more serves as well as it did
        self._connection.close()
        self._connection, self._file = connection, _file_at(self.path)

    def _open(self) -> sqlite3.Connection:
        self.path.parent.mkdir(parents=True, exist_ok=True)
        connection = sqlite3.connect(self.path, timeout=PATIENCE, check_same_thread=False)
        try:
            connection.execute("PRAGMA journal_mode = WAL")
            connection.execute("PRAGMA synchronous = NORMAL")
            version = connection.execute("PRAGMA user_version").fetchone()[0]
            if version not in (0, VERSION):
                raise sqlite3.DatabaseError(f"version {version}")
            connection.executescript(TABLES)
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


def _refused(path: Path, error: ModelFileError) -> IndexEntry:
    return IndexEntry(path, None, f"{error.what} {error.remedy}".strip())


def _file_at(path: Path) -> tuple[int, int] | None:
    """Which file it is."""
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_dev, found.st_ino


def _place(identity: Identity) -> tuple[str, str]:
    """Numbers of inodes may have 64 bits and no sign, which SQLite's have."""
    return str(identity.device), str(identity.inode)


def identity_text(identity: Identity) -> str:
    return " ".join(map(str, identity))


def _seal(identity: str, sha256: str) -> str:
    """Of a row: one that was damaged, in a file that is sound as a database, is no row."""
    return hashlib.sha256(f"{identity} {sha256}".encode()).hexdigest()[:16]


def _model(data: dict[str, Any]) -> ModelFile:
    parts = {name: Part(**part) for name, part in data.pop("parts").items()}
    path, why = Path(data.pop("path")), tuple(data.pop("why"))
    return ModelFile(path=path, parts=parts, why=why, **data)
