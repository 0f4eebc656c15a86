"""What a saved checkpoint holds: the tensors of its parts under the original's names, each made as
it is written, and what its header says of them.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import torch
from torch import Tensor

from ponystudio.diffusion.loading.original_names import (
    OriginalPiece,
    original_names,
    vae_prefix,
)
from ponystudio.diffusion.loading.part_weights import PartWeights
from ponystudio.diffusion.weights.weights import DTYPES
from ponystudio.errors import FloatOverflow, NotANumber, UnsupportedModel
from ponystudio.library.recognition.recognise import CONFIG

# Words for the numbers in a file.
AS_STORED = "as stored"
PRECISIONS = {"fp16": torch.float16, "bf16": torch.bfloat16, "fp32": torch.float32}
_NAMES = {dtype: name for name, dtype in DTYPES.items()}
# Of the autoencoder, layers that are convolutions in the original and matrices with us.
_CONVOLUTIONS = tuple(f"mid.attn_1.{layer}.weight" for layer in ("q", "k", "v", "proj_out"))
# Stability AI's names of architectures, and whose code runs them.
ARCHITECTURES = {
    "sd1": "stable-diffusion-v1",
    "sd2": "stable-diffusion-v2-512",
    "sdxl": "stable-diffusion-xl-v1-base",
    "sdxl_refiner": "stable-diffusion-xl-v1-refiner",
    "sd3": "stable-diffusion-3",
    "flux": "flux-1-schnell",
    "auraflow": "auraflow-v1",
}
IMPLEMENTATIONS = {
    "sd1": "https://github.com/CompVis/stable-diffusion",
    "sd2": "https://github.com/Stability-AI/stablediffusion",
    "flux": "https://github.com/black-forest-labs/flux",
    "auraflow": "https://github.com/cloneofsimo/minRF",
}
STABILITY = "https://github.com/Stability-AI/generative-models"
# What of the header of a model's file holds for what is made of it, too.
INHERITED = ("modelspec.license", "modelspec.usage_hint", "modelspec.trigger_phrase")


@dataclass(frozen=True, eq=False)
class CheckpointTensor:
    """A tensor to be written: its dtype as safetensors calls it, its shape, and what makes it."""

    dtype: str
    shape: tuple[int, ...]
    make: Callable[[], Tensor]

    def bits(self) -> memoryview:
        """Its bytes, made now."""
        flat = self.make().contiguous().reshape(-1).view(torch.uint8)
        return memoryview(flat.numpy()) if flat.numel() else memoryview(b"")


def checkpoint_tensors(
    parts: Mapping[str, PartWeights], precision: str = AS_STORED
) -> dict[str, CheckpointTensor]:
    """The tensors of parts ("model", "clip", "vae") by the original's names, as a checkpoint has
    them; of an autoencoder alone without a prefix.

    `precision`: one of PRECISIONS, or AS_STORED, which makes 16-bit floats of packed numbers and
    those of 8 bits. Raises UnsupportedModel where a tensor of the original cannot be put together,
    and, as tensors are made, FloatOverflow and NotANumber.
    """
    found: dict[str, CheckpointTensor] = {}
    for part, weights in parts.items():
        prefix = vae_prefix(weights.family) if [*parts] == ["vae"] else ""
        for key, pieces in original_names(part, weights.family, weights.shapes).items():
            found[key.removeprefix(prefix)] = _tensor(key, pieces, weights, precision)
    return found


def marker() -> CheckpointTensor:
    """A tensor of nothing, whose name is what it says."""
    return CheckpointTensor("F32", (0,), lambda: torch.empty(0))


def few_bits(weights: PartWeights) -> bool:
    """Whether some of the numbers of a part are packed, or of 8 bits."""
    return any(weights.precision(name) is None for name in weights.shapes)


def header(
    parts: Mapping[str, PartWeights],
    *,
    prediction: str = "",
    zsnr: bool = False,
    title: str = "",
    author: str = "",
    description: str = "",
    merged_from: Sequence[str] = (),
) -> dict[str, str]:
    """What the header says of a checkpoint: Stability AI's model metadata 1.0.0, and what shapes
    cannot tell of a small relative."""
    first = next(iter(parts.values()))
    family, shapes = first.family, first.shapes
    architecture = ARCHITECTURES.get(family.name, family.name)
    if family.name == "sd2" and prediction == "v":
        architecture = "stable-diffusion-v2-768-v"
    if family.name == "flux" and any("guidance_embedder" in name for name in shapes):
        architecture = "flux-1-dev"
    said = {
        "modelspec.sai_model_spec": "1.0.0",
        "modelspec.architecture": architecture,
        "modelspec.implementation": IMPLEMENTATIONS.get(family.name, STABILITY),
        "modelspec.title": title,
        "modelspec.author": author,
        "modelspec.description": description,
        "modelspec.date": datetime.now(UTC).isoformat(timespec="seconds"),
        "modelspec.resolution": f"{family.native}x{family.native}" if "model" in parts else "",
        "modelspec.merged_from": ", ".join(merged_from),
        "modelspec.prediction_type": {"eps": "epsilon", "v": "v"}.get(prediction, ""),
        "ss_zero_terminal_snr": "true" if zsnr else "",
    }
    inherited = {name: first.found.file.metadata.get(name, "") for name in INHERITED}
    configs: dict[str, Any] = {}
    for weights in parts.values():
        configs |= {name: hints for name, hints in weights.found.hints.items() if hints}
    said |= inherited | {CONFIG: json.dumps(configs) if configs else ""}
    return {name: text for name, text in said.items() if text}


def _tensor(
    key: str, pieces: Sequence[OriginalPiece], weights: PartWeights, precision: str
) -> CheckpointTensor:
    shapes = [weights.shapes[piece.ours] for piece in pieces]
    cuts = [piece.cut for piece in pieces]
    if len(pieces) > 1 and not _complete(pieces):
        raise UnsupportedModel(
            f"Parts of {key!r} are missing, so it cannot be written.", where=str(weights.path)
        )
    shape = shapes[0]
    if len(pieces) > 1:
        shape = (sum(own[0] for own in shapes), *shape[1:])
    elif cuts[0] and cuts[0].transposed:
        shape = shape[::-1]
    if key.endswith(_CONVOLUTIONS) and len(shape) == 2:
        shape = (*shape, 1, 1)
    dtype = PRECISIONS.get(precision) or weights.precision(pieces[0].ours) or torch.float16

    def make() -> Tensor:
        values = [weights.value(piece.ours) for piece in pieces]
        value = torch.cat(values) if len(values) > 1 else values[0]
        if len(values) == 1 and (cut := cuts[0]):
            value = value.t() if cut.transposed else value
            value = value.roll(-(len(value) // 2), 0) if cut.swapped else value
        made = value.reshape(shape).to(dtype)
        _check(key, value, made, weights)
        return made

    return CheckpointTensor(_NAMES[dtype], shape, make)


def _complete(pieces: Sequence[OriginalPiece]) -> bool:
    """Whether they are all rows of a tensor, one after the other."""
    end = 0
    for _, cut in pieces:
        if cut is None or cut.transposed or cut.swapped or cut.first != end:
            return False
        end = cut.last
    return pieces[-1].cut is not None and end == pieces[-1].cut.parts


def _check(key: str, value: Tensor, made: Tensor, weights: PartWeights) -> None:
    if made.numel() == 0 or bool(torch.stack(torch.aminmax(made)).isfinite().all()):
        return
    if bool(torch.stack(torch.aminmax(value)).isfinite().all()):
        raise FloatOverflow(
            f"{key!r} has larger numbers than it can be saved with.",
            where=str(weights.path),
            remedy="Choose bf16 or fp32 as its precision.",
        )
    raise NotANumber(
        f"{key!r} holds what is no number.",
        where=str(weights.path),
        remedy="Get the file again, or lower the strengths of what it is patched with.",
    )
