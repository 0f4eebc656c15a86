"""Open a file of weights, whatever its format, without running anything that is in it; what is no
file of weights is said to be what it is, as plainly as it can be.
"""

from __future__ import annotations

import codecs
import mmap
import os
import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any

from ponystudio.errors import (
    DamagedFile,
    MissingFile,
    ModelFileError,
    UnknownModel,
    UnreadFile,
    UnsupportedModel,
)
from ponystudio.library.formats import gguf_file, quantization, safetensors_file
from ponystudio.library.formats.pickle_machine import read_pickle
from ponystudio.library.formats.state_dict import unwrap
from ponystudio.library.formats.tensor_info import Closing, TensorInfo
from ponystudio.library.formats.torch_pickles import MAGIC as LEGACY_MAGIC
from ponystudio.library.formats.torch_pickles import TorchNames, read_legacy
from ponystudio.library.formats.torch_zip import MAGIC as ZIP_MAGIC
from ponystudio.library.formats.torch_zip import read_zip
from ponystudio.system.regular_file import NotRegular, open_regular

__all__ = ["TensorInfo", "WeightsFile", "joined", "merged", "open_weights"]

# Python has no name for it before 3.13.
_NO_RESERVATION = getattr(mmap, "MAP_NORESERVE", 0x4000 if sys.platform == "linux" else 0)


@dataclass
class WeightsFile(Closing):
    """An open file of weights; a context manager.

    `format` is "safetensors", "gguf", "pickle zip" or "pickle legacy". `tensors` are the entries of
    the innermost state dict; `wrapper` is the key that it stood under ("state_dict", "params_ema",
    ...; "" for none) and `siblings` are the other state dicts there. `extra_keys` names what stands
    beside it (training state), of which nothing was read. `metadata` is text by name.
    """

    path: Path
    format: str
    tensors: Mapping[str, TensorInfo]
    metadata: dict[str, str] = field(default_factory=dict)
    wrapper: str = ""
    siblings: tuple[str, ...] = ()
    extra_keys: tuple[str, ...] = ()
    _views: list[memoryview] = field(default_factory=list, repr=False)
    _paths: list[Path] = field(default_factory=list, repr=False)

    def path_of(self, name: str) -> Path:
        """Which file a tensor lies in, where several are one."""
        return self._paths[self.tensors[name].file] if self._paths else self.path

    @cached_property
    def quantized(self) -> Mapping[str, quantization.Quantization]:
        """Of the weights whose numbers are not what they say, how they are to be read.

        Raises UnsupportedModel and DamagedFile for what `quantization.read` does not understand.
        """
        return quantization.read(self.tensors, self.metadata, self.buffer, str(self.path))

    def buffer(self, name: str) -> memoryview:
        """The mapped bytes of a tensor from its first element to its last, little-endian.

        Writing to them changes neither the file nor what others see of it. They stay valid after
        `close`, which only drops this object's hold on them.
        """
        info = self.tensors[name]
        return self._views[info.file][info.start : info.start + info.nbytes]

    def close(self) -> None:
        """Give the maps back; one whose buffers are still in use goes with the last of them."""
        for view in self._views:
            _unmap(view)
        self._views = []


def open_weights(path: Path | str, wrapper: str = "") -> WeightsFile:
    """Map a .safetensors or .gguf file or a pickle of torch's, recognised by content, not by name.

    `wrapper` asks for one state dict of several ("params" instead of "params_ema").
    Raises DamagedFile, UnsafeFile, UnsupportedModel or UnknownModel, and MissingFile.
    """
    path = Path(path)
    view = _map(path)
    try:
        return _read(path, view, wrapper)
    except BaseException:
        _unmap(view)
        raise


def merged(path: Path, files: Iterable[WeightsFile]) -> WeightsFile:
    """Several shards as one file; closing it closes them."""
    return joined(path, (("", file) for file in files))


def joined(path: Path, files: Iterable[tuple[str, WeightsFile]]) -> WeightsFile:
    """Several files as one, each with a prefix before its names; closing it closes them."""
    listed = list(files)
    tensors: dict[str, TensorInfo] = {}
    metadata: dict[str, str] = {}
    views: list[memoryview] = []
    paths: list[Path] = []
    for prefix, file in listed:
        for name, info in file.tensors.items():
            tensors[prefix + name] = replace(info, file=info.file + len(views))
        metadata.update(file.metadata)
        views += file._views
        paths += file._paths or [file.path]
    metadata |= quantization.carried((prefix, file.metadata) for prefix, file in listed)
    return WeightsFile(path, listed[0][1].format, tensors, metadata, _views=views, _paths=paths)


def _read(path: Path, view: memoryview, wrapper: str) -> WeightsFile:
    head, where = bytes(view[:512]), str(path)
    if safetensors_file.looks_like(head):
        tensors, metadata = safetensors_file.read_header(view, where)
        return WeightsFile(path, "safetensors", tensors, metadata, _views=[view])
    if gguf_file.looks_like(head):
        tensors, metadata = gguf_file.read_header(view, where)
        return WeightsFile(path, "gguf", tensors, metadata, _views=[view])
    if head.startswith(ZIP_MAGIC):
        content, positions = read_zip(view, where)
        return _from_pickle(path, "pickle zip", view, content, positions, wrapper)
    if head.startswith(LEGACY_MAGIC):
        content, positions = read_legacy(view, where)
        return _from_pickle(path, "pickle legacy", view, content, positions, wrapper)
    raise refuse(view, where)


