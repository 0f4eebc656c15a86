"""From what is stored of weights of few bits to their numbers, on any device: the blocks of GGUF
files, in which numbers share scales; scales that stand beside; inputs that were rotated in groups.
"""

from __future__ import annotations

import torch
from torch import Tensor

from ponystudio.library.formats import tensor_values
from ponystudio.library.formats.tensor_info import PACKED

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


def multiplied(values: Tensor, scale: Tensor, block: int = 0) -> Tensor:
    """Numbers, float32 [n,m,…], times their scale: [] or [n,1,…], or with a `block` [n/b,m/b], one
    for every square of so many rows and columns, of which the last may be cut."""
    scale = scale.to(torch.float32)
    if block:
        rows, columns = values.shape
        scale = scale.repeat_interleave(block, 0)[:rows].repeat_interleave(block, 1)[:, :columns]
    return values * scale


def unrotated(values: Tensor, group: int) -> Tensor:
    """Numbers [n,m,…] whose m inputs were rotated in groups of 4ᵏ, as they were before.

    R is the k-th Kronecker power of H = ½[[1,1,1,−1],[1,1,−1,1],[1,−1,1,1],[−1,1,1,1]], its own
    inverse. H takes x to half the sum of its four numbers less those in the other order, which is
    quicker than a product of matrices.
    Source: ConvRot (arXiv 2512.03673), as ComfyUI stores it.
    """
    result = torch.empty_like(values, dtype=torch.float32)
    step = max(1, (PIECE if values.device.type == "cpu" else LARGE_PIECE) * len(values)
               // max(1, values.numel()))  # fmt: skip
    for start in range(0, len(values), step):
        piece = values[start : start + step].to(torch.float32)
        inner = piece[0, 0].numel()
        for n in range(group.bit_length() // 2):
            fours = piece.reshape(-1, 4, 4**n * inner)
            piece = fours.sum(1, keepdim=True) / 2 - fours.flip(1)
        result[start : start + step] = piece.view(-1, *values.shape[1:])
    return result


def _unpacked(blocks: Tensor, kind: str) -> Tensor:
    from diffusers.quantizers.gguf.utils import dequantize_functions
    from gguf.constants import GGMLQuantizationType

    in_torch = dequantize_functions.get(GGMLQuantizationType[kind])
    if in_torch is None:
        row = blocks.reshape(1, -1).cpu().numpy()
        return torch.from_numpy(tensor_values.unpacked(row, kind)).to(blocks.device)
    return in_torch(blocks, *PACKED[kind], dtype=torch.float32)
