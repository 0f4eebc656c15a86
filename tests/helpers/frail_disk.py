"""A disk that fails when told to, and of which a power cut leaves what it may leave.

What is done below `root` through Python's own file functions passes through here. Each call that
can fail is counted; from the `fail_at`th on, `failures` of them raise `code` instead. Files are
real ones, and whoever reads them sees what was written, as with the page cache of a running system;
beside them the disk knows what was synced:

- of what was written to a file since its last sync, a power cut loses any part, each write by
  itself;
- of names that were made, moved or removed since their folder's last sync, it loses any part or,
  as journaling file systems do, the latest ones. A rename is there or not, never half;
- what was not synced when a sync failed may be lost whatever later syncs say: Linux marks it clean.
  Of folders that were made only this is not so: nobody can make one again that has files in it.
"""

from __future__ import annotations

import builtins
import errno
import io
import os
import random
import shutil
import sqlite3
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest


@dataclass(eq=False)
class _Inode:
    """A file: its content at some sync, and what was done since that is or is not safe."""

    synced: bytes = b""
    changes: list[list[Any]] = field(
        default_factory=list
    )  # [is safe, offset or None, data or size]
    doomed: int = 0  # so many of the changes no sync can make safe any more

    def change(self, offset: int | None, data: Any) -> None:
        self.changes.append([False, offset, data])

    def sync(self) -> None:
        for change in self.changes[self.doomed :]:
            change[0] = True
        while self.changes and self.changes[0][0]:  # so none of them is doomed
            self.synced = _applied(self.synced, *self.changes.pop(0)[1:])

    def lose(self) -> None:
        self.doomed = len(self.changes)

    def after_power_cut(self, dice: random.Random) -> bytes:
        content = self.synced
        share = dice.choice((0.0, 0.5, 1.0))
        for safe, offset, data in self.changes:
            if safe or dice.random() < share:
                content = _applied(content, offset, data)
        return content


def _applied(content: bytes, offset: int | None, data: Any) -> bytes:
    if offset is None:
        return content[:data].ljust(data, b"\0")
    return content[:offset].ljust(offset, b"\0") + data + content[offset + len(data) :]


@dataclass
class _Naming:
    """Names of a folder that change together: to an inode, to "folder" or to None."""

    folder: str
    names: dict[str, Any]
    safe: bool = False
    doomed: bool = False


