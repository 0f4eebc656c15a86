"""The texts that pictures carry, by name: their graph, how they were made, what other tools write.
`picture_writer.py` says where which format has them.

Reading takes what other tools write as well: EXIF (`exif_texts.py`), also in AVIF
(`avif_items.py`), and the comment of EXIF in XMP. It walks the file's own structure: no pixel is
decoded, and what is damaged or too large is as if it were not there. It is for the reader's process
alone (`pictures/`): a file is a stranger's.
"""

from __future__ import annotations

import io
import re
import struct
import zlib
from collections.abc import Iterator, Mapping
from json.decoder import scanstring  # type: ignore[attr-defined]
from typing import BinaryIO

from ponystudio.errors import GraphFileError
from ponystudio.graph.formats import avif_items
from ponystudio.graph.formats.exif_texts import texts_in
from ponystudio.graph.formats.xmp_packet import IPTC, NAMESPACE, SOURCE_TYPE
from ponystudio.graph.plain_json import plain_text

GRAPH, RECEIPT, PARAMETERS = "ponystudio.graph", "ponystudio.receipt", "parameters"
PROMPT, WORKFLOW = "prompt", "workflow"
"""Of ComfyUI: the documents of what ran and of what was drawn."""

# Text in a picture, after decompression: far above any graph, far below what fills a memory.
MAX_TEXT = 64 * 2**20
# A picture of 1.6 GB in PNG's usual 8 KB chunks; a file of empty chunks ends here.
MAX_CHUNKS = 200_000
# Of an XMP packet; cameras write some hundred.
MAX_ELEMENTS = 20_000
MAX_FIELDS, MAX_NAME, MAX_URI = 1000, 79, 1000

# Fields by which other tools' pictures are told; the first one found counts.
_MAKERS: Mapping[str, str] = {
    "fooocus_scheme": "Fooocus",
    "invokeai_metadata": "InvokeAI",
    "sd-metadata": "InvokeAI",
    "workflow": "ComfyUI",
    "prompt": "ComfyUI",
    PARAMETERS: "AUTOMATIC1111's web UI or one of its kin",
}

COMMENT_MARK = b"PonyStudio\0"
PNG_XMP, JPEG_XMP = "XML:com.adobe.xmp", b"http://ns.adobe.com/xap/1.0/\0"
_XMP_COMMENT = "http://ns.adobe.com/exif/1.0/ UserComment"
_GAP = re.compile(r"[ \t\r\n]*")


def read_fields(file: BinaryIO) -> dict[str, str]:
    """The text fields that a picture carries, without decoding its pixels.

    {} for a picture without any and for what is no picture. They have MAX_TEXT letters in all, and
    no more is ever inflated.
    """
    file.seek(0)
    head = file.read(12)
    if avif_items.is_avif(head):
        return _avif_fields(file)
    if head.startswith(b"\x89PNG\r\n\x1a\n"):
        return _png_fields(file)
    if head.startswith(b"\xff\xd8"):
        return _jpeg_fields(file)
    if head.startswith(b"RIFF") and head[8:] == b"WEBP":
        return _webp_fields(file)
    return {}


def graph_text(fields: Mapping[str, str], where: str) -> str:
    """The graph among the fields of a picture, as the text of a graph file; `where` names it.

    Raises GraphFileError.
    """
    if GRAPH in fields:
        return fields[GRAPH]
    what = "The file carries no PonyStudio graph."
    maker = "" if _is_ours(fields) else _maker(fields)
    if not maker:
        raise GraphFileError(f"{what}{_carried(fields)}", where=where, remedy=_STRIPPED)
    raise GraphFileError(
        f"The picture was made by {maker}: it carries no PonyStudio graph.",
        where=where,
        remedy="Open it: what it says of how it was made becomes a graph.",
    )


def untold(fields: Mapping[str, str], where: str) -> GraphFileError:
    """That nothing of these says how a picture was made, in no words that can be read here."""
    what = "The picture carries no graph, and does not say how it was made."
    return GraphFileError(f"{what}{_carried(fields)}", where=where, remedy=_STRIPPED)


_STRIPPED = "Chat programs and image hosts often strip it: ask for the original file."


def _carried(fields: Mapping[str, str]) -> str:
    """What there is instead."""
    fields = {name: text for name, text in fields.items() if name != SOURCE_TYPE}
    return "" if not fields or _is_ours(fields) else f" It carries only: {_names(fields)}."


