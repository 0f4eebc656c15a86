"""LoRA files and their kin: which layers they change, and by what.

Read are the kinds of `deltas` in every common naming: kohya and LyCORIS
(`lora_unet_down_blocks_0_…_to_q.lora_down.weight`, for SDXL after sgm's modules), PEFT and
diffusers (`unet.down_blocks.0.….to_q.lora_A.weight`), the attention processors of early diffusers
(`….attn1.processor.to_q_lora.down.weight`), and LDM's own module names under any of the prefixes.
Names are never taken apart at their underscores: a table is built from the names that the modules
of the network have in every naming, and looked up. Importing this loads no torch.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ponystudio.diffusion.deltas import Delta, delta, rank_of
from ponystudio.diffusion.families import families
from ponystudio.diffusion.lora_layers import Layers, contents, flat, listed
from ponystudio.diffusion.names import ldm_modules
from ponystudio.errors import MismatchedValues

if TYPE_CHECKING:
    from torch import nn

    from ponystudio.library.weights import TensorInfo, WeightsFile

PREFIXES = ("lora_unet_", "lycoris_", "unet_", "diffusion_model_", "base_model_model_", "")
# For the first, and for the second of a family's text encoders.
TEXT_PREFIXES = (
    ("lora_te_", "lora_te1_", "text_encoder_", "te_", "te1_", ""),
    ("lora_te2_", "text_encoder_2_", "te2_"),
)
# What tells the part of a layer that no table has.
CLIP_LAYER = re.compile(r"(lora_te[12]?|text_encoder(_2)?|te[12]?)_|text_model_")
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
PEFT_COMPONENTS = {
    "model": ("unet.", "transformer."),
    "clip": ("text_encoder.", "text_encoder_2."),
}


@dataclass(frozen=True)
class Match:
    """What a LoRA does to one network: parameter → delta, and the layers that found none."""

    deltas: Mapping[str, Delta]
    unmatched: tuple[str, ...]


class LoraFile:
    """An open LoRA file. `content` is its quick content id: equal files are equal patches."""

    def __init__(self, file: WeightsFile, content: str) -> None:
        self.path = Path(file.path)
        self.content = content
        self.layers = contents(self.path, file.tensors).layers
        self._file = file

    def for_module(self, part: str, module: nn.Module) -> Match:
        """The deltas for the network of a part, "model" or "clip".

        Raises MismatchedValues where the file was made for another base model: where a delta has
        another shape than its weight, or where the file has layers for this part and none is here.
        """
        table = _table(part, module)
        mine = [name for name in self.layers if bool(CLIP_LAYER.match(name)) == (part == "clip")]
        found: dict[str, Delta] = {}
        for name in mine:
            if name in table:
                found.update(self._deltas(name, part, table[name]))
        parameters = dict(module.named_parameters())
        for path, change in found.items():
            if path not in parameters or not change.fits(tuple(parameters[path].shape)):
                shape = list(parameters[path].shape) if path in parameters else "not"
                raise self._wrong_base(module, f"{path} is {shape} there")
        unmatched = tuple(name for name in mine if name not in table)
        if unmatched and not found:
            raise self._wrong_base(module, f"it has none of the layers {listed(unmatched)}")
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
        made_for = self.base or "another base, or written in a dialect that is not known here,"
        return MismatchedValues(
            f"This LoRA was made for {made_for} and does not fit this model"
            f" ({next(contexts, '') or 'of a base of its own'}): {why}.",
            where=str(self.path),
            remedy="Use it with models of the base that it was trained on.",
        )

    def _deltas(self, name: str, part: str, module: str) -> Iterator[tuple[str, Delta]]:
        """Parameter → what is added to it, for one layer."""
        from ponystudio.diffusion.weights import tensor

        roles = {role: tensor(self._file, key) for role, key in self.layers[name].items()}
        if change := delta(roles, self._scale(name, part, roles)):
            yield f"{module}.weight", change
        if "bias" in roles and (change := delta({"diff": roles["bias"]}, 1.0)):
            yield f"{module}.bias", change

    def _scale(self, name: str, part: str, roles: Mapping[str, Any]) -> float:
        """s = α/rank, where nothing says α: 1."""
        rank = rank_of(roles)
        if not rank:
            return 1.0
        settings = self._peft_settings(part)
        if "alpha" in roles:
            alpha = float(roles["alpha"])
        else:
            said = _of_layer(settings.get("alpha_pattern"), name, settings.get("lora_alpha"))
            alpha = float(said) if isinstance(said, int | float) else rank
        return alpha / (math.sqrt(rank) if settings.get("use_rslora") else rank)

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

    Raises UnsupportedModel for OFT, GLoRA, IA³ and unknown dialects, WrongKind for a file that
    holds no LoRA, and what `library.open_weights` raises for damaged and unsafe files.
    """
    from ponystudio.library.content import content_id
    from ponystudio.library.weights import open_weights

    file = open_weights(path)
    try:
        return LoraFile(file, content_id(path))
    except BaseException:
        file.close()
        raise


