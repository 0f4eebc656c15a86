"""Pictures that a denoiser is shown beside x: those that it repaints (Rombach et al. 2022), edits
(Brooks et al. 2023) or follows, as further channels of what it takes in.

What these are is told by how many there are. UNets are shown a hole and the picture around it, or a
picture to edit, which is not scaled as x is; FLUX.1 a picture to follow, or a picture with a hole
in it and the hole in all its pixels.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import torch
from torch import Tensor
from torch.nn.functional import interpolate, pixel_unshuffle

from ponystudio.api import Latent
from ponystudio.diffusion.families import Family
from ponystudio.diffusion.sampling.parameterisation import Predictor
from ponystudio.errors import MismatchedValues, UnsupportedModel

INPAINTS, EDITS, FOLLOWS = "repaints", "edits", "follows"
REMEDIES = {
    INPAINTS: "Show it to the prompts with Inpaint model (core.inpaint_model).",
    EDITS: "Show it one with Edit picture (core.edit_picture).",
    FOLLOWS: "Show it one with Edit picture (core.edit_picture): edges, a depth map, ....",
}


class DenoiserWithPicture(Predictor, Protocol):
    """A denoiser, as far as it matters what it is shown."""

    @property
    def device(self) -> torch.device: ...
    @property
    def in_channels(self) -> int: ...


def purpose(denoiser: DenoiserWithPicture, channels: int) -> str:
    """What a denoiser does with the picture that it is shown beside an x of so many channels; ""
    for one that is shown none.

    Raises UnsupportedModel where nobody knows.
    """
    family, beside = denoiser.family, denoiser.in_channels - channels
    if not beside:
        return ""
    is_unet, is_flux = family.architecture == "unet", family.architecture == "flux"
    if beside == channels and (is_unet or is_flux):
        return EDITS if is_unet else FOLLOWS
    hole = 1 if is_unet else family.downscale**2
    if beside == channels + hole and (is_unet or is_flux):
        return INPAINTS
    raise UnsupportedModel(
        f"The model takes in {denoiser.in_channels} channels, and it is not known what it is to be"
        " shown.",
        remedy="Use another model.",
    )


def beside(
    denoiser: DenoiserWithPicture, shown: Latent | None, shape: Sequence[int]
) -> Tensor | None:
    """[B,C',h,w] that stands beside x of `shape` [B,C,h,w]; zeros where nothing is shown, None for
    a network that is shown nothing.

    A picture of another size is scaled. Raises MismatchedValues for one of other models, or for
    another number of pictures.
    """
    family = denoiser.family
    batch, channels, h, w = shape
    does = purpose(denoiser, channels)
    if not does:
        return None
    there = denoiser.device
    if shown is None:
        return torch.zeros(batch, denoiser.in_channels - channels, h, w, device=there)
    values = shown.values.to(there, torch.float32)
    if values.shape[1] != channels or len(values) not in (1, batch):
        raise MismatchedValues(
            f"{len(values)} pictures of {values.shape[1]} channels cannot be shown beside {batch}"
            f" of {channels}.",
            remedy="Show it one picture, encoded with a VAE of the model's family.",
        )
    if values.shape[-2:] != (h, w):
        values = interpolate(values, size=(h, w), mode="bilinear")
    if does != EDITS:
        values = (values - family.shift) * family.scaling_factor
    parts = [values]
    if does == INPAINTS:
        parts = _with_hole(values, shown.mask, family)
    return torch.cat([part.expand(batch, -1, -1, -1) for part in parts], dim=1)


def by_default(
    denoiser: DenoiserWithPicture, values: Tensor, mask: Tensor | None, shown: Tensor | None
) -> Latent | None:
    """What a network that repaints is shown where no prompt says anything else, of a latent in VAE
    units: the picture around its hole; for want of that the latent itself, cut out where it may be
    repainted; or grey, all to be painted. None for other networks, and where nobody knows grey.

    The hole of Encode for inpainting is in a cell where the pixel in the corner of that is, as from
    the first version on, so that its graphs give the pictures that they gave; of others, where it
    is in the middle of the cell."""
    family = denoiser.family
    if purpose(denoiser, values.shape[1]) != INPAINTS:
        return None
    if mask is not None and shown is not None:
        if family.architecture == "unet":
            cells = values.shape[-2:]
            mask = interpolate(mask.to(values), size=tuple(cells), mode="nearest").round()
        return Latent(shown, mask=mask)
    if not family.grey:
        return None
    if mask is not None:
        hole = _in_cells(mask.to(values), values.shape[-2:])
        return Latent(values * (1 - hole), mask=mask)
    grey = values.new_tensor(family.grey).view(1, -1, 1, 1) / family.scaling_factor
    height, width = (side * family.downscale for side in values.shape[-2:])
    return Latent(grey.expand(1, -1, *values.shape[-2:]), mask=values.new_ones(1, 1, height, width))


def check_shown(
    denoiser: DenoiserWithPicture, shown: Sequence[Latent | None], shape: Sequence[int]
) -> None:
    """Raise MismatchedValues where a network that wants to be shown a picture is shown none beside
    an x of `shape`."""
    does = purpose(denoiser, shape[1])
    if does and all(each is None for each in shown):
        raise MismatchedValues(
            f"This model {does} a picture that it is shown, and it is shown none.",
            remedy=REMEDIES[does],
            socket="positive",
        )


def _with_hole(values: Tensor, mask: Tensor | None, family: Family) -> list[Tensor]:
    height, width = values.shape[-2:]
    if mask is None:
        mask = values.new_ones(1, 1, 1, 1)
    if family.architecture == "unet":
        return [_in_cells(mask.to(values), (height, width)), values]
    cell = family.downscale
    pixels = interpolate(mask.to(values), size=(height * cell, width * cell), mode="nearest")
    return [values, pixel_unshuffle(pixels.round(), cell)]


def _in_cells(mask: Tensor, cells: Sequence[int]) -> Tensor:
    """Where a hole is, 0 or 1 in each cell; as the sampler scales what it may repaint."""
    return interpolate(mask, size=tuple(cells), mode="bilinear").round()