def _names(fields: Mapping[str, str]) -> str:
    """Some of them, which are a stranger's words."""
    names = sorted(name if len(name) <= 40 else f"{name[:39]}…" for name in fields)
    return ", ".join(names[:12]) + (f" and {len(names) - 12} more" if len(names) > 12 else "")


def _is_ours(fields: Mapping[str, str]) -> bool:
    """Whether PonyStudio wrote them, though the graph is gone."""
    return RECEIPT in fields or "Version: PonyStudio" in fields.get(PARAMETERS, "")


def _maker(fields: Mapping[str, str]) -> str:
    """The tool whose fields these are, or ""."""
    if fields.get("Software", "").startswith("NovelAI"):
        return "NovelAI"
    if "sui_image_params" in fields.get(PARAMETERS, ""):
        return "SwarmUI"
    return next((maker for name, maker in _MAKERS.items() if name in fields), "")


# --- PNG ------------------------------------------------------------------------------------------


class _Budget:
    """What a picture may still cost: charged for all that is inflated or kept, also in vain."""

    def __init__(self) -> None:
        self.left = MAX_TEXT

    def take(self, count: int) -> bool:
        """Whether there is room for so much."""
        self.left -= count
        return self.left >= 0

    def inflate(self, data: bytes) -> bytes | None:
        """Decompressed, or None if it is damaged or too long."""
        stream = zlib.decompressobj()
        result, rest = [], data
        try:
            while rest and not stream.eof and self.left > 0:
                piece = stream.decompress(rest, min(self.left, 2**20))
                self.left -= len(piece)
                result.append(piece)
                rest = stream.unconsumed_tail
        except zlib.error:
            return None
        return b"".join(result) if stream.eof else None


def _png_fields(file: BinaryIO) -> dict[str, str]:
    """Text may stand before or after the image data."""
    fields: dict[str, str] = {}
    beside: dict[str, str] = {}
    budget = _Budget()
    file.seek(8)
    for _ in range(MAX_CHUNKS):
        head = file.read(8)
        if len(head) < 8 or head[4:] == b"IEND" or len(fields) >= MAX_FIELDS or budget.left <= 0:
            break
        length, kind = struct.unpack(">I4s", head)
        if kind not in (b"tEXt", b"zTXt", b"iTXt", b"eXIf") or length > budget.left:
            file.seek(length + 4, io.SEEK_CUR)
            continue
        budget.take(length)
        data, check = file.read(length), file.read(4)
        if len(check) == 4 and zlib.crc32(kind + data) == int.from_bytes(check, "big"):
            if kind == b"eXIf":
                beside |= texts_in(data)
                continue
            name, text = _png_text(kind, data, budget)
            if name == PNG_XMP and text:
                beside |= _xmp_fields(text.encode())
            elif name and text is not None:
                fields.setdefault(name, text)
    return beside | fields


def _png_text(kind: bytes, data: bytes, budget: _Budget) -> tuple[str, str | None]:
    key, _, rest = data.partition(b"\0")
    name = key[:MAX_NAME].decode("latin-1")
    if kind == b"tEXt":
        return name, rest.decode("latin-1")
    if kind == b"zTXt":
        inflated = budget.inflate(rest[1:])
        return name, None if inflated is None else inflated.decode("latin-1")
    compressed, rest = rest[:1] == b"\x01", rest[2:]
    _language, _, rest = rest.partition(b"\0")
    _translated, _, body = rest.partition(b"\0")
    content = budget.inflate(body) if compressed else body
    return name, None if content is None else content.decode("utf-8", "replace")


# --- WebP -----------------------------------------------------------------------------------------


def _webp_fields(file: BinaryIO) -> dict[str, str]:
    fields: dict[str, str] = {}
    budget = _Budget()
    file.seek(12)
    for _ in range(MAX_CHUNKS):
        head = file.read(8)
        if len(head) < 8:
            break
        kind, length = struct.unpack("<4sI", head)
        if kind in (b"EXIF", b"XMP ") and budget.take(length):
            data = file.read(length)
            found = texts_in(data) if kind == b"EXIF" else _xmp_fields(data)
            fields = found | fields
            file.seek(length % 2, io.SEEK_CUR)
        else:
            file.seek(length + length % 2, io.SEEK_CUR)
    return fields


