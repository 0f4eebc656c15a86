"""Packed numbers come out to the bit as ggml's reference in numpy gives them."""

from __future__ import annotations

import warnings

import gguf
import numpy
import pytest
import torch

from helpers import written_out
from ponystudio.diffusion.weights import dequantize
from ponystudio.diffusion.weights.dequantize import multiplied, unpacked, unrotated
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
    monkeypatch.setattr(dequantize, "PIECE", 7 * PACKED[kind][0])
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


@pytest.mark.parametrize("kind", PACKED)
def test_every_kind_is_what_its_definition_says(kind: str) -> None:
    """ggml's definitions, one number at a time: a check on the packages too."""
    blocks = random_blocks(kind)[0][:3]
    found = unpacked(torch.from_numpy(blocks), kind).double().numpy()
    expected = numpy.array([
        [written_out.GGUF[kind](list(map(int, block)), k) for k in range(PACKED[kind][0])]
        for block in blocks
    ])  # fmt: skip
    assert numpy.allclose(found, expected, rtol=1e-5, atol=1e-6 * numpy.abs(expected).max())


@pytest.mark.parametrize("group", [4, 16, 64, 256])
@pytest.mark.parametrize("shape", [(3, 512), (5, 256, 3, 3)])
def test_inputs_that_were_rotated(group: int, shape: tuple[int, ...]) -> None:
    """R times R is nothing: it is symmetric and orthogonal."""
    plain = numpy.random.default_rng(group).integers(-127, 128, shape).astype(numpy.float64)
    turned = written_out.rotated(plain, group)
    assert not numpy.allclose(turned, plain)
    assert numpy.allclose(unrotated(torch.from_numpy(turned), group).numpy(), plain, atol=1e-4)


def test_rotated_rows_in_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    values = torch.arange(-640, 640).view(10, 128)
    whole = unrotated(values, 16)
    monkeypatch.setattr(dequantize, "PIECE", 300)
    assert torch.equal(unrotated(values, 16), whole)
    assert unrotated(values[:0], 16).shape == (0, 128)


@pytest.mark.parametrize("block", [4, 7, 128])
def test_scales_of_blocks(block: int) -> None:
    """The last rows and columns may be less than a block."""
    drawn = numpy.random.default_rng(block)
    values = drawn.integers(-127, 128, (30, 45)).astype(numpy.float32)
    scale = drawn.random((-(-30 // block), -(-45 // block)), dtype=numpy.float32)
    found = multiplied(torch.from_numpy(values), torch.from_numpy(scale), block)
    assert numpy.allclose(found.numpy(), written_out.scaled(values, scale, block))
