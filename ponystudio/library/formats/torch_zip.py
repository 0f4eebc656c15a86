"""The zip container of `torch.save` since 1.6: `ROOT/data.pkl` and a stored entry a storage.

Python's zipfile would unpack what is compressed and trust the directory at the end. Here nothing is
unpacked: entries must be stored as they are, inside the file, and their own headers must agree.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import Any

from ponystudio.errors import DamagedFile, UnknownModel, UnsafeFile, UnsupportedModel
from ponystudio.library.formats.pickle_machine import read_pickle
from ponystudio.library.formats.tensor_info import ITEM_SIZES
from ponystudio.library.formats.torch_pickles import Storage, TorchNames

MAGIC = b"PK\x03\x04"
MOST_ENTRIES = 200_000
LONGEST_COMMENT = 1 << 16

_END = struct.Struct("<4s4H2LH")
_END64_LOCATOR = struct.Struct("<4sLQL")
_END64 = struct.Struct("<4sQ2H2L4Q")
_CENTRAL = struct.Struct("<4s4B4HL2L5H2L")
_LOCAL = struct.Struct("<4s2B4HL2L2H")
_FULL32 = 0xFFFFFFFF


@dataclass(frozen=True, slots=True)
class ZipEntry:
    """A file in the archive: its bytes lie from `start` to `stop`."""

    name: str
    start: int
    stop: int


def read_zip(data: memoryview, where: str) -> tuple[Any, dict[str, int]]:
    """The saved object, and at which byte each storage that it refers to begins.

    Raises UnknownModel for an archive of something else, UnsafeFile, DamagedFile.
    """
    entries = _entries(data, where)
    pickles = [name for name in entries if name.endswith("/data.pkl")]
    if len(pickles) != 1:
        raise UnknownModel(
            "This is a zip archive without a model in it.",
            where=where,
            remedy="Unpack it and choose the model file inside.",
        )
    root = pickles[0].removesuffix("data.pkl")
    if f"{root}constants.pkl" in entries or any(
        name.startswith(f"{root}code/") for name in entries
    ):
        raise UnsupportedModel("This is a TorchScript programme, not plain weights.", where=where)
    order = entries.get(f"{root}byteorder")
    if order and bytes(data[order.start : order.stop]) != b"little":
        raise UnsupportedModel("This file was written on a big-endian machine.", where=where)
    names = TorchNames(where)
    pickle = entries[pickles[0]]
    content, _ = read_pickle(data[pickle.start : pickle.stop], names, where)
    positions = {
        key: _position(entries.get(f"{root}data/{key}"), storage, where)
        for key, storage in names.storages.items()
    }
    return content, positions


def _position(entry: ZipEntry | None, storage: Storage, where: str) -> int:
    size = storage.numel * (ITEM_SIZES[storage.dtype] if storage.dtype else 1)
    if entry is None or entry.stop - entry.start < size:
        raise DamagedFile(f"The numbers of storage {storage.key!r} are missing.", where=where)
    return entry.start


def _entries(data: memoryview, where: str) -> dict[str, ZipEntry]:
    try:
        count, size, offset, prepended = _directory(data)
        if count > MOST_ENTRIES or size > len(data) or count * _CENTRAL.size > size:
            raise ValueError
        result: dict[str, ZipEntry] = {}
        at = offset + prepended
        for _ in range(count):
            entry, at = _entry(data, at, prepended, where)
            if entry.name in result:
                raise UnsafeFile(f"The archive holds {entry.name!r} twice.", where=where)
            result[entry.name] = entry
    except (struct.error, ValueError, IndexError):
        raise DamagedFile(
            "The archive is cut short or damaged.", where=where, remedy="Download it again."
        ) from None
    return result


def _directory(data: memoryview) -> tuple[int, int, int, int]:
    """Entries in the directory, its length and place, and what stands before the archive."""
    tail_start = max(0, len(data) - _END.size - LONGEST_COMMENT)
    found = bytes(data[tail_start:]).rfind(b"PK\x05\x06")
    if found < 0:
        raise ValueError
    end = tail_start + found
    _, _, _, _, count, size, offset, _ = _END.unpack_from(data, end)
    stop = end
    locator = end - _END64_LOCATOR.size
    if locator >= 0 and bytes(data[locator : locator + 4]) == b"PK\x06\x07":
        stop = _END64_LOCATOR.unpack_from(data, locator)[2]
        fields = _END64.unpack_from(data, stop)
        if fields[0] != b"PK\x06\x06":
            raise ValueError
        count, size, offset = fields[7:]
    return count, size, offset, stop - size - offset


def _entry(data: memoryview, at: int, prepended: int, where: str) -> tuple[ZipEntry, int]:
    fields = _CENTRAL.unpack_from(data, at)
    signature, flags, method = fields[0], fields[5], fields[6]
    packed, size, name_length, extra_length, comment_length = fields[10:15]
    header = fields[18]
    if signature != b"PK\x01\x02":
        raise ValueError
    name_start = at + _CENTRAL.size
    extra_start = name_start + name_length
    stop = extra_start + extra_length + comment_length
    name = bytes(data[name_start:extra_start])
    if _FULL32 in (packed, size, header):
        extra = bytes(data[extra_start : extra_start + extra_length])
        packed, size, header = _wide(extra, packed, size, header)
    if method != 0 or packed != size or flags & 1:
        raise UnsafeFile(
            "The archive is compressed or encrypted, which torch never does: it could unpack to "
            "any size.",
            where=where,
            remedy="Unpack it and choose the model file inside.",
        )
    text = name.decode("utf-8", "replace")
    if "\\" in text or text.startswith("/") or ".." in text.split("/"):
        raise UnsafeFile(f"The archive holds a file for another place: {text!r}.", where=where)
    start = _data_start(data, header + prepended, name)
    if start + size > len(data):
        raise ValueError
    return ZipEntry(text, start, start + size), stop


def _wide(extra: bytes, *numbers: int) -> tuple[int, ...]:
    """The 64-bit values of those that do not fit into 32 bits, from the extra field of kind 1."""
    at = 0
    while at + 4 <= len(extra):
        kind, length = struct.unpack_from("<2H", extra, at)
        if kind == 1:
            wide = iter(struct.unpack_from(f"<{length // 8}Q", extra, at + 4))
            return tuple(next(wide, -1) if n == _FULL32 else n for n in numbers)
        at += 4 + length
    raise ValueError


def _data_start(data: memoryview, at: int, name: bytes) -> int:
    """Where the bytes begin, by the entry's own header: its extra field has a length of its own."""
    fields: tuple[Any, ...] = _LOCAL.unpack_from(data, at)
    name_length, extra_length = map(int, fields[-2:])
    start = at + _LOCAL.size
    own_name = bytes(data[start : start + name_length])
    if fields[0] != MAGIC or fields[4] != 0 or own_name != name:
        raise ValueError
    return start + name_length + extra_length
