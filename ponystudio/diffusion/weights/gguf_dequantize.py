"""From the blocks of GGUF files, in which numbers share scales, to the numbers, on any device."""

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


def _unpacked(blocks: Tensor, kind: str) -> Tensor:
    from diffusers.quantizers.gguf.utils import dequantize_functions
    from gguf.constants import GGMLQuantizationType

    in_torch = dequantize_functions.get(GGMLQuantizationType[kind])
    if in_torch is None:
        row = blocks.reshape(1, -1).cpu().numpy()
        return torch.from_numpy(tensor_values.unpacked(row, kind)).to(blocks.device)
    return in_torch(blocks, *PACKED[kind], dtype=torch.float32)
