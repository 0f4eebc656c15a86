"""What breaks a loop of starts that all end while the same thing is restored.

Whatever is restored when the program starts can keep it from ever coming up: a document that
freezes the window, a layout, a queue. So it is noted in a file before, and crossed out once the
window has drawn it and gone on for five seconds. What is found there at the next start is suspect:
it is held back and offered, as browsers do with tabs.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import os
import threading
import time
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Literal

import msgspec
from PySide6.QtCore import QObject, QTimer, Signal

from ponystudio.errors import PonyStudioError
from ponystudio.graph.atomic_write import make_folder, write_text

log = logging.getLogger(__name__)

# Seconds for which the event loop must go on after something was drawn.
SETTLED = 5.0
# Seconds after which what nobody has looked at yet, in a hidden window, counts as drawn.
UNSEEN = 1.0
# Milliseconds between two beats; a gap that is longer counts as two.
BEAT = 100
# Seconds that a thing waits for the one before it to be drawn.
TURN = 2 * UNSEEN
# From so many starts that failed with it on, a file is not opened by a start even if it is named.
REFUSED = 2


Kind = Literal["document", "file", "settings", "queue"]
Key = tuple[Kind, str]


@dataclass(frozen=True)
class Restored:
    """Something that is restored: `kind` and `id` say which, the rest what people know it by.

    `strikes` is how often it ended the program.
    """

    kind: Kind
    id: str
    title: str = ""
    path: str = ""
    strikes: int = 0

    @property
    def key(self) -> Key:
        return self.kind, self.id

    def is_same(self, other: Restored) -> bool:
        """Whether both are the same thing, or come from the same file."""
        return self.key == other.key or bool(self.path and self.path == other.path)


@dataclass
class _Trial:
    """Something that is being restored, and how long the loop has gone on since. No time counts
    while it is read, on whichever thread."""

    what: Restored
    is_read: bool = True
    is_drawn: bool = False
    is_seen: bool = False
    seconds: float = 0.0


class RestoreGuard(QObject):
    """`changed` when there may be fewer suspects. `file` None: it guards nothing.

    `begin` may be called on any thread. Where the file cannot be written, there is no guard, and
    nobody is kept from working.
    """

    changed = Signal()
    _begun = Signal()

    def __init__(self, file: Path | None, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._file = file
        self._lock = threading.Lock()
        self._trials: dict[Key, _Trial] = {}
        self._suspects: dict[Key, Restored] = {}
        self._handle: int | None = None
        self._is_closed = False
        self._last_beat = 0.0
        self._beat = QTimer(self, interval=BEAT)
        self._beat.timeout.connect(self._count)
        self._begun.connect(self._start_beating)
        self._begun.connect(self.changed)
        self._read()

    @property
    def suspects(self) -> tuple[Restored, ...]:
        """What was being restored when an earlier process ended, and has been held back since."""
        return tuple(self._suspects.values())

    def suspect(self, kind: Kind, id: str) -> Restored | None:
        return self._suspects.get((kind, id))

    def refuses(self, path: Path) -> bool:
        """Whether starts failed again and again with this file on, the last one too."""
        same = (s for s in self._suspects.values() if s.path == str(path))
        return any(s.strikes >= REFUSED for s in same)

    def begin(
        self,
        kind: Kind,
        id: str,
        title: str = "",
        path: str = "",
        *,
        is_read: bool = True,
        durable: bool = False,
    ) -> None:
        """This is about to be restored: if the program ends now, it is suspect. Whoever restores a
        suspect has been told to. `is_read` False: it is read first, however long that takes, then
        begun again or ended. `durable`: noted so that even a power cut does not undo it."""
        if self._file is None:
            return
        with self._lock:
            if self._is_closed:
                return
            what = Restored(kind, id, title, path)
            known = [*self._suspects.values(), *(trial.what for trial in self._trials.values())]
            strikes = [other.strikes for other in known if what.is_same(other)]
            what = replace(what, strikes=max(strikes, default=0))
            self._try(self._trials, what, is_read=is_read)
            self._append("begin", asdict(what), durable=durable)
        self._begun.emit()

    def drawn(self, kind: Kind, id: str, *, seen: bool = True) -> None:
        """It has been seen, or need not be yet: now the window has to go on for a while."""
        with self._lock:
            trial = self._trials.get((kind, id))
            if trial is not None and not (trial.is_drawn and trial.is_seen >= seen):
                trial.is_drawn, trial.is_seen, trial.seconds = True, seen, 0.0
                self._trials[kind, id] = self._trials.pop((kind, id))
                self._append("seen" if seen else "drawn", [kind, id])

    def end(self, kind: Kind, id: str) -> None:
        """It does no harm, or is gone."""
        with self._lock:
            if self._trials.pop((kind, id), None) is not None:
                self._append("end", [kind, id])
                self._shorten()

    def forgive(self, suspect: Restored) -> None:
        """It is suspect no more, since it is gone or somebody has decided so."""
        with self._lock:
            if self._suspects.pop(suspect.key, None) is None:
                return
            self._append("forgiven", list(suspect.key))
            self._shorten()
        self.changed.emit()

    async def turn(self) -> None:
        """Wait until what was begun before is drawn, so that it is clear what is at fault."""
        deadline = time.monotonic() + TURN
        while self._is_waited_for() and time.monotonic() < deadline:
            await asyncio.sleep(0.01)

    def close(self) -> None:
        """The program ends as it should: nothing of it is suspect, nor what is begun after."""
        self._beat.stop()
        with self._lock:
            self._is_closed = True
            for key in self._trials:
                self._append("end", list(key))
            self._trials.clear()
            self._shorten()
            if self._handle is not None:
                with contextlib.suppress(OSError):
                    os.close(self._handle)
                self._handle = None

    def _try(self, trials: dict[Key, _Trial], what: Restored, *, is_read: bool = True) -> None:
        """Begin a trial, the last one of all, which takes the place of what is the same."""
        for suspect in self.suspects:
            if what.is_same(suspect):
                del self._suspects[suspect.key]
        for trial in tuple(trials.values()):
            if what.is_same(trial.what):
                del trials[trial.what.key]
        trials[what.key] = _Trial(what, is_read)

    def _is_waited_for(self) -> bool:
        return any(not trial.is_drawn for trial in tuple(self._trials.values()))

    # --- The heart --------------------------------------------------------------------------------

    def _start_beating(self) -> None:
        if not self._beat.isActive():
            self._last_beat = time.monotonic()
            self._beat.start()

    def _count(self) -> None:
        now = time.monotonic()
        step, self._last_beat = min(now - self._last_beat, 2 * BEAT / 1000), now
        for key, trial in tuple(self._trials.items()):
            trial.seconds += step if trial.is_read else 0.0
            if trial.is_drawn and trial.seconds >= SETTLED:
                self.end(*key)
            elif not trial.is_drawn and trial.seconds >= UNSEEN:
                self.drawn(*key, seen=False)
        if not self._trials:
            self._beat.stop()

    # --- The file: a line of JSON for whatever happens --------------------------------------------

    def _read(self) -> None:
        """What was begun when the program ended, and was not crossed out."""
        try:
            data = b"" if self._file is None else self._file.read_bytes()
        except OSError:
            return
        trials: dict[Key, _Trial] = {}
        for line in data.splitlines():
            try:
                self._play(trials, *json.loads(line))
            except (ValueError, TypeError, LookupError, RecursionError, msgspec.MsgspecError):
                break  # torn, or of another version
        for trial in _at_fault([*trials.values()]):
            what = replace(trial.what, strikes=trial.what.strikes + 1)
            self._suspects[what.key] = what
        if data:
            self._rewrite()

    def _play(self, trials: dict[Key, _Trial], did: str, what: Any) -> None:
        if did in ("begin", "suspect"):
            restored = msgspec.convert(what, Restored)
            if did == "begin":
                self._try(trials, restored)
            else:
                self._suspects[restored.key] = restored
            return
        key = (what[0], what[1])
        if did in ("drawn", "seen"):
            if key not in trials:
                return  # the disk did not take that it was begun
            trial = trials[key] = trials.pop(key)
            trial.is_drawn, trial.is_seen = True, did == "seen"
        elif did == "end":
            trials.pop(key, None)
        elif did == "forgiven":
            self._suspects.pop(key, None)

    def _append(self, did: str, what: Any, *, durable: bool = False) -> None:
        assert self._file is not None
        try:
            if self._handle is None:
                make_folder(self._file.parent)
                flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND
                self._handle = os.open(self._file, flags, 0o600)
            _write_whole(self._handle, json.dumps([did, what]).encode("ascii") + b"\n")
            if durable:
                os.fsync(self._handle)
        except OSError as error:
            log.info("What is restored cannot be noted: %s", error)

    def _shorten(self) -> None:
        """Once nothing is begun the file is empty, or says who is suspect."""
        if self._handle is not None and not (self._trials or self._suspects):
            with contextlib.suppress(OSError):
                os.ftruncate(self._handle, 0)

    def _rewrite(self) -> None:
        assert self._file is not None
        lines = [json.dumps(["suspect", asdict(suspect)]) + "\n" for suspect in self.suspects]
        with contextlib.suppress(OSError, PonyStudioError):
            write_text(self._file, "".join(lines))


def _write_whole(handle: int, line: bytes) -> None:
    """Append the whole line or, on a full disk, nothing of it: half a line would hide all that
    comes after it."""
    size = os.fstat(handle).st_size
    try:
        while line:
            line = line[os.write(handle, line) :]
    except OSError:
        os.ftruncate(handle, size)
        raise


def _at_fault(trials: list[_Trial]) -> list[_Trial]:
    """Those that had not been drawn; else what had been seen last, which was in front. The look,
    with which all begins, only where nothing came after it."""
    later = [trial for trial in trials if trial.what.kind != "settings"]
    return (
        [trial for trial in later if not trial.is_drawn]
        or [trial for trial in later if trial.is_seen][-1:]
        or later
        or trials
    )
