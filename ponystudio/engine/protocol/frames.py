"""What travels between the studio and its worker: frames of JSON, with bytes where JSON is poor.

A frame is two big-endian uint32 lengths, that many bytes of JSON (one object) and that many raw
bytes. Nothing is ever unpickled, and no frame is longer than a receiver is willing to take.
"""

from __future__ import annotations

import json
import struct
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, BinaryIO

from ponystudio.errors import WorkerDied

# Above any graph or catalog, and above any preview, yet far below what fills a memory.
MAX_JSON = 64 * 2**20
MAX_BLOB = 256 * 2**20

HEARTBEAT = 1.0
"""Seconds between two signs of life of the worker."""

_HEAD = struct.Struct(">II")


@dataclass(frozen=True)
class Frame:
    """One message as JSON, and the bytes that came along; `message_codec` says what it means."""

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
