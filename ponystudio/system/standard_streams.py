"""The streams that a program is given: one may be closed, lead nowhere, or take no more."""

from __future__ import annotations

import contextlib
import io
import os
import select
import sys
from typing import IO, Any, cast


def secure() -> None:
    """Have standard input, output and error lead somewhere, and no failure of theirs be in the way.

    A stream that is closed leads nowhere from now on: else the next file that is opened would take
    its number, and with it what a library prints. What standard error does not take is lost in
    silence, since nobody is left to be told. When standard output takes no more, that is raised as
    OSError once, and kept for `lost_output`; after it all is lost in silence.
    """
    for number in (0, 1, 2):
        _open_if_closed(number)
    if sys.stdin is None:
        sys.stdin = cast(Any, os.fdopen(0, closefd=False))
    if sys.stdout is sys.__stdout__:
        sys.stdout = _safe(sys.stdout, 1, tells=True)
    if sys.stderr is sys.__stderr__:
        sys.stderr = _safe(sys.stderr, 2, tells=False)


def lost_output() -> OSError | None:
    """Why standard output took no more, if so."""
    outlet = getattr(getattr(sys.stdout, "buffer", None), "raw", None)
    if not isinstance(outlet, _Outlet):
        return None
    with contextlib.suppress(OSError):  # so that it is noticed here
        sys.stdout.flush()
    return outlet.lost


def _open_if_closed(number: int) -> None:
    try:
        os.fstat(number)
    except OSError:
        nothing = os.open(os.devnull, os.O_RDWR)
        if nothing != number:
            os.dup2(nothing, number)
            os.close(nothing)


def _safe(stream: Any, number: int, *, tells: bool) -> Any:
    if stream is None:
        raw: Any = io.FileIO(number, "w", closefd=False)
    else:
        raw = stream.buffer.raw if hasattr(stream.buffer, "raw") else stream.buffer
    unbuffered = getattr(stream, "write_through", False)  # as PYTHONUNBUFFERED wants it
    return io.TextIOWrapper(
        io.BufferedWriter(_Outlet(raw, tells), 1 if unbuffered else io.DEFAULT_BUFFER_SIZE),
        encoding=getattr(stream, "encoding", "utf-8"),
        # A name that is no text in the terminal's encoding must not stop a run.
        errors="backslashreplace",
        line_buffering=unbuffered or getattr(stream, "line_buffering", False),
        write_through=unbuffered,
    )


class _Outlet(io.RawIOBase):
    """A file that is written to until it takes no more; `lost` says why."""

    def __init__(self, raw: IO[bytes], tells: bool) -> None:
        self._raw, self._tells = raw, tells
        self.lost: OSError | None = None
        self.name, self.mode = getattr(raw, "name", ""), "wb"

    def write(self, data: Any) -> int:
        if self.lost is None:
            try:
                while (count := self._raw.write(data)) is None:  # a pipe that does not block
                    select.select([], [self._raw], [])
                return count
            except OSError as error:
                self.lost = error
                if self._tells:
                    raise
        return len(data)

    def writable(self) -> bool:
        return True

    def fileno(self) -> int:
        return self._raw.fileno()

    def isatty(self) -> bool:
        return self._raw.isatty()
