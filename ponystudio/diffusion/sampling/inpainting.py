"""Repainting by mask with any model: what is not masked is put back at every step."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor
from torch.nn.functional import interpolate

from ponystudio.diffusion.sampling.parameterisation import Parameterisation
from ponystudio.diffusion.sampling.process import Denoise
from ponystudio.errors import MismatchedValues


@dataclass(frozen=True, eq=False)
class Masked:
    """D(x, σ) that sees and leaves `latent` wherever `mask` is 0, at the noise level of x.

    All [B,C,h,w] but `mask`, [B,1,h,w] in 0..1; between the two it blends.
    """

    D: Denoise
    space: Parameterisation
    mask: Tensor
    latent: Tensor
    noise: Tensor

    def __call__(self, x: Tensor, σ: Tensor) -> Tensor:
        m = self.mask
        x = x * m + self.space.renoise(self.latent, self.noise, σ) * (1 - m)
        return self.D(x, σ) * m + self.latent * (1 - m)


def mask_of_latent(mask: Tensor, latent: Tensor) -> Tensor:
    """A mask [1 or B,1,H,W] of pixels as [B,1,h,w], for each cell of a latent [B,C,h,w]."""
    if len(mask) not in (1, len(latent)):
        raise MismatchedValues(
            f"{len(mask)} masks cannot apply to {len(latent)} latents.",
            remedy="Use one mask for all latents, or one for each.",
        )
    mask = interpolate(mask.to(latent), size=latent.shape[-2:], mode="bilinear")
    return mask.expand(len(latent), -1, -1, -1)
