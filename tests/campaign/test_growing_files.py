"""Twice as much of a file takes no more than two and a half times as long, for every format.

Each case makes a file of any size n of one kind, the kinds that were once read in squares. It is
doubled until reading takes long enough to be measured, or is refused as too much, which must come
soon; then n, 2n and 4n are compared. Texts are compared in `tests/test_texts_scale.py`.
"""

from __future__ import annotations

import gc
import io
import json
import math
import pickle
import struct
import time
import zipfile
import zlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from itertools import pairwise

import pytest

from helpers import gguf_writer, hostile
from helpers import pickle_writer as p
from helpers.readers import BY_NAME, REFUSALS

pytestmark = [pytest.mark.campaign, pytest.mark.timeout(600)]
FACTOR = 2.5
# Seconds: what can be measured, and what refusing may take.
MEASURABLE, REFUSING = 0.01, 1.0
# Bytes that are tried at most. From some 16 MB on the system's memory costs more than twice as much
# for twice as much, whatever a reader does.
LARGEST = 8 << 20
TRIES = 10


@dataclass(frozen=True)
class Case:
    """`make(n)` gives bytes for the reader of that name."""

    reader: str
    what: str
    make: Callable[[int], bytes]


def _json(make: Callable[[int], object]) -> Callable[[int], bytes]:
    return lambda n: json.dumps(make(n)).encode()


def _graph(**parts: object) -> dict[str, object]:
    return {"format": "ponystudio.graph", "version": 1, "nodes": {}, **parts}


def _node(**parts: object) -> dict[str, object]:
    return {"type": "core.load_vae", "version": 1, "params": {"file": "a"}, **parts}


def _chain(n: int) -> dict[str, object]:
    links = {i: {"latent": [f"n{i - 1}", "latent"]} if i else {} for i in range(n)}
    nodes = {f"n{i}": _node(type="core.sample", inputs=links[i]) for i in range(n)}
    return _graph(nodes=nodes)


def _twice(n: int) -> bytes:
    pairs = ",".join(f'"n{i}":{{"type":"a"}}' for i in [*range(n), *range(n)])
    return b'{"format":"ponystudio.graph","version":1,"nodes":{' + pairs.encode() + b"}}"


def _repeated(*pieces: str) -> list[tuple[str, Callable[[int], bytes]]]:
    return [(repr(piece), lambda n, piece=piece: (piece * n).encode()) for piece in pieces]


def _tensors(n: int) -> bytes:
    header = {f"a{i}": hostile.entry(4 * i, 4 * i + 4, "F32", (1,)) for i in range(n)}
    return hostile.safetensors(header, bytes(4 * n))


def _metadata(n: int) -> bytes:
    said = {f"k{i}": "v" for i in range(n)}
    return hostile.safetensors({"__metadata__": said, "a": hostile.entry()}, bytes(16))


def _dictionary(keys: Iterable[object]) -> bytes:
    """One that nobody has to make first, which colliding keys would draw out."""
    items = b"".join(pickle.dumps(key, 2)[2:-1] + b"K\0" for key in keys)
    return p.pickle_of(b"}(" + items + b"u")


def _tuple_keys(n: int) -> bytes:
    """A dictionary whose keys are tuples that all have the same hash."""
    return _dictionary(tuple(-1 if i >> bit & 1 else -2 for bit in range(20)) for i in range(n))


def _number_keys(n: int) -> bytes:
    """Multiples of the modulus of Python's hash of numbers collide."""
    return _dictionary(i * (2**61 - 1) for i in range(n))


def _archive(n: int) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("archive/data.pkl", p.pickle_of(p.dictionary(weight=p.tensor())))
        for i in range(n):
            archive.writestr(f"archive/data/{i}", b"")
    return file.getvalue()


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def _png(chunks: bytes) -> bytes:
    head = _chunk(b"IHDR", struct.pack(">IIBBBBB", 1, 1, 8, 0, 0, 0, 0))
    pixels = _chunk(b"IDAT", zlib.compress(b"\0\0"))
    return b"\x89PNG\r\n\x1a\n" + head + chunks + pixels + _chunk(b"IEND", b"")


