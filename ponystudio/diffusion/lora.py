"""LoRA files: which layers they change, and by what.

Read are pairs of low-rank matrices for linear layers and convolutions in every common naming:
kohya (`lora_unet_down_blocks_0_…_to_q.lora_down.weight`), PEFT and diffusers
(`unet.down_blocks.0.….to_q.lora_A.weight`), the attention processors of early diffusers
(`….attn1.processor.to_q_lora.down.weight`), and LDM's own module names under any of the prefixes.
Names are never taken apart at their underscores: a table is built from the names that the modules
of the network have in every naming, and looked up. Importing this loads no torch.
"""

from __future__ import annotations

import json
import math
import re
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ponystudio.diffusion.families import families
from ponystudio.diffusion.names import ldm_modules
from ponystudio.errors import DamagedFile, MismatchedValues, UnsupportedModel, WrongKind

if TYPE_CHECKING:
    from torch import Tensor, nn

    from ponystudio.library.weights import TensorInfo, WeightsFile

# Flattened layer name → role ("up", "down", "alpha") → name of the stored tensor.
Layers = Mapping[str, Mapping[str, str]]

# What stands after a layer's name, and the role it plays.
ROLES = {
    ".lora_down.weight": "down",
    ".lora_up.weight": "up",
    ".lora_A.weight": "down",
    ".lora_B.weight": "up",
    ".lora_A.default.weight": "down",
    ".lora_B.default.weight": "up",
    ".lora_A": "down",
    ".lora_B": "up",
    ".lora.down.weight": "down",
    ".lora.up.weight": "up",
    ".lora_linear_layer.down.weight": "down",
    ".lora_linear_layer.up.weight": "up",
    "_lora.down.weight": "down",
    "_lora.up.weight": "up",
    ".alpha": "alpha",
}
# Kinds that change weights otherwise than by one product of two matrices.
OTHER_KINDS = {
    r"\.hada_": "LoHa",
    r"\.lokr_": "LoKr",
    r"\.(dora_scale|lora_magnitude_vector)": "DoRA",
    r"\.oft_": "OFT",
    r"\.lora_mid\.": "LoCon in Tucker form",
    r"\.[ab][12]\.weight$": "GLoRA",
    r"\.on_input$": "IA³",
    r"\.(diff|diff_b|w_norm|b_norm)$": "full differences",
}
PREFIXES = {
    "model": ("lora_unet_", "lycoris_", "unet_", "diffusion_model_", "base_model_model_", ""),
    "clip": ("lora_te_", "lora_te1_", "text_encoder_", "te_", ""),
}
# What tells the part of a layer that no table has.
CLIP_LAYER = re.compile(r"(lora_te1?|text_encoder|te)_|text_model_")
# Layers of architectures that share no layer with ours, and whose they are.
FOREIGN = {
    r"(lora_te2|text_encoder_2)_": "SDXL",
    r".*double_blocks_\d": "Flux",
    r".*(joint_transformer_blocks|double_layers)_\d": "AuraFlow",
    r".*joint_blocks_\d": "Stable Diffusion 3",
}
# The base model shows in the width of the prompt that cross-attention reads.
CONTEXT_WIDTHS = {
    768: "Stable Diffusion 1",
    1024: "Stable Diffusion 2",
    1280: "the SDXL refiner",
    2048: "SDXL",
}
CROSS_ATTENTION = re.compile(r"attn2_to_k$")
# Early diffusers called the text encoder's projections q_proj … as the denoiser's.
OLD_PROJECTION = re.compile(r"(q|k|v|out)_proj$")
# PEFT's settings, which diffusers writes into the metadata, one set a component.
PEFT_COMPONENTS = {"model": ("unet.", "transformer."), "clip": ("text_encoder.",)}


