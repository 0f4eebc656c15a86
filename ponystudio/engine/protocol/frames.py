"""What travels between the studio and its worker: frames of JSON, with bytes where JSON is poor;
how commands and messages look as frames; and the queue that waits to be sent, in order, with only
the latest of what is outdated soon.

A frame is two big-endian uint32 lengths, that many bytes of JSON (one object) and that many raw
bytes. Nothing is ever unpickled, and no frame is longer than a receiver is willing to take.

A message is a JSON object with its name under "command" or "message". A graph is written as its own
file is, under "document"; a picture follows as raw bytes.
"""

from __future__ import annotations

import contextlib
import json
import struct
import threading
import time
from collections.abc import Callable, Mapping
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

# Above any graph or catalog, and above any preview, yet far below what fills a memory.
MAX_JSON = 64 * 2**20
MAX_BLOB = 256 * 2**20

# Seconds between two signs of life of the worker.
HEARTBEAT = 1.0

_HEAD = struct.Struct(">II")


@dataclass(frozen=True)
class Frame:
    """One message as JSON, and the bytes that came along."""

    message: Mapping[str, Any]
    blob: bytes = b""


def write_frame(stream: BinaryIO, frame: Frame) -> None:
    """Send a frame whole. Raises OSError when nobody listens any more, ValueError if too long."""
    text = json.dumps(frame.message, ensure_ascii=False, separators=(",", ":"))
    body = text.encode("utf-8", "replace")
    if len(body) > MAX_JSON or len(frame.blob) > MAX_BLOB:
        raise ValueError(f"a frame of {len(body)} and {len(frame.blob)} bytes is too long")
    stream.write(_HEAD.pack(len(body), len(frame.blob)) + body + frame.blob)
    stream.flush()


def read_frame(stream: BinaryIO) -> Frame | None:
    """The next frame, or None at the end of the stream, even in the middle of a frame.

    Raises WorkerDied for bytes that are no frame: after them nothing can be trusted.
    """
    head = _exactly(stream, _HEAD.size)
    if head is None:
        return None
    length, blob_length = _HEAD.unpack(head)
    if length > MAX_JSON or blob_length > MAX_BLOB:
        raise garbled(f"a frame of {length} and {blob_length} bytes")
    body = _exactly(stream, length)
    blob = _exactly(stream, blob_length)
    if body is None or blob is None:
        return None
    try:
        message = json.loads(body)
    except (ValueError, RecursionError):
        raise garbled("what is no JSON") from None
    if not isinstance(message, dict):
        raise garbled("JSON that is no object")
    return Frame(message, blob)


def _exactly(stream: BinaryIO, length: int) -> bytes | None:
    """So many bytes, or None if the stream ends before."""
    pieces = []
    while length:
        piece = stream.read(min(length, 2**20))
        if not piece:
            return None
        pieces.append(piece)
        length -= len(piece)
    return b"".join(pieces)


def garbled(what: str) -> WorkerDied:
    """The error of bytes that make no sense."""
    return WorkerDied(f"The other process sent {what}.", remedy="Start the worker again.")


# Progress and previews a second.
RATE = 30

Make = Callable[[], Command | Message]


class FrameWriter:
    """A thread that writes frames to a pipe, so that whoever sends something never waits for it.

    `on_broken` is called when nobody reads the pipe any more.
    """

    def __init__(self, stream: BinaryIO, *, on_broken: Callable[[], None]) -> None:
        self._stream, self._on_broken = stream, on_broken
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

    def join(self) -> None:
        """Wait until all is sent, after `end`, or nobody reads any more."""
        self._thread.join()

    def _work(self) -> None:
        try:
            self._write_all()
        except OSError:
            self._on_broken()
        finally:
            with contextlib.suppress(OSError):
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
                write_frame(self._stream, encode(make()))
            self._pause()

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
        if frame.message.get("command") in _names(Command):
            command: Command = _converted(frame, Command)
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
    except ValidationError as error:
        raise garbled(f"what is no message ({error})") from None


def _is_known(message: Mapping[str, Any]) -> bool:
    """What is not is passed over: it has another program's name."""
    event = message.get("event")
    return message.get("message") in _names(Message) and (
        not isinstance(event, dict) or event.get("event") in _names(Event)
    )


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
