"""Between pictures and latents: the autoencoder, tile by tile where memory asks for it; and what a
model for inpainting is shown of a picture, which is everything but the hole.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from ponystudio.diffusion.families import Family
from ponystudio.diffusion.weights.network import Network
from ponystudio.diffusion.weights.weights import Weights
from ponystudio.errors import MismatchedValues

if TYPE_CHECKING:
    from diffusers import AutoencoderKL

OnTile = Callable[[int, int], None]
Spot = tuple[range, range]

# From this many pixels on tiles are used unasked: the widest layers would take over 9 GB in fp32.
TILED_FROM = 1536 * 1536
TILE = 768
# The share of a tile that it has in common with the next; over it the two are blended.
OVERLAP = 0.25
# A tile of fewer latent cells than this would be all border.
LEAST_CELLS = 16


class Autoencoder(Network["AutoencoderKL"]):
    """A variational autoencoder. Latents are in VAE units: what its encoder returns, unscaled.

    `scaling_factor` is the one of its own config, else the family's; only samplers apply it.
    `tiled_from`: pictures of at least so many pixels are worked on in tiles unasked.
    """

    part = "vae"

    def __init__(
        self,
        module: AutoencoderKL,
        family: Family,
        weights: Weights | None = None,
        *,
        tiled_from: int = TILED_FROM,
    ) -> None:
        super().__init__(module, weights)
        self.family = family
        self.tiled_from = tiled_from
        self.scaling_factor: float = module.config.scaling_factor
        self.downscale = 2 ** (len(module.config.block_out_channels) - 1)

    @torch.no_grad()
    def encode(
        self, pixels: Tensor, *, tile: int | None = None, on_tile: OnTile | None = None
    ) -> Tensor:
        """The latent of pictures: float32 [B,C,H/8,W/8], the mean of the posterior.

        `pixels`: float32 [B,3,H,W] in 0..1, cut around the centre to a multiple of 8.
        `tile`: side of a tile in pixels; None decides by size. `on_tile` is told (tiles done,
        tiles in all). One picture is worked on at a time, whatever the batch. Raises
        MismatchedValues for pictures of less than 8 × 8 pixels.
        """
        pixels = cut_to_cells(pixels, self.downscale)
        if not pixels.numel():
            raise MismatchedValues(
                f"The picture is smaller than {self.downscale} × {self.downscale} pixels.",
                remedy="Use a larger picture.",
            )

        def network(part: Tensor) -> Tensor:
            y = part.to(self.device, self.dtype) * 2 - 1
            return self.module.encode(y, return_dict=False)[0].mean.float()

        area = pixels.shape[-2] * pixels.shape[-1]
        return _in_tiles(network, pixels, self._cells(area, tile), self.downscale, 1, on_tile)

    @torch.no_grad()
    def decode(
        self, values: Tensor, *, tile: int | None = None, on_tile: OnTile | None = None
    ) -> Tensor:
        """The pictures of latents: float32 [B,3,8h,8w], clamped to 0..1.

        `values`: [B,C,h,w] in VAE units. `tile` and `on_tile` as for `encode`. Raises
        MismatchedValues for a latent of another number of channels.
        """
        channels: int = self.module.config.latent_channels
        if values.shape[1] != channels:
            raise MismatchedValues(
                f"The latent has {values.shape[1]} channels, this VAE has {channels}.",
                remedy="Use the VAE that comes with the model.",
            )

        def network(part: Tensor) -> Tensor:
            y = self.module.decode(part.to(self.device, self.dtype), return_dict=False)[0]
            return ((y.float() + 1) / 2).clamp(0, 1)

        area = values.shape[-2] * values.shape[-1] * self.downscale**2
        return _in_tiles(network, values, self._cells(area, tile), 1, self.downscale, on_tile)

    def _cells(self, area: int, tile: int | None) -> int:
        """Side of a tile in latent cells for a picture of `area` pixels; 0 for no tiles."""
        if tile is None:
            tile = TILE if area >= self.tiled_from else 0
        return max(tile // self.downscale, LEAST_CELLS) if tile else 0


def cut_to_cells(planes: Tensor, downscale: int) -> Tensor:
    """The centre of pictures or masks [B,C,H,W] that whole cells of a latent cover.

    All that belongs to one picture goes through here, so that it stays in place. Above and at the
    left as much is cut off as below and at the right, or a pixel less.
    """
    height, width = (side // downscale * downscale for side in planes.shape[-2:])
    top, left = (planes.shape[-2] - height) // 2, (planes.shape[-1] - width) // 2
    return planes[..., top : top + height, left : left + width]


def _in_tiles(
    network: Callable[[Tensor], Tensor],
    x: Tensor,
    tile: int,
    grain_in: int,
    grain_out: int,
    on_tile: OnTile | None,
) -> Tensor:
    """`network` on each picture of `x`, or on overlapping tiles of it that are blended.

    Places are counted in latent cells, of `grain_in` values a side in `x` and `grain_out` in the
    result; so is `tile`, of which 0 means none.
    """
    height, width = (side // grain_in for side in x.shape[-2:])
    spots = [(r, c) for r in _spans(height, tile or height) for c in _spans(width, tile or width)]
    done = 0

    def parts(picture: Tensor) -> Iterator[tuple[Spot, Tensor]]:
        nonlocal done
        for rows, columns in spots:
            y = network(picture[..., _values(rows, grain_in), _values(columns, grain_in)])
            done += 1
            if on_tile is not None:
                on_tile(done, len(x) * len(spots))
            yield (rows, columns), y

    def whole(picture: Tensor) -> Tensor:
        if len(spots) == 1:
            return next(parts(picture))[1]
        return _blended(parts(picture), (height, width), int(tile * OVERLAP), grain_out)

    return torch.cat([whole(picture) for picture in x.split(1)])


def _spans(size: int, tile: int) -> list[range]:
    """Equally spaced tiles over 0..size that overlap by OVERLAP at least."""
    if tile >= size:
        return [range(size)]
    overlap = int(tile * OVERLAP)
    count = math.ceil((size - overlap) / (tile - overlap))
    starts = [round(i * (size - tile) / (count - 1)) for i in range(count)]
    return [range(start, start + tile) for start in starts]


def _blended(
    parts: Iterable[tuple[Spot, Tensor]], size: tuple[int, int], overlap: int, grain: int
) -> Tensor:
    """Σ w·y / Σ w, where the weight of each tile falls linearly towards its inner edges."""
    sums: tuple[Tensor, Tensor] | None = None
    for (rows, columns), y in parts:
        if sums is None:
            whole = (size[0] * grain, size[1] * grain)
            sums = y.new_zeros(1, y.shape[1], *whole), y.new_zeros(whole)
        w = torch.outer(
            _ramp(rows, size[0], overlap, grain), _ramp(columns, size[1], overlap, grain)
        ).to(y)
        place = _values(rows, grain), _values(columns, grain)
        sums[0][..., *place] += w * y
        sums[1][place] += w
    assert sums is not None
    return sums[0] / sums[1]


def _ramp(span: range, size: int, overlap: int, grain: int) -> Tensor:
    """The weights along one side of a tile: 1, falling over the overlap but not at a border."""
    n = len(span) * grain
    from_edge = (torch.arange(n) + 0.5) / (overlap * grain)
    w = torch.ones(n)
    if span.start > 0:
        w = torch.minimum(w, from_edge)
    if span.stop < size:
        w = torch.minimum(w, from_edge.flip(0))
    return w


def _values(span: range, grain: int) -> slice:
    return slice(span.start * grain, span.stop * grain)


GREY = 0.5


def with_hole(pixels: Tensor, mask: Tensor) -> Tensor:
    """Pictures float32 [B,3,H,W] in 0..1, grey wherever the mask [B or 1,1,H,W] is over 0.5."""
    hole = mask.to(pixels).round()
    return pixels * (1 - hole) + GREY * hole
