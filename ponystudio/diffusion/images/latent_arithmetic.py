"""Arithmetic on two latents, which are made to fit each other first."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ponystudio.diffusion.images.resample import centre_cut, scale_latent
from ponystudio.errors import MismatchedValues

if TYPE_CHECKING:
    from torch import Tensor


def fitted(a: Tensor, b: Tensor) -> tuple[Tensor, Tensor]:
    """The latents [B,C,h,w] and others of any size, bilinear in that of the first and cut to its
    proportions around the centre, on its device. Raises MismatchedValues as `with_channels`."""
    a, b = with_channels(a, b)
    size = a.shape[-2], a.shape[-1]
    if b.shape[-2:] != size:
        b = scale_latent(centre_cut(b, size), size, "bilinear")
    return a, b


def with_channels(a: Tensor, b: Tensor) -> tuple[Tensor, Tensor]:
    """Two latents of the same number of channels, on the first one's device: an empty one, all
    zeros, has as many as it takes. Raises MismatchedValues for others."""
    b = b.to(a)
    if a.shape[1] == b.shape[1]:
        return a, b
    if not a.any():
        return a[:, :1].expand(-1, b.shape[1], -1, -1), b
    if not b.any():
        return a, b[:, :1].expand(-1, a.shape[1], -1, -1)
    raise MismatchedValues(
        f"A latent of {b.shape[1]} channels does not fit one of {a.shape[1]}.",
        remedy="Make both with the VAE of the same model.",
    )


def repeated(values: Tensor, batch: int) -> Tensor:
    """As many latents as wanted, from the first again after the last."""
    import torch

    return values[torch.arange(batch, device=values.device) % len(values)]


def interpolated(a: Tensor, b: Tensor, ratio: float) -> Tensor:
    """ratio·a + (1 − ratio)·b of [B,C,h,w], direction and length of each cell's channels apart: the
    directions' mean is made as long as the lengths' mean is."""
    lengths = [values.norm(dim=1, keepdim=True) for values in (a, b)]
    directions = [
        (values / length).nan_to_num() for values, length in zip((a, b), lengths, strict=True)
    ]
    mean = directions[0] * ratio + directions[1] * (1 - ratio)
    direction = (mean / mean.norm(dim=1, keepdim=True)).nan_to_num()
    return direction * (lengths[0] * ratio + lengths[1] * (1 - ratio))
