"""A process seen from outside: what it says, how long it takes, and how much memory it takes for
itself, in a control group where a limit is asked for and can be set.
"""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

GROUPS = Path("/sys/fs/cgroup")
# Where groups are made, and the file that holds their limit, in both layouts.
LAYOUTS = ((GROUPS / "memory", "memory.limit_in_bytes"), (GROUPS, "memory.max"))


@dataclass(frozen=True)
class Measured:
    """`peak`: bytes of anonymous memory, which pages of mapped files are not. `limited`: whether it
    ran in a group of the limit that was asked for."""

    out: str
    error: str
    code: int
    seconds: float
    peak: int
    limited: bool


def measured(command: Sequence[object], limit: int = 0) -> Measured:
    """Run `python` with these arguments; `limit`: bytes of main memory for it, 0 for any."""
    with _group(limit) as group:

        def enter() -> None:
            if group is not None:
                (group / "cgroup.procs").write_text(str(os.getpid()))

        start = time.perf_counter()
        process = subprocess.Popen(
            [sys.executable, *map(str, command)],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            preexec_fn=enter,
            env={**os.environ, "HF_HUB_OFFLINE": "1"},
        )
        watch = _Watch(process.pid)
        watch.start()
        out, error = process.communicate()
        watch.join()
        seconds = time.perf_counter() - start
        return Measured(out, error, process.returncode, seconds, watch.peak, group is not None)


class _Watch(threading.Thread):
    """Looks at a process every 20 ms until it ends."""

    def __init__(self, pid: int) -> None:
        super().__init__(daemon=True)
        self.peak, self._status = 0, Path(f"/proc/{pid}/status")

    def run(self) -> None:
        while True:
            try:
                lines = self._status.read_text().splitlines()
            except OSError:
                return
            mine = [line for line in lines if line.startswith("RssAnon:")]
            if not mine:  # it has ended, and waits for its parent
                return
            self.peak = max(self.peak, int(mine[0].split()[1]) * 1024)
            time.sleep(0.02)


@contextmanager
def _group(limit: int) -> Iterator[Path | None]:
    """A new control group of that limit; None where there is no right to make one."""
    for root, file in LAYOUTS if limit else ():
        group = root / f"ponystudio-test-{os.getpid()}"
        try:
            group.mkdir()
        except OSError:
            continue
        try:
            (group / file).write_text(str(limit))
        except OSError:  # this layout does not govern memory
            group.rmdir()
            continue
        try:
            yield group
        finally:
            group.rmdir()
        return
    yield None