class FrailDisk:
    """Install it with `with disk:`; `calls` tells how many calls could have failed, `failed` what
    did."""

    def __init__(
        self, root: Path, fail_at: int = 0, code: int = errno.EIO, failures: int = 1
    ) -> None:
        self.root = os.path.realpath(root)
        self.fail_at, self.code, self.failures = fail_at, code, failures
        self._kind = ""
        self.calls = 0
        self.failed: list[str] = []
        self._lock = threading.RLock()
        self._names: dict[str, Any] = {}
        self._synced_names: dict[str, Any] = {}
        self._namings: list[_Naming] = []
        self._handles: dict[int, Any] = {}
        self._patch = pytest.MonkeyPatch()
        for folder, folders, files in os.walk(self.root):
            self._synced_names |= {os.path.join(folder, name): "folder" for name in folders}
            for name in files:
                path = os.path.join(folder, name)
                self._synced_names[path] = _Inode(Path(path).read_bytes())
        self._names = dict(self._synced_names)

    def __enter__(self) -> FrailDisk:
        self._real = {
            name: getattr(os, name)
            for name in (
                *("open", "dup", "close", "write", "ftruncate", "truncate", "fsync", "fdatasync"),
                *(
                    "replace",
                    "rename",
                    "link",
                    "unlink",
                    "remove",
                    "mkdir",
                    "rmdir",
                    "chmod",
                    "scandir",
                ),
            )
        }
        self._io_open = io.open
        for name in self._real:
            self._patch.setattr(os, name, getattr(self, f"_{name}"))
        self._patch.setattr(shutil, "_USE_CP_SENDFILE", False)  # which writes behind our back
        self._patch.setattr(io, "open", self._open_file)
        self._patch.setattr(builtins, "open", self._open_file)
        return self

    def __exit__(self, *_: object) -> None:
        self._patch.undo()

    def fail_next(self, what: str, code: int = errno.EIO) -> None:
        """The next call of this kind fails, once."""
        with self._lock:
            self.fail_at, self.failures, self.code, self._kind = self.calls + 1, 1, code, what

    def cut_power(self, dice: random.Random, into: Path) -> Path:
        """A folder as the disk may be found after a power cut now."""
        with self._lock:
            names = dict(self._synced_names)
            cut = dice.randrange(len(self._namings) + 1)
            any_part, share = dice.random() < 0.5, dice.random()
            for number, naming in enumerate(self._namings):
                kept = dice.random() < share if any_part else number < cut
                if naming.safe or kept:
                    _rename(names, naming)
            into.mkdir(parents=True)
            for path in sorted(names):
                place = into / os.path.relpath(path, self.root)
                if names[path] == "folder":
                    place.mkdir(exist_ok=True)
                elif place.parent.is_dir():  # else its folder is lost
                    place.write_bytes(names[path].after_power_cut(dice))
        return into

    # --- What may fail ----------------------------------------------------------------------------

    def _may_fail(self, what: str, path: object) -> None:
        if self._kind and what != self._kind:
            self.fail_at += self.fail_at > self.calls
        self.calls += 1
        if self.fail_at and self.fail_at <= self.calls < self.fail_at + self.failures:
            self.failed.append(f"{what} {path}")
            raise OSError(self.code, os.strerror(self.code), str(path))

    def _below(self, path: Any, dir_fd: int | None = None) -> str | None:
        """Its absolute path, if it is below the root."""
        if isinstance(path, int) or dir_fd is not None:
            return None
        path = os.path.abspath(os.fspath(path))
        path = os.path.join(os.path.realpath(os.path.dirname(path)), os.path.basename(path))
        return path if path == self.root or path.startswith(self.root + os.sep) else None

    def _named(self, folder: str, names: dict[str, Any]) -> None:
        naming = _Naming(folder, names)
        self._namings.append(naming)
        _rename(self._names, naming)

    # --- os ---------------------------------------------------------------------------------------

    def _open(self, path: Any, flags: int, mode: int = 0o777, *, dir_fd: int | None = None) -> int:
        place = self._below(path, dir_fd)
        if place is None:
            return self._real["open"](path, flags, mode, dir_fd=dir_fd)
        with self._lock:
            self._may_fail("open", place)
            new = not os.path.lexists(place)
            handle = self._real["open"](path, flags, mode)
            if os.path.isdir(place):
                self._handles[handle] = place
                return handle
            if new:
                self._named(os.path.dirname(place), {place: _Inode()})
            inode = self._names.setdefault(os.path.realpath(place), _Inode())
            if flags & os.O_TRUNC:
                inode.change(None, 0)
            self._handles[handle] = inode
            return handle

    def _dup(self, handle: int) -> int:
        with self._lock:
            copy = self._real["dup"](handle)
            if handle in self._handles:
                self._handles[copy] = self._handles[handle]
            return copy

    def _close(self, handle: int) -> None:
        with self._lock:
            known = self._handles.pop(handle, None)
            self._real["close"](handle)
            if known is not None:
                self._may_fail("close", known)

    def _write(self, handle: int, data: Any) -> int:
        with self._lock:
            inode = self._handles.get(handle)
            if not isinstance(inode, _Inode):
                return self._real["write"](handle, data)
            data = bytes(data)
            try:
                self._may_fail("write", inode)
            except OSError:
                self._put(handle, inode, data[: len(data) // 2])
                raise
            return self._put(handle, inode, data)

    def _put(self, handle: int, inode: _Inode, data: bytes) -> int:
        written = self._real["write"](handle, data)
        inode.change(os.lseek(handle, 0, os.SEEK_CUR) - written, data[:written])
        return written

    def _ftruncate(self, handle: int, size: int) -> None:
        with self._lock:
            inode = self._handles.get(handle)
            if isinstance(inode, _Inode):
                self._may_fail("ftruncate", inode)
                inode.change(None, size)
            self._real["ftruncate"](handle, size)

    def _truncate(self, path: Any, size: int) -> None:
        raise NotImplementedError("os.truncate")

    def _fsync(self, handle: int) -> None:
        with self._lock:
            known = self._handles.get(handle)
            if known is None:
                self._real["fsync"](handle)
                return
            try:
                self._may_fail("fsync", known)
            except OSError:
                if isinstance(known, _Inode):
                    known.lose()
                for naming in self._namings:
                    naming.doomed |= (
                        naming.folder == known and "folder" not in naming.names.values()
                    )
                raise
            if isinstance(known, _Inode):
                known.sync()
                return
            for naming in self._namings:
                naming.safe |= naming.folder == known and not naming.doomed
            while self._namings and self._namings[0].safe:
                _rename(self._synced_names, self._namings.pop(0))

    _fdatasync = _fsync

    def _replace(self, old: Any, new: Any, **rest: Any) -> None:
        self._move(self._real["replace"], old, new, **rest)

    def _rename(self, old: Any, new: Any, **rest: Any) -> None:
        self._move(self._real["rename"], old, new, **rest)

    def _move(self, move: Callable[..., None], old: Any, new: Any, **rest: Any) -> None:
        source, target = self._below(old), self._below(new)
        if source is None or target is None:
            move(old, new, **rest)
            return
        with self._lock:
            self._may_fail("rename", target)
            move(old, new, **rest)
            assert self._names[source] != "folder", "folders that move are not modelled"
            moved = self._names.get(source) or _Inode()  # SQLite's own is not modelled
            self._named(os.path.dirname(target), {target: moved, source: None})

    def _link(self, old: Any, new: Any, **rest: Any) -> None:
        source, target = self._below(old), self._below(new)
        with self._lock:
            if source is not None and target is not None:
                self._may_fail("link", target)
            self._real["link"](old, new, **rest)
            if source is not None and target is not None:
                self._named(os.path.dirname(target), {target: self._names[source]})

    def _unlink(self, path: Any, *, dir_fd: int | None = None) -> None:
        place = self._below(path, dir_fd)
        if place is None:
            self._real["unlink"](path, dir_fd=dir_fd)
            return
        with self._lock:
            self._may_fail("unlink", place)
            self._real["unlink"](path)
            self._named(os.path.dirname(place), {place: None})

    _remove = _unlink

    def _mkdir(self, path: Any, mode: int = 0o777, *, dir_fd: int | None = None) -> None:
        place = self._below(path, dir_fd)
        with self._lock:
            if place is not None and not os.path.lexists(place):
                self._may_fail("mkdir", place)
            self._real["mkdir"](path, mode, dir_fd=dir_fd)
            if place is not None:
                self._named(os.path.dirname(place), {place: "folder"})

    def _rmdir(self, path: Any, *, dir_fd: int | None = None) -> None:
        place = self._below(path, dir_fd)
        with self._lock:
            if place is not None:
                self._may_fail("rmdir", place)
            self._real["rmdir"](path, dir_fd=dir_fd)
            if place is not None:
                self._named(os.path.dirname(place), {place: None})

    def _chmod(self, path: Any, mode: int, **rest: Any) -> None:
        if (place := self._below(path)) is not None:
            self._may_fail("chmod", place)
        self._real["chmod"](path, mode, **rest)

    def _scandir(self, path: Any = ".") -> Any:
        if (place := self._below(path)) is not None:
            self._may_fail("scandir", place)
        return self._real["scandir"](path)

    # --- open -------------------------------------------------------------------------------------

    def _open_file(self, file: Any, mode: str = "r", buffering: int = -1, *rest: Any, **more: Any):
        if isinstance(file, int):
            if file not in self._handles:
                return self._io_open(file, mode, buffering, *rest, **more)
        elif self._below(file) is None:
            return self._io_open(file, mode, buffering, *rest, **more)
        else:
            file = os.open(file, _flags(mode), 0o666)
        raw = _RawFile(file, mode)
        if buffering == 0:
            return raw
        writes = any(letter in mode for letter in "wax+")
        kind = io.BufferedRandom if "+" in mode else io.BufferedWriter if writes else None
        buffered = (kind or io.BufferedReader)(raw)
        return buffered if "b" in mode else io.TextIOWrapper(buffered, *rest, **more)


class _RawFile(io.FileIO):
    """A file that writes, shortens and closes through `os`."""

    def __init__(self, handle: int, mode: str) -> None:
        # Not by its own "w", which would shorten it behind our back.
        super().__init__(handle, "rb" if mode in ("r", "rb") else "r+b", closefd=False)
        if "a" in mode:
            self.seek(0, os.SEEK_END)

    def write(self, data: Any) -> int:
        return os.write(self.fileno(), data)

    def truncate(self, size: int | None = None) -> int:
        size = self.tell() if size is None else size
        os.ftruncate(self.fileno(), size)
        return size

    def close(self) -> None:
        if not self.closed:
            handle = self.fileno()
            super().close()
            os.close(handle)


def _flags(mode: str) -> int:
    access = os.O_RDWR if mode[0] in "wax" or "+" in mode else os.O_RDONLY
    return (
        access
        | {
            "r": 0,
            "w": os.O_CREAT | os.O_TRUNC,
            "a": os.O_CREAT | os.O_APPEND,
            "x": os.O_CREAT | os.O_EXCL,
        }[mode[0]]
    )


def _rename(names: dict[str, Any], naming: _Naming) -> None:
    for path, what in naming.names.items():
        if what is not None:
            names[path] = what
    for path, what in naming.names.items():
        if what is None:
            names.pop(path, None)


def every_failure(run: Callable[[int], FrailDisk | FrailSqlite], most: int = 2000) -> None:
    """Run a scenario with the first call failing, then the second, until none is left to fail."""
    for number in range(1, most):
        if not run(number).failed:
            return
    raise AssertionError(f"it makes more than {most} calls")


class FrailSqlite:
    """Of the statements that are run through `sqlite3.connect` while it is installed, the
    `fail_at`th raises what SQLite raises on a disk with errors. Its files are its own business."""

    def __init__(self, fail_at: int = 0, error: str = "disk I/O error") -> None:
        self.fail_at, self.error = fail_at, error
        self.calls = 0
        self.failed: list[str] = []
        self._patch = pytest.MonkeyPatch()

    def __enter__(self) -> FrailSqlite:
        frail, connect = self, sqlite3.connect

        class Connection(sqlite3.Connection):
            def execute(self, sql: str, *rest: Any) -> sqlite3.Cursor:
                frail._may_fail(sql)
                return super().execute(sql, *rest)

            def executemany(self, sql: str, *rest: Any) -> sqlite3.Cursor:
                frail._may_fail(sql)
                return super().executemany(sql, *rest)

            def executescript(self, sql: str) -> sqlite3.Cursor:
                frail._may_fail(sql)
                return super().executescript(sql)

            def commit(self) -> None:
                frail._may_fail("COMMIT")
                super().commit()

        def connected(database: Any, **more: Any) -> sqlite3.Connection:
            if database == ":memory:":  # which is on no disk
                return connect(database, **more)
            return connect(database, **more, factory=Connection)

        self._patch.setattr(sqlite3, "connect", connected)
        return self

    def __exit__(self, *_: object) -> None:
        self._patch.undo()

    def _may_fail(self, sql: str) -> None:
        self.calls += 1
        if self.calls == self.fail_at:
            self.failed.append(sql)
            raise sqlite3.OperationalError(self.error)
