"""The network that sees a noisy latent and a prompt and tells noise from picture."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor
from torch.nn.functional import pad

from ponystudio.diffusion.architectures import DenoiserInputs, architecture
from ponystudio.diffusion.families import Family, Rgb
from ponystudio.diffusion.weights.network import Network
from ponystudio.diffusion.weights.weights import Weights

if TYPE_CHECKING:
    from torch import nn


class Denoiser(Network["nn.Module"]):
    """A denoiser of any architecture, with what its output means.

    `prediction`: "eps" the noise, "v" the velocity, "flow" the flow. `zsnr`: it was trained down
    to no signal at all. `in_channels`: those of its latents, or more for one that is shown a
    picture. `largest`: the side of the largest latent in cells, 0 for no limit. `guided`: it is
    told its guidance. `shift`: how far it bends time, in place of what its family does; 0 for
    that. `rgb`: how its latents are guessed as pictures, where they are not its family's.
    """

    part = "model"

    def __init__(
        self,
        module: nn.Module,
        family: Family,
        weights: Weights | None = None,
        *,
        prediction: str = "",
        zsnr: bool = False,
        rgb: Rgb | None = None,
    ) -> None:
        super().__init__(module, weights)
        how = architecture(family.architecture)
        self._call = how.call
        self.family = family
        self.prediction = prediction or family.prediction
        self.zsnr = zsnr
        self.rgb = rgb or family.rgb
        self.in_channels: int = how.channels(module)
        self.largest: int = how.largest(module)
        self.guided: bool = how.guided(module)
        self.shift = 0.0

    def to_rgb(self, values: Tensor) -> Tensor:
        """A rough picture [B,3,h,w] in 0..1 of a latent [B,C,h,w] in VAE units, for previews."""
        scaled = (values.float() - self.family.shift) * self.family.scaling_factor
        weights, bias = (
            torch.tensor(x, device=values.device) for x in (self.rgb.rows, self.rgb.bias)
        )
        picture = torch.einsum("bchw,cr->brhw", scaled, weights) + bias[:, None, None]
        return (picture / 2 + 0.5).clamp(0, 1)

    @torch.no_grad()
    def __call__(
        self,
        x: Tensor,
        t: Tensor,
        context: Tensor,
        pooled: Tensor | None = None,
        sizes: Tensor | None = None,
        guidance: Tensor | None = None,
    ) -> Tensor:
        """What the network says about `x`.

        `x`: float32 [B,in_channels,h,w], already scaled by c_in. `t`: [B], time as the family
        counts it, fractions allowed. The others are those of `architectures.DenoiserInputs`.
        Returns float32 [B,C,h,w]; the network itself runs in its own dtype.
        """
        there, dtype = self.device, self.dtype
        told = DenoiserInputs(
            context.to(there, dtype),
            None if pooled is None else pooled.to(there, dtype),
            None if sizes is None else sizes.to(there, dtype),
            None if guidance is None else guidance.to(there, torch.float32),
        )
        height, width = x.shape[-2:]
        out = self._call(self.module, self._in_patches(x).to(dtype), t.to(there), told)
        return out[..., :height, :width].float()

    def _in_patches(self, x: Tensor) -> Tensor:
        """As ComfyUI does, what a patch lacks at the borders is taken from the other side."""
        missing = [-side % self.family.patch for side in x.shape[-2:]]
        return pad(x, (0, missing[1], 0, missing[0]), mode="circular") if any(missing) else x
