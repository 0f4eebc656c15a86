"""A node that brings pictures of any shape into one that a model, or another picture, has."""

from __future__ import annotations

from typing import NamedTuple

from ponystudio.api import Annotated, Choice, Colour, Image, Label, Mask, Range, node
from ponystudio.diffusion.images.picture_shapes import ANCHORS, WAYS
from ponystudio_nodes.masks import Method, Side, alpha_of, opaque, plain

FILLS = ("colour", "edge", "mirror")


class FittedPicture(NamedTuple):
    image: Image
    mask: Mask
    border: Mask
    width: int
    height: int


@node(
    "core.fit_image",
    title="Fit image",
    group="Image",
    aliases=("ImageResizeKJv2", "ImageResizeKJ", "Resize Image v2", "Resize and fill"),
)
def fit_image(
    image: Image,
    alpha: Mask | None = None,
    *,
    width: Side = 1024,
    height: Side = 1024,
    way: Annotated[str, Choice(WAYS)] = "inside",
    anchor: Annotated[str, Choice(ANCHORS)] = "center",
    multiple: Annotated[int, Range(1, 512, soft=(1, 64)), Label("Multiple of")] = 1,
    fill: Annotated[str, Choice(FILLS)] = "colour",
    colour: Annotated[str, Colour()] = "#000000",
    method: Method = "lanczos",
) -> FittedPicture:
    """Bring pictures of any proportions into a size, and tell which it came to.

    Args:
        alpha: Where the picture is opaque; colours that it hides stay hidden.
        width: In pixels; 0 leaves it to the other side.
        height: In pixels; 0 leaves it to the other side.
        way: inside keeps all and the proportions, and is no larger either way; cut off fills the
            size and loses what is beyond; border keeps all and puts a border around; stretch gives
            up the proportions; same area keeps them, with as many pixels as the size has.
        anchor: The side that keeps most, or has no border.
        multiple: Both sides become multiples of this; models want 8, 16 or 64.
        fill: What is on the border: one colour, the outermost pixels again, or the picture
            mirrored.
        colour: Of the border, as #RRGGBB.
        method: lanczos is sharpest and good both ways; area is good for making smaller.
    """
    from ponystudio.diffusion.images.compositing import laid_on, padded
    from ponystudio.diffusion.images.picture_shapes import fitting
    from ponystudio.diffusion.images.resample import scale_picture
    from ponystudio.diffusion.images.transparency import scale_cut_out

    seen, pixels = alpha_of(image, alpha), image.pixels
    rows, columns = pixels.shape[-2:]
    plan = fitting((rows, columns), width, height, way, multiple, anchor)
    top, left, tall, wide = plan.cut
    part = ..., slice(top, top + tall), slice(left, left + wide)
    if seen is None:
        pixels = scale_picture(pixels[part], plan.size, method)
        mask = opaque(pixels)
    else:
        pixels, scaled = scale_cut_out(pixels[part], seen[part], plan.size, method)
        mask = Mask(scaled)
    sides = dict(zip(("left", "top", "right", "bottom"), plan.border, strict=True))
    around = "grey" if fill == "colour" else fill
    framed, border = padded(pixels, **sides, feather=0, fill=around)
    if any(plan.border):
        if fill == "colour":
            framed = plain(colour).to(framed).expand_as(framed).clone()
            framed = laid_on(framed, pixels, plan.border[0], plan.border[1])
        whole = mask.values.new_ones(*mask.values.shape[:2], *framed.shape[-2:])
        mask = Mask(laid_on(whole, mask.values, plan.border[0], plan.border[1]))
    height, width = framed.shape[-2:]
    return FittedPicture(Image(framed), mask, Mask(border), width, height)
