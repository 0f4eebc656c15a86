"""A style model turns what is seen in a picture into tokens that stand beside those of the prompt
(FLUX.1 Redux, Black Forest Labs 2024).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor

from ponystudio.diffusion.families import Family
from ponystudio.diffusion.sampling.fitting import check_seen
from ponystudio.diffusion.weights.network import Network
from ponystudio.diffusion.weights.weights import Weights

if TYPE_CHECKING:
    from diffusers.pipelines.flux.modeling_flux import ReduxImageEncoder


class StyleEncoder(Network["ReduxImageEncoder"]):
    """Linear, SiLU, linear: from a place of a picture, `width` numbers, to a token of the prompt.

    Those of Redux are the 729 places of SigLIP (1152 wide), and T5's tokens (4096 wide).
    """

    part = "style_model"

    def __init__(
        self, module: ReduxImageEncoder, family: Family, weights: Weights | None = None
    ) -> None:
        super().__init__(module, weights)
        self.family = family
        self.width: int = module.config.redux_dim

    @torch.no_grad()
    def __call__(self, hidden: Tensor) -> Tensor:
        """Tokens, float32 [B,n,context width], for the last states of an image encoder [B,n,width].

        Raises MismatchedValues for those of another width.
        """
        check_seen("style model", self.width, hidden.shape[-1], "vision_output")
        tokens: Tensor = self.module(hidden.to(self.device, self.dtype)).image_embeds
        return tokens.float()
