"""Nodes that show pictures to a model beside its prompts: to edit, to repaint, to refer to."""

from __future__ import annotations

from typing import NamedTuple

from ponystudio.api import (
    Annotated,
    Conditioning,
    Context,
    Image,
    Label,
    Latent,
    Mask,
    Vae,
    node,
)
from ponystudio.diffusion.sampling.fitting import check_autoencoder
from ponystudio_nodes.latents import TILE_HELP, Tile, encoded_hole, in_cells, tile_of
from ponystudio_nodes.masks import alpha_of


class PicturePrompts(NamedTuple):
    positive: Conditioning
    negative: Conditioning
    latent: Latent


@node(
    "core.edit_picture",
    title="Edit picture",
    group="Text",
    aliases=("InstructPixToPixConditioning", "ip2p", "Instruct pix2pix"),
)
def edit_picture(
    positive: Conditioning,
    negative: Conditioning,
    vae: Vae,
    image: Image,
    alpha: Mask | None = None,
    *,
    tile: Annotated[Tile, Label(help=TILE_HELP)] = 0,
    ctx: Context,
) -> PicturePrompts:
    """Show a picture to a model that edits by instruction, or that follows edges or depth.

    For InstructPix2Pix of Stable Diffusion 1 and SDXL, the prompt being what to do with the
    picture, and for FLUX.1 Canny and Depth. The latent is an empty one of the picture's size.

    Args:
        positive: What is to be done, or what the picture shall show.
        negative: What it shall not show; with Guide with two prompts it may do without the picture.
        image: The picture; it is cut to a multiple of 8 around its centre.
        alpha: Where the picture is opaque; colours that it hides stay hidden.
    """
    _check_family(vae, positive, negative)
    seen = alpha_of(image, alpha)
    with ctx.models.open(vae) as autoencoder:
        pixels, _ = in_cells(image, seen, autoencoder.downscale, ctx)
        values = autoencoder.encode(pixels, tile=tile_of(tile, ctx), on_tile=ctx.progress)
    shown = Latent(values, vae.family)
    return PicturePrompts(
        positive.changed(shown=shown),
        negative.changed(shown=shown),
        Latent(values.new_zeros(values.shape), vae.family),
    )


@node(
    "core.inpaint_model",
    title="Inpaint model",
    group="Text",
    aliases=("InpaintModelConditioning", "FLUX Fill"),
)
def inpaint_model(
    positive: Conditioning,
    negative: Conditioning,
    vae: Vae,
    image: Image,
    mask: Mask,
    alpha: Mask | None = None,
    *,
    keep: Annotated[bool, Label("Keep the rest")] = True,
    tile: Annotated[Tile, Label(help=TILE_HELP)] = 0,
    ctx: Context,
) -> PicturePrompts:
    """Show a picture with a hole to the prompts of a model that is made for inpainting.

    For the inpainting models of Stable Diffusion 1, 2 and SDXL, and FLUX.1 Fill.

    Args:
        image: The picture; it is cut to a multiple of 8 around its centre, and the masks with it.
        mask: White where it is to be painted anew.
        alpha: Where the picture is opaque; colours that it hides stay hidden.
        keep: Hold all that is outside of the mask to the picture; else the model may change it.
    """
    _check_family(vae, positive, negative)
    latent, hole, _ = encoded_hole(vae, image, mask, alpha, tile, ctx, filled=False)
    assert latent.shown is not None
    shown = Latent(latent.shown, vae.family, mask=hole)
    return PicturePrompts(
        positive.changed(shown=shown),
        negative.changed(shown=shown),
        Latent(latent.values, vae.family, mask=hole if keep else None),
    )


@node(
    "core.reference_latent",
    title="Reference latent",
    group="Text",
    exact=True,
    aliases=("ReferenceLatent", "Kontext"),
)
def reference_latent(conditioning: Conditioning, latent: Latent) -> Conditioning:
    """Let FLUX.1 Kontext look at a picture while it follows the prompt; several may be chained.

    Args:
        latent: The picture, encoded; scaled with Scale for Kontext before that it fits best.
    """
    check_autoencoder(conditioning.family, latent.family)
    entries = conditioning.entries
    references = (*(entries[0].references if entries else ()), latent)
    return conditioning.changed(references=references)


@node(
    "core.scale_for_kontext",
    title="Scale for Kontext",
    group="Image",
    aliases=("FluxKontextImageScale",),
)
def scale_for_kontext(image: Image) -> Image:
    """Scale a picture to the size of those that FLUX.1 Kontext was trained on, cut at the centre.

    Of 17 sizes of about a megapixel the one of the nearest proportions is taken.
    """
    from ponystudio.diffusion.images.resample import centre_cut, scale_picture

    height, width = image.pixels.shape[-2:]
    _, w, h = min((abs(width / height - w / h), w, h) for w, h in KONTEXT_SIZES)
    return Image(scale_picture(centre_cut(image.pixels, (h, w)), (h, w), "lanczos"))


# Width and height.
_TALL = (
    *((672, 1568), (688, 1504), (720, 1456), (752, 1392)),
    *((800, 1328), (832, 1248), (880, 1184), (944, 1104)),
)
KONTEXT_SIZES = (*_TALL, (1024, 1024), *((h, w) for w, h in reversed(_TALL)))


def _check_family(vae: Vae, *prompts: Conditioning) -> None:
    """Raise MismatchedValues for a VAE of another family than the prompts."""
    for prompt in prompts:
        check_autoencoder(vae.family, prompt.family)
