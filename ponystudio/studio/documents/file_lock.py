"""A lock between processes that ends with its holder, however that ends."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

if sys.platform == "win32":
    import msvcrt
else:
    import fcntl

# Far behind what is written in the file, so that its holder's name can be read on Windows, too.
_PLACE = 2**30


@dataclass(frozen=True)
class LockHolder:
    """Who has the lock: a process on a machine, since when (seconds since 1970)."""

    pid: int = 0
    host: str = ""
    since: float = 0.0


class FileLock:
    """A lock that is a file; the file is there as long as somebody has the lock."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._file: BinaryIO | None = None

    @property
    def held(self) -> bool:
        return self._file is not None

    def acquire(self) -> bool:
        """Take the lock unless another has it; True if it is ours now. Raises OSError."""
        while self._file is None:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            file = self._open()
            if not _lock(file):
                file.close()
                return False
            if not self._is_still(file):  # its last holder took it away in between
                file.close()
                continue
            self._file = file
            self._sign(file)
        return True

    def release(self) -> None:
        if self._file is None:
            return
        if sys.platform != "win32":  # nobody can have opened it since and believe in it
            with contextlib.suppress(OSError):
                self.path.unlink()
        self._file.close()
        self._file = None

    def holder(self) -> LockHolder:
        """Who has it, as far as the file tells."""
        try:
            said = json.loads(self.path.read_bytes())
            return LockHolder(int(said["pid"]), str(said["host"]), float(said["since"]))
        except (OSError, ValueError, LookupError, TypeError):
            return LockHolder()

    def _open(self) -> BinaryIO:
        handle = os.open(self.path, os.O_RDWR | os.O_CREAT | getattr(os, "O_BINARY", 0), 0o600)
        return os.fdopen(handle, "r+b", buffering=0)

    def _is_still(self, file: BinaryIO) -> bool:
        try:
            return os.path.samestat(os.fstat(file.fileno()), self.path.stat())
        except OSError:
            return False

    def _sign(self, file: BinaryIO) -> None:
        import socket

        name = {"pid": os.getpid(), "host": socket.gethostname(), "since": time.time()}
        with contextlib.suppress(OSError):  # a full disk: locked, but unsigned
            file.truncate(0)
            file.write(json.dumps(name).encode())


def for_file(path: Path) -> FileLock:
    """The lock on writing this file, one for all names that lead to it.

    It lies with the user's temporary files: folders of graphs stay clean, and may be read-only.
    """
    real = os.path.normcase(os.path.realpath(path))
    name = hashlib.sha256(real.encode("utf-8", "surrogateescape")).hexdigest()[:32]
    return FileLock(_shared_folder() / f"{name}.lock")


def _shared_folder() -> Path:
    user = os.getuid() if sys.platform != "win32" else os.environ.get("USERNAME", "")
    return Path(tempfile.gettempdir()) / f"ponystudio-{user}"


def _lock(file: BinaryIO) -> bool:
    try:
        if sys.platform == "win32":
            file.seek(_PLACE)
            msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)
            file.seek(0)
        else:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True