def _from_pickle(
    path: Path,
    format: str,
    view: memoryview,
    content: Any,
    positions: Mapping[str, int],
    wrapper: str,
) -> WeightsFile:
    state = unwrap(content, str(path), wrapper)
    tensors = {
        name: tensor.info(name, positions[tensor.storage.key])
        for name, tensor in state.tensors.items()
    }
    return WeightsFile(
        path,
        format,
        tensors,
        state.metadata,
        state.wrapper,
        state.siblings,
        state.extra_keys,
        [view],
    )


def _map(path: Path) -> memoryview:
    """The whole file, mapped privately: pages are read when touched, and never written back."""
    try:
        with open_regular(path) as file:
            size = os.fstat(file.fileno()).st_size
            if size == 0:
                raise DamagedFile(
                    "The file is empty.", where=str(path), remedy="Download it again."
                )
            return memoryview(_private_map(file.fileno(), size))
    except FileNotFoundError:
        raise MissingFile("There is no such file.", where=str(path)) from None
    except NotRegular as error:
        raise UnknownModel(
            f"This is {error.what}, not a file of weights.", where=str(path)
        ) from None
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else str(error)
        raise UnreadFile(f"The file cannot be read: {reason}.", where=str(path)) from None


def _unmap(view: memoryview) -> None:
    mapped = view.obj
    view.release()
    assert isinstance(mapped, mmap.mmap)
    try:
        mapped.close()
    except BufferError:
        pass  # somebody holds a buffer and, through it, the map


def _private_map(handle: int, size: int) -> mmap.mmap:
    if not hasattr(mmap, "MAP_PRIVATE"):
        return mmap.mmap(handle, size, access=mmap.ACCESS_COPY)
    # Without a reservation: a file may be larger than the memory that is free.
    return mmap.mmap(
        handle,
        size,
        flags=mmap.MAP_PRIVATE | _NO_RESERVATION,
        prot=mmap.PROT_READ | mmap.PROT_WRITE,
    )


AGAIN = "Download it again."
PICTURES = (b"\x89PNG", b"\xff\xd8\xff", b"GIF8", b"RIFF", b"BM")
ARCHIVES = (b"\x1f\x8b", b"7z\xbc\xaf", b"Rar!", b"\xfd7zXZ", b"BZh", b"\x28\xb5\x2f\xfd")
PAGES = (b"<!doctype", b"<html", b"<?xml", b"<head")


def refuse(data: memoryview, where: str) -> ModelFileError:
    """The error for a file that is neither safetensors nor GGUF nor a pickle of torch's."""
    head = bytes(data[:512])
    start = head.lstrip(b"\xef\xbb\xbf \t\r\n").lower()
    if start.startswith(PAGES):
        return UnknownModel(
            "This is a web page that was saved under the name of a model.",
            where=where,
            remedy="Download it again, signed in if the site asks for that.",
        )
    if head.startswith(b"version https://git-lfs"):
        return UnknownModel(
            "This is only a pointer to a model in git-lfs.", where=where, remedy="Fetch the model."
        )
    if head.startswith(b"PK"):
        return DamagedFile("The archive is cut short or damaged.", where=where, remedy=AGAIN)
    if head.startswith(ARCHIVES):
        return UnsupportedModel(
            "This is a compressed archive.",
            where=where,
            remedy="Unpack it and choose the model file inside.",
        )
    if head[257:262] == b"ustar":
        return UnsupportedModel(
            "This is a tar archive or a file of a torch older than 0.1.10, which is not read.",
            where=where,
        )
    if head.startswith(PICTURES):
        return UnknownModel("This is a picture, not a model.", where=where)
    if head.startswith(b"\x80") and head[1:2] in (b"\x02", b"\x03", b"\x04", b"\x05"):
        return _bare_pickle(data, where)
    if head[8:9] == b"{" and not _is_text(head):
        return DamagedFile("The header of this file has an impossible length.", where=where)
    if not any(head):
        return DamagedFile("The file holds nothing but zeros.", where=where, remedy=AGAIN)
    if _is_text(head):
        return UnknownModel("This is a text file, not a model.", where=where)
    return UnknownModel("This is no file of weights that is known here.", where=where)


def _bare_pickle(data: memoryview, where: str) -> ModelFileError:
    try:
        read_pickle(data, TorchNames(where), where)
    except ModelFileError as error:
        return error
    return UnknownModel("This is a pickle of something else than weights.", where=where)


def _is_text(head: bytes) -> bool:
    try:
        # A character may be cut at the end of the piece.
        codecs.getincrementaldecoder("utf-8")().decode(head)
    except UnicodeDecodeError:
        return False
    return not any(byte < 0x20 and byte not in b"\t\n\r\f" for byte in head)
