"""The one way to open a file that somebody else named: ordinary files alone.

A pipe keeps whoever opens it waiting for ever, a device gives bytes without end or does something
by merely being opened, and a folder is no file. A name in a graph, a dropped file or a sidecar can
lead to any of them.
"""

from __future__ import annotations

import errno
import os
import re
import stat
import sys
from io import BufferedReader, FileIO
from pathlib import Path

# Never wait for the other end of a pipe; no terminal becomes ours; no child process gets it.
_FLAGS = (
    os.O_RDONLY
    | getattr(os, "O_NONBLOCK", 0)
    | getattr(os, "O_NOCTTY", 0)
    | getattr(os, "O_CLOEXEC", 0)
    | getattr(os, "O_BINARY", 0)
)
_KINDS = (
    (stat.S_ISDIR, "a folder"),
    (stat.S_ISFIFO, "a pipe"),
    (stat.S_ISSOCK, "a socket"),
    (stat.S_ISCHR, "a device"),
    (stat.S_ISBLK, "a device"),
)
# Names that are devices in every folder, whatever suffix they have; pipes and bare devices.
# Source: "Naming Files, Paths, and Namespaces", Windows' documentation.
_DOS_DEVICE = re.compile(r"(con|prn|aux|nul|conin\$|conout\$|(com|lpt)[0-9¹²³]) *([.:]|$)", re.I)
_DOS_NAMESPACE = re.compile(r"[\\/]{2}([.]|[?](?![\\/]([a-z]:|unc)[\\/]))[\\/]", re.I)


class NotRegular(OSError):
    """What is no ordinary file; says what it is instead."""

    def __init__(self, what: str, path: Path | str) -> None:
        super().__init__(errno.EINVAL, f"it is {what}, not a file", str(path))
        self.what = what


def open_regular(path: Path | str) -> BufferedReader:
    """An ordinary file, to read its bytes; never waits. The caller closes it.

    Links are followed to what they lead to. Raises NotRegular for anything else than a file, other
    kinds of OSError where there is none or it may not be read, ValueError for a NUL in the name.
    """
    return BufferedReader(_opened(path))


def read_regular(path: Path | str, most: int) -> bytes:
    """All of an ordinary file of at most so many bytes.

    Raises what `open_regular` raises, and OSError (EFBIG) for a longer one, which is not read.
    """
    with _opened(path) as file:
        if os.fstat(file.fileno()).st_size > most:
            raise _too_long(path)
        pieces, left = [], most + 1  # it may grow meanwhile
        while left and (piece := file.read(min(left, 2**20))):
            pieces.append(piece)
            left -= len(piece)
    if not left:
        raise _too_long(path)
    return b"".join(pieces)


def is_device_name(path: Path | str) -> bool:
    """Whether Windows takes the name for a device or a pipe, wherever it stands."""
    text = str(path)
    last = re.split(r"[\\/]", text)[-1]
    return bool(_DOS_DEVICE.match(last) or _DOS_NAMESPACE.match(text))


def _opened(path: Path | str) -> FileIO:
    if sys.platform == "win32" and is_device_name(path):
        raise NotRegular("a device", path)
    _check(Path(path).stat(), path)  # before it is opened: that alone starts some devices
    handle = os.open(path, _FLAGS)
    try:
        found = os.fstat(handle)
        _check(found, path)  # another one may have its name by now
    except BaseException:
        os.close(handle)
        raise
    if not found.st_size:
        # What the kernel makes (/proc/kmsg) says that it is empty, and waits or has no end.
        os.close(handle)
        handle = os.open(os.devnull, _FLAGS)
    return FileIO(handle, "rb")


def _check(found: os.stat_result, path: Path | str) -> None:
    if not stat.S_ISREG(found.st_mode):
        what = next((name for is_one, name in _KINDS if is_one(found.st_mode)), "something else")
        raise NotRegular(what, path)


def _too_long(path: Path | str) -> OSError:
    return OSError(errno.EFBIG, "it is too long", str(path))
