"""The file that takes what the worker and its libraries print."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
from pathlib import Path
from typing import IO, Any

# The log begins again when it is longer than this; one older log is kept.
LOG_LIMIT = 4 * 2**20


class WorkerLog:
    """`path` None: what is printed is thrown away."""

    def __init__(self, path: Path | None) -> None:
        self.path = path
        self._file: IO[Any] | None = None

    def open(self) -> IO[Any] | int:
        """The file, for a process to write to; DEVNULL where there can be none."""
        if self._file is None and self.path is not None:
            with contextlib.suppress(OSError):  # what the worker prints is a help, not a need
                self.path.parent.mkdir(parents=True, exist_ok=True)
                if self.path.is_file() and self.path.stat().st_size > LOG_LIMIT:
                    self.path.replace(self._older)
                self._file = self.path.open("ab")
        return subprocess.DEVNULL if self._file is None else self._file

    def limit(self) -> None:
        """Begin again if it is too long: where it is, for the worker has the file open."""
        if self._file is None or self.path is None:
            return
        with contextlib.suppress(OSError):
            if os.fstat(self._file.fileno()).st_size > LOG_LIMIT:
                shutil.copyfile(self.path, self._older)
                self._file.truncate(0)
                self._file.seek(0)  # where the worker goes on, on systems that share the place

    def close(self) -> None:
        if self._file is not None:
            self._file.close()
            self._file = None

    @property
    def _older(self) -> Path:
        assert self.path is not None
        return self.path.with_suffix(".old.log")
