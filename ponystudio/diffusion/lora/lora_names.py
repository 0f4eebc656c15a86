"""What LoRA files call the layers of a network.

Every common naming is known: kohya and LyCORIS (`lora_unet_double_blocks_0_img_attn_qkv`), PEFT and
diffusers (`transformer.transformer_blocks.0.attn.to_q`), OneTrainer (`lora_transformer_…`), the
attention processors of early diffusers and of XLabs, and the original names under any of the
prefixes. Names are never taken apart at their underscores: a table is built from the names that the
parameters of the network have in every naming, and looked up. Torch-free.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from itertools import chain
from typing import NamedTuple

from ponystudio.diffusion.architectures import architecture
from ponystudio.diffusion.families import Family, tower_prefix
from ponystudio.diffusion.families.text_encoder_specs import T5EncoderSpec, TextEncoderSpec
from ponystudio.diffusion.lora.lora_layers import flat
from ponystudio.diffusion.weights.name_table import FusedSlice, Table

PREFIXES = (
    *("lora_unet_", "lora_transformer_", "lycoris_", "unet_", "transformer_", "diffusion_model_"),
    *("base_model_model_", ""),
)
# What tells the layers of text encoders, whichever network they are for.
TEXT_LAYER = re.compile(
    r"(lora_te[123]?|text_encoder(_[23]|s)?|te[123]?)_|text_model_|encoder_(block|layers)_"
)
# Early diffusers called the text encoder's projections q_proj … as the denoiser's.
OLD_PROJECTION = re.compile(r"(q|k|v|out)_proj$")


class Place(NamedTuple):
    """A parameter that a layer of a file changes, with those of its rows that `cut` says."""

    parameter: str
    cut: FusedSlice | None = None

    @property
    def bias(self) -> str:
        """The parameter that the same rows of its bias change."""
        return self.parameter.removesuffix(".weight") + ".bias"


def table(part: str, family: Family, parameters: Iterable[str]) -> Mapping[str, tuple[Place, ...]]:
    """Flattened name in every naming → the places of that layer in the network of a part.

    `part` is "model" or "clip", `parameters` are our names of those of its network.
    """
    # A layer is a module, or a parameter that is called anything but a weight.
    layers = {
        name.removesuffix(".weight"): name for name in parameters if not name.endswith(".bias")
    }
    named = _text(family, layers) if part == "clip" else _denoiser(family, layers)
    places: defaultdict[str, dict[Place, None]] = defaultdict(dict)
    for name, layer, cut in named:
        if parameter := layers.get(layer.removesuffix(".weight")):
            places[name][Place(parameter, cut)] = None
    return {name: tuple(found) for name, found in places.items()}


def _denoiser(family: Family, ours: Iterable[str]) -> Table:
    own: Table = [(name, name, None) for name in ours]
    # Early attention processors name the projection alone, not its place in a list.
    early = [(name.removesuffix(".0"), name, None) for name in ours if "to_out" in name]
    known = architecture(family.architecture)
    originals, trainers = known.aliases(ours), known.lora_aliases(ours)
    for theirs, layer, cut in chain(own, early, originals, trainers):
        for prefix in PREFIXES:
            yield prefix + flat(theirs), layer, cut


def _text(family: Family, ours: Iterable[str]) -> Table:
    for number, tower in enumerate(family.towers, 1):
        root = tower_prefix(family, tower)
        stem = "encoder." if isinstance(tower, T5EncoderSpec) else "text_model."
        starts = list(_starts(number, tower))
        for name in ours:
            if name.startswith(root):
                bare = name.removeprefix(root).removeprefix(stem)
                aliases = {bare, stem + bare}
                aliases |= {OLD_PROJECTION.sub(r"to_\1", alias) for alias in aliases}
                for alias in aliases:
                    for start in starts:
                        yield start + flat(alias), name, None


def _starts(number: int, tower: TextEncoderSpec) -> Iterator[str]:
    """The prefixes of the first, second or third text encoder of a family."""
    if number == 1:
        yield from ("lora_te_", "text_encoder_", "te_", "")
    yield from (f"lora_te{number}_", f"text_encoder_{number}_", f"te{number}_")
    if isinstance(tower, T5EncoderSpec):
        yield "lora_te3_"  # kohya counts it third beside one other too
    yield f"text_encoders_{tower.name}_transformer_"
