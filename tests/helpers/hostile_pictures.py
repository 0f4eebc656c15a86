"""Pictures made to hurt whoever decodes them: small files that cost much, or that are something
else than their names say."""

from __future__ import annotations

import io
import json
import struct
import zlib
from collections.abc import Callable
from pathlib import Path

from PIL import Image


def png_chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I4s", len(data), kind) + data + struct.pack(">I", zlib.crc32(kind + data))


def png(width: int, height: int, *chunks: bytes, depth: int = 8, colour: int = 2) -> bytes:
    """Of one colour; whatever its size, the file is small."""
    channels = {0: 1, 2: 3, 4: 2, 6: 4}[colour]
    row = bytes(1 + width * channels * depth // 8)
    packer = zlib.compressobj(1)
    data = b"".join(packer.compress(row) for _ in range(height)) + packer.flush()
    header = struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, 0)
    return b"".join(
        (
            b"\x89PNG\r\n\x1a\n",
            png_chunk(b"IHDR", header),
            *chunks,
            png_chunk(b"IDAT", data),
            png_chunk(b"IEND", b""),
        )
    )


def large_png() -> bytes:
    """Says that it has 45,000 × 45,000 pixels of 16 bits, with no more data than a few rows."""
    header = struct.pack(">IIBBBBB", 45_000, 45_000, 16, 6, 0, 0, 0)
    pixels = zlib.compress(bytes(50 * (1 + 45_000 * 8)))
    return b"".join(
        (
            b"\x89PNG\r\n\x1a\n",
            png_chunk(b"IHDR", header),
            png_chunk(b"IDAT", pixels),
            png_chunk(b"IEND", b""),
        )
    )


def zeros(megabytes: int) -> bytes:
    """That many, deflated."""
    packer = zlib.compressobj(9)
    return b"".join(packer.compress(bytes(2**20)) for _ in range(megabytes)) + packer.flush()


def many_texts() -> bytes:
    """64 compressed chunks, each of which inflates to more than a picture's texts may have."""
    bomb = zeros(70)
    return png(8, 8, *(png_chunk(b"zTXt", b"t%d\0\0" % n + bomb) for n in range(64)))


def many_profiles() -> bytes:
    bomb = zeros(70)
    return png(8, 8, *(png_chunk(b"iCCP", b"p\0\0" + bomb) for _ in range(64)))


def _jpeg(width: int = 64, height: int = 64, **options: object) -> bytes:
    file = io.BytesIO()
    Image.radial_gradient("L").resize((width, height)).convert("RGB").save(file, "JPEG", **options)
    return file.getvalue()


def many_scans(count: int = 5000) -> bytes:
    """A progressive JPEG whose last scan comes again and again; each goes over all pixels."""
    data = _jpeg(1600, 1600, progressive=True)
    last = data.rindex(b"\xff\xda")
    return data[:last] + data[last:-2] * count + data[-2:]


def _comments(whole: bytes) -> bytes:
    size = 65_000
    pieces = [whole[n : n + size] for n in range(0, len(whole), size)]
    segments = (
        b"PonyStudio\0" + struct.pack(">HH", n, len(pieces)) + piece
        for n, piece in enumerate(pieces)
    )
    return b"".join(b"\xff\xfe" + struct.pack(">H", len(s) + 2) + s for s in segments)


def deep_comment() -> bytes:
    """59 kB of comment: 60 MB of empty lists, which as objects take 1.6 GB."""
    data = _jpeg()
    packer = zlib.compressobj(9)
    text = [packer.compress(b'{"ponystudio.graph":[')]
    text += [packer.compress(b"[]," * 1_000_000) for _ in range(20)]
    text += [packer.compress(b"[]]}"), packer.flush()]
    return data[:2] + _comments(b"".join(text)) + data[2:]


def many_names_comment() -> bytes:
    """As many fields as fit."""
    text = json.dumps({f"{n:x}": "" for n in range(50_000)}).encode()
    data = _jpeg()
    return data[:2] + _comments(zlib.compress(text, 9)) + data[2:]


def long_gif() -> bytes:
    """A comment of a hundred thousand blocks before the picture."""
    file = io.BytesIO()
    Image.new("P", (8, 8)).save(file, "GIF")
    data = file.getvalue()
    start = 13 + 3 * 2 ** ((data[10] & 7) + 1) if data[10] & 0x80 else 13
    block = b"\xff" + b"c" * 255
    return data[:start] + b"\x21\xfe" + block * 100_000 + b"\0" + data[start:]