@dataclass(frozen=True, eq=False)
class Delta:
    """What one layer gets added: `scale` · up @ down, seen in the shape of its weight.

    `down` is [r,in] or [r,in,kh,kw], `up` [out,r] or [out,r,1,1]; mapped pages of the file.
    """

    up: Tensor
    down: Tensor
    scale: float

    def fits(self, shape: tuple[int, ...]) -> bool:
        """Whether it can be added to a weight of that shape; 1×1 convolutions count as linear."""
        rank, out = len(self.down), len(self.up)
        wide = self.down.numel() == rank * math.prod(shape[1:])
        return bool(wide and out == shape[0] and self.up.numel() == out * rank)

    def product(self, like: Tensor) -> Tensor:
        """up @ down, unscaled, in float32, in the shape and place of a weight."""
        import torch

        up, down = (
            factor.to(like.device, torch.float32).flatten(1) for factor in (self.up, self.down)
        )
        return (up @ down).reshape(like.shape)


@dataclass(frozen=True)
class Match:
    """What a LoRA does to one network: module name → delta, and the layers that found none."""

    deltas: Mapping[str, Delta]
    unmatched: tuple[str, ...]


class LoraFile:
    """An open LoRA file. `content` is its quick content id: equal files are equal patches."""

    def __init__(self, file: WeightsFile, content: str) -> None:
        self.path = Path(file.path)
        self.content = content
        self.layers = _layers(self.path, file.tensors)
        self._file = file

    def for_module(self, part: str, module: nn.Module) -> Match:
        """The deltas for the network of a part, "model" or "clip".

        Raises MismatchedValues where the file was made for another base model: where a delta has
        another shape than its weight, or where the file has layers for this part and none is here.
        """
        table = _table(part, module)
        mine = [name for name in self.layers if bool(CLIP_LAYER.match(name)) == (part == "clip")]
        found = {table[name]: self._delta(name, part) for name in mine if name in table}
        for path, delta in found.items():
            weight = module.get_submodule(path).weight
            if not delta.fits(tuple(weight.shape)):
                raise self._wrong_base(module, f"{path} is {list(weight.shape)} there")
        unmatched = tuple(name for name in mine if name not in table)
        if unmatched and not found:
            raise self._wrong_base(module, f"it has no {unmatched[0]}")
        return Match(found, unmatched)

    @property
    def base(self) -> str:
        """The title of the base model it was made for; "" where the file does not tell."""
        return _base(self.layers, self._file.tensors)

    def close(self) -> None:
        self._file.close()

    def _wrong_base(self, module: nn.Module, why: str) -> MismatchedValues:
        contexts = (
            CONTEXT_WIDTHS.get(inside.weight.shape[1], "")
            for name, inside in module.named_modules()
            if name.endswith("attn2.to_k")
        )
        return MismatchedValues(
            f"This LoRA was made for {self.base or 'another base'} and does not fit this model"
            f" ({next(contexts, '') or 'of a base of its own'}): {why}.",
            where=str(self.path),
            remedy="Use it with models of the base that it was trained on.",
        )

    def _delta(self, name: str, part: str) -> Delta:
        from ponystudio.diffusion.weights import tensor

        roles = self.layers[name]
        down, up = (tensor(self._file, roles[role]) for role in ("down", "up"))
        rank = down.shape[0]
        settings = self._peft_settings(part)
        if "alpha" in roles:
            alpha = float(tensor(self._file, roles["alpha"]))
        else:
            said = settings.get("lora_alpha")
            alpha = float(said) if isinstance(said, int | float) else rank
        return Delta(up, down, alpha / (math.sqrt(rank) if settings.get("use_rslora") else rank))

    def _peft_settings(self, part: str) -> dict[str, Any]:
        try:
            settings = json.loads(self._file.metadata.get("lora_adapter_metadata", "{}"))
        except (ValueError, RecursionError):
            return {}
        if not isinstance(settings, dict):
            return {}
        return {
            name.removeprefix(component): value
            for component in PEFT_COMPONENTS[part]
            for name, value in settings.items()
            if name.startswith(component)
        }


def read(path: Path) -> LoraFile:
    """Open a LoRA file; its tensors stay mapped until it is closed.

    Raises UnsupportedModel for LoHa, LoKr, DoRA and other kinds, WrongKind for a file that holds
    no LoRA, and what `library.open_weights` raises for damaged and unsafe files.
    """
    from ponystudio.library.content import content_id
    from ponystudio.library.weights import open_weights

    file = open_weights(path)
    try:
        return LoraFile(file, content_id(path))
    except BaseException:
        file.close()
        raise


