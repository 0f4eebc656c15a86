"""What every format tells of a tensor: its name, its numbers, and where in the file they lie."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

# Bytes of one number, by the names of the safetensors format.
ITEM_SIZES = {
    "F64": 8,
    "F32": 4,
    "F16": 2,
    "BF16": 2,
    "F8_E4M3": 1,
    "F8_E5M2": 1,
    "I64": 8,
    "I32": 4,
    "I16": 2,
    "I8": 1,
    "U64": 8,
    "U32": 4,
    "U16": 2,
    "U8": 1,
    "BOOL": 1,
    "C64": 8,
}
FLOATS = ("F64", "F32", "F16", "BF16", "F8_E4M3", "F8_E5M2")
MOST_DIMENSIONS = 16


@dataclass(frozen=True, slots=True)
class TensorInfo:
    """A stored tensor.

    `strides` counts elements; None: the tensor is contiguous. `nbytes` is the length from its
    first element to its last, `start` where that begins in file number `file`.
    """

    name: str
    dtype: str
    shape: tuple[int, ...]
    strides: tuple[int, ...] | None
    nbytes: int
    start: int
    file: int = 0

    @property
    def numel(self) -> int:
        return math.prod(self.shape)


def contiguous_strides(shape: Sequence[int]) -> tuple[int, ...]:
    """The strides of a tensor whose last index runs fastest."""
    strides, step = [], 1
    for size in reversed(shape):
        strides.append(step)
        step *= max(size, 1)
    return tuple(reversed(strides))


def is_contiguous(shape: Sequence[int], strides: Sequence[int]) -> bool:
    """Whether `strides` say the same as none would; those of sides of length 1 say nothing."""
    if 0 in shape:
        return True
    expected = contiguous_strides(shape)
    return all(
        n == 1 or given == wanted for n, given, wanted in zip(shape, strides, expected, strict=True)
    )


def span(shape: Sequence[int], strides: Sequence[int]) -> int:
    """How many elements lie from the first to the last, both included."""
    if 0 in shape:
        return 0
    return 1 + sum((n - 1) * stride for n, stride in zip(shape, strides, strict=True))
