"""How much main memory there is for this process, limits of containers included; when the pages of
a mapped file come into it, and when they leave it.
"""

from __future__ import annotations

import ctypes
import mmap
import sys
from collections.abc import Iterator
from pathlib import Path

import psutil

_ROOT = Path("/sys/fs/cgroup")
# Above this a limit means none.
_NO_LIMIT = 2**60


def available() -> int:
    """Bytes that may still be taken; pages of files that can leave count as free."""
    free = int(psutil.virtual_memory().available)
    return min([free, *(limit - used for limit, used in groups())])


def total() -> int:
    """Bytes there are at all."""
    return min([int(psutil.virtual_memory().total), *(limit for limit, _ in groups())])


def give_back() -> None:
    """Hand the system what was freed and the C library keeps for the next time: after a large file
    half of what it took. Takes milliseconds, in which other threads go on."""
    if sys.platform == "linux" and (trim := getattr(ctypes.CDLL(None), "malloc_trim", None)):
        trim(0)


def groups(root: Path = _ROOT, own: Path = Path("/proc/self/cgroup")) -> list[tuple[int, int]]:
    """(limit, used) of every control group that this process is in, of both layouts.

    Source: Documentation/admin-guide/cgroup-v1 and cgroup-v2 of the Linux kernel.
    """
    found = []
    for folder in _folders(root, own):
        for limit, used in (
            ("memory.max", "memory.current"),
            ("memory.limit_in_bytes", "memory.usage_in_bytes"),
        ):
            try:
                pair = int((folder / limit).read_text()), int((folder / used).read_text())
            except (OSError, ValueError):  # no such layout, or "max": no limit
                continue
            if pair[0] < _NO_LIMIT:
                found.append((pair[0], max(0, pair[1] - pages_of_files(folder))))
    return found


def oom_kills(root: Path = _ROOT, own: Path = Path("/proc/self/cgroup")) -> int:
    """How many processes in the groups of this one the system has ended so far for lack of memory;
    0 where it does not count them."""
    count = 0
    for folder in _folders(root, own):
        for name in ("memory.events", "memory.oom_control"):  # of both layouts
            try:
                lines = (folder / name).read_text().splitlines()
            except OSError:
                continue
            pairs = [line.split() for line in lines]
            count += sum(int(pair[1]) for pair in pairs if pair[:1] == ["oom_kill"])
    return count


def pages_of_files(folder: Path) -> int:
    """Bytes of files in memory that count as used in a group but leave when asked."""
    try:
        lines = (folder / "memory.stat").read_text().splitlines()
    except OSError:
        return 0
    values = dict(line.split(maxsplit=1) for line in lines if " " in line)
    # Those of inner groups included, which v1 tells apart.
    total = "total_" if "total_inactive_file" in values else ""
    kinds = (f"{total}inactive_file", f"{total}active_file")
    return sum(int(values.get(kind, 0)) for kind in kinds)


def _folders(root: Path, own: Path) -> Iterator[Path]:
    """Those of the group of this process and of all around it; the outermost always."""
    try:
        lines = own.read_text().splitlines()
    except OSError:  # no Linux
        lines = []
    for tree, controllers in ((root / "memory", "memory"), (root, "")):
        yield tree
        for line in lines:
            _, named, path = [*line.split(":", 2), "", ""][:3]
            if controllers in named.split(",") and path.strip("/"):
                inner = tree / path.strip("/")
                around = inner.relative_to(tree).parts
                yield from (tree.joinpath(*around[: n + 1]) for n in range(len(around)))


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