def check_base(path: Path, family: str) -> None:
    """Raise MismatchedValues when a LoRA was made for another base than `family` ("sd1", ...).

    Reads only the file's header; raises what `read` raises, too.
    """
    from ponystudio.library.weights import open_weights

    with open_weights(path) as file:
        base = _base(_layers(path, file.tensors), file.tensors)
    wanted = families()[family].title if family in families() else family
    if base and base != wanted:
        raise MismatchedValues(
            f"This LoRA was made for {base}, the model is {wanted}.",
            where=str(path),
            remedy=f"Use it with a model of {base}, or choose a LoRA for {wanted}.",
        )


def _layers(path: Path, tensors: Mapping[str, TensorInfo]) -> Layers:
    """Flattened layer name → role → name of the stored tensor.

    Raises WrongKind, UnsupportedModel and DamagedFile for what is no complete set of pairs.
    """
    for pattern, kind in OTHER_KINDS.items():
        if strange := next((name for name in tensors if re.search(pattern, name)), None):
            raise UnsupportedModel(
                f"This is a LoRA of the kind {kind} (it holds {strange!r}).",
                where=str(path),
                remedy="Plain LoRA files are read: pairs of `lora_up` and `lora_down`.",
            )
    layers: defaultdict[str, dict[str, str]] = defaultdict(dict)
    for name in tensors:
        if suffix := next((suffix for suffix in ROLES if name.endswith(suffix)), None):
            layers[_flat(name.removesuffix(suffix))][ROLES[suffix]] = name
    if not layers:
        raise WrongKind(
            "There is no LoRA in this file.",
            where=str(path),
            remedy="Choose another file; a checkpoint is opened by Load checkpoint.",
        )
    if halves := [name for name, roles in layers.items() if not {"up", "down"} <= roles.keys()]:
        raise DamagedFile(f"The layer {halves[0]!r} lacks one of its matrices.", where=str(path))
    for name, roles in layers.items():
        _check_pair(name, {role: tensors[key] for role, key in roles.items()}, path)
    return layers


def _check_pair(name: str, roles: Mapping[str, TensorInfo], path: Path) -> None:
    """Raise DamagedFile for matrices that have no product, and an alpha that is no number."""
    down, up = roles["down"].shape, roles["up"].shape
    if min(len(down), len(up)) < 2 or up[1] != down[0] or not down[0]:
        raise DamagedFile(
            f"The matrices of the layer {name!r}, {list(up)} and {list(down)}, have no product.",
            where=str(path),
        )
    if "alpha" in roles and roles["alpha"].numel != 1:
        raise DamagedFile(f"The alpha of the layer {name!r} is not one number.", where=str(path))


def _flat(name: str) -> str:
    return name.replace(".processor.", ".").replace(".", "_")


def _table(part: str, module: nn.Module) -> dict[str, str]:
    """Flattened name in every naming → our name of each module that has a weight."""
    ours = [name for name, inside in module.named_modules() if hasattr(inside, "weight")]
    if part == "model":
        aliases = [(name, name) for name in ours] + list(ldm_modules(ours).items())
        # Early attention processors name the projection alone, not its place in a list.
        aliases += [
            (alias.removesuffix(".0"), name) for alias, name in aliases if "to_out" in alias
        ]
    else:
        aliases = [(f"{root}{name}", name) for root in ("text_model.", "") for name in ours]
        aliases += [(OLD_PROJECTION.sub(r"to_\1", alias), name) for alias, name in aliases]
    return {prefix + _flat(alias): name for alias, name in aliases for prefix in PREFIXES[part]}


def _base(layers: Layers, tensors: Mapping[str, TensorInfo]) -> str:
    """The title of the base model that the layers belong to; "" where they do not tell."""
    for name, roles in layers.items():
        for pattern, title in FOREIGN.items():
            if re.match(pattern, name):
                return title
        if CROSS_ATTENTION.search(name):
            return CONTEXT_WIDTHS.get(tensors[roles["down"]].shape[1], "")
    return ""
