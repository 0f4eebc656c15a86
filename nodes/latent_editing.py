"""Nodes that make latents of latents: put together, mixed, cut, turned, and batches of them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING

from ponystudio.api import Annotated, Choice, Context, Label, Latent, Mask, Range, node
from ponystudio.diffusion.sampling.fitting import check_latents
from ponystudio.errors import MismatchedValues
from ponystudio_nodes.images import FLIPS, TURNS, BatchIndex, Count, picked
from ponystudio_nodes.latents import downscale
from ponystudio_nodes.masks import Border, Length, Offset, Place, check_batch

if TYPE_CHECKING:
    from torch import Tensor

Ratio = Annotated[float, Range(0, 1, step=0.01)]


@node(
    "core.composite_latent",
    title="Composite latent",
    group="Latent",
    aliases=("LatentComposite", "LatentCompositeMasked", "Paste latent"),
)
def composite_latent(
    latent: Latent,
    source: Latent,
    mask: Mask | None = None,
    *,
    x: Offset = 0,
    y: Offset = 0,
    feather: Border = 0,
    resize: Annotated[bool, Label("Resize source")] = False,
) -> Latent:
    """Paste a latent into another, all of it or where a mask is white.

    Args:
        latent: What is pasted into.
        source: What is pasted; what lies outside is cut off.
        mask: Of any size: it is scaled to the source.
        x: Where the source's left side lies, in pixels, rounded down to a multiple of 8.
        y: Where the source's upper side lies, in pixels, rounded down to a multiple of 8.
        feather: Over how many pixels the source fades out towards those of its sides that lie
            within the picture.
        resize: Scale the source to the size of the latent first.
    """
    from ponystudio.diffusion.images.compositing import laid_on, soft_borders
    from ponystudio.diffusion.images.latent_arithmetic import with_channels
    from ponystudio.diffusion.images.resample import scale_latent, scale_picture

    check_latents(latent.family, source.family, "source")
    below, above = with_channels(latent.values, source.values)
    check_batch(len(below), len(above), "latents", "source")
    cell, size = downscale(latent), (below.shape[-2], below.shape[-1])
    if resize:
        above = scale_latent(above, size, "bilinear")
    shown = soft_borders(size, above, x // cell, y // cell, feather // cell)
    if mask is not None:
        check_batch(len(below), len(mask.values), "masks", "mask")
        size = above.shape[-2], above.shape[-1]
        shown = shown * scale_picture(mask.values, size, "bilinear").to(shown)
    values = laid_on(below, above, x // cell, y // cell, shown)
    return replace(latent, values=values, family=latent.family or source.family)


@node("core.add_latents", title="Add latents", group="Latent", aliases=("LatentAdd",))
def add_latents(latent: Latent, other: Latent) -> Latent:
    """The sum of two latents, value by value.

    Args:
        other: Of another size it is scaled, and cut around the centre; of fewer pictures it is
            repeated.
    """
    return _mixed(latent, other, lambda a, b: a + b)


@node(
    "core.subtract_latents", title="Subtract latents", group="Latent", aliases=("LatentSubtract",)
)
def subtract_latents(latent: Latent, other: Latent) -> Latent:
    """One latent less another, value by value: what distinguishes the first.

    Args:
        other: Of another size it is scaled, and cut around the centre; of fewer pictures it is
            repeated.
    """
    return _mixed(latent, other, lambda a, b: a - b)


@node("core.multiply_latent", title="Multiply latent", group="Latent", aliases=("LatentMultiply",))
def multiply_latent(
    latent: Latent, *, factor: Annotated[float, Range(-10, 10, soft=(0, 2), step=0.01)] = 1.0
) -> Latent:
    """A latent of more or less contrast.

    Args:
        factor: Of every value; over 1 there is more contrast, at -1 it is the reverse.
    """
    return replace(latent, values=latent.values * factor)


@node("core.blend_latents", title="Blend latents", group="Latent", aliases=("LatentBlend",))
def blend_latents(latent: Latent, other: Latent, *, ratio: Ratio = 0.5) -> Latent:
    """The mean of two latents, value by value. It is duller than both: Interpolate latents is not.

    Args:
        other: Of another size it is scaled, and cut around the centre; of fewer pictures it is
            repeated.
        ratio: How much of the first; the rest is of the other.
    """
    return _mixed(latent, other, lambda a, b: a * ratio + b * (1 - ratio))


@node(
    "core.interpolate_latents",
    title="Interpolate latents",
    group="Latent",
    aliases=("LatentInterpolate",),
)
def interpolate_latents(latent: Latent, other: Latent, *, ratio: Ratio = 0.5) -> Latent:
    """Between two latents, with the strength of both: what they show, and how strongly, is mixed
    apart.

    Args:
        other: Of another size it is scaled, and cut around the centre; of fewer pictures it is
            repeated.
        ratio: How much of the first; the rest is of the other.
    """
    from ponystudio.diffusion.images.latent_arithmetic import interpolated

    return _mixed(latent, other, lambda a, b: interpolated(a, b, ratio))


@node("core.crop_latent", title="Crop latent", group="Latent", aliases=("LatentCrop",))
def crop_latent(
    latent: Latent, *, x: Place = 0, y: Place = 0, width: Length = 512, height: Length = 512
) -> Latent:
    """Cut a rectangle out of a latent, in pixels, all rounded down to multiples of 8.

    Args:
        x: The left side of the cut; at most so that 64 pixels of the picture lie beyond it.
        y: Its upper side; at most so that 64 pixels of the picture lie beyond it.
        width: What would lie outside of the picture is left out.
        height: What would lie outside of the picture is left out.
    """
    from ponystudio.diffusion.images.resample import scale_picture

    cell = downscale(latent)
    rows, columns = latent.values.shape[-2:]
    top, left = min(y // cell, max(0, rows - 8)), min(x // cell, max(0, columns - 8))
    bottom, right = top + max(1, height // cell), left + max(1, width // cell)

    def cut(planes: Tensor | None, grain: int = 1) -> Tensor | None:
        if planes is None:
            return None
        vertical, along = slice(top * grain, bottom * grain), slice(left * grain, right * grain)
        return planes[..., vertical, along].clone()

    mask, whole = latent.mask, (rows * cell, columns * cell)
    if mask is not None and mask.shape[-2:] != whole:
        mask = scale_picture(mask, whole, "bilinear")
    values = latent.values[..., top:bottom, left:right].clone()
    return replace(latent, values=values, mask=cut(mask, cell), shown=cut(latent.shown))


@node("core.flip_latent", title="Flip latent", group="Latent", exact=True, aliases=("LatentFlip",))
def flip_latent(
    latent: Latent, *, direction: Annotated[str, Choice(FLIPS)] = "horizontal"
) -> Latent:
    """Mirror a latent. What a VAE makes of it is nearly, not quite, the mirrored picture.

    Args:
        direction: horizontal swaps left and right, vertical top and bottom.
    """
    return _turned(latent, lambda planes: planes.flip(FLIPS[direction]))


@node(
    "core.rotate_latent",
    title="Rotate latent",
    group="Latent",
    exact=True,
    aliases=("LatentRotate", "Turn latent"),
)
def rotate_latent(latent: Latent, *, degrees: Annotated[str, Choice(TURNS)] = "90") -> Latent:
    """Turn a latent clockwise. What a VAE makes of it is nearly, not quite, the turned picture.

    Args:
        degrees: By how much, clockwise.
    """
    return _turned(latent, lambda planes: planes.rot90(TURNS[degrees], (3, 2)))


@node(
    "core.repeat_batch",
    title="Repeat batch",
    group="Latent",
    exact=True,
    aliases=("RepeatLatentBatch", "Repeat Latent Batch"),
)
def repeat_batch(latent: Latent, *, times: Count = 2) -> Latent:
    """The same latents several times in one batch, each with noise of its own.

    Args:
        times: How often.
    """
    index = latent.batch_index
    if index is not None:
        step = max(index) - min(index) + 1
        index = tuple(place + n * step for n in range(times) for place in index)
    return _of_pictures(latent, lambda planes: planes.repeat(times, 1, 1, 1), index)


@node(
    "core.pick_batch",
    title="Pick from batch",
    group="Latent",
    exact=True,
    aliases=("LatentFromBatch", "Latent From Batch"),
)
def pick_batch(latent: Latent, *, start: BatchIndex = 0, count: Count = 1, ctx: Context) -> Latent:
    """Some latents of a batch, which start from the noise that they have in it: to make one picture
    of a batch again.

    Args:
        start: The first one, counted from 0.
        count: How many.
    """
    part = picked(len(latent.values), start, count, ctx.note)
    return _of_pictures(latent, lambda planes: planes[part].clone(), _places(latent)[part])


@node(
    "core.split_batch",
    title="Sample in parts",
    group="Latent",
    exact=True,
    aliases=("RebatchLatents", "Rebatch Latents", "Batch count"),
)
def split_batch(latent: Latent, *, count: Count = 1) -> Latent:
    """Have a batch sampled a few pictures at a time, one run after the other, to save memory.

    Each begins with the noise that it has in the whole batch. What samplers draw on the way is the
    same in each run.

    Args:
        count: How many pictures are sampled together.
    """
    return replace(latent, at_once=count)


@node(
    "core.set_batch_noise",
    title="Noise of a batch",
    group="Latent",
    exact=True,
    aliases=("LatentBatchSeedBehavior", "Latent Batch Seed Behavior"),
)
def set_batch_noise(
    latent: Latent, *, noise: Annotated[str, Choice(("same", "different"))] = "same"
) -> Latent:
    """Whether all pictures of a batch start from the same noise.

    Args:
        noise: same is that of the first picture, so that what differs is what you changed;
            different gives each its own, and forgets of what batch they were picked.
    """
    if noise == "different":
        return replace(latent, batch_index=None)
    return replace(latent, batch_index=_places(latent)[:1] * len(latent.values))


@node(
    "core.join_batches",
    title="Join batches",
    group="Latent",
    aliases=("LatentBatch", "Latent Batch"),
)
def join_batches(latent: Latent, other: Latent) -> Latent:
    """One batch of the latents of two. Each keeps the noise that it has in its own batch.

    Args:
        other: Come after the first; of another size they are scaled to theirs, and cut around the
            centre.
    """
    import torch

    from ponystudio.diffusion.images.latent_arithmetic import fitted

    check_latents(latent.family, other.family, "other")
    if (latent.shown is None) != (other.shown is None):
        raise MismatchedValues(
            "Only one of the two latents shows a model for inpainting what is around a hole.",
            remedy="Make both with Encode for inpainting, or neither.",
            socket="other",
        )
    values, shown = fitted(latent.values, other.values), None
    if latent.shown is not None and other.shown is not None:
        both = zip(fitted(latent.shown, other.shown), values, strict=True)
        shown = torch.cat([one.expand(len(of), -1, -1, -1) for one, of in both])
    return replace(
        latent,
        values=torch.cat(values),
        family=latent.family or other.family,
        mask=_joined_masks(latent, other),
        shown=shown,
        batch_index=(*_places(latent), *_places(other)),
    )


def _places(latent: Latent) -> tuple[int, ...]:
    return latent.batch_index or tuple(range(len(latent.values)))


def _joined_masks(latent: Latent, other: Latent) -> Tensor | None:
    """A mask for each latent of both, white where one has none; None where both have none."""
    import torch

    from ponystudio.diffusion.images.resample import centre_cut, scale_picture

    if latent.mask is None and other.mask is None:
        return None
    cell, (rows, columns) = downscale(latent), latent.values.shape[-2:]
    masks = []
    for one in (latent, other):
        if one.mask is None:
            mask = torch.ones(1, 1, rows * cell, columns * cell)
        else:
            own = one.values.shape[-2], one.values.shape[-1]
            mask = centre_cut(one.mask, (rows, columns), of=own)
            if mask.shape[-2:] != (rows * cell, columns * cell):
                mask = scale_picture(mask, (rows * cell, columns * cell), "bilinear")
        masks.append(mask.to(latent.values).expand(len(one.values), -1, -1, -1))
    return torch.cat(masks)


def _mixed(latent: Latent, other: Latent, mix: Callable[[Tensor, Tensor], Tensor]) -> Latent:
    """Two latents of one family, fitted to each other, made one; the rest is that of the first."""
    from ponystudio.diffusion.images.latent_arithmetic import fitted, repeated

    check_latents(latent.family, other.family, "other")
    a, b = fitted(latent.values, other.values)
    values = mix(a, repeated(b, len(a)))
    return replace(latent, values=values, family=latent.family or other.family)


def _turned(latent: Latent, turn: Callable[[Tensor], Tensor]) -> Latent:
    mask, shown = (None if part is None else turn(part) for part in (latent.mask, latent.shown))
    return replace(latent, values=turn(latent.values), mask=mask, shown=shown)


def _of_pictures(
    latent: Latent, change: Callable[[Tensor], Tensor], index: tuple[int, ...] | None
) -> Latent:
    """Another batch of the same pictures: a mask, or what is shown, that is one for all stays."""
    mask, shown = (
        part if part is None or len(part) == 1 else change(part)
        for part in (latent.mask, latent.shown)
    )
    values = change(latent.values)
    return replace(latent, values=values, mask=mask, shown=shown, batch_index=index)
