"""A lock between processes that ends with its holder, however that ends: `filelock`'s, signed."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import stat
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import filelock

from ponystudio.library import user_folders


@dataclass(frozen=True)
class LockHolder:
    """Who has the lock: a process on a machine, since when (seconds since 1970)."""

    pid: int = 0
    host: str = ""
    since: float = 0.0


class FileLock:
    """A lock that is a file; the file is there as long as somebody has the lock, and says who.

    In its place nothing but a file of ours is taken: no link is followed, nothing of anybody
    else's is written to.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._lock = filelock.FileLock(
            path,
            mode=0o600,
            blocking=False,
            thread_local=False,  # whoever is done with the file releases it
            fallback_to_soft=False,  # a mere marker would outlive its holder
            on_acquired=_sign,
        )

    @property
    def held(self) -> bool:
        return self._lock.is_locked

    def acquire(self) -> bool:
        """Take the lock unless another has it; True if it is ours now. Raises OSError."""
        while not self.held:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            try:
                self._lock.acquire()
            except filelock.Timeout:
                if self.path.exists():  # else its last holder took it away in between
                    return False
        return True

    def release(self) -> None:
        if self.held:
            if sys.platform != "win32":  # nobody can have opened it since and believe in it
                with contextlib.suppress(OSError):
                    self.path.unlink()
            self._lock.release()

    def holder(self) -> LockHolder:
        """Who has it, as far as the file tells."""
        try:
            with open(self.path, "rb", buffering=0, opener=_open_own) as file:
                if sys.platform == "win32":
                    file.seek(1)  # the first byte is what is locked
                data = json.loads(file.read(_LONGEST_SIGN))
            return LockHolder(int(data["pid"]), str(data["host"]), float(data["since"]))
        except (OSError, ValueError, LookupError, TypeError):
            return LockHolder()


# Far above what a holder says of itself.
_LONGEST_SIGN = 4096


def _open_own(path: str, flags: int) -> int:
    """For `open`: no link is followed, no pipe waited for."""
    flags |= getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0)
    handle = os.open(path, flags)
    if stat.S_ISREG(os.fstat(handle).st_mode):
        return handle
    os.close(handle)
    raise OSError(f"{path} is no ordinary file")


def _sign(handle: int) -> None:
    import socket

    found = os.fstat(handle)
    if not stat.S_ISREG(found.st_mode):
        raise OSError("the lock is no ordinary file")
    if sys.platform != "win32" and (found.st_uid != os.geteuid() or found.st_nlink > 1):
        raise PermissionError("the lock is somebody else's file, or a name of another one")
    name = {"pid": os.getpid(), "host": socket.gethostname(), "since": time.time()}
    with contextlib.suppress(OSError):  # a full disk: locked, but unsigned
        os.ftruncate(handle, 0)
        os.write(handle, b" " + json.dumps(name).encode())


def for_file(path: Path) -> FileLock:
    """The lock on writing this file, one for all names that lead to it. Raises OSError.

    It lies in the user's runtime folder: folders of graphs stay clean, may be read-only, and may
    be shared with others, who could put there what they like.
    """
    real = os.path.normcase(os.path.realpath(path))
    name = hashlib.sha256(real.encode("utf-8", "surrogateescape")).hexdigest()[:32]
    return FileLock(user_folders.runtime() / f"{name}.lock")
