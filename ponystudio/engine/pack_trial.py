"""Node packs are tried in a process of their own before they are loaded.

A pack is anybody's code, and its modules run when they are imported: one may loop for ever, wait
for something that never comes, or end the process. Here that ends a process that does nothing else.
"""

from __future__ import annotations

import contextlib
import json
import os
import queue
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Sequence
from importlib.machinery import ModuleSpec
from typing import BinaryIO, cast

from ponystudio.engine.pack_source import PackSource
from ponystudio.system.own_program import own_command, working_folder

# Seconds in which a pack has to be loaded, or at least to begin to import another module; and in
# all. A slow disk takes many for one large library that was never read before.
QUIET, LONGEST = 30.0, 120.0
_BEAT, _DONE = b".", b"\n"


def unloadable(sources: Sequence[PackSource]) -> dict[str, str]:
    """By name those packs that are not to be loaded, and why. A pack that merely fails is none."""
    found: dict[str, str] = {}
    while sources:
        with _TrialProcess(sources) as trial:
            passed, error = trial.run()
        if error:
            found[sources[passed].name] = error
            passed += 1
        sources = sources[passed:]
    return found


class _TrialProcess:
    """A process that loads one pack after the other, and a thread that hears how far it is."""

    def __init__(self, sources: Sequence[PackSource]) -> None:
        self._count = len(sources)
        self._heard: queue.SimpleQueue[bytes] = queue.SimpleQueue()
        self._popen = subprocess.Popen(
            own_command("packs"),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            cwd=working_folder(),
            creationflags=getattr(subprocess, "CREATE_NO_WINDOW", 0),
        )
        self._listener = threading.Thread(target=self._listen, name="pack trial", daemon=True)
        self._listener.start()
        # Its end is told by the end of its input, too, so that it never outlives this process.
        with contextlib.suppress(BrokenPipeError):
            request = json.dumps([source.to_json() for source in sources])
            cast(BinaryIO, self._popen.stdin).write(request.encode() + b"\n")
            cast(BinaryIO, self._popen.stdin).flush()

    def run(self) -> tuple[int, str]:
        """How many packs were loaded, and what is wrong with the next one, if anything is."""
        said = self._heard.get()
        if not said:  # there can be no such process: they are loaded untried
            return self._count, ""
        passed, begun = 0, time.monotonic()
        while True:
            if not said:
                code = self._popen.wait()
                how = f"exit code {code}" if code >= 0 else f"signal {-code}"
                return passed, f"it ends the process that loads it ({how})"
            if _DONE in said:
                passed, begun = passed + said.count(_DONE), time.monotonic()
            elif time.monotonic() - begun > LONGEST:
                return passed, f"it was not loaded within {LONGEST:.0f} s"
            if passed == self._count:
                return passed, ""
            try:
                said = self._heard.get(timeout=QUIET)
            except queue.Empty:
                return passed, f"it was not loaded within {QUIET:.0f} s; perhaps it loops for ever"

    def __enter__(self) -> _TrialProcess:
        return self

    def __exit__(self, *_: object) -> None:
        self._popen.kill()
        self._popen.wait()
        self._listener.join(1.0)  # a child of a pack may have the pipe
        with contextlib.suppress(BrokenPipeError):
            cast(BinaryIO, self._popen.stdin).close()
        cast(BinaryIO, self._popen.stdout).close()

    def _listen(self) -> None:
        output = cast(BinaryIO, self._popen.stdout).fileno()
        with contextlib.suppress(OSError):
            while said := os.read(output, 4096):
                self._heard.put(said)
        self._heard.put(b"")


# --- In that process ------------------------------------------------------------------------------


def main() -> int:
    """Load what standard input names; never returns normally, for packs may leave threads."""
    told, asked = os.dup(1), os.fdopen(os.dup(0), "rb", buffering=0)
    nothing = os.open(os.devnull, os.O_RDWR)
    for stream in (0, 1, 2):
        os.dup2(nothing, stream)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # whoever asked ends this process
    _limit_work()
    os.write(told, _BEAT)  # from here on it is the packs that take their time
    request = asked.readline()
    threading.Thread(target=_end_with, args=(asked,), daemon=True).start()

    def beat() -> None:
        os.write(told, _BEAT)

    sys.meta_path.insert(0, _ImportBeat(beat))
    for data in json.loads(request):
        for _ in PackSource.from_json(data).load():
            beat()
        os.write(told, _DONE)
    os._exit(0)


class _ImportBeat:
    """Finds no module, but is asked for each: a pack that imports goes on."""

    def __init__(self, beat: Callable[[], None]) -> None:
        self._beat = beat

    def find_spec(self, *_: object) -> ModuleSpec | None:
        self._beat()
        return None


def _end_with(stream: BinaryIO) -> None:
    stream.read(1)
    os._exit(0)


def _limit_work() -> None:
    """A loop that lets no other thread of its process work is ended by the system, sooner or later:
    with whoever began it where that can be had."""
    if sys.platform != "win32":
        import resource

        seconds = int(LONGEST)
        with contextlib.suppress(ValueError, OSError):  # it is lower already
            resource.setrlimit(resource.RLIMIT_CPU, (seconds, seconds))
    if sys.platform == "linux":
        import ctypes

        ctypes.CDLL(None).prctl(1, signal.SIGKILL)  # PR_SET_PDEATHSIG
