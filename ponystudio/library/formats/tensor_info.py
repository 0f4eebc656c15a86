"""What every format tells of a tensor: its name, its numbers, and where in the file they lie, which
is one behind the other, and nothing else between.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Self

from ponystudio.errors import DamagedFile

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


REMEDY = "Download it again."


def check_places(
    tensors: Iterable[TensorInfo], body: int, size: int, where: str, alignment: int = 1
) -> None:
    """Raise DamagedFile for tensors, in the order of their places, that overlap or leave gaps.

    They begin behind `body`, each at a multiple of `alignment`; the file is `size` bytes long.
    """
    end = body
    for tensor in tensors:
        start = aligned(end, alignment)
        if tensor.start != start:
            fault = "overlaps another tensor" if tensor.start < start else "follows a gap"
            raise DamagedFile(f"{tensor.name!r} {fault}.", where=where, remedy=REMEDY)
        end = start + tensor.nbytes
    if end > size:
        raise DamagedFile(
            f"The file is {size:,} bytes long and should be {end:,}: it was cut short.",
            where=where,
            remedy=REMEDY,
        )
    if (rest := size - aligned(end, alignment)) > 0:
        raise DamagedFile(
            f"{rest:,} bytes at the end of the file belong to no tensor.",
            where=where,
            remedy=REMEDY,
        )


def aligned(position: int, alignment: int) -> int:
    """The first multiple of `alignment` that is not below `position`."""
    return position + -position % alignment


class Closing(ABC):
    """A context manager for itself: leaving it closes it."""

    @abstractmethod
    def close(self) -> None: ...

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
