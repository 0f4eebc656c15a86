"""A bound on what a node may allocate in main memory, so that running short is an error.

Linux hands out memory that it does not have and kills whoever uses it; under the limit an
allocation beyond what the machine, or the container, still has fails at once, and a fallback can be
tried.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ponystudio.system.main_memory import available

# For the interpreter and other threads, which must go on when a node may not.
MARGIN = 256 * 2**20


class AllocationLimit:
    """Not for runs on GPUs: their drivers reserve far more addresses than they use."""

    def __init__(self, *, active: bool) -> None:
        self._active = active and sys.platform == "linux"
        self._enforced = False

    @contextmanager
    def enforced(self) -> Iterator[None]:
        """Within it, no more can be allocated than is there now."""
        if not self._active:
            yield
            return
        with self._limited(_data_size() + max(available() - MARGIN, MARGIN)):
            self._enforced = True
            try:
                yield
            finally:
                self._enforced = False

    @contextmanager
    def suspended(self) -> Iterator[None]:
        """Inside `enforced`: mapping a file allocates nothing, yet counts; it is forgiven here."""
        if not self._enforced:
            yield
            return
        import resource

        soft, hard = resource.getrlimit(resource.RLIMIT_DATA)
        before = _data_size()
        resource.setrlimit(resource.RLIMIT_DATA, (hard, hard))
        try:
            yield
        finally:
            grown = max(0, _data_size() - before)
            resource.setrlimit(resource.RLIMIT_DATA, (_lower(soft + grown, hard), hard))

    @contextmanager
    def _limited(self, limit: int) -> Iterator[None]:
        import resource

        soft, hard = resource.getrlimit(resource.RLIMIT_DATA)
        resource.setrlimit(resource.RLIMIT_DATA, (_lower(limit, hard), hard))
        try:
            yield
        finally:
            resource.setrlimit(resource.RLIMIT_DATA, (soft, hard))


def _lower(limit: int, hard: int) -> int:
    return limit if hard < 0 else min(limit, hard)  # below 0: unlimited


def _data_size() -> int:
    """Bytes of writable private memory of this process, as the system counts them."""
    import resource

    return int(Path("/proc/self/statm").read_text().split()[5]) * resource.getpagesize()
