"""The network that sees a noisy latent and a prompt and tells noise from picture."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from ponystudio.diffusion.families import Family
from ponystudio.diffusion.network import Network
from ponystudio.diffusion.weights import Weights

if TYPE_CHECKING:
    from diffusers import UNet2DConditionModel


class Denoiser(Network["UNet2DConditionModel"]):
    """A UNet, with what its output means.

    `prediction`: "eps" the noise, "v" the velocity, "flow" the flow. `zsnr`: it was trained down
    to no signal at all. `in_channels`: 4, or 9 for one that is made for inpainting.
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
    ) -> None:
        super().__init__(module, weights)
        self.family = family
        self.prediction = prediction or family.prediction
        self.zsnr = zsnr
        self.in_channels: int = module.config.in_channels

    @torch.no_grad()
    def __call__(self, x: Tensor, t: Tensor, context: Tensor, **extra: Any) -> Tensor:
        """What the network says about `x`.

        `x`: float32 [B,in_channels,h,w], already scaled by c_in. `t`: [B], time steps of the
        table, 0..999, fractions allowed. `context`: [B,n,width]. `extra` goes to the network.
        Returns float32 [B,C,h,w]; the network itself runs in its own dtype.
        """
        out = self.module(
            x.to(self.dtype),
            t.to(self.device),
            encoder_hidden_states=context.to(self.device, self.dtype),
            return_dict=False,
            **extra,
        )[0]
        return out.float()
