"""A loaded ControlNet or T2I-adapter; and one at work in a run: with its picture, read once, and as
strong as it was asked to be.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor
from torch.nn.functional import interpolate, pad

from ponystudio.diffusion.architectures import DenoiserInputs, Residuals
from ponystudio.diffusion.control import ControlArchitecture, Hint, number_of
from ponystudio.diffusion.families import Family
from ponystudio.diffusion.weights.network import Network
from ponystudio.diffusion.weights.weights import Weights
from ponystudio.errors import MismatchedValues
from ponystudio.library.recognition.control_signatures import ControlSignature

if TYPE_CHECKING:
    from torch import nn

# Top, left, height and width of a part of a latent, in cells.
Part = tuple[int, int, int, int]
# From pixels [B,3,H,W] to a latent [B,C,h,w] in VAE units.
Encode = Callable[[Tensor], Tensor]
# What a denoiser has added within it: of x, t, what it is told and its module.
Added = Callable[[Tensor, Tensor, DenoiserInputs, Any], Residuals]


class ControlNetwork(Network["nn.Module"]):
    """What steers a denoiser, whatever its kind (`signature`).

    `wide_edges`: pictures of edges go to its VAE 255 times as strong (SD3.5 canny). `unshifted`:
    the latent that it reads is multiplied alone (SD3 by InstantX).
    """

    part = "controlnet"

    def __init__(
        self,
        module: nn.Module,
        family: Family,
        signature: ControlSignature,
        how: ControlArchitecture,
        weights: Weights | None = None,
        *,
        wide_edges: bool = False,
    ) -> None:
        super().__init__(module, weights)
        self.family, self.signature, self.wide_edges = family, signature, wide_edges
        # What else those were trained without.
        self.unshifted = bool(
            getattr(module, "config", {}).get("force_zeros_for_pooled_projection")
        )
        self._how = how
        self.grain = how.grain(module)

    def check_fit(self, base: Any) -> None:
        """Raise MismatchedValues unless it steers a denoiser's module `base`."""
        if not self._how.fits(self.module, base):
            raise MismatchedValues(
                f"This ControlNet was made for another model of {self.family.title}: its layers are"
                " not as wide.",
                remedy="Use one that was made for models of this size.",
            )

    @torch.no_grad()
    def read(self, picture: Tensor) -> Hint:
        """What it sees in a picture [B,C,H,W] as it wants it, on its device."""
        hint = self._how.read(self.module, picture.to(self.device, self.dtype))
        return tuple(part.contiguous() for part in hint)

    def __call__(
        self,
        x: Tensor,
        t: Tensor,
        told: DenoiserInputs,
        hint: Hint,
        kind: int | None,
        base: Any,
    ) -> Residuals:
        """What it adds to a denoiser's module `base` that is asked about x [B,C,h,w] at t [B].

        `hint` has a row for each of x.
        """
        told = DenoiserInputs(
            told.context.to(self.dtype),
            None if told.pooled is None else told.pooled.to(self.dtype),
            None if told.sizes is None else told.sizes.to(self.dtype),
            told.guidance,
        )
        added = self._how.call(self.module, x.to(self.dtype), t, told, hint, kind, base)
        if self.signature.pooled:
            added = added.changed(lambda output: output.mean(dim=(2, 3), keepdim=True))
        return added


