"""Pictures, and what is written in them, by way of a process that may do nothing else.

A picture is a program for its decoder, and strangers write it. So neither the window nor the worker
decodes one: `pictures.reader_main` does, in a process without rights, within a deadline and within
the memory that is free. It is started when the first picture is asked for, ended when it takes too
long, and started again.

Importing this loads neither Pillow nor numpy.
"""

from __future__ import annotations

import atexit
import contextlib
import logging
import os
import signal
import socket
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from operator import methodcaller
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, NamedTuple, TypeVar, cast

import msgspec
import psutil

from ponystudio.errors import DamagedFile, MissingFile, UnreadFile
from ponystudio.pictures import reader_protocol as protocol
from ponystudio.pictures.picture_bytes import KNOWN
from ponystudio.pictures.reader_protocol import (
    HEAD,
    MAX_CONTENT,
    MAX_FILE,
    MAX_MESSAGE,
    MAX_PIXELS,
    PictureFacts,
    PictureFields,
    PictureHead,
    PicturePixels,
    PictureRefused,
    PictureVectors,
    ReaderReady,
    ReadFacts,
    ReadFields,
    ReadHead,
    ReadLevels,
    ReadPixels,
    ReadSidecar,
    ReadThumbnail,
    ReadVectors,
    SidecarNotes,
)
from ponystudio.pictures.reader_rights import MemoryLimit
from ponystudio.system.main_memory import available
from ponystudio.system.own_program import own_command
from ponystudio.system.regular_file import NotRegular, open_regular

if TYPE_CHECKING:
    import numpy as np

# As many processes at most; a picture that takes long keeps one of them.
PROCESSES = 2
# Of the memory that is free, as much may go into one picture; and so much always may.
SHARE, LEAST_MEMORY = 0.5, 256 * 2**20
# For so many seconds.
FRESH = 0.5
# A process that has kept more than this is ended, so that the memory is free again.
MOST_KEPT = 512 * 2**20
START_TIMEOUT = 60.0
START_ATTEMPTS = 3
# Seconds of its own work for what is small or told by headers, and for a whole picture; and bytes
# of the file a second on top, up to so many seconds in all. A busy machine may take some more.
SMALL, WHOLE = (2.0, 20e6, 10.0), (10.0, 4e6, 120.0)
BUSY = 5
# Of glibc: what one picture took is kept for the next one, up to 64 MB; to get it from the system
# anew costs a fifth of the time that a thumbnail takes.
_ENVIRONMENT = {
    "OMP_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
    "MALLOC_MMAP_THRESHOLD_": str(2**25),
    "MALLOC_TRIM_THRESHOLD_": str(2**26),
    "MALLOC_TOP_PAD_": str(2**24),
}

log = logging.getLogger(__name__)
Into = Callable[[PicturePixels], memoryview]
T = TypeVar("T")


class PictureLevels(NamedTuple):
    """`levels`: float32 [H,W,4] in 0..1, red, green, blue and alpha, that 1 where opaque; `notes`
    are sentences for the user on what was done to the colours."""

    levels: np.ndarray
    notes: tuple[str, ...]


def read_fields(path: Path) -> dict[str, str]:
    """The texts that a picture carries, by name. {} for what is no picture.

    Raises MissingFile, and DamagedFile if the file cannot be read at all.
    """
    answer, _ = _ask(path, ReadFields, PictureFields, SMALL)
    return answer.fields


def read_facts(path: Path) -> PictureFacts:
    """How a picture was made, and how large it is; otherwise as `read_fields`."""
    return _ask(path, ReadFacts, PictureFacts, SMALL)[0]


def read_head(path: Path) -> PictureHead:
    """Which kind of picture a file is and how large, without decoding it.

    Raises MissingFile, and DamagedFile for what is no picture.
    """
    return _ask(path, ReadHead, PictureHead, SMALL)[0]


