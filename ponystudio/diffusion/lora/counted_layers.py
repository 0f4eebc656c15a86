"""LoRAs from before layers had names: pairs that are numbered in the order in which the layers of
diffusers' networks were gone through, below modules of the classes that the metadata names.

Source: the format of lora_diffusion (Ryu 2022), and the order of the modules of diffusers 0.10.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from itertools import product
from pathlib import Path
from typing import TYPE_CHECKING

from ponystudio.errors import MismatchedValues, UnsupportedModel
from ponystudio.system.json_reader import read_json

if TYPE_CHECKING:
    from torch import nn

# What they name where they say nothing.
CLASSES = {"unet": ("CrossAttention", "Attention", "GEGLU"), "text_encoder": ("CLIPAttention",)}
# What the classes are called today.
TODAY = {
    "CrossAttention": "Attention",
    "Attention": "Attention",
    **{name: name for name in ("GEGLU", "FeedForward", "BasicTransformerBlock", "ResnetBlock2D")},
    **{name: name for name in ("Transformer2DModel", "Upsample2D", "Downsample2D")},
    **{name: name for name in ("CLIPAttention", "CLIPMLP", "CLIPEncoderLayer")},
}
# In which order the modules of a transformer block stood: that of today, and that of 2022.
BLOCK = "BasicTransformerBlock"
ORDERS = (("attn1", "attn2", "ff"), ("attn1", "ff", "attn2"))
# A text encoder may have one layer more than the other's, the last, which nothing reads.
TEXT_LAYER = "CLIPEncoderLayer"

# Number of a pair → outputs and inputs of the layer that it is for.
Pairs = Mapping[int, tuple[int, int]]


def layers(
    component: str, module: nn.Module, said: str | None, pairs: Pairs, path: Path
) -> dict[int, str]:
    """Number → name of the layer in `module`, for every pair that has one.

    `component` is "unet" or "text_encoder", `said` the classes as the metadata has them, JSON.
    The order is that of which every pair fits its layer. Raises UnsupportedModel for classes that
    are not known, MismatchedValues where no order fits.
    """
    classes = {TODAY[name] for name in _classes(component, said, path)}
    for order, convolutions in product(ORDERS, (False, True)):
        found = list(_below(module, classes, order, convolutions=convolutions))
        if _fits(found, pairs, module):
            return {number: name for number, (name, _) in enumerate(found) if number in pairs}
    raise MismatchedValues(
        f"The layers of this LoRA are numbered, and its {len(pairs)} pairs for the {component}"
        " do not fit those of this model in any order that is known.",
        where=str(path),
        remedy="Use it with a model of the base that it was trained on.",
    )


def _classes(component: str, said: str | None, path: Path) -> list[str]:
    if said is None:
        return list(CLASSES[component])
    try:
        names = read_json(said)
    except ValueError:
        names = None
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        names = [said]
    if strange := next((name for name in names if name not in TODAY), None):
        raise UnsupportedModel(
            f"The layers of this LoRA are numbered by modules of the class {strange[:60]!r}, which"
            " is not known here.",
            where=str(path),
            remedy="Look for the file in the naming of kohya, LyCORIS, PEFT or diffusers.",
        )
    return names


def _below(
    module: nn.Module, classes: set[str], order: tuple[str, ...], *, convolutions: bool
) -> Iterator[tuple[str, nn.Module]]:
    """The layers below modules of these classes, each once, in the order of the modules."""
    from torch import nn

    kinds = (nn.Linear, nn.Conv2d) if convolutions else (nn.Linear,)
    seen = set()
    for path, ancestor in _walk("", module, order):
        if type(ancestor).__name__ in classes:
            for name, layer in _walk(path, ancestor, order):
                if isinstance(layer, kinds) and name not in seen:
                    seen.add(name)
                    yield name, layer


def _walk(path: str, module: nn.Module, order: tuple[str, ...]) -> Iterator[tuple[str, nn.Module]]:
    yield path, module
    children = dict(module.named_children())
    names = list(children)
    if type(module).__name__ == BLOCK:
        names.sort(key=lambda name: order.index(name) if name in order else -1)
    for name in names:
        yield from _walk(f"{path}.{name}" if path else name, children[name], order)


def _fits(found: list[tuple[str, nn.Module]], pairs: Pairs, module: nn.Module) -> bool:
    """Whether there are as many layers as pairs, or but for one layer of text, and of each pair's
    size."""
    texts = sum(type(part).__name__ == TEXT_LAYER for part in module.modules())
    share = len(found) // texts if texts else 0
    counts = {len(found), len(found) - share, len(found) + share}
    if not found or max(pairs) + 1 not in counts or len(pairs) != max(pairs) + 1:
        return False
    sides = [_sides(layer) for _, layer in found]
    return all(pair == sides[number] for number, pair in pairs.items() if number < len(sides))


def _sides(layer: nn.Module) -> tuple[int, int]:
    weight = layer.get_parameter("weight")
    return len(weight), math.prod(weight.shape[1:])
