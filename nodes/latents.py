"""Nodes on latents: make, decode, encode, scale, mask, save, load."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from pathlib import Path

from ponystudio.api import (
    Annotated,
    Choice,
    Context,
    File,
    Image,
    Label,
    Latent,
    Mask,
    Range,
    Text,
    Vae,
    node,
)
from ponystudio.diffusion.images.resample import LATENT_METHODS
from ponystudio.errors import MismatchedValues

Side = Annotated[int, Range(16, 16384, soft=(256, 2048), step=8)]
Tile = Annotated[int, Range(0, 8192, soft=(0, 2048), step=64)]
# Small enough for 1 GB of work space, large enough that tiles are not mostly overlap.
FRUGAL_TILE = 256
TILE_HELP = "Side of a tile in pixels; 0 uses tiles only where the picture or memory asks for it."


@node("core.empty_latent", title="Empty latent", group="Latent", exact=True)
def empty_latent(
    *,
    width: Side = 512,
    height: Side = 512,
    batch: Annotated[int, Range(1, 4096, soft=(1, 16))] = 1,
) -> Latent:
    """The blank canvas of a new picture.

    Args:
        width: In pixels, a multiple of 8.
        height: In pixels, a multiple of 8.
        batch: How many pictures to make at once.
    """
    import torch

    return Latent(torch.zeros(batch, 4, height // 8, width // 8))


@node("core.decode_latent", title="Decode", group="Latent")
def decode_latent(
    vae: Vae, latent: Latent, *, tile: Annotated[Tile, Label(help=TILE_HELP)] = 0, ctx: Context
) -> Image:
    """Turn a latent into a picture."""
    from ponystudio.diffusion.families import find_family

    if vae.family and latent.family and not find_family(vae.family).shares_latents(latent.family):
        raise MismatchedValues(
            f"The latent is of {find_family(latent.family).title}, the VAE of"
            f" {find_family(vae.family).title}: it would show nothing but noise.",
            remedy="Decode it with the VAE of its own model.",
            socket="vae",
        )
    with ctx.models.open(vae) as autoencoder:
        return Image(autoencoder.decode(latent.values, tile=_tile(tile, ctx), on_tile=ctx.progress))


@node("core.encode_image", title="Encode", group="Latent")
def encode_image(
    vae: Vae, image: Image, *, tile: Annotated[Tile, Label(help=TILE_HELP)] = 0, ctx: Context
) -> Latent:
    """Turn a picture into a latent, cut to a multiple of 8 around its centre."""
    with ctx.models.open(vae) as autoencoder:
        values = autoencoder.encode(image.pixels, tile=_tile(tile, ctx), on_tile=ctx.progress)
    return Latent(values, vae.family)


@node("core.encode_for_inpainting", title="Encode for inpainting", group="Latent")
def encode_for_inpainting(
    vae: Vae,
    image: Image,
    mask: Mask,
    *,
    tile: Annotated[Tile, Label(help=TILE_HELP)] = 0,
    ctx: Context,
) -> Latent:
    """Turn a picture into a latent with a hole, for a model that is made for inpainting.

    Args:
        image: The picture; it is cut to a multiple of 8 around its centre.
        mask: White where it is to be painted anew.
    """
    from ponystudio.diffusion.images.vae import with_hole

    shown = with_hole(image.pixels, mask.values)
    with ctx.models.open(vae) as autoencoder:
        encode = partial(autoencoder.encode, tile=_tile(tile, ctx), on_tile=ctx.progress)
        values, around = encode(image.pixels), encode(shown)
    return Latent(values, vae.family, mask=mask.values, shown=around)


@node("core.scale_latent_by", title="Scale latent by", group="Latent")
def scale_latent_by(
    latent: Latent,
    *,
    method: Annotated[str, Choice(LATENT_METHODS)] = "nearest-exact",
    factor: Annotated[float, Range(0.01, 8, soft=(0.5, 4), step=0.05)] = 1.5,
) -> Latent:
    """Make a latent larger or smaller, as the first half of a "hires fix".

    Args:
        method: How values between the old ones are found; bislerp keeps their strength.
        factor: Of width and height; the results are rounded.
    """
    from ponystudio.diffusion.images.resample import scale_latent

    height, width = latent.values.shape[-2:]
    size = max(1, round(height * factor)), max(1, round(width * factor))
    return replace(latent, values=scale_latent(latent.values, size, method))


@node("core.mask_latent", title="Mask latent", group="Latent", exact=True)
def mask_latent(latent: Latent, mask: Mask) -> Latent:
    """Let the sampler repaint only where the mask is white."""
    return replace(latent, mask=mask.values)


@node("core.save_latent", title="Save latent", group="Latent", effects=True)
def save_latent(
    latent: Latent, *, prefix: Annotated[str, Text(file_name=True)] = "latent", ctx: Context
) -> None:
    """Write a latent into the output folder as a `.latent` file.

    Args:
        prefix: Start of the file's name; may name folders inside the output folder.
    """
    ctx.save_latent(latent, prefix=prefix)


@node("core.load_latent", title="Load latent", group="Latent", exact=True)
def load_latent(*, file: Annotated[Path, File("latents")] = Path()) -> Latent:
    """Read a latent that was saved here or by ComfyUI."""
    from ponystudio.diffusion.images.latent_file import read_latent

    values, family = read_latent(file)
    return Latent(values, family)


def _tile(tile: int, ctx: Context) -> int | None:
    if ctx.frugal:
        return min(tile or FRUGAL_TILE, FRUGAL_TILE)
    return tile or None
