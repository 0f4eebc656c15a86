"""The header of a .safetensors file: an 8-byte length, then JSON, then the numbers.

Stricter than it must be where a file could mean two things: names twice, ranges that overlap or
leave gaps, and bytes that belong to nothing are refused.
"""

from __future__ import annotations

import json
import math
import struct
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from ponystudio.errors import DamagedFile, UnsupportedModel
from ponystudio.library.formats.tensor_info import (
    ITEM_SIZES,
    MOST_DIMENSIONS,
    TensorInfo,
    check_places,
)
from ponystudio.system.json_reader import JsonLimit, read_json

LONGEST_HEADER = 100_000_000
# The largest models have some thousands of tensors, of four names and three lists and objects each;
# a log of training has some hundred thousand names.
MOST_NAMES, MOST_CONTAINERS = 1_000_000, 500_000
MOST_METADATA = 10_000
METADATA = "__metadata__"


def looks_like(head: bytes) -> bool:
    """Whether a file that begins so (9 bytes are enough) is meant to be safetensors."""
    return len(head) >= 9 and head[8:9] == b"{" and _length(head) <= LONGEST_HEADER


def read_header(data: memoryview, where: str) -> tuple[dict[str, TensorInfo], dict[str, str]]:
    """Tensors by name, in the order in which they lie in the file, and the metadata.

    `data` is the whole file. Raises DamagedFile, or UnsupportedModel for an unknown kind of number.
    """
    length = _length(data[:8])
    body = 8 + length
    if body > len(data):
        raise DamagedFile(
            f"The file ends inside its header, after {len(data):,} bytes.",
            where=where,
            remedy="Download it again.",
        )
    text = bytes(data[8:body])
    try:
        header = read_json(
            text, names=MOST_NAMES, containers=MOST_CONTAINERS, object_pairs_hook=_no_duplicates
        )
    except _Duplicate as error:
        raise DamagedFile(f"The header names {error.args[0]!r} twice.", where=where) from None
    except JsonLimit as error:
        raise DamagedFile(f"The header of the file is no header. {error}", where=where) from None
    except ValueError:
        raise DamagedFile(
            "The header of the file is not readable.", where=where, remedy="Download it again."
        ) from None
    if not isinstance(header, dict):
        raise DamagedFile("The header of the file makes no sense.", where=where)
    metadata = header.pop(METADATA, None) or {}
    if not isinstance(metadata, dict) or len(metadata) > MOST_METADATA:
        raise DamagedFile("The metadata of the file makes no sense.", where=where)
    tensors = [_tensor(name, entry, body, where) for name, entry in header.items()]
    tensors.sort(key=lambda tensor: (tensor.start, tensor.nbytes))
    check_places(tensors, body, len(data), where)
    texts = {k: v if isinstance(v, str) else json.dumps(v) for k, v in metadata.items()}
    return (
        {tensor.name: tensor for tensor in tensors},
        {_whole(name): _whole(text) for name, text in texts.items()},
    )


def header_bytes(
    tensors: Mapping[str, tuple[str, Sequence[int]]], metadata: Mapping[str, str]
) -> bytes:
    """The header of a file of these tensors, dtype and shape by name, in the order in which their
    numbers follow."""
    entries: dict[str, object] = {METADATA: dict(metadata)}
    position = 0
    for name, (dtype, shape) in tensors.items():
        end = position + math.prod(shape) * ITEM_SIZES[dtype]
        entries[name] = {"dtype": dtype, "shape": shape, "data_offsets": [position, end]}
        position = end
    text = json.dumps(entries, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    return struct.pack("<Q", len(text)) + text


def writing_order(dtypes: Mapping[str, str]) -> list[str]:
    """Names of tensors in such an order that each stands at a multiple of the size of its numbers:
    wide ones first."""
    return sorted(dtypes, key=lambda name: (-ITEM_SIZES[dtypes[name]], name))


def _whole(text: str) -> str:
    """Without halves of characters, which JSON can write and nothing can print."""
    return text.encode("utf-8", "replace").decode()


def _length(head: bytes | memoryview) -> int:
    return int(struct.unpack_from("<Q", head)[0])


class _Duplicate(Exception):
    pass


def _no_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    result = dict(pairs)
    if len(result) < len(pairs):
        raise _Duplicate(Counter(name for name, _ in pairs).most_common(1)[0][0])
    return result


def _tensor(name: str, entry: Any, body: int, where: str) -> TensorInfo:
    if name != _whole(name):
        raise DamagedFile(f"The name {_whole(name)!r} is no text.", where=where)
    try:
        dtype, shape, (start, end) = entry["dtype"], tuple(entry["shape"]), entry["data_offsets"]
        numbers = (*shape, start, end)
        if not all(type(n) is int and 0 <= n < 2**63 for n in numbers):
            raise ValueError
        if len(shape) > MOST_DIMENSIONS:
            raise ValueError
        known = dtype in ITEM_SIZES
    except (TypeError, KeyError, ValueError):
        raise DamagedFile(
            f"What the header says of {name!r} makes no sense.", where=where
        ) from None
    if not known:
        raise UnsupportedModel(f"{name!r} has numbers of the unknown type {dtype!r}.", where=where)
    if end - start != math.prod(shape) * ITEM_SIZES[dtype]:
        raise DamagedFile(
            f"The header gives {name!r} {end - start:,} bytes, its shape needs "
            f"{math.prod(shape) * ITEM_SIZES[dtype]:,}.",
            where=where,
        )
    return TensorInfo(name, dtype, shape, None, end - start, body + start)
