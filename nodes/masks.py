"""Nodes on masks: where something applies. White, 1, is "here"."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from ponystudio.api import (
    Annotated,
    Choice,
    Colour,
    Context,
    File,
    Image,
    Label,
    Mask,
    Range,
    node,
)
from ponystudio.diffusion.images.morphology import FEATHERS, OPERATIONS
from ponystudio.diffusion.images.resample import PICTURE_METHODS
from ponystudio.errors import MismatchedValues

if TYPE_CHECKING:
    from torch import Tensor

Side = Annotated[int, Range(0, 16384, soft=(0, 4096), step=8)]
Length = Annotated[int, Range(1, 16384, soft=(64, 4096), step=8)]
Place = Annotated[int, Range(0, 16383, soft=(0, 4096))]
Offset = Annotated[int, Range(-16384, 16384, soft=(-4096, 4096))]
Border = Annotated[int, Range(0, 16384, soft=(0, 512))]
Radius = Annotated[int, Range(0, 256, soft=(0, 64))]
Sigma = Annotated[float, Range(0.05, 10, soft=(0.1, 3), step=0.05)]
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


@node(
    "core.load_mask",
    title="Load mask",
    group="Mask",
    exact=True,
    aliases=("LoadImageMask", "Load Image (as Mask)", "Inpaint upload mask"),
)
def load_mask(
    *,
    file: Annotated[Path, File("input")] = Path("cat.png"),
    channel: Annotated[str, Choice(("alpha", *CHANNELS))] = "alpha",
    ctx: Context,
) -> Mask:
    """Read a mask from a picture's file: what is painted black and white, or what is transparent.

    Args:
        channel: alpha is white where the picture is opaque (ComfyUI's is the reverse: invert it);
            the others are as in Mask from image, of the numbers as they stand in the file.
    """
    from ponystudio.diffusion.images.picture_file import read_picture

    pixels, alpha, notes = read_picture(file, keep_colours=channel != "brightness")
    for text in notes:
        ctx.note(text)
    return Mask(alpha) if channel == "alpha" else mask_from_image(Image(pixels), channel=channel)


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


@node(
    "core.image_from_mask",
    title="Image from mask",
    group="Mask",
    exact=True,
    aliases=("MaskToImage", "Convert Mask to Image", "MaskPreview"),
)
def image_from_mask(mask: Mask) -> Image:
    """A mask as a picture in black and white, to look at it or to save it."""
    return Image(mask.values.expand(-1, 3, -1, -1))


@node(
    "core.mask_by_colour",
    title="Mask by colour",
    group="Mask",
    exact=True,
    aliases=("ImageColorToMask", "Magic wand"),
)
def mask_by_colour(
    image: Image,
    *,
    colour: Annotated[str, Colour()] = "#000000",
    tolerance: Annotated[int, Range(0, 255, soft=(0, 64))] = 0,
) -> Mask:
    """White wherever a picture has one colour.

    Args:
        colour: As #RRGGBB.
        tolerance: By how much red, green and blue, 0 to 255 each, may differ; 0 takes the very
            colour alone.
    """
    levels = (image.pixels.clamp(0, 1) * 255).round()
    near = (levels - plain(colour).to(levels) * 255).abs().amax(dim=1, keepdim=True) <= tolerance
    return Mask(near.to(image.pixels))


@node("core.solid_mask", title="Solid mask", group="Mask", exact=True, aliases=("SolidMask",))
def solid_mask(
    *,
    value: Annotated[float, Range(0, 1, step=0.01)] = 1.0,
    width: Length = 512,
    height: Length = 512,
) -> Mask:
    """A mask that is the same everywhere, to begin with.

    Args:
        value: 1 is white, "here"; 0 black.
        width: In pixels.
        height: In pixels.
    """
    import torch

    return Mask(torch.full((1, 1, height, width), value))


@node("core.crop_mask", title="Crop mask", group="Mask", exact=True, aliases=("CropMask",))
def crop_mask(
    mask: Mask, *, x: Place = 0, y: Place = 0, width: Length = 512, height: Length = 512
) -> Mask:
    """Cut a rectangle out of a mask.

    Args:
        x: Its left side, in pixels.
        y: Its upper side, in pixels.
        width: In pixels; what would lie outside of the mask is left out.
        height: In pixels; what would lie outside of the mask is left out.
    """
    return Mask(mask.values[..., *rectangle(mask.values, x, y, width, height)].clone())


@node(
    "core.grow_mask",
    title="Grow mask",
    group="Mask",
    exact=True,
    aliases=("GrowMask", "Dilate mask", "Erode mask", "Shrink mask", "Mask expand"),
)
def grow_mask(
    mask: Mask,
    *,
    grow: Annotated[int, Range(-1024, 1024, soft=(-64, 64)), Label("Pixels")] = 8,
    tapered: Annotated[bool, Label("Bevelled corners")] = True,
) -> Mask:
    """Make what is white larger, or smaller.

    Args:
        grow: By how many pixels; less than 0 shrinks.
        tapered: Corners are cut off, so that the shape gets rounder; without it they stay square.
    """
    from ponystudio.diffusion.images.morphology import grown

    return Mask(grown(mask.values, grow, tapered=tapered)) if grow else mask


@node(
    "core.blur_mask",
    title="Blur mask",
    group="Mask",
    aliases=("MaskBlur+", "Mask blur", "Gaussian Blur Mask"),
)
def blur_mask(mask: Mask, *, radius: Radius = 8, sigma: Sigma = 0.5) -> Mask:
    """Let the borders of a mask run softly into what is around.

    Args:
        radius: How far a pixel reaches, in pixels.
        sigma: The width of the Gaussian bell, in radii.
    """
    from ponystudio.diffusion.sampling.gaussian_blur import blur

    if not radius:
        return mask
    return Mask(blur(mask.values, radius, sigma * radius).clamp(0, 1))


@node(
    "core.feather_mask",
    title="Feather mask",
    group="Mask",
    exact=True,
    aliases=("FeatherMask",),
)
def feather_mask(
    mask: Mask,
    *,
    left: Border = 0,
    top: Border = 0,
    right: Border = 0,
    bottom: Border = 0,
    rule: Annotated[str, Choice(FEATHERS)] = "even",
) -> Mask:
    """Let a mask fade out towards its outer borders, for pasting without an edge there.

    Args:
        left: Over how many pixels; 0 leaves the side.
        top: Over how many pixels; 0 leaves the side.
        right: Over how many pixels; 0 leaves the side.
        bottom: Over how many pixels; 0 leaves the side.
        rule: even treats all sides alike; comfyui counts right and bottom as ComfyUI does, whose
            first step falls on the opposite side.
    """
    from ponystudio.diffusion.images.morphology import feathered

    sides = {"left": left, "top": top, "right": right, "bottom": bottom}
    return Mask(feathered(mask.values, **sides, rule=rule))


@node(
    "core.threshold_mask",
    title="Threshold mask",
    group="Mask",
    exact=True,
    aliases=("ThresholdMask", "Binarize mask"),
)
def threshold_mask(mask: Mask, *, value: Annotated[float, Range(0, 1, step=0.01)] = 0.5) -> Mask:
    """Make a mask black and white, without greys.

    Args:
        value: What is lighter becomes white.
    """
    return Mask((mask.values > value).to(mask.values))


@node(
    "core.combine_masks",
    title="Combine masks",
    group="Mask",
    exact=True,
    aliases=("MaskComposite", "Combine Masks", "Union of masks", "Intersect masks"),
)
def combine_masks(
    mask: Mask,
    other: Mask,
    *,
    operation: Annotated[str, Choice(OPERATIONS)] = "add",
    x: Offset = 0,
    y: Offset = 0,
) -> Mask:
    """One mask of two: where either is white, where both are, and so on.

    Args:
        other: It does not have to be of the same size; where it does not lie nothing changes.
        operation: and, or, xor take every grey as black or white first; lighter and darker keep it.
        x: Where the other's left side lies, in pixels.
        y: Where the other's upper side lies, in pixels.
    """
    from ponystudio.diffusion.images.morphology import combined

    check_batch(len(mask.values), len(other.values), "masks", "other")
    return Mask(combined(mask.values, other.values, operation, x=x, y=y))


def plain(colour: str) -> Tensor:
    """A pixel [1,3,1,1] in 0..1 of a colour as #RRGGBB."""
    import torch

    return torch.tensor([*bytes.fromhex(colour[1:])]).view(1, 3, 1, 1) / 255


def rectangle(planes: Tensor, x: int, y: int, width: int, height: int) -> tuple[slice, slice]:
    """The rows and columns of a cut of [B,C,H,W]. Raises MismatchedValues if it is all outside."""
    rows, columns = planes.shape[-2:]
    if x >= columns or y >= rows:
        raise MismatchedValues(
            f"The cut begins at {x}, {y}, outside of the {columns}×{rows} pixels that there are.",
            remedy=f"Use x below {columns} and y below {rows}.",
            socket="x" if x >= columns else "y",
        )
    return slice(y, y + height), slice(x, x + width)


def check_batch(count: int, other: int, what: str, socket: str) -> None:
    """Raise MismatchedValues unless the others are one for all, or one for each."""
    if other not in (1, count):
        raise MismatchedValues(
            f"{other} {what} cannot be put together with {count}.",
            remedy="Use one for all, or as many on both sides.",
            socket=socket,
        )


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
