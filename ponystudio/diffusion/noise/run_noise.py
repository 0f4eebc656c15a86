"""The noise of one run: what its pictures begin with, and what is drawn between its steps.

Two rules, one interface. ComfyUI draws for all pictures of a batch at once, first on the CPU and
then with a second generator; in A1111 each picture has a seed and a generator of its own.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol

import torch
from torch import Tensor

from ponystudio.api import A1111Rules, Noise
from ponystudio.diffusion.noise.draws import (
    Draw,
    Stream,
    between,
    brownian,
    centred,
    first,
    stream,
    turned,
)


class RunNoise(Protocol):
    """`first`: float32 [B,C,h,w] on the device of the run, zeros where it is off."""

    first: Tensor

    def between(self) -> Draw:
        """Fresh noise at each step."""

    def brownian(self, sigmas: Tensor, *, gpu: bool) -> Draw:
        """Increments of Brownian paths over the schedule; `gpu`: the sampler draws them there."""


class BatchNoise:
    """ComfyUI's: one draw for all pictures of x [B,C,h,w], of which `batch_index` says which of a
    larger batch each one is. `downscale`: pixels a cell."""

    def __init__(
        self, noise: Noise, x: Tensor, downscale: int, batch_index: Sequence[int] | None = None
    ) -> None:
        self._noise, self._x = noise, x

        def draw(seed: int, shape: Sequence[int]) -> Tensor:
            return first(shape, seed, batch_index=batch_index)

        self.first = torch.zeros_like(x)
        if not noise.off:
            whole = draw(noise.seed, x.shape)
            other = noise.variation_seed
            self.first = _varied(noise, noise.seed, other, whole, downscale, draw).to(x.device)

    def between(self) -> Draw:
        noise = self._noise
        return between(self._x, noise.seed, source=noise.source, threads=noise.threads)

    def brownian(self, sigmas: Tensor, *, gpu: bool) -> Draw:
        noise = self._noise
        there = "nvidia" if noise.source == "nvidia" else "gpu"
        return brownian(
            self._x, noise.seed, sigmas, source=there if gpu else "cpu", threads=noise.threads
        )


class PictureNoise:
    """A1111's: the picture number i of x [B,C,h,w], or the one that `batch_index` says, has the
    seed and i; variations have one seed, and i is added to that of the other noise.

    All of it comes from one source. Between steps the generator of each picture goes on, or with an
    `ensd` of the rules a new one begins at the seed and that.
    """

    def __init__(
        self,
        noise: Noise,
        x: Tensor,
        downscale: int,
        batch_index: Sequence[int] | None = None,
        rules: A1111Rules | None = None,
    ) -> None:
        self._noise, self._x = noise, x
        self._threads = noise.threads or (rules.threads if rules else 0)
        numbers = range(len(x)) if batch_index is None else batch_index
        self._seeds = [noise.seed + (0 if noise.variation else i) for i in numbers]
        streams = [self._stream(seed) for seed in self._seeds]

        def draw(seed: int, shape: Sequence[int]) -> Tensor:
            return self._stream(seed)(shape)

        shape = (1, *x.shape[1:])
        drawn = [
            _varied(noise, seed, noise.variation_seed + i, own(shape), downscale, draw)
            for i, seed, own in zip(numbers, self._seeds, streams, strict=True)
        ]
        self.first = torch.zeros_like(x) if noise.off else torch.cat(drawn).to(x.device)
        delta = rules.ensd if rules else 0
        self._streams = [self._stream(s + delta) for s in self._seeds] if delta else streams
        for _ in range(noise.behind):
            self._next()

    def between(self) -> Draw:
        return lambda *_: self._next()

    def brownian(self, sigmas: Tensor, *, gpu: bool) -> Draw:
        paths = [
            brownian(
                one[None],
                seed,
                sigmas,
                source="gpu" if gpu and self._noise.source == "cpu" else self._noise.source,
                threads=self._threads,
            )
            for one, seed in zip(self._x, self._seeds, strict=True)
        ]
        return lambda σ, σ_next: torch.cat([path(σ, σ_next) for path in paths])

    def _stream(self, seed: int) -> Stream:
        return stream(seed, self._noise.source, self._x.device, self._threads)

    def _next(self) -> Tensor:
        shape = (1, *self._x.shape[1:])
        return torch.cat([draw(shape) for draw in self._streams]).to(self._x.device)


def _varied(
    noise: Noise,
    seed: int,
    other: int,
    whole: Tensor,
    downscale: int,
    draw: Callable[[int, Sequence[int]], Tensor],
) -> Tensor:
    """The first noise of a seed, `whole`, turned towards that of the seed `other`, or with that of
    another size in its middle, as asked for."""
    width, height = (side // downscale for side in noise.resized_from)
    resized = width > 0 and height > 0 and (height, width) != tuple(whole.shape[-2:])
    shape = (*whole.shape[:-2], height, width) if resized else whole.shape
    drawn = draw(seed, shape) if resized else whole
    if noise.variation:
        drawn = turned(drawn, draw(other, shape), noise.variation)
    return centred(drawn, whole) if resized else drawn
