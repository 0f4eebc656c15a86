"""Which file is it? A quick answer that is safe enough for caches, and the hashes of the world."""

from __future__ import annotations

import hashlib
import json
import os
import struct
import zlib
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from ponystudio.errors import DamagedFile, MissingFile, ModelFileError, UnknownModel
from ponystudio.library.formats import tokenizers
from ponystudio.system.regular_file import NotRegular, open_regular

if TYPE_CHECKING:
    from ponystudio.library.formats.weights_file import WeightsFile

SAMPLE = 4096
CHUNK = 4 << 20
AUTOV1_START, AUTOV1_LENGTH = 0x100000, 0x10000

Identity = tuple[str, int, int, int, int]
# Quick content ids of what lies in the files themselves, and whether a tokenizer beside it counts.
_known: dict[Identity, tuple[str, bool]] = {}


def sidecar(path: Path) -> Path:
    """Where the config lies that some models come with, and that says what they predict."""
    return path.with_suffix(".yaml")


def identity(path: Path) -> Identity:
    """What must stay the same for a file to be taken as unchanged: path, size, time, inode, and
    the time of the config beside it (0 without one).

    Raises MissingFile.
    """
    try:
        found = path.stat()
    except (OSError, ValueError):
        raise MissingFile("There is no such file.", where=str(path)) from None
    try:
        config = sidecar(path).stat().st_mtime_ns
    except (OSError, ValueError):
        config = 0
    return str(path), found.st_size, found.st_mtime_ns, found.st_ino, config


def content_id(path: Path) -> str:
    """The quick content id, 64 hex digits: the same for the same bytes, wherever they lie.

    Of weights: their names and shapes, the length, and 4 KiB of every tensor, so that no training
    step goes unnoticed and no gigabytes are read, and the config and the tokenizer beside them,
    which change what they mean. Of any other file: all of it. Of a diffusers folder: its configs,
    tokenizers and weights.
    Remembered while size and time of the file stay the same. Raises MissingFile and DamagedFile.
    """
    own, with_tokenizer = _own_id(path)
    if with_tokenizer and (found := tokenizers.of_name(path) or tokenizers.beside(path)):
        return _digest((own, _own_id(found)[0]))
    return own


def hashes(path: Path, heard: Callable[[int], object] | None = None) -> dict[str, str]:
    """The hashes by which files are known elsewhere, in lower-case hex, in one reading.

    `heard` is told, piece after piece, how many bytes were read; what it raises ends the reading.

    `sha256`; `autov1` (64 KiB at 1 MiB), `autov2` (A1111's model hash); `crc32`; for safetensors
    `autov3` (of the bytes after the header) and, as hints, what the file says of itself
    (`sshs_model_hash`, `sshs_legacy_hash`, `modelspec.hash_sha256`).

    Raises MissingFile, DamagedFile for a file that cannot be read, UnknownModel for what is none.
    """
    identity(path)  # raises when it is not there
    body = _body_start(path)
    whole, tensors, crc, position = hashlib.sha256(), hashlib.sha256(), 0, 0
    for chunk in _chunks(path):
        whole.update(chunk)
        crc = zlib.crc32(chunk, crc)
        if body is not None:
            tensors.update(chunk[max(0, body - position) :])
        position += len(chunk)
        if heard is not None:
            heard(position)
    result = {
        "sha256": whole.hexdigest(),
        "autov1": _autov1(path),
        "autov2": whole.hexdigest()[:10],
        "crc32": f"{crc:08x}",
    }
    if body is not None:
        result["autov3"] = tensors.hexdigest()[:12]
        result.update(_embedded(path))
    return result


def _own_id(path: Path) -> tuple[str, bool]:
    """The id of a file or folder without what lies beside it, and whether a tokenizer there counts.

    A folder's own lies among its files.
    """
    if path.is_dir():
        found = [(file.name, *_own_id(file)) for file in _files(path)]
        return (
            _digest(part for name, id, _ in found for part in (name, id)),
            any(with_tokenizer for *_, with_tokenizer in found),
        )
    key = identity(path)
    if key not in _known:
        _known[key] = _file_id(path)
    return _known[key]


def _file_id(path: Path) -> tuple[str, bool]:
    from ponystudio.library.formats.weights_file import open_weights

    try:
        with open_weights(path) as file:
            return _digest(_weights_parts(file)), tokenizers.counts(file.tensors)
    except ModelFileError:
        whole = hashlib.sha256()
        for chunk in _chunks(path):
            whole.update(chunk)
        return whole.hexdigest(), False


def _weights_parts(file: WeightsFile) -> Iterator[str | bytes]:
    yield f"{file.format} {file.path.stat().st_size}"
    yield json.dumps(file.metadata, sort_keys=True)
    if sidecar(file.path).is_file():
        yield from _chunks(sidecar(file.path))
    for name, info in file.tensors.items():
        yield f"{name} {info.dtype} {info.shape} {info.strides} {info.start}"
        buffer = file.buffer(name)
        # Its beginning, middle and end; the end shares a page with the next one's beginning.
        middle = max(SAMPLE // 2, len(buffer) // 2)
        yield bytes(buffer[: SAMPLE // 2])
        yield bytes(buffer[middle : middle + SAMPLE // 4])
        yield bytes(buffer[max(SAMPLE * 3 // 4, len(buffer) - SAMPLE // 4) :])


def _digest(parts: Iterable[str | bytes]) -> str:
    """Of parts with their lengths, so that no two sequences run together into the same bytes."""
    result = hashlib.sha256()
    for part in parts:
        data = part if isinstance(part, bytes) else part.encode("utf-8", "surrogatepass")
        result.update(struct.pack("<Q", len(data)))
        result.update(data)
    return result.hexdigest()


def _files(folder: Path) -> list[Path]:
    suffixes = (".json", ".model", ".safetensors", ".bin", ".yaml")
    return sorted(
        Path(base) / name
        for base, _, names in os.walk(folder)
        for name in names
        if name.endswith(suffixes)
    )


def _chunks(path: Path) -> Iterator[bytes]:
    with _reading(path) as file:
        while chunk := file.read(CHUNK):
            yield chunk


@contextmanager
def _reading(path: Path) -> Iterator[BinaryIO]:
    try:
        with open_regular(path) as file:
            yield file
    except NotRegular as error:
        raise UnknownModel(
            f"This is {error.what}, not a file that can be read.", where=str(path)
        ) from None
    except OSError as error:
        raise DamagedFile(f"The file cannot be read: {error.strerror}.", where=str(path)) from None


def _body_start(path: Path) -> int | None:
    """Where the tensors of a safetensors file begin; None for other files."""
    from ponystudio.library.formats import safetensors_file

    with _reading(path) as file:
        head = file.read(9)
    return 8 + int(struct.unpack("<Q", head[:8])[0]) if safetensors_file.looks_like(head) else None


def _autov1(path: Path) -> str:
    with _reading(path) as file:
        file.seek(AUTOV1_START)
        return hashlib.sha256(file.read(AUTOV1_LENGTH)).hexdigest()[:8]


def _embedded(path: Path) -> dict[str, str]:
    from ponystudio.library.formats.weights_file import open_weights

    names = ("sshs_model_hash", "sshs_legacy_hash", "modelspec.hash_sha256")
    try:
        with open_weights(path) as file:
            return {name: file.metadata[name] for name in names if name in file.metadata}
    except ModelFileError:
        return {}
