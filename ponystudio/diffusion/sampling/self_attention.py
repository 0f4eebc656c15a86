"""Self-attention guidance (Hong et al. 2023): away from a picture that is blurred where the network
looks most.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import torch
from torch import Tensor
from torch.nn.functional import interpolate

from ponystudio.api import Modifier, SelfAttention
from ponystudio.diffusion.sampling.gaussian_blur import blur
from ponystudio.diffusion.sampling.guidance import Guidance, SecondLook, Seen

# How far the bell that blurs reaches, in cells.
_REACH = 4


@dataclass(frozen=True, eq=False)
class WatchedAttention(Modifier):
    """A mode of a network in which it says where its middle looks: `maps` gets for each call how
    much each place is attended to, [rows, places], 1 on the mean."""

    maps: list[Tensor] = field(default_factory=list)


def looking_again(guidance: Guidance, said: SelfAttention) -> Guidance:
    """The guidance that goes away from what is seen in the unguided picture, blurred where it is
    looked at more than on the mean. Without a negative prompt there is no such picture."""
    sides = guidance.sides
    place = next((i for i, side in enumerate(sides) if side.negative and side.mode is None), None)
    if place is None:
        return guidance
    watch = WatchedAttention()

    def at(D: Sequence[Tensor], seen: Seen) -> tuple[Tensor, Tensor] | None:
        u, maps = D[place], [each for each in watch.maps if len(each)]
        watch.maps.clear()
        mask = looked_at(maps, u)
        if mask is None:
            return None
        blurred = torch.lerp(u, blur(u, _REACH, said.blur), mask)
        return blurred + seen.x - u, blurred

    def away(D: Tensor, blurred: Tensor, s: Tensor) -> Tensor:
        return D + said.scale * (blurred - s)

    watched = tuple(
        replace(side, mode=watch) if i == place else side for i, side in enumerate(sides)
    )
    return replace(guidance, sides=watched, again=SecondLook(sides[place], at, away))


def looked_at(maps: Sequence[Tensor], x: Tensor) -> Tensor | None:
    """Where pictures x [B,C,h,w] are looked at more than on the mean: [B,1,h,w] of 0 and 1. Of the
    last B maps of the whole picture; None where there are none."""
    batch, _, height, width = x.shape
    rows = [row for each in maps for row in each if _sides(len(row), height, width)]
    if len(rows) < batch:
        return None
    whole = torch.stack(rows[-batch:])
    tall, wide = _sides(whole.shape[1], height, width) or (1, 1)
    mask = (whole > 1).to(x).view(batch, 1, tall, wide)
    return interpolate(mask, size=(height, width), mode="nearest")


def _sides(places: int, height: int, width: int) -> tuple[int, int] | None:
    """The sides of a picture of h × w cells where it has so many places."""
    factor = math.ceil(math.sqrt(height * width / places))
    sides = math.ceil(height / factor), math.ceil(width / factor)
    return sides if sides[0] * sides[1] == places else None
