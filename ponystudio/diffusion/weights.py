"""From the bytes of a weights file to torch tensors, without a copy where none is needed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from ponystudio.diffusion.names import cut
from ponystudio.errors import UnsupportedModel

if TYPE_CHECKING:
    from ponystudio.library.weights import WeightsFile

DTYPES = {
    "F64": torch.float64,
    "F32": torch.float32,
    "F16": torch.float16,
    "BF16": torch.bfloat16,
    "F8_E4M3": torch.float8_e4m3fn,
    "F8_E5M2": torch.float8_e5m2,
    "I64": torch.int64,
    "I32": torch.int32,
    "I16": torch.int16,
    "I8": torch.int8,
    "U64": torch.uint64,
    "U32": torch.uint32,
    "U16": torch.uint16,
    "U8": torch.uint8,
    "BOOL": torch.bool,
}


def tensor(file: WeightsFile, name: str) -> Tensor:
    """A stored tensor, on the file's own mapped pages: valid until the file is closed.

    Do not write to it. Raises UnsupportedModel for a number format that torch does not have.
    """
    info = file.tensors[name]
    if info.dtype not in DTYPES:
        raise UnsupportedModel(
            f"The tensor {name!r} has numbers of the type {info.dtype}.", where=str(file.path)
        )
    dtype = DTYPES[info.dtype]
    if 0 in info.shape:
        return torch.empty(info.shape, dtype=dtype)
    flat = torch.frombuffer(file.buffer(name), dtype=dtype)
    if flat.data_ptr() % dtype.itemsize:  # legacy files align nothing; kernels expect it
        flat = flat.clone()
    return (
        flat.view(info.shape) if info.strides is None else flat.as_strided(info.shape, info.strides)
    )


def tensors(file: WeightsFile) -> Iterator[tuple[str, Tensor]]:
    """Every stored tensor with its name, mapped as `tensor` says."""
    return ((name, tensor(file, name)) for name in file.tensors)


class Weights:
    """The stored tensors of one part of a model under our names, mapped until `close`."""

    def __init__(self, file: WeightsFile, names: Mapping[str, str]) -> None:
        self.file = file
        self.names = names

    @property
    def shapes(self) -> dict[str, tuple[int, ...]]:
        return {name: self._shape(name, key) for name, key in self.names.items()}

    def stored(self, name: str, shape: torch.Size) -> Tensor:
        """The tensor as it is stored, seen as `shape`: a 1×1 convolution may be a linear layer."""
        key = self.names[name]
        whole = tensor(self.file, key)
        if how := cut(name, key):
            whole = whole.t() if how.transposed else whole.chunk(how.parts)[how.part]
        return whole.reshape(shape)

    def _shape(self, name: str, key: str) -> tuple[int, ...]:
        shape = self.file.tensors[key].shape
        how = cut(name, key)
        if how is None or not shape:
            return shape
        return shape[::-1] if how.transposed else (shape[0] // how.parts, *shape[1:])

    def close(self) -> None:
        self.file.close()


def place(stored: Tensor, device: torch.device, dtype: torch.dtype) -> Tensor:
    """`stored` on a device in a dtype; itself, still mapped, where it is there already.

    It is moved first and cast there: a device casts faster, and fewer bytes travel as a rule.
    """
    return stored.to(device).to(dtype).contiguous()


def assign(module: torch.nn.Module, name: str, value: Tensor) -> None:
    """Replace one parameter or buffer of a network, whatever device it was on."""
    path, _, leaf = name.rpartition(".")
    owner = module.get_submodule(path)
    if leaf in owner._parameters:
        value = torch.nn.Parameter(value, requires_grad=False)
    setattr(owner, leaf, value)
