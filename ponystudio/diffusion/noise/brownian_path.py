"""Brownian paths of any generator: torchsde's tree, for noise that torch does not draw."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
from torch import Tensor

# Times are whole multiples of the tolerance, as torchsde rounds them.
_DIGITS = 6
# Words of entropy that torchsde mixes for a seed.
_POOL = 24
# Draws that are kept: those of the upper halves are used at every step.
_KEPT = 64


class BrownianPath:
    """W from `low` to `high`, by halves: what lies between two times does not hang on what was
    asked before.

    `entropy`: of the path; every half has a seed of its own, from which `draw` makes its noise, of
    one shape.
    """

    def __init__(
        self, low: float, high: float, entropy: int, draw: Callable[[int], Tensor]
    ) -> None:
        self._low, self._high = round(low, _DIGITS), round(high, _DIGITS)
        self._entropy, self._draw = entropy, draw
        seed = np.random.SeedSequence(entropy=entropy, pool_size=_POOL).generate_state(1)[0]
        self._whole = draw(int(seed)).double() * math.sqrt(high - low)
        self._kept: dict[tuple[int, int], Tensor] = {}

    def __call__(self, a: float, b: float) -> Tensor:
        """W(b) − W(a) in float32, of a below b."""
        a, b = (min(max(round(time, _DIGITS), self._low), self._high) for time in (a, b))
        if a == b:
            return self._whole.float() * 0
        return self._part(a, b, self._low, self._high, self._whole, 0, 0).float()

    def _part(
        self, a: float, b: float, low: float, high: float, W: Tensor, place: int, depth: int
    ) -> Tensor:
        """W(b) − W(a), of what `W` is from `low` to `high`: the half number `place` of `depth`."""
        if (a, b) == (low, high):
            return W
        middle = round((low + high) / 2, _DIGITS)
        length, before, after = high - low, middle - low, high - middle
        bridge = math.sqrt(before * after / length)
        left = W * (before / length) + self._noise(place, depth) * bridge
        below, above = (2 * place, depth + 1), (2 * place + 1, depth + 1)
        if b <= middle:
            return self._part(a, b, low, middle, left, *below)
        if a >= middle:
            return self._part(a, b, middle, high, W - left, *above)
        return self._part(a, middle, low, middle, left, *below) + self._part(
            middle, b, middle, high, W - left, *above
        )

    def _noise(self, place: int, depth: int) -> Tensor:
        drawn = self._kept.pop((place, depth), None)
        if drawn is None:
            sequence = np.random.SeedSequence(
                entropy=self._entropy, spawn_key=(place, depth), pool_size=_POOL
            )
            drawn = self._draw(int(sequence.generate_state(1)[0]))
            while len(self._kept) >= _KEPT:
                del self._kept[next(iter(self._kept))]
        self._kept[place, depth] = drawn
        return drawn
