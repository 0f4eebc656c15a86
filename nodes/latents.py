"""Nodes on latents: make, decode, encode, scale, mask, save, load."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

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
from ponystudio.diffusion.images.resample import CROPS, LATENT_METHODS
from ponystudio.diffusion.sampling.fitting import check_autoencoder
from ponystudio_nodes.masks import alpha_of, misfit, opaque

if TYPE_CHECKING:
    from torch import Tensor

Side = Annotated[int, Range(16, 16384, soft=(256, 2048), step=8)]
Tile = Annotated[int, Range(0, 8192, soft=(0, 2048), step=64)]
# Small enough for 1 GB of work space, large enough that tiles are not mostly overlap.
FRUGAL_TILE = 256
TILE_HELP = "Side of a tile in pixels; 0 uses tiles only where the picture or memory asks for it."


@node(
    "core.empty_latent",
    title="Empty latent",
    group="Latent",
    exact=True,
    aliases=("EmptyLatentImage", "EmptySD3LatentImage"),
)
def empty_latent(
    *,
    width: Side = 512,
    height: Side = 512,
    batch: Annotated[int, Range(1, 4096, soft=(1, 16))] = 1,
    ctx: Context,
) -> Latent:
    """The blank canvas of a new picture.

    Args:
        width: In pixels, a multiple of 8.
        height: In pixels, a multiple of 8.
        batch: How many pictures to make at once.
    """
    import torch

    rows, columns = height // 8, width // 8
    if (8 * columns, 8 * rows) != (width, height):
        ctx.note(
            f"The picture will have {8 * columns}×{8 * rows} pixels instead of {width}×{height}:"
            " its sides must be multiples of 8."
        )
    return Latent(torch.zeros(batch, 4, rows, columns))


@node("core.decode_latent", title="Decode", group="Latent", aliases=("VAEDecode", "VAEDecodeTiled"))
def decode_latent(
    vae: Vae, latent: Latent, *, tile: Annotated[Tile, Label(help=TILE_HELP)] = 0, ctx: Context
) -> Image:
    """Turn a latent into a picture."""
    check_autoencoder(vae.family, latent.family)
    with ctx.models.open(vae) as autoencoder:
        return Image(
            autoencoder.decode(latent.values, tile=tile_of(tile, ctx), on_tile=ctx.progress)
        )


class EncodedPicture(NamedTuple):
    latent: Latent
    mask: Mask


@node("core.encode_image", title="Encode", group="Latent", aliases=("VAEEncode", "VAEEncodeTiled"))
def encode_image(
    vae: Vae,
    image: Image,
    alpha: Mask | None = None,
    *,
    tile: Annotated[Tile, Label(help=TILE_HELP)] = 0,
    ctx: Context,
) -> EncodedPicture:
    """Turn a picture into a latent, cut to a multiple of 8 around its centre.

    Args:
        alpha: Where the picture is opaque; colours that it hides stay hidden. The mask that comes
            out is cut as the picture is.
    """
    seen = alpha_of(image, alpha)
    with ctx.models.open(vae) as autoencoder:
        pixels, mask = in_cells(image, seen, autoencoder.downscale, ctx)
        values = autoencoder.encode(pixels, tile=tile_of(tile, ctx), on_tile=ctx.progress)
    return EncodedPicture(Latent(values, vae.family), mask)


class EncodedHole(NamedTuple):
    latent: Latent
    mask: Mask
    alpha: Mask


@node("core.encode_for_inpainting", title="Encode for inpainting", group="Latent")
def encode_for_inpainting(
    vae: Vae,
    image: Image,
    mask: Mask,
    alpha: Mask | None = None,
    *,
    tile: Annotated[Tile, Label(help=TILE_HELP)] = 0,
    ctx: Context,
) -> EncodedHole:
    """Turn a picture into a latent with a hole, for a model that is made for inpainting.

    Args:
        image: The picture; it is cut to a multiple of 8 around its centre, and the masks with it.
        mask: White where it is to be painted anew.
        alpha: Where the picture is opaque; colours that it hides stay hidden.
    """
    latent, hole, seen = encoded_hole(vae, image, mask, alpha, tile, ctx, filled=False)
    return EncodedHole(replace(latent, mask=hole), Mask(hole), seen)


@node(
    "core.fill_for_inpainting",
    title="Fill for inpainting",
    group="Latent",
    aliases=("VAEEncodeForInpaint", "VAE Encode (for Inpainting)", "Inpaint latent nothing"),
)
def fill_for_inpainting(
    vae: Vae,
    image: Image,
    mask: Mask,
    alpha: Mask | None = None,
    *,
    grow: Annotated[int, Range(0, 64), Label("Grow mask by")] = 6,
    tile: Annotated[Tile, Label(help=TILE_HELP)] = 0,
    ctx: Context,
) -> EncodedHole:
    """Turn a picture into a latent whose hole is grey, so that nothing of what was there remains.

    For any model; sample it with denoise 1, or grey shows through.

    Args:
        image: The picture; it is cut to a multiple of 8 around its centre, and the masks with it.
        mask: White where it is to be painted anew; greys count as the nearer of black and white.
        alpha: Where the picture is opaque; colours that it hides stay hidden.
        grow: How far the sampler may repaint around the hole, to blend it in: a window of so many
            pixels a side.
    """
    from ponystudio.diffusion.images.morphology import grown_hole

    latent, hole, seen = encoded_hole(vae, image, mask, alpha, tile, ctx, filled=True)
    wide = grown_hole(hole.round(), grow)
    return EncodedHole(replace(latent, mask=wide), Mask(wide), seen)


def encoded_hole(
    vae: Vae, image: Image, mask: Mask, alpha: Mask | None, tile: int, ctx: Context, *, filled: bool
) -> tuple[Latent, Tensor, Mask]:
    """The latent of a picture with a hole in it, if it is `filled`, or of the picture, with the
    former in `shown`; the hole, and the alpha, both cut as the picture was."""
    from ponystudio.diffusion.images.resample import scale_picture
    from ponystudio.diffusion.images.vae import cut_to_cells, with_hole

    seen, hole, size = alpha_of(image, alpha), mask.values, image.pixels.shape[-2:]
    if said := misfit(mask, size, len(image.pixels)):
        ctx.note(said)
        hole = scale_picture(hole, size, "bilinear")
    with ctx.models.open(vae) as autoencoder:
        pixels, seen_part = in_cells(image, seen, autoencoder.downscale, ctx)
        hole = cut_to_cells(hole, autoencoder.downscale)
        encode = partial(autoencoder.encode, tile=tile_of(tile, ctx), on_tile=ctx.progress)
        around = encode(with_hole(pixels, hole))
        if filled:
            return Latent(around, vae.family), hole, seen_part
        return Latent(encode(pixels), vae.family, shown=around), hole, seen_part


def in_cells(
    image: Image, seen: Tensor | None, downscale: int, ctx: Context
) -> tuple[Tensor, Mask]:
    """What an autoencoder sees of a picture, and the alpha of that part; a cut is told."""
    from ponystudio.diffusion.images.transparency import spread_colours
    from ponystudio.diffusion.images.vae import cut_to_cells

    pixels = image.pixels if seen is None else spread_colours(image.pixels, seen)
    (height, width), pixels = pixels.shape[-2:], cut_to_cells(pixels, downscale)
    rows, columns = pixels.shape[-2:]
    if (rows, columns) != (height, width) and pixels.numel():
        ctx.note(
            f"The picture was cut from {width}×{height} to {columns}×{rows} pixels: its sides must"
            f" be multiples of {downscale}. To lose nothing, scale it before."
        )
    return pixels, opaque(pixels) if seen is None else Mask(cut_to_cells(seen, downscale))


@node(
    "core.scale_latent",
    title="Scale latent",
    group="Latent",
    aliases=("LatentUpscale", "Upscale Latent", "Hires fix"),
)
def scale_latent(
    latent: Latent,
    *,
    width: Annotated[int, Range(0, 16384, soft=(0, 4096), step=8)] = 1024,
    height: Annotated[int, Range(0, 16384, soft=(0, 4096), step=8)] = 1024,
    method: Annotated[str, Choice(LATENT_METHODS)] = "nearest-exact",
    crop: Annotated[str, Choice(CROPS)] = "disabled",
) -> Latent:
    """Make a latent larger or smaller, to a size in pixels, as the first half of a "hires fix".

    Args:
        width: In pixels, rounded down to a multiple of 8, at least 64; 0 keeps the proportions.
        height: In pixels, rounded down to a multiple of 8, at least 64; 0 keeps the proportions.
        method: How values between the old ones are found; bislerp keeps their strength.
        crop: Where the proportions differ, disabled stretches the picture, center cuts off what is
            too much around the centre.
    """
    if not width and not height:
        return latent
    old_height, old_width = latent.values.shape[-2:]
    width = max(64, width or round(old_width * max(64, height) / old_height))
    height = max(64, height or round(old_height * width / old_width))
    cell = downscale(latent)
    return _scaled(latent, (height // cell, width // cell), method, crop)


@node("core.scale_latent_by", title="Scale latent by", group="Latent", aliases=("LatentUpscaleBy",))
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
    height, width = latent.values.shape[-2:]
    size = max(1, round(height * factor)), max(1, round(width * factor))
    return _scaled(latent, size, method)


def _scaled(latent: Latent, size: tuple[int, int], method: str, crop: str = "disabled") -> Latent:
    from ponystudio.diffusion.images import resample

    values, shown, mask = latent.values, latent.shown, latent.mask
    if crop == "center":
        cells = values.shape[-2], values.shape[-1]
        values = resample.centre_cut(values, size)
        shown = None if shown is None else resample.centre_cut(shown, size)
        mask = None if mask is None else resample.centre_cut(mask, size, of=cells)
    values = resample.scale_latent(values, size, method)
    shown = None if shown is None else resample.scale_latent(shown, size, method)
    return replace(latent, values=values, shown=shown, mask=mask)


@node(
    "core.mask_latent",
    title="Mask latent",
    group="Latent",
    exact=True,
    aliases=("SetLatentNoiseMask",),
)
def mask_latent(latent: Latent, mask: Mask, *, ctx: Context) -> Latent:
    """Let the sampler repaint only where the mask is white.

    Args:
        mask: Of the size of the picture; if that was cut when it was encoded, the mask is, too.
            Any other size is scaled to cover the whole.
    """
    from ponystudio.diffusion.images.vae import cut_to_cells

    cell = downscale(latent)
    height, width = (side * cell for side in latent.values.shape[-2:])
    part = cut_to_cells(mask.values, cell)
    if part.shape[-2:] == (height, width):
        mask = Mask(part)
    if said := misfit(mask, (height, width), len(latent.values)):
        ctx.note(said)
    return replace(latent, mask=mask.values)


@node(
    "core.save_latent", title="Save latent", group="Latent", effects=True, aliases=("SaveLatent",)
)
def save_latent(
    latent: Latent, *, prefix: Annotated[str, Text(file_name=True)] = "latent", ctx: Context
) -> None:
    """Write a latent into the output folder as a `.latent` file.

    Args:
        prefix: Start of the file's name; may name folders inside the output folder. What is
            filled in is the same as in that of Save image.
    """
    ctx.save_latent(latent, prefix=prefix)


@node("core.load_latent", title="Load latent", group="Latent", exact=True, aliases=("LoadLatent",))
def load_latent(*, file: Annotated[Path, File("latents")] = Path()) -> Latent:
    """Read a latent that was saved here or by ComfyUI."""
    from ponystudio.diffusion.images.latent_file import read_latent

    values, family = read_latent(file)
    return Latent(values, family)


def downscale(latent: Latent) -> int:
    """How many pixels a side a cell of a latent stands for."""
    from ponystudio.diffusion.families import find_family

    return find_family(latent.family).downscale if latent.family else 8


def tile_of(tile: int, ctx: Context) -> int | None:
    if ctx.frugal:
        return min(tile or FRUGAL_TILE, FRUGAL_TILE)
    return tile or None
