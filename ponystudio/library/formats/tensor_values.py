"""Stored tensors as numpy arrays, for the little arithmetic that is done without torch."""

from __future__ import annotations

from collections.abc import Iterator

import numpy
from numpy.typing import NDArray

from ponystudio.library.formats.tensor_info import ITEM_SIZES, PACKED
from ponystudio.library.formats.weights_file import WeightsFile

PIECE = 1 << 22  # numbers
_WIDE = {"F64": "<f8", "F32": "<f4", "F16": "<f2"}

Bits = NDArray[numpy.unsignedinteger]


def readable(dtype: str) -> bool:
    """Whether `floats` can read numbers of this type."""
    return dtype in _WIDE or dtype == "BF16"


def pieces(file: WeightsFile, name: str) -> Iterator[Bits]:
    """The numbers of a tensor as bit patterns, in reading order, some million at a time.

    Those of packed kinds as they are when unpacked: of 32 bits each.
    """
    info = file.tensors[name]
    if info.dtype in PACKED:
        numbers, size = PACKED[info.dtype]
        raw = numpy.frombuffer(file.buffer(name), dtype="u1")
        step = max(1, PIECE // numbers) * size
        for start in range(0, len(raw), step):
            yield unpacked(raw[None, start : start + step], info.dtype)[0].view("<u4")
        return
    size = ITEM_SIZES[info.dtype]
    flat = numpy.frombuffer(file.buffer(name), dtype=f"<u{size}")
    if info.strides is not None:
        steps = tuple(stride * size for stride in info.strides)
        view = numpy.lib.stride_tricks.as_strided(flat, info.shape, steps, writeable=False)
        flat = numpy.ascontiguousarray(view).reshape(-1)
    for start in range(0, len(flat), PIECE):
        yield flat[start : start + PIECE]


def floats(bits: Bits, dtype: str) -> NDArray[numpy.floating]:
    """The values of floating-point numbers given as `pieces` gives them."""
    if dtype in PACKED:
        return bits.view("<f4")
    if dtype == "BF16":
        return (bits.astype("<u4") << 16).view("<f4")
    return bits.view(_WIDE[dtype])


def unpacked(rows: NDArray[numpy.uint8], kind: str) -> NDArray[numpy.float32]:
    """The numbers of packed rows [n, bytes of one] as [n, numbers of one], as ggml defines them.

    A few long rows are fast, many short ones slow.
    """
    from gguf.constants import GGMLQuantizationType
    from gguf.quants import dequantize

    with numpy.errstate(all="ignore"):  # the scales of a damaged file may be anything
        result: NDArray[numpy.float32] = dequantize(rows, GGMLQuantizationType[kind])
    return result


def values(file: WeightsFile, name: str) -> NDArray[numpy.float64]:
    """All values of a small tensor, flat."""
    dtype = file.tensors[name].dtype
    parts = [floats(bits, dtype).astype(numpy.float64) for bits in pieces(file, name)]
    return numpy.concatenate(parts) if parts else numpy.empty(0)


def largest(file: WeightsFile, name: str) -> float:
    """The largest magnitude in a tensor, infinities and NaN left out."""
    dtype, result = file.tensors[name].dtype, 0.0
    for bits in pieces(file, name):
        magnitudes = numpy.abs(floats(bits, dtype))
        finite = magnitudes[numpy.isfinite(magnitudes)]
        result = max(result, float(finite.max(initial=0.0)))
    return result
