"""Nodes that change what is to be seen in pictures: filters, blending, compositing, transparency,
and what their colours are.
"""

from __future__ import annotations

from typing import NamedTuple

from ponystudio.api import (
    Annotated,
    Choice,
    Colour,
    Context,
    Image,
    Label,
    Mask,
    Range,
    node,
)
from ponystudio.diffusion.images.colour_reduction import DITHERS, WORDINGS
from ponystudio.diffusion.images.compositing import BLENDS
from ponystudio.errors import ParamRange
from ponystudio_nodes.images import fitted
from ponystudio_nodes.masks import Offset, Radius, Sigma, alpha_of, check_batch, opaque, plain


@node(
    "core.invert_image",
    title="Invert image",
    group="Image",
    exact=True,
    aliases=("ImageInvert", "Negative"),
)
def invert_image(image: Image) -> Image:
    """The negative of a picture: dark is light, red is green-blue, and so on."""
    return Image(1 - image.pixels)


@node(
    "core.blend_images",
    title="Blend images",
    group="Image",
    aliases=("ImageBlend", "Image Blend", "Blend mode", "Layer mode"),
)
def blend_images(
    image: Image,
    other: Image,
    *,
    mode: Annotated[str, Choice(BLENDS)] = "normal",
    factor: Annotated[float, Range(0, 1, step=0.01)] = 0.5,
    ctx: Context,
) -> Image:
    """Mix two pictures as layers of a painting program are.

    Args:
        image: The lower layer.
        other: The upper one; of another size it is scaled, and cut around the centre.
        mode: How colours mix. subtract is what ComfyUI calls difference.
        factor: How much of the mixture is seen; 0 leaves the lower picture.
    """
    from ponystudio.diffusion.images.compositing import blended

    check_batch(len(image.pixels), len(other.pixels), "pictures", "other")
    return Image(blended(image.pixels, fitted(image, other, "bicubic", ctx), mode, factor))


@node(
    "core.composite_image",
    title="Composite image",
    group="Image",
    aliases=("ImageCompositeMasked", "Paste image", "Uncrop paste back"),
)
def composite_image(
    image: Image,
    source: Image,
    mask: Mask | None = None,
    *,
    x: Offset = 0,
    y: Offset = 0,
    resize: Annotated[bool, Label("Resize source")] = False,
) -> Image:
    """Paste a picture into another, all of it or where a mask is white.

    Args:
        image: What is pasted into.
        source: What is pasted; what lies outside is cut off.
        mask: Of any size: it is scaled to the source. Grey lets some of what is below through.
        x: Where the source's left side lies, in pixels; may be less than 0.
        y: Where the source's upper side lies, in pixels; may be less than 0.
        resize: Scale the source to the size of the picture first.
    """
    from ponystudio.diffusion.images.compositing import laid_on
    from ponystudio.diffusion.images.resample import scale_picture

    above = source.pixels
    check_batch(len(image.pixels), len(above), "pictures", "source")
    if resize:
        above = scale_picture(above, image.pixels.shape[-2:], "bilinear")
    shown = None
    if mask is not None:
        check_batch(len(image.pixels), len(mask.values), "masks", "mask")
        shown = scale_picture(mask.values, above.shape[-2:], "bilinear")
    return Image(laid_on(image.pixels, above, x, y, shown))


@node(
    "core.blur_image",
    title="Blur image",
    group="Image",
    aliases=("ImageBlur", "Image Blur", "Gaussian blur"),
)
def blur_image(image: Image, *, radius: Radius = 8, sigma: Sigma = 0.5) -> Image:
    """Blur pictures by a Gaussian bell.

    Args:
        radius: How far a pixel reaches, in pixels.
        sigma: The width of the bell, in radii, as in ComfyUI; over 1 it is nearly a mean.
    """
    from ponystudio.diffusion.sampling.gaussian_blur import blur

    return Image(blur(image.pixels, radius, sigma * radius)) if radius else image


@node(
    "core.sharpen_image",
    title="Sharpen image",
    group="Image",
    aliases=("ImageSharpen", "Image Sharpen", "Unsharp mask"),
)
def sharpen_image(
    image: Image,
    *,
    radius: Radius = 1,
    sigma: Sigma = 1.0,
    strength: Annotated[float, Range(0, 50, soft=(0, 10), step=0.1)] = 1.0,
) -> Image:
    """Sharpen pictures by what a blur takes from them (unsharp masking).

    Args:
        radius: Of the blur, in pixels: the size of details that are brought out.
        sigma: The width of the blur's bell, in radii.
        strength: How many times what the blur takes is added; ten times the alpha of ComfyUI.
    """
    from ponystudio.diffusion.images.filters import sharpen

    if not radius or not strength:
        return image
    return Image(sharpen(image.pixels, radius, sigma * radius, strength))


