"""From the bytes of a weights file to torch tensors, without a copy where none is needed."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from ponystudio.diffusion.weights.dequantize import multiplied, unpacked, unrotated
from ponystudio.diffusion.weights.name_table import FusedSlice, Naming
from ponystudio.errors import UnsupportedModel
from ponystudio.library.formats.quantization import Quantization
from ponystudio.library.formats.tensor_info import PACKED
from ponystudio.system.main_memory import let_go, read_ahead

if TYPE_CHECKING:
    from ponystudio.library.formats.weights_file import WeightsFile

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
# Numbers that Apple's devices do not have.
NOT_ON_MPS = (torch.float64, torch.float8_e4m3fn, torch.float8_e5m2)


def tensor(file: WeightsFile, name: str) -> Tensor:
    """A stored tensor, on the file's own mapped pages: valid until the file is closed.

    Do not write to it. Raises UnsupportedModel for a number format that torch does not have.
    """
    info = file.tensors[name]
    if info.dtype not in DTYPES:
        raise UnsupportedModel(
            f"The tensor {name!r} has numbers of the type {info.dtype}.",
            where=str(file.path_of(name)),
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


@dataclass(frozen=True, eq=False)
class FileTensor:
    """One of our tensors as it lies in its file.

    `data` is mapped: the numbers, or for a packed `kind` ("Q4_K", ...) bytes [rows, bytes of one].
    `few_bits`: how its numbers are to be read, `scale` what they are still to be multiplied by;
    `cut`: what is to be taken of them after that.
    """

    data: Tensor
    shape: torch.Size
    kind: str = ""
    few_bits: Quantization | None = None
    scale: Tensor | None = None
    cut: FusedSlice | None = None

    @property
    def precision(self) -> torch.dtype | None:
        """The dtype of its numbers; None where those are not what it means."""
        return None if self.kind or self.few_bits else self.data.dtype

    def on(
        self,
        device: torch.device,
        dtype: torch.dtype,
        move: Callable[[Tensor], Tensor] | None = None,
    ) -> Tensor:
        """It on a device in a dtype; itself, still mapped, where it is there already.

        It is moved first (by `move`, if there is a better way than torch's own) and cast there: a
        device casts faster, and fewer bytes travel as a rule.
        """
        data = self.data
        if device.type == "mps" and data.dtype in NOT_ON_MPS:
            data = data.to(torch.float32)
        values = move(data) if move else data.to(device)
        if self.kind:
            values = unpacked(values, self.kind)
        if self.few_bits:
            values = values.to(torch.float32)
            if self.scale is not None:
                values = multiplied(values, self.scale.to(device), self.few_bits.block)
            if self.few_bits.rotated:
                values = unrotated(values, self.few_bits.rotated)
        if self.cut is not None:
            values = self.cut.of(values)
        return values.to(dtype).reshape(self.shape).contiguous()


class Weights:
    """The stored tensors of one part of a model under our names, mapped until `close`."""

    def __init__(self, file: WeightsFile, naming: Naming) -> None:
        self.file = file
        self.naming = naming

    @property
    def shapes(self) -> dict[str, tuple[int, ...]]:
        return self.naming.shapes(self.file.tensors)

    def __contains__(self, name: str) -> bool:
        return name in self.naming.names

    def stored(self, name: str, shape: torch.Size) -> FileTensor:
        """The tensor as it is stored, seen as `shape`: a 1×1 convolution may be a linear layer."""
        key = self.naming.names[name]
        cut, info = self.naming.fused.get(name), self.file.tensors[key]
        if info.dtype in PACKED:
            rows = info.shape[0] if cut else 1
            whole_blocks = info.nbytes % (rows * PACKED[info.dtype][1]) == 0
            if cut and (cut.transposed or not whole_blocks):
                raise UnsupportedModel(
                    f"Parts of {key!r} are needed, and cannot be taken out of packed numbers.",
                    where=str(self.file.path_of(key)),
                    remedy="Get the model in another kind, such as bf16 or Q8_0.",
                )
            data = torch.frombuffer(self.file.buffer(key), dtype=torch.uint8).view(rows, -1)
            return FileTensor(data if cut is None else cut.of(data), shape, info.dtype)
        data, known = tensor(self.file, key), self.file.quantized.get(key)
        if known is None:
            if not data.is_floating_point():
                raise UnsupportedModel(
                    f"{key!r} has whole numbers, and nothing says what they mean.",
                    where=str(self.file.path_of(key)),
                )
            return FileTensor((data if cut is None else cut.of(data)).reshape(shape), shape)
        scale = self._scale(known, data)
        if cut is not None and not (cut.transposed or known.block):
            data = cut.of(data)
            scale = cut.of(scale) if scale is not None and scale.numel() > 1 else scale
            cut = None
        return FileTensor(data, shape, few_bits=known, scale=scale, cut=cut)

    def path_of(self, name: str) -> Path:
        """The file of a tensor; of one that is missing that of its nearest kin."""
        names, kin = self.naming.names, name
        while name not in names and kin:
            kin = kin.rpartition(".")[0]
            name = next((other for other in names if kin and other.startswith(f"{kin}.")), name)
        return self.file.path_of(names[name]) if name in names else self.file.path

    def place(self, name: str) -> tuple[int, int]:
        """Where it begins: the number of the file, and the byte in that."""
        info = self.file.tensors[self.naming.names[name]]
        return info.file, info.start

    def nbytes(self, name: str) -> int:
        """Of the stored tensor that it is, or is a part of."""
        return self.file.tensors[self.naming.names[name]].nbytes

    def read_ahead(self, name: str) -> int:
        """Have the system begin to read it; so many bytes."""
        key = self.naming.names[name]
        read_ahead(self.file.buffer(key), self.file.tensors[key].start)
        return self.nbytes(name)

    def let_go(self, name: str) -> None:
        """Let the system forget it."""
        key = self.naming.names[name]
        let_go(self.file.buffer(key), self.file.tensors[key].start)

    def _scale(self, known: Quantization, data: Tensor) -> Tensor | None:
        """What a tensor [n,…] of few bits is to be multiplied by: [], one a row [n,1,…], or one a
        block [rows,columns]."""
        if not known.scale:
            return None
        scale = tensor(self.file, known.scale)
        if scale.numel() == 1:
            return scale.reshape(())
        return scale if known.block else scale.reshape(-1, *[1] * (data.ndim - 1))

    def close(self) -> None:
        self.file.close()


def assign(module: torch.nn.Module, name: str, value: Tensor) -> None:
    """Replace one parameter or buffer of a network, whatever device it was on."""
    path, _, leaf = name.rpartition(".")
    owner = module.get_submodule(path)
    if leaf in owner._parameters:
        value = torch.nn.Parameter(value, requires_grad=False)
    setattr(owner, leaf, value)