def _jpeg(segment: bytes) -> Callable[[int], bytes]:
    from PIL import Image

    file = io.BytesIO()
    Image.new("RGB", (8, 8)).save(file, "JPEG")
    whole = file.getvalue()
    return lambda n: whole[:2] + segment * n + whole[2:]


def _icc(n: int) -> bytes:
    tags = b"".join(struct.pack(">4sII", b"%04d" % (i % 10_000), 132, 4) for i in range(n))
    body = struct.pack(">I", n) + tags
    return struct.pack(">I", 128 + len(body)) + bytes(32) + b"acsp" + bytes(88) + body


CASES = [
    *(
        Case("graphs", what, make)
        for what, make in (
            ("nodes", _json(_chain)),
            (
                "nodes without links",
                _json(lambda n: _graph(nodes={f"n{i}": _node() for i in range(n)})),
            ),
            (
                "links to one node",
                _json(
                    lambda n: _graph(
                        nodes={"a": _node(inputs={f"i{i}": ["a", "b"] for i in range(n)})}
                    )
                ),
            ),
            (
                "params",
                _json(lambda n: _graph(nodes={"a": _node(params={f"p{i}": i for i in range(n)})})),
            ),
            ("a long param", _json(lambda n: _graph(nodes={"a": _node(params={"file": "x" * n})}))),
            ("unknown keys", _json(lambda n: _graph(**{f"k{i}": i for i in range(n)}))),
            (
                "frames",
                _json(
                    lambda n: _graph(view={"frames": [{"title": "a", "rect": [0, 0, 9, 9]}] * n})
                ),
            ),
            ("notes", _json(lambda n: _graph(view={"notes": [{"text": "a", "pos": [0, 0]}] * n}))),
            (
                "a long note",
                _json(lambda n: _graph(view={"notes": [{"text": "a" * n, "pos": [0, 0]}]})),
            ),
            ("a key twice", _twice),
            ("brackets side by side", lambda n: b"[" + b"[]," * n + b"[]]"),
            ("brackets in brackets", lambda n: b"[" * n + b"]" * n),
            ("an open text", lambda n: b'{"a": "' + b"\\u0061" * n),
            ("digits", lambda n: b'{"a": ' + b"1" * n + b"}"),
            ("blanks", lambda n: b" " * n + b"{}"),
        )
    ),
    Case("safetensors", "tensors", _tensors),
    Case("safetensors", "metadata", _metadata),
    *(
        Case("sidecars", what, make)
        for what, make in (
            ("words", _json(lambda n: {"trainedWords": [f"w{i}" for i in range(n)]})),
            ("keys", _json(lambda n: {f"k{i}": i for i in range(n)})),
        )
    ),
    *(
        Case("torch pickles", what, make)
        for what, make in (
            ("colliding tuples", _tuple_keys),
            ("colliding numbers", _number_keys),
            ("keys", lambda n: pickle.dumps({f"k{i}": i for i in range(n)}, 2)),
            ("lists", lambda n: pickle.dumps([[] for _ in range(n)], 2)),
            ("tuples in tuples", lambda n: p.pickle_of(b")" + b"\x85" * n)),
            (
                "memos",
                lambda n: p.pickle_of(
                    b"}" + b"".join(b"r" + struct.pack("<I", i) for i in range(n))
                ),
            ),
            (
                "tensors",
                lambda n: hostile.torch_legacy(
                    p.pickle_of(p.dictionary(**{f"w{i}": p.tensor() for i in range(n)}))
                ),
            ),
            ("a long text", lambda n: p.pickle_of(p.dictionary(a=p.text("x" * n)))),
        )
    ),
    Case("torch archives", "members", _archive),
    Case(
        "torch archives",
        "tensors",
        lambda n: hostile.torch_zip(
            p.pickle_of(p.dictionary(**{f"w{i}": p.tensor() for i in range(n)}))
        ),
    ),
    Case("GGUF", "tensors", lambda n: gguf_writer.gguf({f"a{i}": (32,) for i in range(n)})[0]),
    Case("GGUF", "metadata", lambda n: gguf_writer.header([], {f"k{i}": i for i in range(n)})),
    Case("GGUF", "an array of texts", lambda n: gguf_writer.header([], {"a": ["x"] * n})),
    Case("GGUF", "an array of numbers", lambda n: gguf_writer.header([], {"a": [1] * n})),
    *(
        Case("extra model paths", what, make)
        for what, make in _repeated("a: b\n", "- ", "[", "{", "a:\n ", "&a ", "#\n")
    ),
    *(
        Case("texts in pictures", what, make)
        for what, make in (
            ("tEXt", lambda n: _png(_chunk(b"tEXt", b"a\0b") * n)),
            ("zTXt", lambda n: _png(_chunk(b"zTXt", b"a\0\0" + zlib.compress(bytes(10_000))) * n)),
            (
                "one zTXt",
                lambda n: _png(_chunk(b"zTXt", b"parameters\0\0" + zlib.compress(bytes(n)))),
            ),
            ("comments", _jpeg(b"\xff\xfe\0\x04ab")),
            ("infotext", lambda n: _png(_chunk(b"tEXt", b"parameters\0" + b"Lora hashes: ," * n))),
        )
    ),
    *(
        Case("pictures", what, make)
        for what, make in (
            ("empty IDAT", lambda n: _png(_chunk(b"IDAT", b"") * n)),
            ("unknown chunks", lambda n: _png(_chunk(b"abCd", b"") * n)),
            ("comments", _jpeg(b"\xff\xfe\0\x04ab")),
        )
    ),
    Case("colour profiles", "tags", _icc),
    Case("journals", "lines", lambda n: BY_NAME["journals"].seeds()[0] + b'{"a":1}\n' * n),
    Case("journals", "one line", lambda n: BY_NAME["journals"].seeds()[0] + b"a" * n),
    Case("frames", "messages", lambda n: BY_NAME["frames"].seeds()[0] * n),
    Case("kept facts", "entries", _json(lambda n: {f"k{i}": [1.0] for i in range(n)})),
    Case("settings", "keys", _json(lambda n: {"keys": {f"k{i}": ["A"] for i in range(n)}})),
    *(
        Case("names of results", what, make)
        for what, make in _repeated("%", "[", "a/", "../", "%date", "%a.b%")
    ),
]


