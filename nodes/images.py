"""Nodes on whole pictures: load, save, show, scale, cut, turn, pad, batches of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

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
    Text,
    node,
)
from ponystudio.diffusion.images.compositing import FILLS
from ponystudio.diffusion.images.resample import CROPS
from ponystudio_nodes.masks import (
    Border,
    Length,
    Method,
    Place,
    Side,
    alpha_of,
    check_batch,
    opaque,
    plain,
    rectangle,
)

if TYPE_CHECKING:
    from torch import Tensor

Count = Annotated[int, Range(1, 4096, soft=(1, 16))]
BatchIndex = Annotated[int, Range(0, 4095, soft=(0, 15))]
Crop = Annotated[str, Choice(CROPS)]

COLOURS = ("convert", "keep")
# By which axes, and how many quarters clockwise.
FLIPS: Mapping[str, tuple[int, ...]] = {"horizontal": (-1,), "vertical": (-2,)}
TURNS: Mapping[str, int] = {"90": 1, "180": 2, "270": 3}


class LoadedPicture(NamedTuple):
    image: Image
    mask: Mask


@node("core.load_image", title="Load image", group="Image", exact=True, aliases=("LoadImage",))
def load_image(
    *,
    file: Annotated[Path, File("input")] = Path("cat.png"),
    colours: Annotated[str, Choice(COLOURS)] = "convert",
    ctx: Context,
) -> LoadedPicture:
    """Read a picture, and its transparency as a mask that is white where the picture is opaque.

    16 bits a channel are kept, or it is said that they are not, and the picture stands as the
    camera was held. Of an animation the first picture is taken.

    Args:
        colours: convert shows what the file means, as colours on an ordinary screen (sRGB); keep
            takes its numbers as they are, which suits normal maps and the like.
    """
    from ponystudio.diffusion.images.picture_file import read_picture

    pixels, alpha, notes = read_picture(file, keep_colours=colours == "keep")
    for text in notes:
        ctx.note(text)
    return LoadedPicture(Image(pixels), Mask(alpha))


@node("core.save_image", title="Save image", group="Image", effects=True, aliases=("SaveImage",))
def save_image(
    image: Image,
    alpha: Mask | None = None,
    *,
    prefix: Annotated[str, Text(file_name=True)] = "ponystudio",
    format: Annotated[str, Choice(("png", "webp", "jpeg", "avif"))] = "png",
    quality: Annotated[int, Range(1, 100)] = 95,
    metadata: Annotated[
        str, Choice(("everything", "without prompts", "nothing")), Label("Written inside")
    ] = "everything",
    ctx: Context,
) -> None:
    """Write pictures into the output folder, with the graph that made them inside.

    Args:
        alpha: Where the picture is opaque; leave it free for a picture without transparency.
        prefix: Start of the file's name; may name folders inside the output folder. %date%,
            %time%, %seed%, %model%, %sampler%, %steps%, %cfg%, %width%, %height%,
            %batch_number%, %counter%, %prompt%, %date:yyyy-MM-dd% and %node.param% are filled in;
            so are [seed] and the like.
        format: png loses nothing; webp, jpeg and avif are smaller; jpeg has no transparency.
        quality: For all but png; a webp of 100 loses nothing.
        metadata: How the picture was made, for others and for Open its graph: everything, without
            the prompts, or nothing; the settings may allow less.
    """
    alpha = None if alpha_of(image, alpha) is None else alpha
    ctx.save_picture(
        image, prefix=prefix, format=format, quality=quality, alpha=alpha, metadata=metadata
    )


@node(
    "core.preview_image",
    title="Preview image",
    group="Image",
    effects=True,
    aliases=("PreviewImage",),
)
def preview_image(image: Image, alpha: Mask | None = None, *, ctx: Context) -> None:
    """Show pictures without keeping them.

    Args:
        alpha: Where the picture is opaque; what it hides is not shown.
    """
    ctx.show_picture(image, alpha=None if alpha_of(image, alpha) is None else alpha)


class ScaledPicture(NamedTuple):
    image: Image
    mask: Mask


@node(
    "core.scale_image",
    title="Scale image",
    group="Image",
    aliases=("ImageScale", "Upscale Image", "Resize image", "Just resize", "Crop and resize"),
)
def scale_image(
    image: Image,
    alpha: Mask | None = None,
    *,
    width: Side = 512,
    height: Side = 512,
    method: Method = "lanczos",
    crop: Crop = "disabled",
) -> ScaledPicture:
    """Make pictures larger or smaller, and what they have of transparency with them.

    Args:
        alpha: Where the picture is opaque; colours that it hides stay hidden.
        width: In pixels; 0 keeps the proportions.
        height: In pixels; 0 keeps the proportions.
        method: lanczos is sharpest and good both ways; area is good for making smaller, the
            others only for making larger.
        crop: Where the proportions differ, disabled stretches the picture, center cuts off what is
            too much around the centre.
    """
    from ponystudio.diffusion.images.resample import wanted_size

    if not width and not height:
        alpha_of(image, alpha)
        return ScaledPicture(image, alpha or opaque(image.pixels))
    return _scaled(image, alpha, wanted_size(image.pixels, width, height), method, crop)


@node(
    "core.scale_image_by",
    title="Scale image by",
    group="Image",
    aliases=("ImageScaleBy", "Upscale Image By", "Resize by"),
)
def scale_image_by(
    image: Image,
    alpha: Mask | None = None,
    *,
    factor: Annotated[float, Range(0.01, 8, soft=(0.25, 4), step=0.05)] = 2.0,
    method: Method = "lanczos",
) -> ScaledPicture:
    """Make pictures larger or smaller by a factor, and their transparency with them.

    Args:
        alpha: Where the picture is opaque; colours that it hides stay hidden.
        factor: Of width and height; the results are rounded.
        method: lanczos is sharpest and good both ways; area is good for making smaller.
    """
    height, width = (max(1, round(side * factor)) for side in image.pixels.shape[-2:])
    return _scaled(image, alpha, (height, width), method)


@node(
    "core.scale_to_megapixels",
    title="Scale to megapixels",
    group="Image",
    aliases=("ImageScaleToTotalPixels", "Scale Image to Total Pixels"),
)
def scale_to_megapixels(
    image: Image,
    alpha: Mask | None = None,
    *,
    megapixels: Annotated[float, Range(0.01, 64, soft=(0.25, 4), step=0.05)] = 1.0,
    method: Method = "lanczos",
) -> ScaledPicture:
    """Give pictures of any proportions the area that a model was made for.

    Args:
        alpha: Where the picture is opaque; colours that it hides stay hidden.
        megapixels: In units of 1024 × 1024 pixels; 1 suits SDXL and FLUX, 0.25 Stable Diffusion 1.
        method: lanczos is sharpest and good both ways; area is good for making smaller.
    """
    from ponystudio.diffusion.images.resample import size_of_area

    return _scaled(image, alpha, size_of_area(image.pixels, megapixels), method)


@node(
    "core.scale_to_side",
    title="Scale to side",
    group="Image",
    aliases=("ImageScaleToMaxDimension", "Resize longest side", "Fit to size"),
)
def scale_to_side(
    image: Image,
    alpha: Mask | None = None,
    *,
    pixels: Length = 1024,
    side: Annotated[str, Choice(("longer", "shorter"))] = "longer",
    method: Method = "lanczos",
) -> ScaledPicture:
    """Scale pictures of any proportions so that one side has a length, and the other follows.

    Args:
        alpha: Where the picture is opaque; colours that it hides stay hidden.
        pixels: The length.
        side: Of which side.
        method: lanczos is sharpest and good both ways; area is good for making smaller.
    """
    sides = image.pixels.shape[-2:]
    factor = pixels / (max(sides) if side == "longer" else min(sides))
    height, width = (max(1, round(length * factor)) for length in sides)
    return _scaled(image, alpha, (height, width), method)


class PictureSize(NamedTuple):
    width: int
    height: int
    batch: int


@node(
    "core.image_size",
    title="Image size",
    group="Image",
    exact=True,
    aliases=("GetImageSize", "Get Image Size", "GetImageSizeAndCount"),
)
def image_size(image: Image) -> PictureSize:
    """Width and height of pictures in pixels, and how many there are."""
    batch, _, height, width = image.pixels.shape
    return PictureSize(width, height, batch)


@node(
    "core.empty_image",
    title="Empty image",
    group="Image",
    exact=True,
    aliases=("EmptyImage", "Solid colour image"),
)
def empty_image(
    *,
    width: Length = 512,
    height: Length = 512,
    batch: Count = 1,
    colour: Annotated[str, Colour()] = "#000000",
) -> Image:
    """Pictures of one colour.

    Args:
        width: In pixels.
        height: In pixels.
        batch: How many.
        colour: As #RRGGBB.
    """
    return Image(plain(colour).repeat(batch, 1, height, width))


@node(
    "core.crop_image",
    title="Crop image",
    group="Image",
    exact=True,
    aliases=("ImageCrop", "Image Crop"),
)
def crop_image(
    image: Image,
    alpha: Mask | None = None,
    *,
    x: Place = 0,
    y: Place = 0,
    width: Length = 512,
    height: Length = 512,
) -> ScaledPicture:
    """Cut a rectangle out of pictures, and out of their transparency.

    Args:
        alpha: Where the picture is opaque.
        x: The left side of the cut, in pixels.
        y: Its upper side, in pixels.
        width: In pixels; what would lie outside of the picture is left out.
        height: In pixels; what would lie outside of the picture is left out.
    """
    part = rectangle(image.pixels, x, y, width, height)
    return _moved(image, alpha, lambda planes: planes[..., *part].clone())


@node(
    "core.flip_image",
    title="Flip image",
    group="Image",
    exact=True,
    aliases=("ImageFlip", "Mirror image"),
)
def flip_image(
    image: Image,
    alpha: Mask | None = None,
    *,
    direction: Annotated[str, Choice(FLIPS)] = "horizontal",
) -> ScaledPicture:
    """Mirror pictures, and their transparency.

    Args:
        alpha: Where the picture is opaque.
        direction: horizontal swaps left and right, vertical top and bottom.
    """
    return _moved(image, alpha, lambda planes: planes.flip(FLIPS[direction]))


@node(
    "core.rotate_image",
    title="Rotate image",
    group="Image",
    exact=True,
    aliases=("ImageRotate", "Turn image"),
)
def rotate_image(
    image: Image, alpha: Mask | None = None, *, degrees: Annotated[str, Choice(TURNS)] = "90"
) -> ScaledPicture:
    """Turn pictures clockwise, and their transparency.

    Args:
        alpha: Where the picture is opaque.
        degrees: By how much, clockwise.
    """
    return _moved(image, alpha, lambda planes: planes.rot90(TURNS[degrees], (3, 2)))


class PaddedPicture(NamedTuple):
    image: Image
    mask: Mask


@node(
    "core.pad_image",
    title="Pad image",
    group="Image",
    exact=True,
    aliases=("ImagePadForOutpaint", "Pad Image for Outpainting", "Outpaint", "Uncrop"),
)
def pad_image(
    image: Image,
    *,
    left: Border = 0,
    top: Border = 0,
    right: Border = 0,
    bottom: Border = 0,
    feather: Annotated[int, Range(0, 4096, soft=(0, 128))] = 40,
    fill: Annotated[str, Choice(FILLS)] = "grey",
) -> PaddedPicture:
    """Put a border around pictures, and give a mask of it, to paint beyond their edges.

    Args:
        left: The border's width there in pixels, as of the other sides.
        feather: Over how many pixels the mask reaches into the picture and fades; none where the
            picture is no larger than twice that.
        fill: What is on the border: grey as ComfyUI has it, edge repeats the outermost pixels,
            mirror the picture itself. The latter two give a model something to hold on to.
    """
    from ponystudio.diffusion.images.compositing import padded

    sides = {"left": left, "top": top, "right": right, "bottom": bottom}
    pixels, mask = padded(image.pixels, **sides, feather=feather, fill=fill)
    return PaddedPicture(Image(pixels), Mask(mask))


@node(
    "core.join_images",
    title="Join images",
    group="Image",
    aliases=("ImageBatch", "Batch Images", "Image list to batch"),
)
def join_images(image: Image, other: Image, *, ctx: Context) -> Image:
    """One batch of the pictures of two.

    Args:
        other: Come after the first; of another size they are scaled to theirs, and what is too
            much is cut off around the centre.
    """
    import torch

    return Image(torch.cat((image.pixels, fitted(image, other, "bilinear", ctx))))


@node(
    "core.stitch_images",
    title="Stitch images",
    group="Image",
    aliases=("ImageStitch", "Image Stitch", "Concatenate images", "Side by side"),
)
def stitch_images(
    image: Image,
    other: Image,
    *,
    direction: Annotated[str, Choice(("right", "down", "left", "up"))] = "right",
    match: Annotated[bool, Label("Match sizes")] = True,
    spacing: Border = 0,
    colour: Annotated[str, Colour()] = "#ffffff",
) -> Image:
    """Put two pictures side by side, to compare them, or to show a model both.

    Args:
        other: Stands beside the first, or above or below it.
        direction: Where the other stands.
        match: Scale the other so that both are equally high, or wide; else what is smaller stands
            in the middle.
        spacing: Between the two, in pixels.
        colour: Of what is between and around, as #RRGGBB.
    """
    import torch

    from ponystudio.diffusion.images.resample import scale_picture

    below, beside = image.pixels, other.pixels.to(image.pixels)
    check_batch(len(below), len(beside), "pictures", "other")
    across = direction in ("right", "left")
    axis, along = (-2, -1) if across else (-1, -2)
    if match and beside.shape[axis] != below.shape[axis]:
        length = max(1, round(beside.shape[along] * below.shape[axis] / beside.shape[axis]))
        side = below.shape[axis]
        size = (side, length) if across else (length, side)
        beside = scale_picture(beside, size, "lanczos")
    ground = plain(colour).to(below)
    full = max(below.shape[axis], beside.shape[axis])
    gap = (full, spacing) if across else (spacing, full)
    parts = [_in_the_middle(part, axis, full, ground) for part in (below, beside)]
    parts = [part.expand(len(below), -1, -1, -1) for part in parts]
    parts.insert(1, ground.expand(len(below), -1, *gap))
    return Image(torch.cat(parts if direction in ("right", "down") else parts[::-1], along))


def _in_the_middle(pixels: Tensor, axis: int, length: int, ground: Tensor) -> Tensor:
    """Pictures in the middle of so many pixels along one axis."""
    if pixels.shape[axis] == length:
        return pixels
    shape = list(pixels.shape)
    shape[axis] = length
    wide = ground.expand(shape).clone()
    wide.narrow(axis, (length - pixels.shape[axis]) // 2, pixels.shape[axis]).copy_(pixels)
    return wide


@node(
    "core.repeat_images",
    title="Repeat images",
    group="Image",
    exact=True,
    aliases=("RepeatImageBatch",),
)
def repeat_images(image: Image, *, times: Count = 2) -> Image:
    """The same pictures several times in one batch."""
    return Image(image.pixels.repeat(times, 1, 1, 1))


@node(
    "core.pick_images",
    title="Pick images",
    group="Image",
    exact=True,
    aliases=("ImageFromBatch", "Get image from batch"),
)
def pick_images(image: Image, *, start: BatchIndex = 0, count: Count = 1, ctx: Context) -> Image:
    """Some pictures of a batch.

    Args:
        start: The first one, counted from 0.
        count: How many.
    """
    return Image(image.pixels[picked(len(image.pixels), start, count, ctx.note)].clone())


def picked(batch: int, start: int, count: int, note: Callable[[str], None]) -> slice:
    """The part of a batch that is asked for, or the nearest that there is, which is told."""
    first = min(start, batch - 1)
    last = min(first + count, batch)
    if (first, last) != (start, start + count):
        note(
            f"Of a batch of {batch}, number {start} and {count - 1} after it cannot be taken:"
            f" there are {last - first}, from number {first}."
        )
    return slice(first, last)


def fitted(image: Image, other: Image, method: str, ctx: Context) -> Tensor:
    """The pixels of the other pictures in the size of the first, and where those are; a change is
    told."""
    from ponystudio.diffusion.images.resample import centre_cut, scale_picture

    pixels, size = other.pixels.to(image.pixels), image.pixels.shape[-2:]
    if pixels.shape[-2:] == size:
        return pixels
    ctx.note(
        f"The other picture was scaled from {pixels.shape[-1]}×{pixels.shape[-2]} to"
        f" {size[1]}×{size[0]} pixels, to fit the first."
    )
    return scale_picture(centre_cut(pixels, size), size, method)


def _scaled(
    image: Image, alpha: Mask | None, size: tuple[int, int], method: str, crop: str = "disabled"
) -> ScaledPicture:
    from ponystudio.diffusion.images.resample import centre_cut, scale_picture
    from ponystudio.diffusion.images.transparency import scale_cut_out

    pixels, seen = image.pixels, alpha_of(image, alpha)
    if crop == "center":
        pixels, seen = centre_cut(pixels, size), None if seen is None else centre_cut(seen, size)
    if seen is None:
        pixels = scale_picture(pixels, size, method)
        return ScaledPicture(Image(pixels), opaque(pixels))
    pixels, seen = scale_cut_out(pixels, seen, size, method)
    return ScaledPicture(Image(pixels), Mask(seen))


def _moved(image: Image, alpha: Mask | None, move: Callable[[Tensor], Tensor]) -> ScaledPicture:
    """Pictures and their alpha, both moved in the same way."""
    seen, pixels = alpha_of(image, alpha), move(image.pixels)
    return ScaledPicture(Image(pixels), opaque(pixels) if seen is None else Mask(move(seen)))
