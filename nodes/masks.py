"""Nodes on masks: where something applies. White, 1, is "here"."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ponystudio.api import Annotated, Choice, Image, Label, Mask, Range, node
from ponystudio.diffusion.images.resample import PICTURE_METHODS
from ponystudio.errors import MismatchedValues

if TYPE_CHECKING:
    from torch import Tensor

Side = Annotated[int, Range(0, 16384, soft=(0, 4096), step=8)]
Method = Annotated[str, Choice(PICTURE_METHODS), Label("Method")]

CHANNELS = ("brightness", "red", "green", "blue")
# How much the eye sees of each (ITU-R BT.709), on the levels as they are stored.
BRIGHTNESS = (0.2126, 0.7152, 0.0722)


@node(
    "core.mask_from_image",
    title="Mask from image",
    group="Mask",
    exact=True,
    aliases=("ImageToMask",),
)
def mask_from_image(
    image: Image, *, channel: Annotated[str, Choice(CHANNELS)] = "brightness"
) -> Mask:
    """Use a picture, painted black and white, as a mask."""
    red, green, blue = image.pixels.split(1, dim=1)
    if channel == "brightness":
        r, g, b = BRIGHTNESS
        return Mask(red * r + green * g + blue * b)
    return Mask({"red": red, "green": green, "blue": blue}[channel])


@node("core.invert_mask", title="Invert mask", group="Mask", exact=True, aliases=("InvertMask",))
def invert_mask(mask: Mask) -> Mask:
    """Swap black and white: what was left alone is meant, and the other way round."""
    return Mask(1 - mask.values)


@node("core.scale_mask", title="Scale mask", group="Mask")
def scale_mask(
    mask: Mask, *, width: Side = 512, height: Side = 512, method: Method = "lanczos"
) -> Mask:
    """Make masks larger or smaller, as Scale image does with pictures.

    Args:
        width: In pixels; 0 keeps the proportions.
        height: In pixels; 0 keeps the proportions.
        method: lanczos is sharpest and good both ways; area is good for making smaller, the
            others only for making larger.
    """
    from ponystudio.diffusion.images.resample import scale_picture, wanted_size

    if not width and not height:
        return mask
    return Mask(scale_picture(mask.values, wanted_size(mask.values, width, height), method))


def alpha_of(image: Image, alpha: Mask | None) -> Tensor | None:
    """The mask's values where it hides any of the picture, else None.

    Raises MismatchedValues unless it can be the picture's transparency.
    """
    if alpha is None:
        return None
    (height, width), (rows, columns) = image.pixels.shape[-2:], alpha.values.shape[-2:]
    if (height, width) != (rows, columns):
        raise MismatchedValues(
            f"The alpha is {columns}×{rows} pixels, the image is {width}×{height}.",
            remedy="Take both from the same node: what changes the size hands on the alpha, too.",
        )
    if len(alpha.values) not in (1, len(image.pixels)):
        raise MismatchedValues(
            f"There are {len(alpha.values)} alphas for {len(image.pixels)} images.",
            remedy="Take both from the same pictures.",
        )
    return None if bool((alpha.values == 1).all()) else alpha.values


def misfit(mask: Mask, size: tuple[int, int], batch: int) -> str:
    """What there is to say of a mask that is to cover `batch` pictures of the size (height, width):
    "" if it has theirs. Raises MismatchedValues for as many masks as fit no pictures."""
    (height, width), (rows, columns) = size, mask.values.shape[-2:]
    if len(mask.values) not in (1, batch):
        raise MismatchedValues(
            f"{len(mask.values)} masks cannot apply to {batch} pictures.",
            remedy="Use one mask for all pictures, or one for each.",
            socket="mask",
        )
    if (rows, columns) == (height, width):
        return ""
    # Sizes that are rounded differ by less than a pixel from the same shape.
    bent = abs(rows * width - columns * height) > max(height, width)
    return (
        f"The mask is {columns}×{rows} pixels, the picture {width}×{height}:"
        f" it was {'stretched' if bent else 'scaled'} to cover it."
    )


def opaque(pixels: Tensor) -> Mask:
    """The alpha of pictures that hide nothing."""
    batch, _, height, width = pixels.shape
    return Mask(pixels.new_ones(batch, 1, height, width))
