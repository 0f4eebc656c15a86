"""What an image encoder sees in a picture: CLIP's (Radford et al. 2021) and SigLIP's (Zhai et al.
2023).

A picture is prepared as ComfyUI does it: its shorter side becomes the encoder's (bicubic, weighing
all pixels that fall together), the middle is cut out, and the numbers are rounded to 8 bit.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor
from torch.nn.functional import interpolate

from ponystudio.diffusion.weights.network import Network
from ponystudio.diffusion.weights.weights import Weights
from ponystudio.errors import MismatchedValues

if TYPE_CHECKING:
    from torch import nn

# What the encoders of either kind were trained on: mean and deviation of red, green and blue.
CLIP = ((0.48145466, 0.4578275, 0.40821073), (0.26862954, 0.26130258, 0.27577711))
SIGLIP = ((0.5, 0.5, 0.5), (0.5, 0.5, 0.5))
# Pictures that are looked at together.
BATCH = 8

Normalisation = tuple[tuple[float, ...], tuple[float, ...]]


@dataclass(frozen=True, eq=False)
class Sight:
    """What an encoder says of pictures, all float32.

    `embeds` [B,width]: each as one vector: CLIP's class token, normed, and projected where the file
    has a projection; SigLIP's by its attention pooling. None for one without that. `hidden`
    [B,n,width]: the last states; SigLIP's are normed. `penultimate`: those of the layer before.
    """

    embeds: Tensor | None
    hidden: Tensor
    penultimate: Tensor


class VisionEncoder(Network["nn.Module"]):
    """An image encoder with its weights: of `module` transformers' CLIPVisionModel, that with a
    projection, or SiglipVisionModel. `side`: of the pictures that it sees, in pixels."""

    part = "vision"

    def __init__(self, module: nn.Module, weights: Weights | None = None) -> None:
        super().__init__(module, weights)
        projected = getattr(module, "vision_model", None)
        self._tower = module if projected is None else projected
        self._projection = getattr(module, "visual_projection", None)
        self._siglip = not hasattr(self._tower.embeddings, "class_embedding")
        self.side: int = self._tower.config.image_size

    @torch.no_grad()
    def __call__(self, pixels: Tensor, *, crop: bool = True) -> Sight:
        """Look at pictures, float32 [B,3,H,W] in 0..1; `crop` as for `prepared`."""
        ready = prepared(
            pixels, self.side, crop=crop, normalisation=SIGLIP if self._siglip else CLIP
        )
        parts = [self._look(part.to(self.device, self.dtype)) for part in ready.split(BATCH)]
        embeds = [part.embeds for part in parts if part.embeds is not None]
        return Sight(
            torch.cat(embeds) if embeds else None,
            torch.cat([part.hidden for part in parts]),
            torch.cat([part.penultimate for part in parts]),
        )

    def _look(self, pixels: Tensor) -> Sight:
        said = self._tower(pixel_values=pixels, output_hidden_states=True)
        embeds = said.pooler_output
        if self._projection is not None:
            embeds = self._projection(embeds)
        return Sight(
            None if embeds is None else embeds.float(),
            said.last_hidden_state.float(),
            said.hidden_states[-2].float(),
        )


def prepared(
    pixels: Tensor, side: int, *, crop: bool = True, normalisation: Normalisation = CLIP
) -> Tensor:
    """Pictures [B,3,H,W] in 0..1 as an encoder of [B,3,side,side] wants them.

    `crop`: the middle, in its proportions; else all of it, squashed. Raises MismatchedValues for
    pictures of nothing.
    """
    height, width = pixels.shape[-2:]
    if not height or not width:
        raise MismatchedValues("The picture has no pixels.", remedy="Use a larger picture.")
    scale = side / min(height, width)
    size = (round(height * scale), round(width * scale)) if crop else (side, side)
    scaled = interpolate(pixels.float(), size=size, mode="bicubic", antialias=True)
    top, left = ((there - side) // 2 for there in size)
    cut = scaled[..., top : top + side, left : left + side]
    eight_bit = (cut * 255).clamp(0, 255).round() / 255
    mean, deviation = (torch.tensor(x, device=cut.device).view(3, 1, 1) for x in normalisation)
    return (eight_bit - mean) / deviation
