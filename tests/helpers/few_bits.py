"""Files whose numbers have few bits, and the numbers that their references say they are.

GGUF is written, packed and unpacked by the package gguf.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

import gguf
import numpy
import torch
from safetensors.torch import save_file
from torch import Tensor

from helpers.written_out import H4
from ponystudio.diffusion.weights.dequantize import unrotated
from ponystudio.library.formats.tensor_info import PACKED

Tensors = Mapping[str, Tensor]

# Kinds that the package unpacks only: at which bytes of a block its scales of 16 bits stand, and
# how large they are beside each other for numbers on both sides of 0.
SCALES_AT = {
    "Q2_K": {80: 1.0, 82: 1.5},
    "Q3_K": {108: 1.0},
    "Q4_K": {0: 1.0, 2: 7.5},
    "Q5_K": {0: 1.0, 2: 15.5},
    "Q6_K": {208: 1.0},
    "IQ4_XS": {0: 1.0},
    "IQ2_XXS": {0: 1.0},
}
KINDS = ("F32", "F16", "BF16", "Q8_0", "Q5_0", "Q5_1", "Q4_0", "Q4_1", *SCALES_AT)
FP8 = {"e4m3": torch.float8_e4m3fn, "e5m2": torch.float8_e5m2}


def write_plain(path: Path, tensors: Tensors, metadata: Mapping[str, str] | None = None) -> Path:
    """Numbers as they are. They are of 64 bits, so that the network has copies of its own, as it
    has of unpacked ones: kernels differ in the last bits by where in a page a matrix begins.
    """
    save_file({name: value.double() for name, value in tensors.items()}, path, metadata=metadata)
    return path


def write_gguf(
    path: Path, tensors: Tensors, kind: str, metadata: Mapping[str, str] | None = None,
    architecture: str = "flux",
) -> dict[str, Tensor]:  # fmt: skip
    """Matrices of a kind where their rows are whole blocks, else of 16 bits; the rest of 32.

    Returns the numbers that the file means.
    """
    writer, meant = gguf.GGUFWriter(path, architecture), {}
    for name, text in (metadata or {}).items():
        writer.add_string(name, text)
    for name, value in tensors.items():
        mine = kind_of(value, kind)
        data, numbers = packed(value, mine)
        writer.add_tensor(name, data, raw_dtype=gguf.GGMLQuantizationType[mine])
        meant[name] = numbers.view(value.shape)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return meant


def kind_of(value: Tensor, kind: str) -> str:
    if value.ndim < 2 or kind == "F32":
        return "F32"
    return kind if value.shape[-1] % PACKED.get(kind, (1, 2))[0] == 0 else "F16"


def packed(value: Tensor, kind: str) -> tuple[numpy.ndarray, Tensor]:
    """Rows as they are stored, and the numbers that they mean."""
    numbers, which = value.numpy(), gguf.GGMLQuantizationType[kind]
    if kind in ("F32", "F16"):
        data = numbers.astype({"F32": "<f4", "F16": "<f2"}[kind])
        return data, torch.from_numpy(data.astype("<f4"))
    data = random_rows(value, kind) if kind in SCALES_AT else gguf.quantize(numbers, which)
    return data, torch.from_numpy(gguf.dequantize(data, which).copy())


def random_rows(value: Tensor, kind: str) -> numpy.ndarray:
    """Blocks of any bits, as many as the rows of `value` have, of numbers about as large."""
    numbers, size = PACKED[kind]
    drawn = numpy.random.default_rng(value.numel())
    blocks = drawn.integers(0, 256, (value.numel() // numbers, size), dtype=numpy.uint8)

    def scaled(scale: float) -> numpy.ndarray:
        for at, share in SCALES_AT[kind].items():
            bits = numpy.float16(scale * share).tobytes()
            blocks[:, at : at + 2] = numpy.frombuffer(bits, numpy.uint8)
        return gguf.dequantize(blocks, gguf.GGMLQuantizationType[kind])

    scaled(float(value.std()) / float(scaled(1.0).std()))
    return blocks.reshape(*value.shape[:-1], -1)


def write_fp8(
    path: Path, tensors: Tensors, dtype: torch.dtype, metadata: Mapping[str, str] | None = None,
    ending: str = "", rows: str = "",
) -> dict[str, Tensor]:  # fmt: skip
    """Matrices of 8 bits, beside each, under `ending`, the scale that they are multiplied by.

    `rows`: one for each row, "n" or "n, 1" numbers; else one for all. Returns the numbers that the
    file means.
    """
    stored, meant = {}, {}
    for name, value in tensors.items():
        stored[name] = meant[name] = value
        if value.ndim < 2 or not name.endswith(".weight"):
            continue
        scale = torch.ones(())
        if ending:
            magnitude = value.abs()
            sides = tuple(range(1, value.ndim))
            scale = (magnitude.amax(sides, keepdim=True) if rows else magnitude.max()) / 400
            kept = scale.flatten() if rows == "n" else scale
            stored[name.removesuffix(".weight") + ending] = kept.contiguous()
        stored[name] = (value / scale).to(dtype)
        meant[name] = stored[name].float() * scale
    if ending == ".scale_weight":
        stored["scaled_fp8"] = torch.empty(0, dtype=dtype)
    save_file(stored, path, metadata=metadata)
    return meant


def write_int8(
    path: Path, tensors: Tensors, group: int, metadata: Mapping[str, str] | None = None
) -> dict[str, Tensor]:
    """Matrices and kernels of whole numbers with a scale a row and ComfyUI's mark, their inputs
    rotated in groups where they can be. Returns the numbers that the file means."""
    turn = torch.ones(1, 1)
    while len(turn) < group:
        turn = torch.kron(turn, torch.from_numpy(H4).float())
    stored, meant = {}, {}
    for name, value in tensors.items():
        stored[name] = meant[name] = value
        if value.ndim < 2 or not name.endswith(".weight"):
            continue

        rotates = value.shape[1] % group == 0
        before = _turned(value, turn) if rotates else value
        scale = before.abs().amax(tuple(range(1, value.ndim)), keepdim=True) / 127
        whole = (before / scale).round().contiguous()
        mark = {"format": "int8_tensorwise", "convrot": rotates, "convrot_groupsize": group}
        layer = name.removesuffix(".weight")
        stored[name], stored[f"{layer}.weight_scale"] = whole.to(torch.int8), scale
        stored[f"{layer}.comfy_quant"] = torch.tensor(list(json.dumps(mark).encode())).byte()
        # To the bit; that it is what R does, test_dequantize shows.
        meant[name] = unrotated(whole * scale, group) if rotates else whole * scale
    save_file({k: v.contiguous() for k, v in stored.items()}, path, metadata=metadata)
    return meant


def _turned(value: Tensor, turn: Tensor) -> Tensor:
    """[n,m,…] times the block diagonal of `turn`, along m."""
    groups = value.unflatten(1, (-1, len(turn)))
    return torch.einsum("ngi...,ij->ngj...", groups, turn).reshape(value.shape)
