"""Packed numbers come out to the bit as ggml's reference in numpy gives them."""

from __future__ import annotations

import warnings

import gguf
import numpy
import pytest
import torch

from ponystudio.diffusion.weights import gguf_dequantize
from ponystudio.diffusion.weights.gguf_dequantize import unpacked
from ponystudio.library.formats.tensor_info import PACKED

BLOCKS = 256


def random_blocks(kind: str) -> tuple[numpy.ndarray, numpy.ndarray]:
    """Blocks of any bits whose numbers are finite, [n, bytes], and their numbers, [n, numbers]."""
    size = PACKED[kind][1]
    blocks = numpy.random.default_rng(7).integers(0, 256, (2 * BLOCKS, size), dtype=numpy.uint8)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)
        expected = gguf.dequantize(blocks, gguf.GGMLQuantizationType[kind])
    finite = numpy.isfinite(expected).all(1)
    assert finite.sum() >= BLOCKS
    return blocks[finite][:BLOCKS], expected[finite][:BLOCKS]


def same_bits(found: torch.Tensor, expected: numpy.ndarray) -> bool:
    return found.dtype == torch.float32 and torch.equal(
        found.view(torch.int32), torch.from_numpy(expected).view(torch.int32)
    )


@pytest.mark.parametrize("kind", PACKED)
def test_every_kind(kind: str) -> None:
    blocks, expected = random_blocks(kind)
    assert len(numpy.unique(expected)) > BLOCKS  # else the blocks would show little
    rows, wanted = blocks.reshape(16, -1), expected.reshape(16, -1)
    assert same_bits(unpacked(torch.from_numpy(rows), kind), wanted)


@pytest.mark.parametrize("kind", ["Q8_0", "Q4_K", "IQ3_S"])
def test_in_pieces(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Pieces that end within rows, and rows that are no contiguous bytes."""
    monkeypatch.setattr(gguf_dequantize, "PIECE", 7 * PACKED[kind][0])
    blocks, expected = random_blocks(kind)
    wide = torch.from_numpy(numpy.concatenate([blocks, blocks], 1))
    rows = wide[:, : blocks.shape[1]]
    assert not rows.is_contiguous()
    assert same_bits(unpacked(rows, kind), expected)


@pytest.mark.parametrize("rows", [0, 1])
def test_few_rows(rows: int) -> None:
    assert unpacked(torch.zeros(rows, 2 * 34, dtype=torch.uint8), "Q8_0").shape == (rows, 64)


def test_a_known_block() -> None:
    """Q8_0: a scale of 16 bits, and 32 whole numbers that are multiplied by it."""
    numbers = torch.arange(-16, 16, dtype=torch.int8)
    scale = torch.tensor([0.5], dtype=torch.float16)
    block = torch.cat([scale.view(torch.uint8), numbers.view(torch.uint8)])
    assert torch.equal(unpacked(block[None], "Q8_0"), 0.5 * numbers.float()[None])


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA or ROCm device")
@pytest.mark.parametrize("kind", PACKED)
def test_on_a_device(kind: str) -> None:
    blocks, expected = random_blocks(kind)
    found = unpacked(torch.from_numpy(blocks).cuda(), kind)
    assert found.device.type == "cuda"
    assert same_bits(found.cpu(), expected)