def read_thumbnail(
    source: Path | bytes, side: int, into: Into, *, fill: bool = False
) -> PicturePixels:
    """A picture, of a file or as its content, as ReadThumbnail has it.

    Its bytes go where `into` says. Raises MissingFile, DamagedFile.
    """
    answer, _ = _ask(source, ReadThumbnail, PicturePixels, SMALL, into, side=side, fill=fill)
    return answer


def read_pixels(source: Path | bytes, into: Into, *, most: int = 2**62) -> PicturePixels:
    """All of a picture as ReadPixels has it; otherwise as `read_thumbnail`."""
    return _ask(source, ReadPixels, PicturePixels, WHOLE, into, most=most)[0]


def read_levels(path: Path, *, keep_colours: bool = False) -> PictureLevels:
    """A picture in sRGB, or with `keep_colours` with the numbers that the file has.

    16 bits a channel are kept, the orientation in EXIF is applied, grey becomes three channels,
    of an animation the first picture is taken. Raises MissingFile, and DamagedFile for what is no
    picture and for one that does not fit into the memory.
    """
    import numpy as np

    arrays: list[np.ndarray] = []

    def into(pixels: PicturePixels) -> memoryview:
        # With the 16 bytes a pixel that it becomes.
        _check_room(pixels.nbytes + 16 * pixels.width * pixels.height)
        arrays.append(np.empty(pixels.nbytes, np.uint8))
        return arrays[0].data

    told, _ = _ask(path, ReadLevels, PicturePixels, WHOLE, into, keep_colours=keep_colours)
    shape = (told.height, told.width, told.channels)
    numbers = arrays[0].view(f"<{told.numbers}").reshape(shape)
    most = {"u1": 255, "u2": 65535, "f4": 1}[told.numbers]
    levels = np.ones((told.height, told.width, 4), np.float32)
    colours = numbers[..., : 1 if told.channels < 3 else 3]
    np.divide(colours, np.float32(most), out=levels[..., :3])
    if told.channels in (2, 4):
        np.divide(numbers[..., -1], np.float32(most), out=levels[..., 3])
    return PictureLevels(_turned(levels, told.orientation), told.notes)


def read_vectors(path: Path) -> dict[str, np.ndarray]:
    """The textual inversion in a picture: float32 [n,width] by name; {} if there is none.

    Raises MissingFile, DamagedFile.
    """
    import numpy as np

    told, raw = _ask(path, ReadVectors, PictureVectors, SMALL)
    arrays, place = {}, 0
    for name, (count, width) in told.shapes.items():
        end = place + 4 * count * width
        arrays[name] = np.frombuffer(raw[place:end], "<f4").reshape(count, width)
        place = end
    return arrays


def read_sidecar(path: Path) -> SidecarNotes:
    """What the notes beside a model file say. Raises MissingFile, DamagedFile."""
    return _ask(path, ReadSidecar, SidecarNotes, SMALL)[0]


def protections() -> tuple[str, ...]:
    """What the reader may not do here, in words. Raises DamagedFile where it cannot be started."""
    try:
        with pool.process() as process:
            return process.given_up
    except _Refused as refused:
        raise _cannot(str(refused), "") from None


def close() -> None:
    """End the processes there are; the next picture starts one again."""
    pool.close()


def _turned(levels: np.ndarray, orientation: int) -> np.ndarray:
    """[H,W,C] upright, by what the orientations of EXIF mean."""
    if orientation in (5, 6, 7, 8):
        levels = levels[::-1] if orientation in (6, 7) else levels
        levels = levels[:, ::-1] if orientation in (7, 8) else levels
        return levels.transpose(1, 0, 2)
    levels = levels[::-1] if orientation in (3, 4) else levels
    return levels[:, ::-1] if orientation in (2, 3) else levels


class FreeMemory:
    """As it was a moment ago at most: to ask the system takes as long as reading a small text."""

    def __init__(self) -> None:
        self._bytes, self._until = 0, 0.0

    def bytes(self) -> int:
        if time.monotonic() >= self._until:
            self._bytes, self._until = available(), time.monotonic() + FRESH
        return self._bytes


