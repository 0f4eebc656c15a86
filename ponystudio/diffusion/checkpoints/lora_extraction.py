"""The difference of two models as a LoRA: for each layer the product of two narrow matrices that is
nearest to it (Eckart & Young 1936).

Layers of a UNet and of text encoders are called as kohya calls them, those of a transformer as
diffusers does: what other tools read.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from ponystudio.diffusion.families import Family, tower_prefix
from ponystudio.diffusion.families.text_encoder_specs import T5EncoderSpec
from ponystudio.diffusion.loading.part_weights import PartWeights
from ponystudio.library.recognition.lora_layers import flat

# Parts of a product that are this much smaller than its largest come of rounding.
_FAINT = 1e-6


@dataclass
class Kept:
    """Sums of squares: of all differences, and of what products of few ranks hold of them."""

    whole: float = 0.0
    held: float = 0.0

    @property
    def share(self) -> float:
        return self.held / self.whole if self.whole else 1.0


def nearest(difference: Tensor, rank: int) -> tuple[Tensor, Tensor]:
    """Up [out,r] and down [r,in·…], whose product is nearest to a difference [out,in,…].

    r ≤ `rank`, only as many as matter; both have the roots of the singular values. In float64.
    """
    matrix = difference.reshape(len(difference), -1).double()
    tall = len(matrix) > matrix.shape[1]
    matrix = matrix.T if tall else matrix
    squares, vectors = torch.linalg.eigh(matrix @ matrix.T)
    most = min(rank, len(squares))
    singular = squares.flip(0)[:most].clamp_min(0).sqrt()
    count = max(1, int((singular > singular[0] * _FAINT).sum()))
    vectors, roots = vectors.flip(1)[:, :count], singular[:count].sqrt().clamp_min(1e-30)
    near, far = vectors * roots, (vectors.T @ matrix) / roots[:, None]
    return (far.T, near.T) if tall else (near, far)


def extracted(
    weights: PartWeights,
    base: PartWeights | None,
    *,
    rank: int,
    biases: bool,
    device: torch.device,
    kept: Kept,
    check: Callable[[int, int], None],
) -> Iterator[tuple[str, Tensor]]:
    """The tensors of a LoRA, by name, that makes of `base` what `weights` are; without a base the
    weights are a difference already. `rank` 0 keeps differences whole. `check` is told how far it
    is. What both have alike is left out, and so is what one of them lacks.
    """
    names = [
        name
        for name in weights.names
        if base is None or base.shapes.get(name) == weights.shapes[name]
    ]
    for number, name in enumerate(names, 1):
        check(number, len(names))
        difference = weights.value(name, device)
        if base is not None:
            difference = difference - base.value(name, device)
        size = float(difference.double().square().sum())
        if not size or (difference.ndim < 2 and not biases):
            continue
        kept.whole += size
        layer, _, kind = name.rpartition(".")
        layer = layer_name(weights.part, weights.family, layer if kind in _KINDS else name)
        if difference.ndim < 2 or not rank:
            kept.held += size
            yield f"{layer}.{_KINDS.get(kind, 'diff')}", difference
            continue
        up, down = nearest(difference, rank)
        kept.held += float((up.T @ up).mul(down @ down.T).sum())
        yield from _pair(layer, up, down, difference)


# What the difference of a layer's weight, or of its bias, is called.
_KINDS = {"weight": "diff", "bias": "diff_b"}


def _pair(layer: str, up: Tensor, down: Tensor, like: Tensor) -> Iterator[tuple[str, Tensor]]:
    """The two factors, of a convolution as two."""
    if like.ndim == 4:
        up, down = up[..., None, None], down.reshape(-1, *like.shape[1:])
    if layer.startswith(_DIFFUSERS):
        yield f"{layer}.lora_A.weight", down
        yield f"{layer}.lora_B.weight", up
        return
    yield f"{layer}.lora_down.weight", down
    yield f"{layer}.lora_up.weight", up
    yield f"{layer}.alpha", torch.tensor(float(down.shape[0]))


_DIFFUSERS = "transformer."


def layer_name(part: str, family: Family, layer: str) -> str:
    """What a layer of ours is called in a LoRA."""
    if part == "model":
        unet = family.architecture == "unet"
        return f"lora_unet_{flat(layer)}" if unet else f"{_DIFFUSERS}{layer}"
    for number, tower in enumerate(family.towers, 1):
        root = tower_prefix(family, tower)
        if layer.startswith(root):
            start = "lora_te_" if len(family.towers) == 1 else f"lora_te{number}_"
            bare = layer.removeprefix(root)
            if isinstance(tower, T5EncoderSpec):
                return start + flat(bare if bare.startswith("encoder.") else f"encoder.{bare}")
            bare = bare.removeprefix("text_model.")
            return start + flat(f"text_model.{bare}")
    return flat(layer)
