"""Hostile pictures and graphs: to fill the memory, to take for ever, to lead elsewhere.

The model files are those of `hostile`.
"""

from __future__ import annotations

import io
import json
import random
import struct
import zlib
from collections.abc import Mapping
from typing import Any

from PIL import Image

NOTE = "![a](/dev/zero)"


def pictures() -> Mapping[str, bytes]:
    """By file name; the names lie, too."""
    made = {
        "zero.svg": b'<svg xmlns="http://www.w3.org/2000/svg"><image href="/dev/zero"/></svg>',
        "huge.svg": b'<svg xmlns="http://www.w3.org/2000/svg" width="100000" height="100000"/>',
        "nested.svg": _nested_svg(),
        "nested.svg.png": _nested_svg(),
        "icons.png": b"icns" + struct.pack(">I", 2**31) + bytes(64),
        "targa.png": bytes((0, 0, 2)) + bytes(9) + struct.pack("<HHBB", 65535, 65535, 32, 0),
        "targa.tga": bytes((0, 0, 10)) + bytes(9) + struct.pack("<HHBB", 65535, 65535, 32, 0),
        "bomb.png": _png(_chunk(b"IHDR", struct.pack(">IIBBBBB", 40_000, 40_000, 8, 6, 0, 0, 0))),
        "flat.png": _flat(16_000),
        "wide.png": _png(_chunk(b"IHDR", struct.pack(">IIBBBBB", 2**31 - 1, 1, 8, 6, 0, 0, 0))),
        "inflates.png": _small_png(_text(b"zTXt", b"parameters", bytes(500_000_000)) * 3),
        "sixty-four.png": _small_png(_text(b"zTXt", b"workflow", bytes(30_000_000)) * 64),
        "profile.png": _small_png(_chunk(b"iCCP", b"a\0\0" + zlib.compress(bytes(400_000_000), 9))),
        "commas.png": _small_png(_parameters("Steps: 1, Lora hashes: " + "," * 20_000)),
        "letters.png": _small_png(_parameters("a" * 20_000_000)),
        "brackets.png": _small_png(_parameters("(" * 1_000_000)),
        "graph.png": _small_png(_graph_chunk(_many_nodes(20_000))),
        "note.png": _small_png(_graph_chunk(_with_note(NOTE))),
        "comment.jpg": _jpeg(_comment(zlib.compress(b" " * 400_000_000, 9)[:65_000])),
        "scans.jpg": _scans(3000),
        "cut.jpg": _jpeg(b"")[:-40],
        "frames.gif": _frames(400),
        "tags.tiff": b"II*\0" + struct.pack("<IH", 8, 65_535) + bytes(12 * 65_535),
        "loop.tiff": b"II*\0" + struct.pack("<IHI", 8, 0, 8),
        "size.bmp": b"BM"
        + bytes(12)
        + struct.pack("<IiiHHI", 40, 2**30, 2**30, 1, 24, 0)
        + bytes(20),
        "riff.webp": b"RIFF" + struct.pack("<I", 2**32 - 1) + b"WEBPVP8X" + bytes(40),
        "empty.png": b"",
        "script.png": b"#!/bin/sh\ntouch canary\n",
        "postscript.png": b"%!PS-Adobe-3.0 EPSF-3.0\n(canary) (w) file\n",
        "text.jpg": b"Steps: 20" * 1000,
    }
    made.update(_noise("png", _small_png(b"")))
    made.update(_noise("jpg", _jpeg(b"")))
    return made


def graphs() -> Mapping[str, bytes]:
    """By file name."""
    deep: Any = 0
    for _ in range(90):
        deep = [deep]
    made = {
        "nodes": _many_nodes(20_000),
        "frames": {**_graph(), "view": {"frames": [{"title": "a", "rect": [0, 0, 9, 9]}] * 50_000}},
        "long title": _one(title="x" * 5_000_000),
        "long param": _one(params={"text": "x " * 5_000_000}),
        "many params": _one(params={f"p{i}": i for i in range(50_000)}),
        "many links": _one(inputs={f"i{i}": ["a", "model"] for i in range(50_000)}),
        "weights": _one(params={"text": "(a:1.1)" * 30_000}),
        "loras": _one(params={"text": "<lora:a:1>" * 30_000}),
        "far away": _one(view={"pos": [1e308, -1e308]}),
        "deep": _one(params={"text": deep}),
        "special file": _one("core.load_image", params={"file": "/dev/zero"}),
        "pipe": _one("core.load_image", params={"file": "/proc/kmsg"}),
        "share": _one("core.load_image", params={"file": "//host/share/a.png"}),
        "svg": _one("core.load_image", params={"file": "nested.svg"}),
        "lora": _one("core.apply_lora", params={"file": "/dev/ptmx"}),
        "unknown": _one("<img src=/dev/zero>", title="<h1>a</h1><img src='/dev/zero'>"),
        **{f"note {i}": _with_note(text) for i, text in enumerate(_notes())},
    }
    texts = {f"{name}.json": json.dumps(graph).encode() for name, graph in made.items()}
    texts["brackets.json"] = b"[" + b"[]," * 5_000_000 + b"[]]"
    texts["open.json"] = b"[" * 5_000_000
    texts["twice.json"] = _twice(20_000)
    texts["blanks.json"] = b" " * 50_000_000 + b"{}"
    texts["letters.json"] = b'{"format": "ponystudio.graph", "a": "' + b"a" * 50_000_000 + b'"}'
    return texts


