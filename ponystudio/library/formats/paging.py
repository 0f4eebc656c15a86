"""When the pages of a mapped file come into memory, and when they leave it."""

from __future__ import annotations

import mmap
import sys

# What Python has no names for.
_PAGE_OUT = 21 if sys.platform == "linux" else None


def read_ahead(buffer: memoryview, start: int) -> None:
    """Have the system begin to read the pages of a buffer that begins at `start` of its map."""
    _advise(buffer, start, getattr(mmap, "MADV_WILLNEED", None))


def let_go(buffer: memoryview, start: int) -> None:
    """Give the pages of a buffer back, unless somebody wrote to them; they are read again when
    touched. Else the system would keep them, and drop others that are wanted sooner.
    """
    _advise(buffer, start, _PAGE_OUT)


def _advise(buffer: memoryview, start: int, advice: int | None) -> None:
    mapped = buffer.obj
    if advice is None or not isinstance(mapped, mmap.mmap) or not len(buffer):
        return
    first = start // mmap.PAGESIZE * mmap.PAGESIZE
    try:
        mapped.madvise(advice, first, start + len(buffer) - first)
    except OSError:
        pass  # advice may be declined