@node(
    "core.quantize_image",
    title="Reduce colours",
    group="Image",
    aliases=("ImageQuantize", "Image Quantize", "Posterize", "Pixel art palette"),
)
def quantize_image(
    image: Image,
    *,
    colours: Annotated[int, Range(1, 256, soft=(2, 256))] = 256,
    dither: Annotated[str, Choice(DITHERS)] = "none",
) -> Image:
    """Give each picture a palette of few colours.

    Args:
        colours: How many.
        dither: How colours between those are hinted at: not at all, by spreading what is missing
            to the next pixels, or by a pattern of so many pixels a side.
    """
    from ponystudio.diffusion.images.colour_reduction import quantized

    return Image(quantized(image.pixels, colours, dither))


def check_thresholds(low: float, high: float) -> None:
    """Raise ParamRange for a low one above the high one."""
    if low > high:
        raise ParamRange(
            f"The low threshold {low:g} is above the high one, {high:g}.",
            remedy=f"Use a low one of at most {high:g}.",
            socket="low",
        )


@node(
    "core.find_edges",
    title="Find edges",
    group="Image",
    check=check_thresholds,
    aliases=("Canny", "CannyEdgePreprocessor", "Edge detection"),
)
def find_edges(
    image: Image,
    *,
    low: Annotated[float, Range(0.01, 2.6, soft=(0.01, 1), step=0.01)] = 0.4,
    high: Annotated[float, Range(0.01, 2.6, soft=(0.01, 1), step=0.01)] = 0.8,
) -> Image:
    """White lines on black along the edges in a picture (Canny), for a ControlNet of that kind.

    Args:
        low: An edge as weak as this is drawn where it goes on from a stronger one.
        high: An edge as strong as this is drawn by itself; a step from black to white has 2.6.
    """
    from ponystudio.diffusion.images.filters import edges

    check_thresholds(low, high)
    return Image(edges(image.pixels, low, high).expand(-1, 3, -1, -1))


class CutOut(NamedTuple):
    image: Image
    alpha: Mask


@node(
    "core.join_alpha",
    title="Join alpha",
    group="Image",
    aliases=("JoinImageWithAlpha", "Join Image with Alpha", "Cut out"),
)
def join_alpha(image: Image, mask: Mask) -> CutOut:
    """Make pictures transparent where a mask is white; save them with both outputs.

    Args:
        mask: White where nothing is to be seen. Of another size it is scaled.
    """
    from ponystudio.diffusion.images.resample import scale_picture

    check_batch(len(image.pixels), len(mask.values), "masks", "mask")
    values, size = mask.values, image.pixels.shape[-2:]
    if values.shape[-2:] != size:
        values = scale_picture(values, size, "bilinear")
    return CutOut(image, Mask(1 - values))


class SplitPicture(NamedTuple):
    image: Image
    mask: Mask


@node(
    "core.split_alpha",
    title="Split alpha",
    group="Image",
    exact=True,
    aliases=("SplitImageWithAlpha", "Split Image with Alpha"),
)
def split_alpha(image: Image, alpha: Mask | None = None) -> SplitPicture:
    """A picture without its transparency, and a mask that is white where it was transparent.

    Args:
        alpha: Where the picture is opaque; without one the mask is black.
    """
    seen = alpha_of(image, alpha)
    return SplitPicture(image, Mask(1 - (opaque(image.pixels).values if seen is None else seen)))


@node(
    "core.fill_alpha",
    title="Fill transparency",
    group="Image",
    exact=True,
    aliases=("Flatten image", "Remove alpha", "Background colour"),
)
def fill_alpha(image: Image, alpha: Mask, *, colour: Annotated[str, Colour()] = "#ffffff") -> Image:
    """Put one colour behind a picture with transparency.

    Args:
        alpha: Where the picture is opaque.
        colour: As #RRGGBB.
    """
    seen = alpha_of(image, alpha)
    if seen is None:
        return image
    seen = seen.to(image.pixels)
    return Image(image.pixels * seen + plain(colour).to(image.pixels) * (1 - seen))


class PictureColours(NamedTuple):
    text: str
    image: Image


@node(
    "core.describe_colours",
    title="Palette as tags",
    group="Image",
    exact=True,
    aliases=("Color palette", "Colour palette", "Dominant colors", "Extract palette"),
)
def describe_colours(
    image: Image,
    *,
    colours: Annotated[int, Range(1, 32, soft=(2, 16))] = 8,
    wording: Annotated[str, Choice(WORDINGS)] = "tags",
    ctx: Context,
) -> PictureColours:
    """The palette of pictures, in words for a prompt and as a strip to look at.

    Args:
        image: All pictures of a batch are taken together.
        colours: Of the strip, and in hex.
        wording: tags as boards of pictures have them (blue theme, limited palette, dark, ...),
            names of the colours, or the colours themselves in hex; the most frequent first.
    """
    from ponystudio.diffusion.images.colour_reduction import palette, strip

    found = palette(image.pixels, colours)
    words = found.worded(wording)
    ctx.note(f"The palette: {words or 'nothing that has a name'}.")
    return PictureColours(words, Image(strip(found)))