free_memory = FreeMemory()


def _check_room(needed: int) -> None:
    free = available()
    if needed > free:
        raise _Refused(
            f"it takes {needed / 2**30:.1f} GiB, and {free / 2**30:.1f} GiB of memory are free"
        )


# --- One question ---------------------------------------------------------------------------------


class _Refused(Exception):
    """Why there is no answer, for after "The picture cannot be read: "."""


class _Died(Exception):
    """The process has ended before it answered."""


def _ask(
    source: Path | bytes,
    request: type[protocol.ReaderRequest],
    wanted: type[T],
    deadline: tuple[float, float, float],
    into: Into | None = None,
    **values: Any,
) -> tuple[T, bytes]:
    where = str(source) if isinstance(source, Path) else ""
    try:
        with _content(source) as file:
            size = len(file) if isinstance(file, bytes) else os.fstat(file.fileno()).st_size
            base, rate, most = deadline
            seconds = min(base + size / rate, most)
            memory = max(LEAST_MEMORY, int(free_memory.bytes() * SHARE))
            handed = not isinstance(file, bytes) and pool.hands_over
            if size > (MAX_FILE if handed else MAX_CONTENT):
                raise _Refused(f"it has {size / 2**30:,.0f} GiB")
            if not isinstance(file, bytes) and not handed:
                file = file.read(MAX_CONTENT)
            asked = request(memory=memory, seconds=seconds, fd=handed, **values)
            with pool.process() as process:
                answer, raw = process.ask(asked, file, seconds, into)
    except FileNotFoundError:
        raise MissingFile("There is no such file.", where=where) from None
    except NotRegular as error:
        raise _cannot(f"it is {error.what}, not a file", where, DamagedFile) from None
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        raise _cannot(reason, where) from None
    except _Refused as refused:
        raise _cannot(str(refused), where) from None
    except MemoryError:
        raise _cannot("it takes more memory than is free", where) from None
    if isinstance(answer, PictureRefused):
        raise _cannot(answer.reason, where, UnreadFile if answer.passing else DamagedFile)
    if not isinstance(answer, wanted):
        raise _cannot("its reader makes no sense", where)
    return answer, raw


@contextmanager
def _content(source: Path | bytes) -> Iterator[BinaryIO | bytes]:
    if isinstance(source, bytes):
        yield source
        return
    with open_regular(source) as file:
        yield file


def _cannot(reason: str, where: str, kind: type[DamagedFile] = UnreadFile) -> DamagedFile:
    remedy = "" if KNOWN in reason else KNOWN
    reason = reason.rstrip(".")
    return kind(f"The picture cannot be read: {reason}.", where=where, remedy=remedy)


# --- The processes --------------------------------------------------------------------------------


def reader_command(*options: str) -> list[str]:
    """How a reader is started."""
    return own_command("reader", *options)


# How it ends by itself after so much work; Windows knows no such way.
_OUT_OF_TIME = -getattr(signal, "SIGPROF", 0) or None


