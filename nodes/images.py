"""Nodes on pictures: load, save, show, scale."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

from ponystudio.api import Annotated, Choice, Context, File, Image, Mask, Range, Text, node
from ponystudio_nodes.masks import Method, Side, alpha_of, opaque

COLOURS = ("convert", "keep")


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
    format: Annotated[str, Choice(("png", "webp", "jpeg"))] = "png",
    quality: Annotated[int, Range(1, 100)] = 95,
    ctx: Context,
) -> None:
    """Write pictures into the output folder, with the graph that made them inside.

    Args:
        alpha: Where the picture is opaque; leave it free for a picture without transparency.
        prefix: Start of the file's name; may name folders inside the output folder. %date%,
            %time%, %seed%, %model%, %sampler%, %steps%, %cfg%, %width%, %height%,
            %batch_number%, %counter%, %prompt%, %date:yyyy-MM-dd% and %node.param% are filled in;
            so are [seed] and the like.
        format: png loses nothing; webp and jpeg are smaller; jpeg has no transparency.
        quality: For webp and jpeg; a webp of 100 loses nothing.
    """
    alpha = None if alpha_of(image, alpha) is None else alpha
    ctx.save_picture(image, prefix=prefix, format=format, quality=quality, alpha=alpha)


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


@node("core.scale_image", title="Scale image", group="Image", aliases=("ImageScale",))
def scale_image(
    image: Image,
    alpha: Mask | None = None,
    *,
    width: Side = 512,
    height: Side = 512,
    method: Method = "lanczos",
) -> ScaledPicture:
    """Make pictures larger or smaller, and what they have of transparency with them.

    Args:
        alpha: Where the picture is opaque; colours that it hides stay hidden.
        width: In pixels; 0 keeps the proportions.
        height: In pixels; 0 keeps the proportions.
        method: lanczos is sharpest and good both ways; area is good for making smaller, the
            others only for making larger.
    """
    from ponystudio.diffusion.images.resample import scale_picture, wanted_size
    from ponystudio.diffusion.images.transparency import scale_cut_out

    seen = alpha_of(image, alpha)
    if not width and not height:
        return ScaledPicture(image, alpha or opaque(image.pixels))
    size = wanted_size(image.pixels, width, height)
    if seen is None:
        pixels = scale_picture(image.pixels, size, method)
        return ScaledPicture(Image(pixels), opaque(pixels))
    pixels, seen = scale_cut_out(image.pixels, seen, size, method)
    return ScaledPicture(Image(pixels), Mask(seen))
