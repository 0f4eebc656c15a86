"""Which of some reference pictures a picture looks most like: 64 × 64 RGB, best over shifts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor
from torch.nn.functional import conv2d, interpolate

from starter.pictures import BACKGROUNDS, View, over, placed

SIDE = 64
SHIFT = 4  # pixels, each way
# Training pictures are mirrored and scaled at random: so are the references of every concept.
SCALES = (0.82, 0.88, 0.94)

Sprites = Mapping[tuple[str, str], Tensor]


def small(pictures: Tensor) -> Tensor:
    """Pictures [n,3,S,S] at 64 × 64, averaged."""
    return interpolate(pictures, size=(SIDE, SIDE), mode="area")


def distance(picture: Tensor, candidates: Tensor) -> float:
    """The least mean squared difference of [3,64,64] to any of [n,3,64,64], over all shifts."""
    inner = picture[:, SHIFT : SIDE - SHIFT, SHIFT : SIDE - SHIFT]
    # Σ(r − p)² = Σr² − 2Σrp + Σp², for all shifts at once.
    squares = conv2d(candidates**2, torch.ones_like(inner)[None])
    products = conv2d(candidates, inner[None])
    return ((squares - 2 * products + (inner**2).sum()).min() / inner.numel()).item()


def nearest(picture: Tensor, candidates: Mapping[str, Tensor]) -> str:
    """The name of the candidates that a picture [3,64,64] is nearest to."""
    return min(candidates, key=lambda name: distance(picture, candidates[name]))


class Judge:
    """Says what concept, style and background a picture has, given what it was to have."""

    def __init__(self, sprites: Sprites, concepts: Sequence[str], styles: Sequence[str]) -> None:
        self.concepts, self.styles = concepts, styles
        places = [View("white", scale, mirrored=m) for scale in SCALES for m in (False, True)]
        self.placed = {
            (concept, style): small(placed(sprites[concept, style], places))
            for concept in concepts
            for style in styles
        }

    def concept(self, picture: Tensor, style: str, background: str) -> str:
        """The nearest of all concepts in this style on this background."""
        return nearest(picture, {c: self._drawn(c, style, background) for c in self.concepts})

    def style(self, picture: Tensor, concept: str, background: str) -> str:
        """The nearest of this concept's drawings in all styles on this background."""
        return nearest(picture, {s: self._drawn(concept, s, background) for s in self.styles})

    def background(self, picture: Tensor, concept: str, style: str) -> str:
        """The nearest of this drawing on all backgrounds."""
        return nearest(picture, {b: self._drawn(concept, style, b) for b in BACKGROUNDS})

    def _drawn(self, concept: str, style: str, background: str) -> Tensor:
        """The references [6,3,64,64] of one drawing on one background, centred."""
        rgba = self.placed[concept, style]
        return over(rgba, style, [background] * len(rgba))
