"""Hostile pictures and graphs: to fill the memory, to take for ever, to lead elsewhere.

Model files are in `hostile`, pictures that hurt their decoders in `hostile_pictures`.
"""

from __future__ import annotations

import io
import json
import random
import struct
from collections.abc import Mapping
from typing import Any

from PIL import Image

from helpers import hostile_pictures
from helpers.hostile_pictures import png, png_chunk

NOTE = "![a](/dev/zero)"


def pictures() -> Mapping[str, bytes]:
    """By file name; the names lie, too."""
    suffixes = ("png", "jpg", "webp", "svg", "gif", "tiff")
    known = {**hostile_pictures.NO_PICTURES, **hostile_pictures.BOMBS}
    made = {
        f"{name}.{suffixes[number % len(suffixes)]}": make()
        for number, (name, make) in enumerate(known.items())
    }
    made |= {
        "flat.png": png(16_000, 16_000, colour=6),
        "commas.png": _with(_parameters("Steps: 1, Lora hashes: " + "," * 20_000)),
        "letters.png": _with(_parameters("a" * 20_000_000)),
        "brackets.png": _with(_parameters("(" * 1_000_000)),
        "graph.png": _with(_graph_chunk(_many_nodes(20_000))),
        "note.png": _with(_graph_chunk(_with_note(NOTE))),
        "loop.tiff": b"II*\0" + struct.pack("<IHI", 8, 0, 8),
        "riff.webp": b"RIFF" + struct.pack("<I", 2**32 - 1) + b"WEBPVP8X" + bytes(40),
        "script.png": b"#!/bin/sh\ntouch canary\n",
        "text.jpg": b"Steps: 20" * 1000,
    }
    made.update(_noise("png", _with(b"")))
    made.update(_noise("jpg", _jpeg()))
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


def _with(chunk: bytes) -> bytes:
    return png(8, 8, chunk)


def _parameters(text: str) -> bytes:
    return png_chunk(b"tEXt", b"parameters\0" + text.encode())


def _graph_chunk(graph: dict[str, Any]) -> bytes:
    return png_chunk(b"tEXt", b"ponystudio.graph\0" + json.dumps(graph).encode())


def _jpeg() -> bytes:
    file = io.BytesIO()
    Image.radial_gradient("L").save(file, "JPEG")
    return file.getvalue()


def _noise(suffix: str, content: bytes) -> dict[str, bytes]:
    rng, made = random.Random(suffix), {}
    for i in range(10):
        data = bytearray(content)
        for _ in range(1 + i):
            data[rng.randrange(len(data))] = rng.randrange(256)
        made[f"noise {i}.{suffix}"] = bytes(data)
    return made
