"""The network that sees a noisy latent and a prompt and tells noise from picture."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from ponystudio.diffusion.families import Family, Rgb
from ponystudio.diffusion.network import Network
from ponystudio.diffusion.weights import Weights

if TYPE_CHECKING:
    from diffusers import UNet2DConditionModel


class Denoiser(Network["UNet2DConditionModel"]):
    """A UNet, with what its output means.

    `prediction`: "eps" the noise, "v" the velocity, "flow" the flow. `zsnr`: it was trained down
    to no signal at all. `in_channels`: 4, or 9 for one that is made for inpainting. `rgb`: how its
    latents are guessed as pictures, where they are not its family's.
    """

    part = "model"

    def __init__(
        self,
        module: UNet2DConditionModel,
        family: Family,
        weights: Weights | None = None,
        *,
        prediction: str = "",
        zsnr: bool = False,
        rgb: Rgb | None = None,
    ) -> None:
        super().__init__(module, weights)
        self.family = family
        self.prediction = prediction or family.prediction
        self.zsnr = zsnr
        self.rgb = rgb or family.rgb
        self.in_channels: int = module.config.in_channels

    def to_rgb(self, values: Tensor) -> Tensor:
        """A rough picture [B,3,h,w] in 0..1 of a latent [B,C,h,w] in VAE units, for previews."""
        return self.family.to_rgb(values, self.rgb)

    @torch.no_grad()
    def __call__(
        self,
        x: Tensor,
        t: Tensor,
        context: Tensor,
        pooled: Tensor | None = None,
        sizes: Tensor | None = None,
    ) -> Tensor:
        """What the network says about `x`.

        `x`: float32 [B,in_channels,h,w], already scaled by c_in. `t`: [B], time steps of the
        table, 0..999, fractions allowed. `context`: [B,n,width]. Where the family has them,
        `pooled`: [B,width], and `sizes`: [B,6] in pixels, the height and width of the original,
        the top and left of the cut, the height and width of the aim.
        Returns float32 [B,C,h,w]; the network itself runs in its own dtype.
        """
        extra: dict[str, Any] = {}
        if pooled is not None and sizes is not None:
            vector = {"text_embeds": pooled.to(self.device, self.dtype)}
            extra["added_cond_kwargs"] = vector | {"time_ids": sizes.to(self.device, self.dtype)}
        out = self.module(
            x.to(self.dtype),
            t.to(self.device),
            encoder_hidden_states=context.to(self.device, self.dtype),
            return_dict=False,
            **extra,
        )[0]
        return out.float()