def _canvas_gif() -> bytes:
    """Says that its canvas has 65,535 × 65,535 pixels."""
    file = io.BytesIO()
    Image.new("P", (8, 8)).save(file, "GIF")
    data = bytearray(file.getvalue())
    data[6:10] = b"\xff\xff\xff\xff"
    return bytes(data)


def many_tags() -> bytes:
    """A TIFF of 65,000 tags, each of which says that the whole file is its value."""
    count, room = 60_000, 2**20
    entries = b"".join(struct.pack("<HHII", 33_000 + n % 30_000, 1, room, 8) for n in range(count))
    table = struct.pack("<H", count) + entries + bytes(4)
    return b"II*\0" + struct.pack("<I", 8 + room) + bytes(room) + table


def _exif_tags() -> bytes:
    """A PNG whose EXIF has 60,000 tags of a megabyte each."""
    return png(8, 8, png_chunk(b"eXIf", many_tags()))


def _xmp(packet: bytes) -> bytes:
    body = b"WEBPXMP " + struct.pack("<I", len(packet)) + packet
    return b"RIFF" + struct.pack("<I", len(body)) + body


def _animation() -> bytes:
    file = io.BytesIO()
    frames = [Image.new("RGB", (400, 400), (n % 256, n // 2, 0)) for n in range(60)]
    frames[0].save(file, "PNG", save_all=True, append_images=frames[1:])
    return file.getvalue()


SVG = b'<svg xmlns="http://www.w3.org/2000/svg" width="9" height="9">%s</svg>'
# Each is no picture that is known here, though Qt has a reader for it.
NO_PICTURES: dict[str, Callable[[], bytes]] = {
    "svg that opens": lambda: SVG % b'<image href="/dev/zero" width="9" height="9"/>',
    "svg that is large": lambda: SVG.replace(b'"9"', b'"30000"') % b"<rect width='9' height='9'/>",
    "svg that repeats itself": lambda: (
        SVG
        % b"".join(
            b'<g id="g%d">%s</g>' % (n, b'<use href="#g%d"/>' % (n - 1) * 10 if n else b"<rect/>")
            for n in range(30)
        )
    ),
    "svg in xml": lambda: b'<?xml version="1.0"?>\n' + SVG % b"",
    "svg after a comment": lambda: b"<!-- x -->" + SVG % b"",
    "svg, compressed": lambda: zlib.compress(SVG % b"", wbits=31),
    "icns": lambda: b"icns" + struct.pack(">I", 16) + b"ic10" + struct.pack(">I", 8),
    "tga": lambda: struct.pack("<BBBHHBHHHHBB", 0, 0, 2, 0, 0, 0, 0, 0, 65_535, 65_535, 32, 0),
    "ico": lambda: b"\0\0\1\0\1\0" + bytes(16),
    "psd": lambda: b"8BPS\0\1" + bytes(40),
    "jpeg 2000": lambda: b"\0\0\0\x0cjP  \r\n\x87\n" + bytes(40),
    "netpbm": lambda: b"P6\n65535 65535\n255\n",
    "xpm": lambda: b"/* XPM */\nstatic char *x[] = {",
    "eps": lambda: b"%!PS-Adobe-3.0 EPSF-3.0\n",
    "pdf": lambda: b"%PDF-1.7\n",
    "text": lambda: b"a pony",
    "bm alone": lambda: b"BM" + b"x" * 100,
    "nothing": lambda: b"",
}
BOMBS: dict[str, Callable[[], bytes]] = {
    "large png": large_png,
    "many texts": many_texts,
    "many profiles": many_profiles,
    "many scans": many_scans,
    "deep comment": deep_comment,
    "many names": many_names_comment,
    "long gif": long_gif,
    "canvas gif": _canvas_gif,
    "many tags": many_tags,
    "many exif tags": _exif_tags,
    "elements": lambda: _xmp(b"<x>" + b"<a/>" * 2_000_000 + b"</x>"),
    "deep elements": lambda: _xmp(b"<a>" * 1_000_000),
    "animation": _animation,
    "chunks": lambda: png(8, 8, png_chunk(b"tEXt", b"") * 500_000),
}


def written(folder: Path, name: str) -> Path:
    """A hostile file, under the name of a picture."""
    path = folder / "picture.png"
    path.write_bytes({**NO_PICTURES, **BOMBS}[name]())
    return path
