"""CUDA's normal noise, computed anywhere: Philox 4×32-10 (Salmon et al. 2011) and Box-Muller.

Pictures that began from noise of an NVIDIA card begin from the same here, on every device.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

_ROUNDS = 10
_MULTIPLIERS = (0xD2511F53, 0xCD9E8D57)
# What is added to the halves of the key from round to round.
_STEPS = (0x9E3779B9, 0xBB67AE85)
_WORD = np.uint64(32)
_LOW = np.uint64(0xFFFFFFFF)

# A card runs threads in blocks of so many.
_BLOCK = 256
# Words that one count gives, and so normal values.
_EACH = 4
# Threads that are computed together: their words stay in the processor's cache.
_TOGETHER = 8192

Words = NDArray[np.uint64]


class PhiloxGenerator:
    """The generator of an NVIDIA card.

    `seed` is taken modulo 2⁶⁴. `threads`: how many the card runs at once, its multiprocessors times
    the threads of each; a draw with more elements lies otherwise then. 0: as many as elements.
    """

    def __init__(self, seed: int, threads: int = 0) -> None:
        seed %= 2**64
        self._key = (seed & 0xFFFFFFFF, seed >> 32)
        self._threads = threads
        self._count = 0

    def randn(self, shape: Sequence[int]) -> Tensor:
        """The next draw: float32 of that shape on the CPU."""
        n = math.prod(shape)
        blocks = -(-n // _BLOCK)
        if self._threads:
            blocks = min(blocks, max(self._threads // _BLOCK, 1))
        # Element i is of the thread i mod T, which gives four values a count.
        T = _BLOCK * max(blocks, 1)
        counts = -(-n // (_EACH * T))
        values = [
            row
            for count in range(counts)
            for row in self._normal(self._count + count, min(T, n), min(_EACH, -(-n // T)))
        ]
        self._count += max(counts, 1)
        drawn = np.concatenate(values)[:n] if n else np.empty(0, np.float32)
        return torch.from_numpy(drawn).reshape(tuple(shape))

    def _normal(self, count: int, threads: int, rows: int) -> list[NDArray[np.float32]]:
        """The first `rows` of the four values that each of the threads has at a count."""
        made = np.empty((rows, threads), np.float32)
        for begin in range(0, threads, _TOGETHER):
            thread = np.arange(begin, min(begin + _TOGETHER, threads), dtype=np.uint64)
            low, high = np.uint64(count & 0xFFFFFFFF), np.uint64(count >> 32)
            words = philox(
                (np.full_like(thread, low), np.full_like(thread, high), thread, thread >> _WORD),
                self._key,
            )
            for row in range(rows):
                x, y = words[:2] if row < 2 else words[2:]
                made[row, begin : begin + len(thread)] = _box_muller(x, y, sine=row % 2 == 0)
        return list(made)


def philox(counter: tuple[Words, Words, Words, Words], key: tuple[int, int]) -> tuple[Words, ...]:
    """Four words of 32 bits for each counter of four such, by a key of two."""
    a, b, c, d = counter
    keys = list(key)
    for _ in range(_ROUNDS):
        first, second = a * np.uint64(_MULTIPLIERS[0]), c * np.uint64(_MULTIPLIERS[1])
        a = (second >> _WORD) ^ b ^ np.uint64(keys[0])
        c = (first >> _WORD) ^ d ^ np.uint64(keys[1])
        b, d = second & _LOW, first & _LOW
        keys = [(k + step) & 0xFFFFFFFF for k, step in zip(keys, _STEPS, strict=True)]
    return a, b, c, d


def _box_muller(x: Words, y: Words, *, sine: bool) -> NDArray[np.float64]:
    """One of the two normal values of two words, in float64."""
    u = (x + 0.5) * 2.0**-32
    v = (y + 0.5) * (2.0**-32 * 2 * math.pi)
    value: NDArray[np.float64] = np.sqrt(-2 * np.log(u)) * (np.sin(v) if sine else np.cos(v))
    return value
