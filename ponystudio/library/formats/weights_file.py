"""Open a file of weights, whatever its format, without running anything that is in it."""

from __future__ import annotations

import mmap
import os
import stat
import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from ponystudio.errors import DamagedFile, MissingFile, UnknownModel
from ponystudio.library.formats import gguf_file, safetensors_file
from ponystudio.library.formats.closing import Closing
from ponystudio.library.formats.file_sniffing import refuse
from ponystudio.library.formats.state_dict import unwrap
from ponystudio.library.formats.tensor_info import TensorInfo
from ponystudio.library.formats.torch_legacy import MAGIC as LEGACY_MAGIC
from ponystudio.library.formats.torch_legacy import read_legacy
from ponystudio.library.formats.torch_zip import MAGIC as ZIP_MAGIC
from ponystudio.library.formats.torch_zip import read_zip

# Python has no name for it before 3.13.
_NO_RESERVATION = getattr(mmap, "MAP_NORESERVE", 0x4000 if sys.platform == "linux" else 0)

__all__ = ["TensorInfo", "WeightsFile", "joined", "merged", "open_weights"]


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
        mode = path.stat().st_mode
        if not stat.S_ISREG(mode):  # opening a pipe would wait for ever
            kind = "folder" if stat.S_ISDIR(mode) else "special file"
            raise UnknownModel(f"This is a {kind}, not a file of weights.", where=str(path))
        with path.open("rb") as file:
            size = os.fstat(file.fileno()).st_size
            if size == 0:
                raise DamagedFile(
                    "The file is empty.", where=str(path), remedy="Download it again."
                )
            return memoryview(_private_map(file.fileno(), size))
    except FileNotFoundError:
        raise MissingFile("There is no such file.", where=str(path)) from None
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else str(error)
        raise DamagedFile(f"The file cannot be read: {reason}.", where=str(path)) from None


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