@pytest.fixture(autouse=True)
def _no_collector():
    """Its passes over what is kept, more of them for more, are no reader's time."""
    gc.collect()
    gc.disable()
    yield
    gc.enable()


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case.reader}: {case.what}")
def test_twice_as_much_takes_about_twice_as_long(case: Case):
    read, n = BY_NAME[case.reader].read, 64
    while True:
        data = case.make(n)
        seconds, refused = measured(read, data)
        if seconds >= MEASURABLE:  # once may be chance
            seconds = min(seconds, measured(read, data)[0], measured(read, data)[0])
        assert seconds < REFUSING or not refused, f"refusing {n:,} takes {seconds:.2f} s"
        assert seconds < 60, f"{n:,} take {seconds:.0f} s"
        if seconds >= MEASURABLE or len(data) >= LARGEST or (refused and n > 2**20):
            break
        n *= 2
    if seconds < MEASURABLE:
        return  # the largest is read, or refused, before it can be measured
    files = [case.make(size) for size in (n, 2 * n, 4 * n)]
    times = [math.inf] * 3
    for _ in range(TRIES):  # on a busy machine some tries take longer; the best come near the truth
        times = [min(t, measured(read, data)[0]) for t, data in zip(times, files, strict=True)]
        if all(after < FACTOR * before for before, after in pairwise(times)):
            return
    pytest.fail(f"n = {n:,}: {', '.join(f'{t:.3f} s' for t in times)}")


def measured(read: Callable[[bytes], object], data: bytes) -> tuple[float, bool]:
    """Seconds that this process works, and whether it was refused."""
    start, refused = time.process_time(), False
    try:
        read(data)
    except REFUSALS:
        refused = True
    return time.process_time() - start, refused
