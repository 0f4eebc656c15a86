"""What tells ControlNets and their kin apart, and whose models they steer: names and shapes of
their tensors.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace

from ponystudio.library.formats.tensor_info import TensorInfo
from ponystudio.library.recognition.denoiser_signatures import Tensors, unet_family

# Under what their names may stand, the most specific first.
PREFIXES = ("control_model.", "controlnet.", "adapter.", "")
# Tensors that only say what the others are.
LORA_MARK, DIFFERENCE_MARK = "lora_controlnet", "difference"
# The low-rank layers of a control-LoRA, and those of the network that they change.
LOW_RANK = re.compile(r"\.(down|up)$")
# The files whose outputs are used as their mean over the picture.
POOLED = re.compile(r"_shuffle(_fp\d+)?$")
# How many pixels a side a T2I-adapter folds into one place, by the models it is for.
FOLDS = {8: "sd1", 16: "sdxl"}


@dataclass(frozen=True)
class ControlSignature:
    """What steers a denoiser, and how.

    `kind`: "controlnet"; "union", which is told the kind of its picture; "control-lora" and
    "difference", which need the model that they were taken from; "adapter" (T2I). `family`: of the
    models that it steers, "" if that cannot be told. `channels`: of the picture that it reads, or
    where `encoded` of its latent; one more than usual is that of a mask. `kinds`: how many kinds of
    pictures a union knows. `borrows`: it reads the
    picture in the making through layers of the model. `pooled`: its outputs count as their mean.
    `why` tells the family. `refused`: why it cannot be used, and `remedy`.
    """

    kind: str
    family: str
    channels: int
    why: str
    encoded: bool = False
    kinds: int = 0
    pooled: bool = False
    borrows: bool = False
    refused: str = ""
    remedy: str = ""

    @property
    def needs_model(self) -> bool:
        """Whether its weights are those of a model, changed."""
        return self.kind in ("control-lora", "difference")

    @property
    def takes_mask(self) -> bool:
        """Whether its picture may have a hole: as a mask beside its latent, or as −1."""
        if self.encoded:
            return self.channels % 2 == 1
        return self.kind != "adapter" and self.family != "flux"


def control(tensors: Tensors, stem: str = "") -> ControlSignature | None:
    """The ControlNet or T2I-adapter among these tensors, of a file with that stem."""
    for prefix in PREFIXES:
        inside = {
            name.removeprefix(prefix): info
            for name, info in tensors.items()
            if name.startswith(prefix)
        }
        for find in (_transformer, _unet, _adapter):
            if found := find(inside, tensors):
                return replace(found, pooled=bool(POOLED.search(stem)))
    return None


def _unet(inside: Tensors, tensors: Tensors) -> ControlSignature | None:
    for hint in ("input_hint_block.0.weight", "controlnet_cond_embedding.conv_in.weight"):
        first = inside.get(hint)
        if first is not None and len(first.shape) == 4:
            kind = "controlnet"
            if LORA_MARK in tensors or any(map(LOW_RANK.search, inside)):
                kind = "control-lora"
            elif DIFFERENCE_MARK in tensors:
                kind = "difference"
            elif "control_add_embedding.linear_1.weight" in inside:
                kind = "union"
            layers = dict(_layers(inside))
            width = next(
                (
                    layers[n].shape[0]
                    for n in ("input_blocks.0.0.weight", "conv_in.weight")
                    if n in layers
                ),
                0,
            )
            family, why = unet_family(layers, width)
            kinds = _rows(inside, "task_embedding")
            return ControlSignature(kind, family, first.shape[1], why, kinds=kinds)
    return None


def _rows(inside: Tensors, name: str) -> int:
    return next(iter(inside[name].shape), 0) if name in inside else 0


def _layers(inside: Tensors) -> Iterator[tuple[str, TensorInfo]]:
    """The tensors, low-rank ones under the name of the layer whose inputs they have."""
    for name, info in inside.items():
        yield (name.removesuffix("down") + "weight" if name.endswith(".down") else name), info


def _adapter(inside: Tensors, _: Tensors) -> ControlSignature | None:
    marks = (
        "body.0.block1.weight",
        "body.0.resnets.0.block1.weight",
        "body.0.body.0.block1.weight",
    )
    if not any(mark in inside for mark in marks):
        return None
    first = inside.get("conv_in.weight", inside.get("body.0.in_conv.weight"))
    if first is None or len(first.shape) < 2:
        return None
    for fold, family in FOLDS.items():
        channels = first.shape[1] // fold**2
        if first.shape[1] == channels * fold**2 and channels in (1, 3):
            why = f"it folds {fold} × {fold} pixels into one place"
            return ControlSignature("adapter", family, channels, why)
    return ControlSignature("adapter", "", 3, f"it reads {first.shape[1]} numbers a place")


def _transformer(inside: Tensors, _: Tensors) -> ControlSignature | None:
    if "controlnet_blocks.0.weight" not in inside:
        return None
    patch, tokens = (
        inside.get("pos_embed_input.proj.weight"),
        inside.get("controlnet_x_embedder.weight"),
    )
    if patch is not None and len(patch.shape) == 4:
        return ControlSignature(
            "controlnet",
            "sd3",
            patch.shape[1],
            "the tensor pos_embed_input.proj.weight is of ControlNets of SD3",
            encoded=True,
            borrows="pos_embed.proj.weight" not in inside,
        )
    if tokens is not None and len(tokens.shape) == 2 and "input_hint_block.0.weight" not in inside:
        return ControlSignature(
            "union" if "controlnet_mode_embedder.weight" in inside else "controlnet",
            "flux",
            tokens.shape[1] // 4,
            "the tensor controlnet_x_embedder.weight is of ControlNets of FLUX",
            encoded=True,
            kinds=_rows(inside, "controlnet_mode_embedder.weight"),
        )
    if "pos_embed_input.weight" in inside and "double_blocks.0.img_attn.qkv.weight" in inside:
        why = "its blocks are FLUX's, and the tensor pos_embed_input.weight is XLabs'"
        return ControlSignature("controlnet", "flux", 3, why)
    return ControlSignature(
        "controlnet",
        "",
        0,
        "",
        refused="This is a ControlNet for a transformer that is not known here.",
        remedy="Get one by InstantX, Shakker Labs, XLabs, alimama or Stability AI.",
    )
