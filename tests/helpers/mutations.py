"""Honest bytes made strange: what a fuzzer does, the same on every machine for one number."""

from __future__ import annotations

import random
import struct
from collections.abc import Callable, Sequence

# No reader here is told anything by more, and a million of them have to be read.
LONGEST = 256 * 1024
_INTERESTING = (0, 1, 2, 7, 8, 127, 128, 255, 256, 32767, 65535, 2**31 - 1, 2**31, 2**32 - 1,
                2**53, 2**62, 2**63 - 1, 2**63, 2**64 - 1)  # fmt: skip
_TOKENS = (
    *(b"{", b"}", b"[", b"]", b'"', b",", b":", b"(", b")", b"<", b">", b"|", b"\\", b"#", b"\n"),
    *(b"null", b"true", b"NaN", b"1e999", b"-0", b"\\u0000", b"\\ud800", b"\xff\xfe", b"\x00"),
    *(b"<lora:a:1>", b"embedding:", b"((((", b":1.1)", b"BREAK", b" AND ", b"[a|b]", b"__w__"),
    *(b"../", b"//host/share", b"%date%", b"%s%s%s%n", b"__class__", b"Lora hashes: ", b"Steps: "),
    *(b"&a ", b"*a", b"<<: ", b"!!python/object", b"- ", b"IDAT", b"zTXt", b"iCCP", b"\xff\xda"),
    *(b"\x80\x04", b"cos\nsystem\n", b"R.", b"q\x00", b"PK\x03\x04", b"PK\x05\x06", b"GGUF"),
)
Random = random.Random
Change = Callable[[bytearray, Random, Sequence[bytes]], None]


def mutated(seeds: Sequence[bytes], name: str, number: int) -> bytes:
    """The `number`-th mutation for the reader `name`: one of `seeds`, changed in some places."""
    rng = random.Random(f"{name}:{number}")
    data = bytearray(rng.choice(seeds))
    for _ in range(rng.choice((1, 1, 2, 3, 6))):
        rng.choice(_CHANGES)(data, rng, seeds)
        del data[LONGEST:]
    return bytes(data)


def _flip(data: bytearray, rng: Random, _seeds: Sequence[bytes]) -> None:
    if data:
        data[rng.randrange(len(data))] ^= 1 << rng.randrange(8)


def _byte(data: bytearray, rng: Random, _seeds: Sequence[bytes]) -> None:
    if data:
        data[rng.randrange(len(data))] = rng.randrange(256)


def _number(data: bytearray, rng: Random, _seeds: Sequence[bytes]) -> None:
    """A length, a count or an offset that is at the edge of something."""
    code = rng.choice("BHIQ")
    size = struct.calcsize(code)
    if len(data) >= size:
        at = rng.randrange(len(data) - size + 1)
        value = rng.choice(_INTERESTING) % (1 << 8 * size)
        data[at : at + size] = struct.pack(rng.choice("<>") + code, value)


def _digits(data: bytearray, rng: Random, _seeds: Sequence[bytes]) -> None:
    """The same where numbers are text."""
    places = [i for i, byte in enumerate(data[:4096]) if 48 <= byte <= 57]
    if places:
        at = rng.choice(places)
        data[at : at + 1] = str(rng.choice((*_INTERESTING, -1, 10**30, 1e-300, 1e308))).encode()


def _cut(data: bytearray, rng: Random, _seeds: Sequence[bytes]) -> None:
    del data[rng.randrange(len(data) + 1) :]


def _delete(data: bytearray, rng: Random, _seeds: Sequence[bytes]) -> None:
    start, end = _slice(data, rng)
    del data[start:end]


def _repeat(data: bytearray, rng: Random, _seeds: Sequence[bytes]) -> None:
    """A part again and again: what is nested, listed or counted."""
    start, end = _slice(data, rng)
    part = bytes(data[start:end])
    if part:
        times = min(rng.choice((1, 2, 10, 100, 10_000)), LONGEST // len(part))
        data[start:start] = part * times


def _insert(data: bytearray, rng: Random, _seeds: Sequence[bytes]) -> None:
    at = rng.randrange(len(data) + 1)
    token = rng.choice(_TOKENS)
    data[at:at] = token * min(rng.choice((1, 1, 2, 50, 5_000)), LONGEST // len(token))


def _noise(data: bytearray, rng: Random, _seeds: Sequence[bytes]) -> None:
    at = rng.randrange(len(data) + 1)
    data[at:at] = rng.randbytes(rng.choice((1, 4, 16, 256)))


def _splice(data: bytearray, rng: Random, seeds: Sequence[bytes]) -> None:
    """A part of another one in the place of one of its own."""
    other = bytearray(rng.choice(seeds))
    start, end = _slice(data, rng)
    first, last = _slice(other, rng)
    data[start:end] = other[first:last]


def _swap(data: bytearray, rng: Random, _seeds: Sequence[bytes]) -> None:
    start, end = _slice(data, rng)
    part = bytes(data[start:end])
    del data[start:end]
    at = rng.randrange(len(data) + 1)
    data[at:at] = part


def _slice(data: bytearray, rng: Random) -> tuple[int, int]:
    start = rng.randrange(len(data) + 1)
    return start, min(len(data), start + rng.choice((1, 2, 4, 8, 32, 256)))


_CHANGES: tuple[Change, ...] = (
    *(_flip, _byte, _number, _number, _digits, _cut, _delete, _repeat, _insert, _insert),
    *(_noise, _splice, _swap),
)