def _xmp_fields(packet: bytes) -> dict[str, str]:
    """Nothing is kept but our own property and EXIF's comment, as elements or as attributes."""
    if b"<!DOCTYPE" in packet or b"<!ENTITY" in packet:  # nothing honest declares entities in XMP
        return {}
    from xml.parsers import expat  # seldom needed, so not before

    found: dict[str, list[str]] = {
        f"{NAMESPACE} fields": [],
        _XMP_COMMENT: [],
        f"{IPTC} {SOURCE_TYPE}": [],
    }
    inside: list[list[str] | None] = []
    count = 0
    parser = expat.ParserCreate("utf-8", " ")
    parser.buffer_text = True

    def begin(tag: str, attributes: dict[str, str]) -> None:
        nonlocal count
        count += 1
        if count > MAX_ELEMENTS:
            raise ValueError("too many elements")
        for name, pieces in found.items():
            if name in attributes:
                pieces.append(attributes[name])
        # A comment stands in a list of languages.
        inside.append(found.get(tag, inside[-1] if inside else None))

    def text(data: str) -> None:
        if inside and inside[-1] is not None:
            inside[-1].append(data)

    parser.StartElementHandler, parser.CharacterDataHandler = begin, text
    parser.EndElementHandler = lambda _: inside.pop()
    try:
        parser.Parse(packet.decode("utf-8", "replace").lstrip("\ufeff").encode(), True)
    except (expat.ExpatError, ValueError):
        return {}
    own, comment, source = ("".join(pieces).strip() for pieces in found.values())
    said = {PARAMETERS: comment, SOURCE_TYPE: source[:MAX_URI]}
    return {name: text for name, text in said.items() if text} | _from_json(own)


# --- JPEG -----------------------------------------------------------------------------------------


def _jpeg_fields(file: BinaryIO) -> dict[str, str]:
    fields: dict[str, str] = {}
    pieces: dict[int, bytes] = {}
    xmp: dict[str, str] = {}
    budget, count = _Budget(), 0
    for marker, body in _jpeg_segments(file):
        if marker == 0xE1 and body.startswith(b"Exif\0\0"):
            fields = fields or texts_in(body)
        elif marker == 0xE1 and body.startswith(JPEG_XMP):
            xmp = xmp or _xmp_fields(body.removeprefix(JPEG_XMP))
        elif marker == 0xFE and body.startswith(COMMENT_MARK):
            head = len(COMMENT_MARK) + 4
            if len(body) >= head and budget.take(len(body)):
                number, count = struct.unpack(">HH", body[head - 4 : head])
                pieces[number] = body[head:]
    if count and all(number in pieces for number in range(count)):
        whole = budget.inflate(b"".join(pieces[number] for number in range(count)))
        if whole is not None:
            fields |= _from_json(whole.decode("utf-8", "replace"))
    return xmp | fields


def _jpeg_segments(file: BinaryIO) -> Iterator[tuple[int, bytes]]:
    """The segments before the image data; each has at most 64 KB, and there are 2¹⁷ at most."""
    file.seek(2)
    for _ in range(2**17):
        mark = file.read(2)
        while mark[1:] == b"\xff":  # padding
            mark = mark[1:] + file.read(1)
        if len(mark) < 2 or mark[0] != 0xFF or mark[1] in (0xD9, 0xDA):
            return
        if mark[1] == 0x01 or 0xD0 <= mark[1] <= 0xD8:  # markers without a body
            continue
        length = int.from_bytes(file.read(2), "big") - 2
        if length < 0:
            return
        yield mark[1], file.read(length)


# --- AVIF -----------------------------------------------------------------------------------------


def _avif_fields(file: BinaryIO) -> dict[str, str]:
    exif, xmp = avif_items.exif_and_xmp(file, _Budget().take)
    return _xmp_fields(xmp) | texts_in(exif)


# --- What they share ------------------------------------------------------------------------------


def _from_json(text: str) -> dict[str, str]:
    """The texts of an object, up to the first value that is none.

    Nothing else is built of it: what little text can stand for in lists is a thousand times larger.
    """
    fields: dict[str, str] = {}
    place = _gap(text, 0)
    if text[place : place + 1] != "{":
        return {}
    try:
        while len(fields) < MAX_FIELDS and text[place] in "{,":
            place = _gap(text, place + 1)
            if text[place] != '"':
                break
            name, place = scanstring(text, place + 1)
            place = _gap(text, place)
            if text[place] != ":":
                return {}
            place = _gap(text, place + 1)
            if text[place] != '"':
                break
            value, place = scanstring(text, place + 1)
            fields[plain_text(name[:MAX_NAME])] = plain_text(value)
            place = _gap(text, place)
    except (ValueError, IndexError):
        return {}
    return fields


def _gap(text: str, place: int) -> int:
    """Where the next token begins."""
    found = _GAP.match(text, place)
    return place if found is None else found.end()
