"""A file that is there whole, or as it was before: never half, whatever fails and whenever."""

from __future__ import annotations

import contextlib
import errno
import os
import re
import secrets
import shutil
import stat
import sys
import time
from collections.abc import Iterator
from itertools import takewhile
from pathlib import Path
from typing import BinaryIO

from ponystudio.errors import NotWritable, PonyStudioError, StorageFull

if sys.platform != "win32":
    import fcntl

# What a name may have of bytes nearly everywhere, less what a draft's name adds.
_LONGEST_NAME = 255 - len("..01234567.ponystudio.tmp.webp") - len("..01234567.ponystudio.tmp")
# Other programs, too, name their drafts by hexadecimal numbers.
_DRAFT = re.compile(r"\.(.+)\.[0-9a-f]{8}\.ponystudio\.tmp(\.\w+)?", re.DOTALL)
# Seconds in which a draft that nobody has locked may still be about to be.
_YOUNG = 10.0
# What says that a folder cannot be synced here, rather than that syncing it failed.
_NO_SYNC = (errno.EINVAL, errno.ENOTSUP, errno.EOPNOTSUPP, errno.EACCES, errno.EPERM, errno.EISDIR)


def write_text(path: Path, text: str) -> None:
    """Write text to `path` as UTF-8, in the manner of `write_bytes`."""
    write_bytes(path, text.encode("utf-8"))


def write_bytes(path: Path, data: bytes) -> None:
    """Write `data` to `path`, in the manner of `writing`."""
    with writing(path) as file:
        file.write(data)


@contextlib.contextmanager
def writing(path: Path) -> Iterator[BinaryIO]:
    """A neighbouring file to write to, which takes the place of `path` at the end of the block.

    When the block has ended without an error, the new file survives a power cut. A link is
    followed, so that what it points at is replaced and not the link. Raises NotWritable or
    StorageFull for any OSError: then the old file stands as it was, unless only the last step
    failed, when the new one stands there whole but may be gone after a power cut.
    """
    target = Path(os.path.realpath(path))
    draft = draft_beside(target)
    try:
        try:
            with draft.open("xb") as file:
                _lock(file.fileno())
                # Before anybody could read what only its owner may; it may be gone by now.
                with contextlib.suppress(FileNotFoundError):
                    draft.chmod(target.stat().st_mode & 0o777)
                yield file
                file.flush()
                os.fsync(file.fileno())
            draft.replace(target)
        except BaseException:
            with contextlib.suppress(OSError):  # else what went wrong first would not be told
                draft.unlink(missing_ok=True)
            raise
    except OSError as error:
        raise write_error(error, path) from None
    try:
        sync_folder(target.parent)
    except OSError as error:
        raise NotWritable(
            f"The file is written, but the disk does not keep its name: {error.strerror or error}.",
            where=str(path),
            remedy="Write it once more, or into a folder on another disk.",
        ) from None


def check_room(path: Path, size: int) -> None:
    """Raise StorageFull where a file of so many bytes will not fit, as far as one can tell."""
    if path.parent.is_dir() and shutil.disk_usage(path.parent).free < size:
        raise StorageFull(
            f"{size:,} bytes are needed, and there is less space left.",
            where=str(path),
            remedy="Free some space or choose another folder.",
        )


def draft_beside(target: Path, suffix: str = "") -> Path:
    """A name for what is to become a file, which `sweep_drafts` knows; `suffix` is for writers that
    go by it."""
    return target.with_name(f".{_stem(target)}.{secrets.token_hex(4)}.ponystudio.tmp{suffix}")


def sync_folder(folder: Path) -> None:
    """Make the names in it survive a power cut, where the platform can (Windows cannot).

    Raises OSError where it can and that failed."""
    try:
        handle = os.open(folder, os.O_RDONLY)
    except OSError as error:
        if error.errno in _NO_SYNC:
            return
        raise
    try:
        os.fsync(handle)
    except OSError as error:
        if error.errno not in _NO_SYNC:
            raise
    finally:
        os.close(handle)


def make_folder(folder: Path) -> None:
    """Make a folder, and those above it, that survive a power cut. Raises OSError."""
    made = list(takewhile(lambda each: not each.exists(), (folder, *folder.parents)))
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for each in made:
            sync_folder(each.parent)
    except OSError:
        for each in made:  # so that another try does all of it again
            with contextlib.suppress(OSError):
                each.rmdir()
        raise


def sweep_drafts(folder: Path, target: Path | None = None) -> None:
    """Remove what writers that were killed have left in a folder, of all files or of one in it,
    whose links are followed.

    Whoever writes a draft holds a lock on it, or does not take long; only what is ours, and
    nobody's any more, goes."""
    if sys.platform == "win32":  # a draft there cannot be told from one that is being written
        return
    if target is not None:
        target = Path(os.path.realpath(target))
        folder = target.parent
    try:
        with os.scandir(folder) as entries:
            found = [Path(entry.path) for entry in entries if _DRAFT.fullmatch(entry.name)]
    except OSError:
        return
    for path in found:
        match = _DRAFT.fullmatch(path.name)
        if match and (target is None or match[1] == _stem(target)):
            with contextlib.suppress(OSError):
                _remove_if_left(path)


def _remove_if_left(draft: Path) -> None:
    status = draft.lstat()
    if not stat.S_ISREG(status.st_mode) or status.st_uid != os.getuid() or status.st_nlink != 1:
        return
    if not time.time() - status.st_mtime > _YOUNG:
        return
    handle = os.open(draft, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    try:
        if os.path.samestat(status, os.fstat(handle)):
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)  # raises if its writer lives
            draft.unlink()
    finally:
        os.close(handle)


def _lock(handle: int) -> None:
    """Tell others that the draft has a writer, where files can be locked."""
    if sys.platform != "win32":
        with contextlib.suppress(OSError):
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)


def _stem(target: Path) -> str:
    """What of a file's name its drafts have."""
    stem = target.name
    while len(os.fsencode(stem)) > _LONGEST_NAME:
        stem = stem[:-1]
    return stem


def write_error(error: OSError, path: Path) -> PonyStudioError:
    """The error of ours that says what the system's means for the user."""
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return StorageFull(
            "There is no space left to write the file.",
            where=str(path),
            remedy="Free some space or choose another folder.",
        )
    if error.errno == errno.ENOENT and not path.parent.exists():
        return NotWritable(
            "The file cannot be written: its folder is not there.",
            where=str(path),
            remedy=f"Make the folder {path.parent}, or choose another.",
        )
    return NotWritable(
        f"The file cannot be written: {error.strerror or error}.",
        where=str(path),
        remedy="Choose a folder that you may write to.",
    )
