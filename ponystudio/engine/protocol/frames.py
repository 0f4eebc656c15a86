"""What travels between the studio and its worker: frames of JSON, with bytes where JSON is poor;
how commands and messages look as frames; and the queue that waits to be sent, in order, with only
the latest of what is outdated soon.

A frame is JSON (one object) and raw bytes, in pieces: two big-endian uint32 lengths, that many
bytes of JSON and that many raw bytes; the highest bit of the first says that more pieces follow.
Nothing is ever unpickled, what a receiver would refuse is refused before it is sent, and whoever
reads never takes more than a piece on trust.

A message is a JSON object with its name under "command" or "message". A graph is written as its own
file is, under "document"; a picture follows as raw bytes.
"""

from __future__ import annotations

import contextlib
import json
import logging
import re
import struct
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any, BinaryIO, TypeVar, get_args

from msgspec import Struct, ValidationError, convert, structs, to_builtins

from ponystudio.engine.protocol.run_events import ErrorInfo, Event, PictureEvent, RunRefused
from ponystudio.engine.protocol.worker_messages import (
    Command,
    Message,
    PlanRun,
    RunMessage,
    SubmitRun,
    UpgradeAnswer,
    UpgradeGraph,
)
from ponystudio.errors import GraphFileError, WorkerDied
from ponystudio.graph.formats import graph_file
from ponystudio.graph.model import Graph

log = logging.getLogger(__name__)

# The most JSON of a frame, and the most raw bytes: the largest graph, and what is said around it.
MAX_JSON = graph_file.MAX_BYTES + 2**20
# The most of either in a piece.
PIECE = 2**20

# Seconds between two signs of life of the worker.
HEARTBEAT = 1.0

_HEAD = struct.Struct(">II")
_MORE = 2**31
# Halves of pairs that no name of a file has: those that stand for its bytes travel as they are.
_HALF = re.compile("[\ud800-\udc7f\udd00-\udfff]")


@dataclass(frozen=True)
class Frame:
    """One message as JSON, and the bytes that came along."""

    message: Mapping[str, Any]
    blob: bytes = b""


def write_frame(stream: BinaryIO, frame: Frame) -> None:
    """Send a frame whole. Raises OSError when nobody listens any more, ValueError if too long."""
    for piece in _pieces(frame):
        _write(stream, piece)
    stream.flush()


def _pieces(frame: Frame) -> Iterator[bytes]:
    """Raises ValueError before the first one if it is too long."""
    text = json.dumps(frame.message, ensure_ascii=False, separators=(",", ":"))
    body, blob = _HALF.sub("?", text).encode("utf-8", "surrogatepass"), frame.blob
    if max(len(body), len(blob)) > MAX_JSON:
        longest = max(len(body), len(blob)) / 2**20
        raise ValueError(f"{longest:,.0f} MB are too long, {MAX_JSON // 2**20} MB is the most")
    return _cut(body, blob)


def _cut(body: bytes, blob: bytes) -> Iterator[bytes]:
    longest = max(len(body), len(blob))
    for start in range(0, max(1, longest), PIECE):
        end = start + PIECE
        json_part, raw_part = body[start:end], blob[start:end]
        more = _MORE if end < longest else 0
        yield _HEAD.pack(len(json_part) | more, len(raw_part)) + json_part + raw_part


def _write(stream: BinaryIO, data: bytes) -> None:
    """All of it: a pipe may take less at once."""
    rest = memoryview(data)
    while rest:
        rest = rest[stream.write(rest) or 0 :]