def notes(path: Path, family: str) -> list[str]:
    """What of a LoRA has no effect on a model of `family` ("sd1", ...), and what else it brings:
    one plain sentence each.

    Reads only the file's header. Raises MismatchedValues when it was made for another base, and
    what `read` raises.
    """
    from ponystudio.library.weights import open_weights

    with open_weights(path) as file:
        held = contents(path, file.tensors)
        base, total = _base(held.layers, file.tensors), len(file.tensors)
    wanted = families()[family].title if family in families() else family
    if base and base != wanted:
        raise MismatchedValues(
            f"This LoRA was made for {base}, the model is {wanted}.",
            where=str(path),
            remedy=f"Use it with a model of {base}, or choose a LoRA for {wanted}.",
        )
    said = []
    if held.unknown:
        said.append(
            f"Of no kind that is known here, and so without effect: {len(held.unknown)} of the"
            f" {total} tensors of {path.name} ({listed(held.unknown)})"
        )
    if held.words:
        said.append(
            f"{path.name} brings textual inversions for the prompts behind it:"
            f" {', '.join(f'embedding:{word}' for word in held.words)}"
        )
    return said


def _of_layer(pattern: Any, layer: str, otherwise: Any) -> Any:
    """What PEFT's `alpha_pattern` says of a layer."""
    if isinstance(pattern, dict):
        for name, value in pattern.items():
            if isinstance(name, str) and layer.endswith(flat(name)):
                return value
    return otherwise


def _table(part: str, module: nn.Module) -> dict[str, str]:
    """Flattened name in every naming → our name of each module that has a weight."""
    ours = [name for name, inside in module.named_modules() if hasattr(inside, "weight")]
    if part == "clip":
        return _text_table(ours)
    aliases = [(name, name) for name in ours] + list(ldm_modules(ours).items())
    # Early attention processors name the projection alone, not its place in a list.
    aliases += [(alias.removesuffix(".0"), name) for alias, name in aliases if "to_out" in alias]
    return {prefix + flat(alias): name for alias, name in aliases for prefix in PREFIXES}


def _text_table(ours: list[str]) -> dict[str, str]:
    """The same for text encoders, of which there may be several, each below its tower's name."""
    towers = [tower for kin in families().values() for tower in kin.towers]
    roots = list(dict.fromkeys(t.name for t in towers if any(n.startswith(t.name) for n in ours)))
    table: dict[str, str] = {}
    for index, root in enumerate(roots or [""]):
        prefix = f"{root}." if root else ""
        aliases = []
        for name in ours:
            if name.startswith(prefix):
                bare = name.removeprefix(prefix).removeprefix("text_model.")
                aliases += [(f"text_model.{bare}", name), (bare, name)]
        aliases += [(OLD_PROJECTION.sub(r"to_\1", alias), name) for alias, name in aliases]
        table |= {
            start + flat(alias): name for alias, name in aliases for start in TEXT_PREFIXES[index]
        }
    return table


def _base(layers: Layers, tensors: Mapping[str, TensorInfo]) -> str:
    """The title of the base model that the layers belong to; "" where they do not tell."""
    for name, roles in layers.items():
        for pattern, title in FOREIGN.items():
            if re.match(pattern, name):
                return title
        # What reads the prompt is as wide as the prompt: a LoRA's first matrix, a LoHa's second.
        reading = roles.get("down") or roles.get("hada_w1_b")
        if CROSS_ATTENTION.search(name) and reading:
            return CONTEXT_WIDTHS.get(tensors[reading].shape[1], "")
    return ""