class _Process:
    """One reader, asked one thing at a time."""

    def __init__(self, *options: str) -> None:
        """Start it and wait until it is ready. Raises OSError, _Died, _Refused."""
        self._socket: socket.socket | None = None
        theirs: Any = subprocess.PIPE
        if ReaderPool.hands_over:
            self._socket, theirs = socket.socketpair()
            self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 2**20)
            theirs.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 2**20)
        try:
            self.popen = subprocess.Popen(
                reader_command(*options),
                stdin=theirs,
                stdout=subprocess.PIPE if self._socket is None else subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                env={**os.environ, **_ENVIRONMENT},
                creationflags=getattr(subprocess, "CREATE_NO_WINDOW", 0),
            )
        except BaseException:
            if self._socket is not None:
                self._socket.close()
            raise
        finally:
            if isinstance(theirs, socket.socket):
                theirs.close()
        try:
            self._memory = MemoryLimit(self.popen)
            self._measured = psutil.Process(self.popen.pid)
            self._deadline = _Deadline(self._measured, START_TIMEOUT)
            answer, _ = self._receive(None)
            if not isinstance(answer, ReaderReady):
                raise _Died
        except BaseException:
            self.end()
            raise
        self.given_up = answer.given_up
        self._kept = self._memory.resident + MOST_KEPT

    @property
    def is_usable(self) -> bool:
        return self.popen.poll() is None and self._memory.resident <= self._kept

    def ask(
        self,
        asked: protocol.ReaderRequest,
        file: BinaryIO | bytes,
        seconds: float,
        into: Into | None,
    ) -> tuple[Any, bytes]:
        """The answer, and its raw bytes unless `into` has taken them.

        Raises _Refused for what takes too long or ends it: after that it is gone.
        """
        self._memory.allow(asked.memory)
        self._deadline = _Deadline(self._measured, seconds)
        try:
            self._send(asked, file)
            return self._receive(into)
        except _Died:
            self.end()
            if self._deadline.passed or self.popen.returncode == _OUT_OF_TIME:
                raise _Refused(f"that takes longer than {seconds:.0f} seconds") from None
            raise _Refused("its decoder has failed, perhaps for lack of memory") from None
        except BaseException:  # in the middle of a frame: nothing can follow
            self.end()
            raise

    def end(self) -> None:
        """At once, whatever it is doing; waits for its end."""
        self.popen.kill()
        for stream in (self._socket, self.popen.stdin, self.popen.stdout):
            if stream is not None:
                with contextlib.suppress(OSError):
                    stream.close()
        self.popen.wait()
        self._memory.close()

    def _send(self, asked: protocol.ReaderRequest, file: BinaryIO | bytes) -> None:
        content = file if isinstance(file, bytes) else b""
        frame = protocol.packed(cast(protocol.Request, asked), len(content))
        try:
            if self._socket is None:
                pipe = cast(BinaryIO, self.popen.stdin)
                with self._deadline.enforced():
                    pipe.write(frame + content)
                    pipe.flush()
                return
            handles = [] if isinstance(file, bytes) else [file.fileno()]
            sent = self._patiently(lambda link: socket.send_fds(link, [frame], handles))
            rest = memoryview(frame + content)[sent:]
            while rest:
                rest = rest[self._patiently(methodcaller("send", rest)) :]
        except OSError:
            raise _Died from None

    def _receive(self, into: Into | None) -> tuple[Any, bytes]:
        length, size = HEAD.unpack(self._exactly(HEAD.size))
        if length > MAX_MESSAGE or size > 16 * MAX_PIXELS:
            raise _Died
        try:
            answer = protocol.answer(self._exactly(length))
        except msgspec.MsgspecError:
            raise _Died from None
        if isinstance(answer, PicturePixels):
            if answer.nbytes != size or answer.width * answer.height > MAX_PIXELS or into is None:
                raise _Died
            self._fill(into(answer))
            return answer, b""
        most = 0
        if isinstance(answer, PictureVectors):
            most = sum(4 * abs(count * width) for count, width in answer.shapes.values())
        if size != most or size > MAX_MESSAGE:
            raise _Died
        return answer, bytes(self._exactly(size))

    def _exactly(self, count: int) -> bytearray:
        data = bytearray(count)
        self._fill(memoryview(data))
        return data

    def _fill(self, view: memoryview) -> None:
        view = view.cast("B")
        try:
            while view:
                if self._socket is None:
                    pipe = cast(Any, self.popen.stdout)
                    with self._deadline.enforced():
                        taken = pipe.readinto1(view)
                else:
                    taken = self._patiently(methodcaller("recv_into", view))
                if not taken:
                    raise _Died
                view = view[taken:]
        except (OSError, ValueError):  # ValueError: closed by `end`
            raise _Died from None

    def _patiently(self, call: Callable[[socket.socket], int]) -> int:
        link = cast(socket.socket, self._socket)
        while True:
            try:
                link.settimeout(self._deadline.slice)
                return call(link)
            except TimeoutError:
                if self._deadline.has_passed():
                    raise _Died from None


