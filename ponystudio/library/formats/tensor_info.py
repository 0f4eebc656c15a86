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
# Kinds of GGUF's in which numbers share scales, under ggml's names: (numbers of a block, bytes of
# one). A block lies within a row.
PACKED = {
    "Q4_0": (32, 18),
    "Q4_1": (32, 20),
    "Q5_0": (32, 22),
    "Q5_1": (32, 24),
    "Q8_0": (32, 34),
    "Q2_K": (256, 84),
    "Q3_K": (256, 110),
    "Q4_K": (256, 144),
    "Q5_K": (256, 176),
    "Q6_K": (256, 210),
    "IQ1_S": (256, 50),
    "IQ1_M": (256, 56),
    "IQ2_XXS": (256, 66),
    "IQ2_XS": (256, 74),
    "IQ2_S": (256, 82),
    "IQ3_XXS": (256, 98),
    "IQ3_S": (256, 110),
    "IQ4_NL": (32, 18),
    "IQ4_XS": (256, 136),
}
# What numbers of 8 bits are to be multiplied by stands beside them under these endings; with it may
# stand the scales of inputs, which only kernels for such numbers use, and marks.
SCALES = (".scale_weight", ".weight_scale")
BESIDE = (*SCALES, ".scale_input", ".input_scale", ".comfy_quant", "scaled_fp8")
MOST_DIMENSIONS = 16


@dataclass(frozen=True, slots=True)
class TensorInfo:
    """A stored tensor.

    `dtype` is one of ITEM_SIZES or of PACKED. `strides` counts elements; None: the tensor is
    contiguous. `nbytes` is the length from its first element to its last, `start` where that begins
    in file number `file`.
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
