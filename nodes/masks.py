"""Nodes on masks: where something applies. White, 1, is "here"."""

from __future__ import annotations

from ponystudio.api import Annotated, Choice, Image, Mask, node
from ponystudio.errors import MismatchedValues

CHANNELS = ("brightness", "red", "green", "blue")
# How much the eye sees of each (ITU-R BT.709), on the levels as they are stored.
BRIGHTNESS = (0.2126, 0.7152, 0.0722)


@node("core.mask_from_image", title="Mask from image", group="Mask", exact=True)
def mask_from_image(
    image: Image, *, channel: Annotated[str, Choice(CHANNELS)] = "brightness"
) -> Mask:
    """Use a picture, painted black and white, as a mask."""
    red, green, blue = image.pixels.split(1, dim=1)
    if channel == "brightness":
        r, g, b = BRIGHTNESS
        return Mask(red * r + green * g + blue * b)
    return Mask({"red": red, "green": green, "blue": blue}[channel])


@node("core.invert_mask", title="Invert mask", group="Mask", exact=True)
def invert_mask(mask: Mask) -> Mask:
    """Swap black and white: what was left alone is meant, and the other way round."""
    return Mask(1 - mask.values)


def check_alpha(image: Image, alpha: Mask) -> None:
    """Raise MismatchedValues unless the mask can be the picture's transparency."""
    (height, width), (rows, columns) = image.pixels.shape[-2:], alpha.values.shape[-2:]
    if (height, width) != (rows, columns):
        raise MismatchedValues(
            f"The alpha is {columns}×{rows} pixels, the image is {width}×{height}.",
            remedy="Take both from the same picture.",
        )
    if len(alpha.values) not in (1, len(image.pixels)):
        raise MismatchedValues(
            f"There are {len(alpha.values)} alphas for {len(image.pixels)} images.",
            remedy="Take both from the same pictures.",
        )