class _Deadline:
    """For a process: so many seconds of its own work, and some more on a busy machine."""

    def __init__(self, process: psutil.Process, seconds: float) -> None:
        self._process, self._seconds = process, seconds
        self._begun = time.monotonic()
        self._worked = self._work()
        self.passed = False

    @property
    def slice(self) -> float:
        """Seconds until it is to be looked at again."""
        left = self._begun + self._seconds - time.monotonic()
        return max(left, 0.1)

    def has_passed(self) -> bool:
        waited = time.monotonic() - self._begun
        worked = self._work() - self._worked
        self.passed = waited > BUSY * self._seconds or (
            waited > self._seconds and worked > 0.9 * self._seconds
        )
        return self.passed

    @contextmanager
    def enforced(self) -> Iterator[None]:
        """For a call that cannot be given a time: the process is killed, and the call ends."""

        def look() -> None:
            while not done.wait(self.slice):
                if self.has_passed():
                    with contextlib.suppress(psutil.Error):
                        self._process.kill()
                    return

        done = threading.Event()
        thread = threading.Thread(target=look, name="picture deadline", daemon=True)
        thread.start()
        try:
            yield
        finally:
            done.set()
            thread.join()

    def _work(self) -> float:
        """Seconds of processor that it has taken; where that is not known, those of the clock."""
        try:
            times = self._process.cpu_times()
        except psutil.Error:
            return time.monotonic()
        return float(times.user + times.system)


class ReaderPool:
    """The processes there are; whoever asks waits until one is free."""

    # Whether an open file can be handed to another process; else its content is sent.
    hands_over = hasattr(socket, "send_fds")

    def __init__(self) -> None:
        self._free: list[_Process] = []
        self._all: set[_Process] = set()
        self._starting = 0
        self._changed = threading.Condition()

    @contextmanager
    def process(self) -> Iterator[_Process]:
        process = self._taken()
        try:
            yield process
        finally:
            with self._changed:
                if process in self._all and process.is_usable:
                    self._free.append(process)
                    gone = False
                else:
                    self._all.discard(process)
                    gone = True
                self._changed.notify()
            if gone:
                process.end()

    def _taken(self) -> _Process:
        with self._changed:
            while not self._free and len(self._all) + self._starting >= PROCESSES:
                self._changed.wait()
            while self._free:
                process = self._free.pop()
                if process.is_usable:
                    return process
                self._all.discard(process)
                process.end()
            self._starting += 1
        try:
            process = self._started()
        finally:
            with self._changed:
                self._starting -= 1
                self._changed.notify()
        with self._changed:
            self._all.add(process)
        return process

    def _started(self) -> _Process:
        reason = "its reader ends as soon as it is started"
        for attempt in range(START_ATTEMPTS):
            # Some system may refuse what decoding takes: less confined is better than nothing. What
            # failed may have been of the moment, so the next process is to be confined again.
            options = ("--unconfined",) if attempt == START_ATTEMPTS - 1 else ()
            try:
                process = _Process(*options)
            except _Died:
                continue
            except OSError as error:
                reason = f"its reader cannot be started ({error})"
                continue
            if options:
                log.warning("Pictures are read by a process that keeps its rights: %s.", reason)
            return process
        raise _Refused(reason)

    def close(self) -> None:
        with self._changed:
            free, busy = self._free, self._all.difference(self._free)
            self._free, self._all = [], set()
        for process in busy:
            process.popen.kill()  # whoever asks it cleans up
        for process in free:
            process.end()


pool = ReaderPool()
atexit.register(close)
