"""GGUF files as any tool could have written them, right or wrong, without the package that does."""

from __future__ import annotations

import math
import struct
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ponystudio.library.formats.gguf_file import KINDS
from ponystudio.library.formats.tensor_info import ITEM_SIZES, PACKED, aligned

NUMBERS = {kind: number for number, kind in KINDS.items()}
Shapes = Mapping[str, Sequence[int]]


def text(value: str | bytes) -> bytes:
    data = value.encode() if isinstance(value, str) else value
    return struct.pack("<Q", len(data)) + data


def value(content: Any) -> bytes:
    """A value with its type; bytes stand for themselves."""
    if isinstance(content, bytes):
        return content
    if isinstance(content, bool):
        return struct.pack("<I?", 7, content)
    if isinstance(content, int):
        return struct.pack("<II", 4, content)
    if isinstance(content, float):
        return struct.pack("<If", 6, content)
    if isinstance(content, str):
        return struct.pack("<I", 8) + text(content)
    if content and isinstance(content[0], str):
        return struct.pack("<IIQ", 9, 8, len(content)) + b"".join(map(text, content))
    return struct.pack(f"<IIQ{len(content)}i", 9, 5, len(content), *content)


def entry(name: str, shape: Sequence[int], kind: int, offset: int) -> bytes:
    """What the header says of a tensor; `shape` in numpy's order."""
    sides = struct.pack(f"<I{len(shape)}Q", len(shape), *reversed(shape))
    return text(name) + sides + struct.pack("<IQ", kind, offset)


def header(
    entries: Sequence[bytes],
    metadata: Mapping[str, Any] | None = None,
    *,
    version: int = 3,
    counts: tuple[int, int] | None = None,
) -> bytes:
    """Everything before the numbers, up to where they are aligned to."""
    pairs = [text(key) + value(content) for key, content in (metadata or {}).items()]
    numbers = counts or (len(entries), len(pairs))
    head = b"GGUF" + struct.pack("<IQQ", version, *numbers) + b"".join([*pairs, *entries])
    return head.ljust(aligned(len(head), _alignment(metadata)), b"\0")


def gguf(
    shapes: Shapes,
    metadata: Mapping[str, Any] | None = None,
    kind: str | Mapping[str, str] = "F16",
    **how: Any,
) -> tuple[bytes, int]:
    """The header of a file of these tensors, and how many bytes of numbers must follow."""
    alignment, position, entries = _alignment(metadata), 0, []
    for name, shape in shapes.items():
        mine = kind if isinstance(kind, str) else kind[name]
        entries.append(entry(name, shape, NUMBERS[mine], position))
        block, size = PACKED.get(mine) or (1, ITEM_SIZES[mine])
        position = aligned(position + math.prod(shape) // block * size, alignment)
    return header(entries, metadata, **how), position


def write_gguf(
    path: Path,
    shapes: Shapes,
    metadata: Mapping[str, Any] | None = None,
    kind: str | Mapping[str, str] = "F16",
) -> Path:
    """A file of tensors of these shapes; all numbers are zero and take no space."""
    head, size = gguf(shapes, metadata, kind)
    with path.open("wb") as file:
        file.write(head)
        file.truncate(len(head) + size)
    return path


def _alignment(metadata: Mapping[str, Any] | None) -> int:
    said = (metadata or {}).get("general.alignment")
    return said if isinstance(said, int) and said > 0 else 32