def read_frame(stream: BinaryIO) -> Frame | None:
    """The next frame, or None at the end of the stream, even in the middle of a frame.

    Raises WorkerDied for bytes that are no frame: after them nothing can be trusted.
    """
    body, blob, more = bytearray(), bytearray(), True
    while more:
        head = _exactly(stream, _HEAD.size)
        if head is None:
            return None
        length, blob_length = _HEAD.unpack(head)
        more, length = bool(length & _MORE), length & ~_MORE
        if max(length, blob_length) > PIECE or (more and not length and not blob_length):
            raise garbled(f"a piece of {length} and {blob_length} bytes")
        if max(len(body) + length, len(blob) + blob_length) > MAX_JSON:
            raise garbled(f"a frame of more than {MAX_JSON} bytes")
        for into, count in ((body, length), (blob, blob_length)):
            part = _exactly(stream, count)
            if part is None:
                return None
            into += part
    try:
        message = json.loads(body)
    except (ValueError, RecursionError):
        raise garbled("what is no JSON") from None
    if not isinstance(message, dict):
        raise garbled("JSON that is no object")
    return Frame(message, bytes(blob))


def _exactly(stream: BinaryIO, length: int) -> bytes | None:
    """So many bytes, or None if the stream ends before."""
    pieces = []
    while length:
        piece = stream.read(length)
        if not piece:
            return None
        pieces.append(piece)
        length -= len(piece)
    return b"".join(pieces)


def garbled(what: str) -> WorkerDied:
    """The error of bytes that make no sense."""
    return WorkerDied(f"garbage, {what}")


# Progress and previews a second.
RATE = 30

Make = Callable[[], Command | Message]


