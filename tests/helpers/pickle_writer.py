"""Pickles written opcode by opcode, as no well-meaning programme would write them."""

from __future__ import annotations

import struct
from collections.abc import Iterable

STOP = b"."
MARK = b"("
REDUCE = b"R"
BUILD = b"b"
NEWOBJ = b"\x81"
PROTOCOL_2 = b"\x80\x02"
PROTOCOL_4 = b"\x80\x04"


def text(value: str) -> bytes:
    data = value.encode("utf-8", "surrogatepass")
    return b"X" + struct.pack("<I", len(data)) + data


def short_text(value: str) -> bytes:
    data = value.encode()
    return b"\x8c" + struct.pack("<B", len(data)) + data


def number(value: int) -> bytes:
    if 0 <= value < 2**31:
        return b"J" + struct.pack("<i", value)
    data = value.to_bytes(value.bit_length() // 8 + 1, "little", signed=True)
    return b"\x8a" + struct.pack("<B", len(data)) + data


def name(module: str, attribute: str) -> bytes:
    return b"c" + f"{module}\n{attribute}\n".encode()


def stack_name(module: str, attribute: str) -> bytes:
    return short_text(module) + short_text(attribute) + b"\x93"


def tuple_of(items: Iterable[bytes]) -> bytes:
    return MARK + b"".join(items) + b"t"


def call(function: bytes, *args: bytes) -> bytes:
    return function + tuple_of(args) + REDUCE


def dictionary(**items: bytes) -> bytes:
    pairs = b"".join(text(key) + value for key, value in items.items())
    return b"}" + MARK + pairs + b"u"


def storage(key: str = "0", numel: int = 4, kind: str = "FloatStorage") -> bytes:
    identity = [text("storage"), name("torch", kind), text(key), text("cpu"), number(numel)]
    return tuple_of(identity) + b"Q"


def tensor(
    shape: Iterable[int] = (4,),
    strides: Iterable[int] = (1,),
    offset: int = 0,
    source: bytes | None = None,
) -> bytes:
    return call(
        name("torch._utils", "_rebuild_tensor_v2"),
        storage() if source is None else source,
        number(offset),
        tuple_of(map(number, shape)),
        tuple_of(map(number, strides)),
        b"\x89",
        call(name("collections", "OrderedDict")),
    )


def pickle_of(content: bytes, protocol: bytes = PROTOCOL_2) -> bytes:
    return protocol + content + STOP
