"""The container of `torch.save` before 1.6: five pickles, then the storages one after another."""

from __future__ import annotations

import struct
from typing import Any

from ponystudio.errors import DamagedFile, UnsupportedModel
from ponystudio.library.formats.pickle_machine import read_pickle
from ponystudio.library.formats.tensor_info import ITEM_SIZES
from ponystudio.library.formats.torch_pickles import TorchNames

MAGIC = bytes.fromhex("80028a0a6cfc9c46f9206aa8")
MAGIC_NUMBER = 0x1950A86A20F9469CFC6C
PROTOCOL = 1001
_COUNT = struct.Struct("<q")


def read_legacy(data: memoryview, where: str) -> tuple[Any, dict[str, int]]:
    """The saved object, and at which byte each storage that it refers to begins.

    Raises UnsafeFile, DamagedFile, UnsupportedModel.
    """
    names, at = TorchNames(where), 0
    parts: list[Any] = []
    for _ in range(5):
        part, length = read_pickle(data[at:], names, where)
        parts.append(part)
        at += length
    magic, protocol, system, content, keys = parts
    if magic != MAGIC_NUMBER or protocol != PROTOCOL or not _are_texts(keys):
        raise DamagedFile("The file does not begin as torch's files do.", where=where)
    if not isinstance(system, dict) or system.get("little_endian") is not True:
        raise UnsupportedModel("This file was written on a big-endian machine.", where=where)
    if len(keys) != len(names.storages) or set(keys) != set(names.storages):
        raise DamagedFile("The file does not list the numbers that it refers to.", where=where)
    positions: dict[str, int] = {}
    for key in keys:
        storage = names.storages[key]
        if at + _COUNT.size > len(data) or _COUNT.unpack_from(data, at)[0] != storage.numel:
            raise _cut_short(where)
        at += _COUNT.size
        positions[key] = at
        at += storage.numel * (ITEM_SIZES[storage.dtype] if storage.dtype else 1)
    if at > len(data):
        raise _cut_short(where)
    return content, positions


def _are_texts(keys: Any) -> bool:
    return isinstance(keys, list) and all(isinstance(key, str) for key in keys)


def _cut_short(where: str) -> DamagedFile:
    return DamagedFile(
        "The file ends before its last number: it was cut short.",
        where=where,
        remedy="Download it again.",
    )