def _notes() -> list[str]:
    return [
        NOTE,
        "<img src='/dev/zero'>",
        "![a](//host/share/a.png)",
        "![a](file:///proc/kmsg)",
        "<link rel=stylesheet href=/dev/zero><style>@import '/dev/zero';</style>",
        ">" * 100_000,
        "[" * 100_000,
        "*a " * 50_000,
        "`" * 100_000,
        "|a" * 20_000 + "\n" + "|-" * 20_000,
        "- " * 50_000,
        "a\n" * 200_000,
        "x" * 5_000_000,
        "[a](javascript:1)" * 10_000,
        "&lt;" * 100_000,
    ]


def _graph(**nodes: Any) -> dict[str, Any]:
    return {"format": "ponystudio.graph", "version": 1, "nodes": nodes}


def _one(type: str = "core.encode_prompt", view: Any = None, **parts: Any) -> dict[str, Any]:
    graph = _graph(a={"type": type, "version": 1, "params": {}, **parts})
    return {**graph, "view": {"nodes": {"a": view}}} if view else graph


def _many_nodes(count: int) -> dict[str, Any]:
    return _graph(
        **{
            f"n{i}": {"type": "core.load_vae", "version": 1, "params": {"file": "a"}}
            for i in range(count)
        }
    )


def _with_note(text: str) -> dict[str, Any]:
    return {**_graph(), "view": {"notes": [{"text": text, "pos": [0, 0]}]}}


def _twice(count: int) -> bytes:
    pairs = ",".join(f'"n{i}":{{"type":"a"}}' for i in [*range(count), *range(count)])
    return b'{"format":"ponystudio.graph","version":1,"nodes":{' + pairs.encode() + b"}}"


def _nested_svg() -> bytes:
    levels = "".join(f'<g id="g{i + 1}">' + f'<use href="#g{i}"/>' * 10 + "</g>" for i in range(9))
    return (
        '<svg xmlns="http://www.w3.org/2000/svg"><defs><rect id="g0" width="9" height="9"/>'
        f'{levels}</defs><use href="#g9"/></svg>'
    ).encode()


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def _png(chunks: bytes) -> bytes:
    return (
        b"\x89PNG\r\n\x1a\n"
        + chunks
        + _chunk(b"IDAT", zlib.compress(b"\0\0"))
        + _chunk(b"IEND", b"")
    )


def _small_png(chunks: bytes) -> bytes:
    return _png(_chunk(b"IHDR", struct.pack(">IIBBBBB", 1, 1, 8, 0, 0, 0, 0)) + chunks)


def _flat(side: int) -> bytes:
    """A picture of one colour: a few kilobytes, a gigabyte when it is read."""
    rows = zlib.compress((b"\0" + bytes(4 * side)) * side, 9)
    head = _chunk(b"IHDR", struct.pack(">IIBBBBB", side, side, 8, 6, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + head + _chunk(b"IDAT", rows) + _chunk(b"IEND", b"")


def _text(kind: bytes, key: bytes, content: bytes) -> bytes:
    return _chunk(kind, key + b"\0\0" + zlib.compress(content, 9))


def _parameters(text: str) -> bytes:
    return _chunk(b"tEXt", b"parameters\0" + text.encode())


def _graph_chunk(graph: dict[str, Any]) -> bytes:
    return _chunk(b"tEXt", b"ponystudio.graph\0" + json.dumps(graph).encode())


def _jpeg(segments: bytes) -> bytes:
    file = io.BytesIO()
    Image.radial_gradient("L").save(file, "JPEG")
    return file.getvalue()[:2] + segments + file.getvalue()[2:]


def _comment(data: bytes) -> bytes:
    content = b"PonyStudio\0" + data
    return b"\xff\xfe" + struct.pack(">H", len(content) + 2) + content


def _scans(count: int) -> bytes:
    """The scans of a progressive picture, again and again."""
    file = io.BytesIO()
    Image.radial_gradient("L").resize((2000, 2000)).save(file, "JPEG", progressive=True)
    whole = file.getvalue()
    first = whole.index(b"\xff\xda")
    return whole[:-2] + whole[first : whole.index(b"\xff\xc4", first)] * count + whole[-2:]


def _frames(count: int) -> bytes:
    file = io.BytesIO()
    first, *rest = [Image.new("L", (500, 500), i % 256) for i in range(count)]
    first.save(file, "GIF", save_all=True, append_images=rest)
    return file.getvalue()


def _noise(suffix: str, content: bytes) -> dict[str, bytes]:
    rng, made = random.Random(suffix), {}
    for i in range(10):
        data = bytearray(content)
        for _ in range(1 + i):
            data[rng.randrange(len(data))] = rng.randrange(256)
        made[f"noise {i}.{suffix}"] = bytes(data)
    return made