class ActiveControl:
    """A ControlNet at work on latents of `shape` [B,C,h,w].

    `picture` [1 or B,3,H,W] in 0..1 is cut to their proportion around its centre and brought to
    their size, nearest-exact; `mask` [1 or B,1,H,W], 1 in its hole. `encode` is its VAE's, where
    the network reads latents. `kind`: of the picture, "auto" for not telling it. What the network
    adds counts `strength` times. Raises MismatchedValues and ParamChoice for what does not fit.
    """

    def __init__(
        self,
        network: ControlNetwork,
        picture: Tensor,
        shape: Sequence[int],
        *,
        strength: float = 1.0,
        kind: str = "auto",
        mask: Tensor | None = None,
        encode: Encode | None = None,
    ) -> None:
        batch, _, *cells = shape
        for what, given in (("pictures", picture), ("masks", mask)):
            if given is not None and len(given) not in (1, batch):
                raise MismatchedValues(
                    f"{len(given)} {what} for a ControlNet cannot steer {batch} latents.",
                    remedy="Use one for all latents, or one for each.",
                )
        self.network, self._strength = network, strength
        self._kind = number_of(kind, network.signature)
        self._cells: tuple[int, int] = (cells[0], cells[1])
        self._picture = picture
        if mask is not None:
            mask = interpolate(mask.to(picture), size=picture.shape[-2:], mode="bilinear")
            emptied = torch.zeros_like(picture) if encode else torch.full_like(picture, -1.0)
            self._picture = torch.where(mask > 0.5, emptied, picture)
        self._latent = self._encoded(mask, encode) if encode else None
        self._hints: dict[Part | None, Hint] = {}

    def at(self, part: Part | None, pictures: Sequence[int]) -> Added:
        """What it adds where a denoiser is asked about that part of the latents (None: all), in
        rows for these of the pictures."""
        hint = self._hint(part)

        def add(x: Tensor, t: Tensor, told: DenoiserInputs, base: Any) -> Residuals:
            whole = self.network.family.patch == 1
            seen = hint if whole else tuple(_as_large(each, x) for each in hint)
            rows = tuple(_rows(each, pictures) for each in seen)
            added = self.network(x, t, told, rows, self._kind, base)
            return added.changed(lambda output: output * self._strength)

        return add

    def _hint(self, part: Part | None) -> Hint:
        """What the network sees in that part of the picture, looked at once."""
        if part not in self._hints:
            self._hints[part] = self.network.read(
                self._pixels(part) if self._latent is None else _cut(self._latent, part, 1)
            )
        return self._hints[part]

    def _pixels(self, part: Part | None) -> Tensor:
        scale, grain = self.network.family.downscale, self.network.grain
        h, w = self._cells if part is None else part[2:]
        height, width = (math.ceil(side * scale / grain) * grain for side in (h, w))
        if part is None:
            return fitted(self._picture, (height, width))
        whole = fitted(self._picture, (self._cells[0] * scale, self._cells[1] * scale))
        return fitted(_cut(whole, part, scale), (height, width))

    def _encoded(self, mask: Tensor | None, encode: Encode) -> Tensor:
        """The latent as the network reads it, with what is left beside the hole after it where it
        reads that."""
        network, family = self.network, self.network.family
        height, width = (side * family.downscale for side in self._cells)
        pixels = fitted(self._picture, (height, width))
        if network.wide_edges:  # as its encoder was given them: 127.5 times, and not −1..1
            pixels = (pixels * 255 * 0.5 + 1.5) / 2
        shift = 0.0 if network.unshifted else family.shift
        latent = (encode(pixels).float() - shift) * family.scaling_factor
        if not network.signature.takes_mask or mask is None:
            return latent
        left = fitted(1 - mask.to(latent), self._cells)
        rows = max(len(latent), len(left))
        return torch.cat([each.expand(rows, -1, -1, -1) for each in (latent, left)], dim=1)


def fitted(picture: Tensor, size: tuple[int, int]) -> Tensor:
    """A picture [B,C,H,W] cut to the proportion of a size around its centre, and brought to it."""
    height, width = picture.shape[-2:]
    ours, theirs = width / height, size[1] / size[0]
    left = round((width - width * (theirs / ours)) / 2) if ours > theirs else 0
    top = round((height - height * (ours / theirs)) / 2) if ours < theirs else 0
    # Of the narrowest one a pixel is left.
    left, top = min(left, (width - 1) // 2), min(top, (height - 1) // 2)
    picture = picture[..., top : height - top, left : width - left]
    if picture.shape[-2:] == size:
        return picture
    return interpolate(picture, size=size, mode="nearest-exact")


def _cut(planes: Tensor, part: Part | None, scale: int) -> Tensor:
    if part is None:
        return planes
    top, left, height, width = (side * scale for side in part)
    return planes[..., top : top + height, left : left + width]


def _rows(hint: Tensor, pictures: Sequence[int]) -> Tensor:
    if len(hint) == 1:
        return hint.expand(len(pictures), *hint.shape[1:])
    return hint[list(pictures)]


def _as_large(hint: Tensor, x: Tensor) -> Tensor:
    """With what x has more at its borders than whole cells, from the other side as there."""
    missing = [theirs - ours for ours, theirs in zip(hint.shape[-2:], x.shape[-2:], strict=True)]
    return pad(hint, (0, missing[1], 0, missing[0]), mode="circular") if any(missing) else hint
