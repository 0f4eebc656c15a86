"""From the bytes of a weights file to torch tensors, without a copy where none is needed, and into
a network that was built without memory: all of them, and no others.

Blocks of GGUF files, in which numbers share scales, are unpacked on any device.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from ponystudio.diffusion.weights.name_table import Naming
from ponystudio.errors import DamagedFile, UnsupportedModel
from ponystudio.library.formats import tensor_values
from ponystudio.library.formats.main_memory import let_go, read_ahead
from ponystudio.library.formats.tensor_info import BESIDE, PACKED, SCALES

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
class StoredTensors:
    """One of our tensors as it lies in its file.

    `data` is mapped: the numbers, or for a packed `kind` ("Q4_K", ...) bytes [rows, bytes of one].
    `scale`: what the numbers are still to be multiplied by.
    """

    data: Tensor
    shape: torch.Size
    kind: str = ""
    scale: Tensor | None = None

    @property
    def precision(self) -> torch.dtype | None:
        """The dtype of its numbers; None where those are not what it means."""
        return None if self.kind or self.scale is not None else self.data.dtype

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
        if self.scale is not None:
            values = values.to(torch.float32) * self.scale.to(device, torch.float32)
        return values.to(dtype).reshape(self.shape).contiguous()


class Weights:
    """The stored tensors of one part of a model under our names, mapped until `close`."""

    def __init__(self, file: WeightsFile, naming: Naming) -> None:
        self.file = file
        self.naming = naming

    @property
    def shapes(self) -> dict[str, tuple[int, ...]]:
        return {name: self._shape(name, key) for name, key in self.naming.names.items()}

    def __contains__(self, name: str) -> bool:
        return name in self.naming.names

    def stored(self, name: str, shape: torch.Size) -> StoredTensors:
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
            return StoredTensors(data if cut is None else cut.of(data), shape, info.dtype)
        data = tensor(self.file, key)
        scale = self._scale(key)
        if cut is not None:
            data = cut.of(data)
            scale = cut.of(scale) if scale is not None and scale.numel() > 1 else scale
        if scale is None:
            data = data.reshape(shape)
        return StoredTensors(data, shape, scale=scale)

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

    def _scale(self, key: str) -> Tensor | None:
        """What a tensor [n,…] of few bits is to be multiplied by: [] or, one a row, [n,1,…].

        Raises UnsupportedModel where there are others, such as one a block.
        """
        stem, shape = key.removesuffix(".weight"), self.file.tensors[key].shape
        name = next((stem + x for x in SCALES if stem + x in self.file.tensors), None)
        if name is None:
            return None
        scale = tensor(self.file, name)
        if scale.numel() == 1:
            return scale.reshape(())
        if {scale.numel(), len(scale)} != set(shape[:1]):
            raise UnsupportedModel(
                f"There are {scale.numel():,} numbers in {name!r}, and one, or one a row, can be"
                " used.",
                where=str(self.file.path_of(name)),
                remedy="Get the model in another kind, such as bf16, fp8 or GGUF.",
            )
        return scale.reshape(-1, *[1] * (len(shape) - 1))

    def _shape(self, name: str, key: str) -> tuple[int, ...]:
        shape = self.file.tensors[key].shape
        cut = self.naming.fused.get(name)
        return cut.shape(shape) if cut else shape

    def close(self) -> None:
        self.file.close()


def of_networks(names: Iterable[str]) -> list[str]:
    """Those that are tensors of a network, and not what is said beside one of few bits."""
    return [name for name in names if not name.endswith(BESIDE)]


def assign(module: torch.nn.Module, name: str, value: Tensor) -> None:
    """Replace one parameter or buffer of a network, whatever device it was on."""
    path, _, leaf = name.rpartition(".")
    owner = module.get_submodule(path)
    if leaf in owner._parameters:
        value = torch.nn.Parameter(value, requires_grad=False)
    setattr(owner, leaf, value)


# Numbers that are unpacked at a time: with all that stands between they fit a core's cache, which
# is several times as fast as memory. Other devices would rather start fewer kernels.
PIECE, LARGE_PIECE = 1 << 18, 1 << 24


def unpacked(data: Tensor, kind: str) -> Tensor:
    """The numbers of packed rows, on the device where they lie.

    `data` is uint8 [rows, bytes of one], `kind` one of PACKED; the result is float32
    [rows, numbers of one], to the bit what ggml's reference gives.
    Source: diffusers' dequantisation in torch; gguf's in numpy, on the CPU, for what that lacks.
    """
    block, size = PACKED[kind]
    blocks = data.reshape(-1, size)
    result = torch.empty(len(blocks), block, dtype=torch.float32, device=data.device)
    step = (PIECE if data.device.type == "cpu" else LARGE_PIECE) // block
    for start in range(0, len(blocks), step):
        piece = blocks[start : start + step]
        result[start : start + step] = _unpacked(piece, kind).reshape(-1, block)
    return result.view(len(data), data.shape[1] // size * block)


def _unpacked(blocks: Tensor, kind: str) -> Tensor:
    from diffusers.quantizers.gguf.utils import dequantize_functions
    from gguf.constants import GGMLQuantizationType

    in_torch = dequantize_functions.get(GGMLQuantizationType[kind])
    if in_torch is None:
        row = blocks.reshape(1, -1).cpu().numpy()
        return torch.from_numpy(tensor_values.unpacked(row, kind)).to(blocks.device)
    return in_torch(blocks, *PACKED[kind], dtype=torch.float32)


# So many bytes are read ahead of what is cast: a disk is slow to start and fast to go on.
AHEAD = 256 << 20


def fill(
    module: nn.Module,
    weights: Weights,
    come: Collection[str],
    noun: str,
    device: torch.device,
    dtype: torch.dtype,
    check: Callable[[], None],
) -> None:
    """Place the tensors in the order in which they lie in the file.

    Those that `come` later stay without memory, as what they will be. `check` is called before
    every tensor. Raises DamagedFile and UnsupportedModel, before anything is read, for a file that
    does not fit the network; `noun` says what it is.
    """
    wanted = {name: value.shape for name, value in module.state_dict().items()}
    _check_fit(weights, wanted, noun)
    for name in come:
        assign(module, name, torch.empty(wanted[name], dtype=dtype, device="meta"))
    for name in _read_ahead(weights, wanted.keys() - set(come)):
        check()
        assign(module, name, weights.stored(name, wanted[name]).on(device, dtype))


def _check_fit(weights: Weights, wanted: dict[str, torch.Size], noun: str) -> None:
    shapes = weights.shapes
    if missing := wanted.keys() - shapes.keys():
        first = min(missing)
        raise DamagedFile(
            f"The {noun} lacks {len(missing)} of its tensors, among them {first!r}.",
            where=str(weights.path_of(first)),
            remedy="Get the file again: it is incomplete.",
        )
    if unknown := shapes.keys() - wanted.keys():
        first = min(unknown)
        raise UnsupportedModel(
            f"The {noun} has {len(unknown)} tensors too many, among them {first!r}: "
            "it is of another architecture.",
            where=str(weights.path_of(first)),
        )
    for name, shape in wanted.items():
        if _without_ones(shapes[name]) != _without_ones(shape):
            raise UnsupportedModel(
                f"The tensor {name!r} of the {noun} is {list(shapes[name])}, not {list(shape)}: "
                "it is of another architecture.",
                where=str(weights.path_of(name)),
            )


def _read_ahead(weights: Weights, names: Iterable[str]) -> Iterator[str]:
    """The names as their tensors lie in the file, whose pages are asked for before their turn."""
    ordered = sorted(names, key=weights.place)
    following, asked = iter(ordered), 0
    for name in ordered:
        while asked <= AHEAD and (coming := next(following, None)) is not None:
            asked += weights.read_ahead(coming)
        yield name
        asked -= weights.nbytes(name)


def _without_ones(shape: Iterable[int]) -> list[int]:
    """A 1×1 convolution and a linear layer are the same."""
    sides = list(shape)
    while len(sides) > 2 and sides[-1] == 1:
        sides.pop()
    return sides
