"""A file that is there whole, or as it was before: never half."""

from __future__ import annotations

import contextlib
import errno
import os
import secrets
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from ponystudio.errors import NotWritable, PonyStudioError, StorageFull


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

    A link is followed, so that what it points at is replaced and not the link. Raises NotWritable
    or StorageFull for any OSError in the block; the old file then still stands as it was.
    """
    target = Path(os.path.realpath(path))
    draft = target.with_name(f".{target.name}.{secrets.token_hex(4)}.tmp")
    try:
        try:
            with draft.open("xb") as file:
                yield file
                file.flush()
                os.fsync(file.fileno())
            if target.exists():
                draft.chmod(target.stat().st_mode & 0o777)
            draft.replace(target)
        except BaseException:
            draft.unlink(missing_ok=True)
            raise
    except OSError as error:
        raise write_error(error, path) from None
    flush_folder(target.parent)


def flush_folder(folder: Path) -> None:
    """Make the new name survive a power cut, where the platform can (Windows cannot)."""
    with contextlib.suppress(OSError):
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


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