class FrameWriter:
    """A thread that writes frames to a pipe, so that whoever sends something never waits for it.

    It ends with the pipe, and with nothing else. `on_broken` is called when nobody reads the pipe
    any more; `on_unsent` with a message that cannot be sent, and why: it is too long, or at fault.
    """

    def __init__(
        self,
        stream: BinaryIO,
        *,
        on_broken: Callable[[], None],
        on_unsent: Callable[[Command | Message, Exception], None] = lambda *_: None,
    ) -> None:
        self._stream, self._on_broken, self._on_unsent = stream, on_broken, on_unsent
        self._waiting: dict[object, Make] = {}
        self._urgent = False
        self._closed = False
        self._changed = threading.Condition()
        self._thread = threading.Thread(target=self._work, name="outbox", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def send(self, message: Command | Message) -> None:
        """Send this, after all that was sent before."""
        with self._changed:
            self._waiting[object()] = lambda: message
            self._urgent = True
            self._changed.notify()

    def send_latest(self, key: object, make: Make) -> None:
        """Send this in place of what waits under the same key; `make` runs on the thread.

        It stands where the first under this key stood, so it never overtakes nor falls behind.
        """
        with self._changed:
            self._waiting[key] = make
            self._changed.notify()

    def end(self) -> None:
        """Send what still waits, then close the pipe; returns at once."""
        with self._changed:
            self._closed = True
            self._changed.notify()

    def join(self, timeout: float | None = None) -> None:
        """Wait until all is sent, after `end`, or nobody reads any more, or so many seconds."""
        self._thread.join(timeout)

    def _work(self) -> None:
        try:
            self._write_all()
        except (OSError, ValueError):  # ValueError: it is closed
            self._on_broken()
        finally:
            with contextlib.suppress(OSError, ValueError):
                self._stream.close()

    def _write_all(self) -> None:
        while True:
            with self._changed:
                while not self._waiting:
                    if self._closed:
                        return
                    self._changed.wait()
                batch, self._waiting = self._waiting, {}
                self._urgent = False
            for make in batch.values():
                for piece in self._made(make):
                    _write(self._stream, piece)
                self._stream.flush()
            self._pause()

    def _made(self, make: Make) -> Iterator[bytes]:
        """What is to be written; nothing for what cannot be sent, which holds up nothing else."""
        message: Command | Message | None = None
        try:
            message = make()
            return _pieces(encode(message))
        except Exception as error:
            log.warning("A message was not sent: %s", error)
            with contextlib.suppress(Exception):  # whoever listens may be at fault, too
                if message is not None:
                    self._on_unsent(message, error)
            return iter(())

    def _pause(self) -> None:
        """Let what is outdated soon gather, unless something of weight waits."""
        end = time.monotonic() + 1 / RATE
        with self._changed:
            while not (self._urgent or self._closed):
                left = end - time.monotonic()
                if left <= 0:
                    return
                self._changed.wait(left)


_NO_GRAPH = Graph({}, {}, {}, {})
_WithGraph = SubmitRun | PlanRun | UpgradeGraph | UpgradeAnswer
_T = TypeVar("_T", bound=_WithGraph)


@dataclass(frozen=True)
class UnreadableCommand:
    """A command whose graph is none."""

    number: int
    error: ErrorInfo


def encode(message: Command | Message) -> Frame:
    """A message as `read_command` or `read_message` reads it."""
    graph, jpeg = None, b""
    match message:
        case SubmitRun() | PlanRun():
            graph = message.request.graph
            message = _with_graph(message, _NO_GRAPH)
        case UpgradeGraph() | UpgradeAnswer():
            graph = message.graph
            message = _with_graph(message, _NO_GRAPH)
        case RunMessage(event=PictureEvent(jpeg=jpeg)) if jpeg:
            event = structs.replace(message.event, jpeg=b"")
            message = structs.replace(message, event=event)
    body = to_builtins(message, enc_hook=_plain)
    if graph is not None:
        body["document"] = graph_file.to_json(graph)
    return Frame(body, jpeg)


def read_command(stream: BinaryIO) -> Command | UnreadableCommand | None:
    """The next command; None at the end. Raises WorkerDied for what is no frame of ours."""
    while (frame := read_frame(stream)) is not None:
        if _is_one_of(Command, frame.message.get("command")):
            command: Command = _converted(frame, Command)
            if frame.blob:
                raise garbled("bytes that belong to nothing")
            if not isinstance(command, _WithGraph):
                return command
            try:
                return _with_graph(command, graph_file.from_json(frame.message.get("document")))
            except GraphFileError as error:
                return UnreadableCommand(command.number, ErrorInfo.of(error))
    return None


def read_message(stream: BinaryIO) -> Message | None:
    """The next message; None at the end. Raises WorkerDied for what is no frame of ours."""
    while (frame := read_frame(stream)) is not None:
        if _is_known(frame.message):
            message: Message = _converted(frame, Message)
            match message:
                case RunMessage(event=PictureEvent()) if frame.blob:
                    event = structs.replace(message.event, jpeg=frame.blob)
                    return structs.replace(message, event=event)
                case _ if frame.blob:
                    raise garbled("bytes that belong to nothing")
                case UpgradeAnswer():
                    try:
                        graph = graph_file.from_json(frame.message.get("document"))
                        return _with_graph(message, graph)
                    except GraphFileError as error:
                        return RunMessage(message.number, RunRefused([ErrorInfo.of(error)]))
            return message
    return None


def _with_graph(message: _T, graph: Graph) -> _T:
    if isinstance(message, SubmitRun | PlanRun):
        return structs.replace(message, request=replace(message.request, graph=graph))
    return structs.replace(message, graph=graph)


def _converted(frame: Frame, kind: Any) -> Any:
    try:
        return convert(frame.message, kind, dec_hook=_typed)
    except (ValidationError, RecursionError) as error:
        raise garbled(f"what is no message ({error})") from None


def _is_known(message: Mapping[str, Any]) -> bool:
    """What is not is passed over: it has another program's name."""
    event = message.get("event")
    return _is_one_of(Message, message.get("message")) and (
        not isinstance(event, dict) or _is_one_of(Event, event.get("event"))
    )


def _is_one_of(union: Any, name: object) -> bool:
    return isinstance(name, str) and name in _names(union)


@cache
def _names(union: Any) -> frozenset[Any]:
    kinds: tuple[type[Struct], ...] = get_args(union)
    return frozenset(kind.__struct_config__.tag for kind in kinds)


def _plain(value: Any) -> Any:
    if isinstance(value, Path):
        return str(value)
    if isinstance(value, Mapping):
        return dict(value)
    raise NotImplementedError(f"{type(value)} does not travel")


def _typed(kind: type, value: Any) -> Any:
    if issubclass(kind, Path):
        return kind(value)
    raise NotImplementedError(f"{kind} does not travel")
