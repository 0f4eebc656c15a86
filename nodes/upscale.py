"""Nodes that enlarge pictures with a network."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from ponystudio.api import Annotated, Context, File, Image, Mask, Range, Upscaler, node
from ponystudio_nodes.masks import alpha_of, opaque

if TYPE_CHECKING:
    from torch import Tensor

# A third of the usual work space or less; below that a tile is mostly surroundings.
FRUGAL_TILE = 96


class Enlarged(NamedTuple):
    image: Image
    mask: Mask


@node("core.load_upscaler", title="Load upscaler", group="Models", aliases=("UpscaleModelLoader",))
def load_upscaler(
    *,
    file: Annotated[Path, File("upscale_models")] = Path("realesrgan-x4plus-anime.safetensors"),
    ctx: Context,
) -> Upscaler:
    """Open a network that enlarges pictures: ESRGAN, Real-ESRGAN and their kin.

    Args:
        file: The network, by its name in the model folders.
    """
    return Upscaler(str(file), ctx.models.content(file), family="")


@node(
    "core.upscale_image", title="Upscale image", group="Upscale", aliases=("ImageUpscaleWithModel",)
)
def upscale_image(
    upscaler: Upscaler,
    image: Image,
    alpha: Mask | None = None,
    *,
    scale: Annotated[float, Range(0, 16, soft=(0, 8), step=0.5)] = 0.0,
    tile: Annotated[int, Range(0, 8192, soft=(0, 2048), step=64)] = 0,
    ctx: Context,
) -> Enlarged:
    """Enlarge pictures with a network that has learned what details look like.

    Args:
        alpha: Where the picture is opaque; it is enlarged in the same way, and colours that it
            hides stay hidden.
        scale: How many times larger; 0 is what the network was made for, other values resize its
            result.
        tile: Side of the pieces that are worked on at once, in pixels; 0 leaves it to the network.
    """
    import torch

    from ponystudio.diffusion.images.resample import scale_picture
    from ponystudio.diffusion.images.transparency import (
        scale_cut_out,
        spread_colours,
        without_noise,
    )

    pixels, seen = image.pixels, alpha_of(image, alpha)
    batch = len(pixels)
    if seen is not None:
        # The network knows colours only, so transparency goes through it as a grey picture.
        grey = seen.to(pixels).expand(-1, 3, -1, -1)
        pixels = torch.cat((spread_colours(pixels, seen), grey))
    with ctx.models.open(upscaler) as network:
        if ctx.frugal:
            tile = min(tile or FRUGAL_TILE, FRUGAL_TILE)
        enlarged = network(pixels, tile=tile, on_tile=ctx.progress)
        size = _size(image.pixels, scale or network.scale)
    pixels, other_size = enlarged[:batch], enlarged.shape[-2:] != size
    if seen is None:
        if other_size:
            pixels = scale_picture(pixels, size, "lanczos")
        return Enlarged(Image(pixels), opaque(pixels))
    seen = without_noise(enlarged[batch:].mean(dim=1, keepdim=True), seen)
    if other_size:
        pixels, seen = scale_cut_out(pixels, seen, size, "lanczos")
    return Enlarged(Image(pixels), Mask(seen))


def _size(pixels: Tensor, scale: float) -> tuple[int, int]:
    height, width = pixels.shape[-2:]
    return max(1, int(height * scale)), max(1, int(width * scale))
