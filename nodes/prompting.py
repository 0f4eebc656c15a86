"""Nodes that turn words into conditionings, and say where and when they hold."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from ponystudio.api import (
    Annotated,
    Area,
    Choice,
    Clip,
    Conditioning,
    Context,
    Entry,
    Label,
    Mask,
    Range,
    Text,
    node,
)
from ponystudio.diffusion.families import find_family
from ponystudio.diffusion.text.prompt_syntax import DIALECTS, EMPTY, notes
from ponystudio.errors import MismatchedValues, ParamRange

if TYPE_CHECKING:
    from torch import Tensor


@node("core.encode_prompt", title="Prompt", group="Text", aliases=("CLIPTextEncode",))
def encode_prompt(
    clip: Clip,
    *,
    text: Annotated[str, Text(lines=5, prompt=True)] = "",
    dialect: Annotated[str, Choice(DIALECTS)] = "a1111",
    clip_skip: Annotated[int, Range(0, 12, soft=(0, 4)), Label("Clip skip")] = 0,
    empty: Annotated[str, Choice(EMPTY), Label("Empty prompt")] = "auto",
    ctx: Context,
) -> Conditioning:
    """Say what the picture shall show, or, as the negative prompt, what it shall not.

    `(words)` and `(words:1.2)` draw more attention; `BREAK` starts a new chunk of 75 tokens.

    Args:
        text: The prompt; `embedding:name` stands for a textual inversion.
        dialect: How attention and comments are written and weighed: as in A1111 (`# ...`), or as
            in ComfyUI (`// ...`, `/* ... */`).
        clip_skip: 1 takes the last layer, 2 the one before; 0 is what the model was made for.
        empty: What no words are: encoded like any others, or zeros, as SDXL is used to.
    """
    for said in notes(text, dialect):
        ctx.note(said)
    with ctx.models.open(clip) as encoder:
        encoded = encoder.encode(text, dialect=dialect, clip_skip=clip_skip, empty=empty)
    entry = Entry(encoded.context, encoded.padding, encoded.pooled)
    return Conditioning((entry,), clip.family)


@node(
    "core.encode_texts",
    title="Prompt for each encoder",
    group="Text",
    aliases=("CLIPTextEncodeSDXL", "CLIPTextEncodeFlux", "CLIPTextEncodeSD3"),
)
def encode_texts(
    clip: Clip,
    *,
    clip_l: Annotated[str, Text(lines=3, prompt=True), Label("CLIP-L")] = "",
    clip_g: Annotated[str, Text(lines=3, prompt=True), Label("CLIP-G")] = "",
    t5: Annotated[str, Text(lines=3, prompt=True), Label("T5")] = "",
    dialect: Annotated[str, Choice(DIALECTS)] = "comfyui",
    clip_skip: Annotated[int, Range(0, 12, soft=(0, 4)), Label("Clip skip")] = 0,
    empty: Annotated[str, Choice(EMPTY), Label("Empty prompts")] = "encode",
    ctx: Context,
) -> Conditioning:
    """Say something of its own to each text encoder of SDXL, SD3 or FLUX.

    SDXL reads CLIP-L and CLIP-G, FLUX CLIP-L and T5, SD3 all three.

    Args:
        clip_l: The prompt for CLIP-L, or OpenCLIP-H.
        clip_g: The prompt for OpenCLIP-bigG.
        t5: The prompt for T5.
        dialect: How attention and comments are written and weighed, as for Prompt.
        clip_skip: 1 takes the last layer, 2 the one before; 0 is what the model was made for.
        empty: What no words are: encoded like any others, or zeros, for each encoder by itself.
    """
    family = find_family(clip.family)
    given = {"clip_l": clip_l, "clip_g": clip_g, "t5": t5}
    texts = {tower.name: given.pop(_PROMPT_OF[tower.name], "") for tower in family.towers}
    for name, text in given.items():
        if text:
            ctx.note(f"{family.title} has no text encoder that reads {name}: {text!r} is left out.")
    for text in texts.values():
        for said in notes(text, dialect):
            ctx.note(said)
    with ctx.models.open(clip) as encoder:
        encoded = encoder.encode(texts, dialect=dialect, clip_skip=clip_skip, empty=empty)
    entry = Entry(encoded.context, encoded.padding, encoded.pooled)
    return Conditioning((entry,), clip.family)


# Which of the prompts each text encoder reads.
_PROMPT_OF = {
    "clip_l": "clip_l",
    "clip_h": "clip_l",
    "clip_g": "clip_g",
    "t5xxl": "t5",
    "pile_t5xl": "t5",
}

Side = Annotated[int, Range(0, 16384, soft=(256, 2048), step=8)]
Offset = Annotated[int, Range(0, 16384, soft=(0, 1024), step=8)]


@node(
    "core.set_sizes", title="SDXL sizes", group="Text", exact=True, aliases=("CLIPTextEncodeSDXL",)
)
def set_sizes(
    conditioning: Conditioning,
    *,
    width: Annotated[Side, Label("Original width")] = 1024,
    height: Annotated[Side, Label("Original height")] = 1024,
    crop_left: Annotated[Offset, Label("Cut from the left")] = 0,
    crop_top: Annotated[Offset, Label("Cut from the top")] = 0,
    target_width: Annotated[Side, Label("Width aimed at")] = 1024,
    target_height: Annotated[Side, Label("Height aimed at")] = 1024,
) -> Conditioning:
    """Tell SDXL which size a picture had and where it was cut; without it, the picture's own.

    A large original asks for detail, a cut for a subject that leaves the picture.
    """
    family = find_family(conditioning.family)
    if family.scores:
        raise MismatchedValues(
            f"The {family.title} is told no size to aim at.",
            socket="conditioning",
            remedy="Take Refiner sizes (core.refiner_sizes) instead.",
        )
    sizes = (height, width, crop_top, crop_left, target_height, target_width)
    return conditioning.changed(sizes=sizes)


@node(
    "core.refiner_sizes",
    title="Refiner sizes",
    group="Text",
    exact=True,
    aliases=("CLIPTextEncodeSDXLRefiner", "Aesthetic score"),
)
def refiner_sizes(
    conditioning: Conditioning,
    *,
    score: Annotated[float, Range(0, 1000, soft=(1, 10), step=0.1), Label("Beauty")] = 6.0,
    width: Annotated[Side, Label("Original width")] = 1024,
    height: Annotated[Side, Label("Original height")] = 1024,
) -> Conditioning:
    """Tell SDXL's refiner how beautiful a picture is, and which size it had.

    Without it a positive prompt says 6, a negative one 2.5, and both 768 pixels a side.

    Args:
        score: The aesthetic score, from 1 to 10; for a negative prompt that of what shall not be.
    """
    family = find_family(conditioning.family)
    if not family.scores:
        raise MismatchedValues(
            f"{family.title} is not told how beautiful a picture is; SDXL's refiner is.",
            socket="conditioning",
            remedy="Take SDXL sizes (core.set_sizes) for SDXL, or none for others.",
        )
    return conditioning.changed(sizes=(height, width, 0, 0, score))


@node(
    "core.set_guidance",
    title="FLUX guidance",
    group="Text",
    exact=True,
    aliases=("FluxGuidance", "FluxDisableGuidance", "Distilled CFG Scale"),
)
def set_guidance(
    conditioning: Conditioning,
    *,
    guidance: Annotated[float, Range(0, 100, soft=(1, 10), step=0.1)] = 3.5,
    off: Annotated[bool, Label("Tell nothing")] = False,
) -> Conditioning:
    """Tell FLUX dev how closely to follow the prompt; without it, 3.5.

    It takes the place of the sampler's guidance, which stays at 1.

    Args:
        off: The model is told nothing of its guidance, not even 0; for those that were trained
            further without it.
    """
    return conditioning.changed(guidance=None if off else guidance, guided=not off)


# --- Several prompts for one picture --------------------------------------------------------------


Strength = Annotated[float, Range(0, 10, soft=(0, 2), step=0.05)]


@node(
    "core.combine_prompts",
    title="Combine prompts",
    group="Text",
    exact=True,
    aliases=("ConditioningCombine",),
)
def combine_prompts(first: Conditioning, second: Conditioning) -> Conditioning:
    """Follow two prompts at once: where both speak of the same place, their mean by strength.

    Each is asked by itself, so that a step takes longer.
    """
    _check_kin(first, second, "second")
    return replace(first, entries=(*first.entries, *second.entries))


@node(
    "core.concat_prompts",
    title="Join prompts",
    group="Text",
    exact=True,
    aliases=("ConditioningConcat",),
)
def concat_prompts(first: Conditioning, second: Conditioning) -> Conditioning:
    """Read two prompts as one long one, each still by itself: the words of one do not touch the
    other's.

    Costs little more than one.

    Args:
        second: What stands behind every part of the first; of several parts the first counts.
    """
    import torch

    other = _first_of(second, first)

    def joined(entry: Entry) -> Entry:
        before, behind = _alike(entry.context, other.context)
        return replace(entry, context=torch.cat([before, behind], dim=1))

    return replace(first, entries=tuple(map(joined, first.entries)))


@node(
    "core.average_prompts",
    title="Mix prompts",
    group="Text",
    exact=True,
    aliases=("ConditioningAverage",),
)
def average_prompts(
    first: Conditioning,
    second: Conditioning,
    *,
    strength: Annotated[float, Range(0, 1, step=0.01), Label("Share of the first")] = 0.5,
) -> Conditioning:
    """A prompt between two: their numbers are mixed before the model reads them.

    Costs no more than one.

    Args:
        second: What is mixed into every part of the first; of several parts the first counts.
        strength: 1 is the first prompt alone, 0 the second.
    """
    other = _first_of(second, first)

    def mixed(entry: Entry) -> Entry:
        pooled, further = entry.pooled, other.pooled
        if pooled is not None and further is not None:
            pooled, further = _alike(pooled, further)
            pooled = strength * pooled + (1 - strength) * further
        before, context = _alike(entry.context, other.context)
        context = strength * before + (1 - strength) * _as_long(context, before)
        return replace(entry, context=context, pooled=further if pooled is None else pooled)

    return replace(first, entries=tuple(map(mixed, first.entries)))


@node(
    "core.zero_prompt",
    title="No prompt",
    group="Text",
    exact=True,
    aliases=("ConditioningZeroOut",),
)
def zero_prompt(conditioning: Conditioning) -> Conditioning:
    """All zeros in place of a prompt: not the states of no words, but nothing at all.

    The usual negative prompt of FLUX and SD3.
    """
    return replace(conditioning, entries=tuple(map(_nothing, conditioning.entries)))


# --- Where and when a prompt holds ----------------------------------------------------------------


Edge = Annotated[int, Range(0, 16384, soft=(0, 2048), step=8)]
AreaSide = Annotated[int, Range(8, 16384, soft=(64, 2048), step=8)]
Share = Annotated[float, Range(0, 1, step=0.01)]


@node(
    "core.set_area",
    title="Area of a prompt",
    group="Text",
    exact=True,
    aliases=("ConditioningSetArea", "Regional prompting"),
)
def set_area(
    conditioning: Conditioning,
    *,
    x: Edge = 0,
    y: Edge = 0,
    width: AreaSide = 512,
    height: AreaSide = 512,
    strength: Strength = 1.0,
) -> Conditioning:
    """Let a prompt speak of a rectangle of the picture alone, in pixels.

    Combine it with a prompt for the whole picture.

    Args:
        x: Where it begins, from the left.
        y: Where it begins, from the top.
        strength: How much it counts beside other prompts for the same place.
    """
    return conditioning.changed(area=Area(x, y, width, height), strength=strength)


def check_area(x: float, y: float, width: float, height: float) -> None:
    """Raise ParamRange for shares of a picture's sides that leave nothing of it."""
    for name, side in (("width", width), ("height", height)):
        if not side:
            raise ParamRange(
                f"The area has a {name} of 0.", socket=name, remedy="Make it more than 0."
            )
    for name, place in (("x", x), ("y", y)):
        if place >= 1:
            raise ParamRange(
                "The area begins where the picture ends.",
                socket=name,
                remedy="Choose less than 1.",
            )


@node(
    "core.set_area_share",
    title="Area of a prompt by shares",
    group="Text",
    exact=True,
    check=check_area,
    aliases=("ConditioningSetAreaPercentage", "Regional prompting", "Latent Couple"),
)
def set_area_share(
    conditioning: Conditioning,
    *,
    x: Share = 0.0,
    y: Share = 0.0,
    width: Share = 0.5,
    height: Share = 1.0,
    strength: Strength = 1.0,
) -> Conditioning:
    """Let a prompt speak of a rectangle of the picture alone, in shares of its sides.

    It fits pictures of any size. Combine it with a prompt for the whole picture.

    Args:
        x: Where it begins, from the left; 0.5 is the middle.
        y: Where it begins, from the top.
        width: 1 is as wide as the picture.
        height: 1 is as high as the picture.
        strength: How much it counts beside other prompts for the same place.
    """
    check_area(x, y, width, height)
    area = Area(x, y, width, height, relative=True)
    return conditioning.changed(area=area, strength=strength)


REGIONS = ("everywhere", "around the mask")


@node(
    "core.set_region_mask",
    title="Region of a prompt",
    group="Text",
    exact=True,
    aliases=("ConditioningSetMask", "Regional Prompter", "Latent Couple"),
)
def set_region_mask(
    conditioning: Conditioning,
    mask: Mask,
    *,
    strength: Strength = 1.0,
    seen: Annotated[str, Choice(REGIONS)] = "everywhere",
) -> Conditioning:
    """Let a prompt count where a mask is white, and less where it is grey.

    Combine it with a prompt for the whole picture.

    Args:
        mask: Of the picture; any size is scaled to it.
        strength: How much it counts beside other prompts for the same place.
        seen: What the model sees while it reads this prompt: all of the picture, or only the part
            around the mask, which is faster, and puts all that the prompt says there.
    """
    return conditioning.changed(
        mask=mask.values, mask_strength=strength, within_mask=seen == REGIONS[1]
    )


@node(
    "core.set_strength",
    title="Strength of a prompt",
    group="Text",
    exact=True,
    aliases=("ConditioningSetAreaStrength",),
)
def set_strength(conditioning: Conditioning, *, strength: Strength = 1.0) -> Conditioning:
    """How much a prompt counts beside the others that it is combined with.

    It is of use where several are combined.
    """
    return conditioning.changed(strength=strength)


def check_range(start: float, end: float) -> None:
    """Raise ParamRange for a range that ends before it begins."""
    if start > end:
        raise ParamRange(
            f"The range begins at {start:g} and ends before, at {end:g}.",
            socket="end",
            remedy="Swap the two.",
        )


@node(
    "core.set_range",
    title="Range of a prompt",
    group="Text",
    exact=True,
    check=check_range,
    aliases=("ConditioningSetTimestepRange", "Prompt editing"),
)
def set_range(conditioning: Conditioning, *, start: Share = 0.0, end: Share = 1.0) -> Conditioning:
    """Let a prompt hold for a part of the run: its beginning decides what is where, its end the
    detail.

    Combine it with prompts for the rest of the run.

    Args:
        start: From which share of a whole run; 0 is its beginning.
        end: To which share; 1 is its end.
    """
    check_range(start, end)
    return conditioning.changed(start=start, end=end)


def _check_kin(first: Conditioning, second: Conditioning, socket: str) -> None:
    """Raise MismatchedValues for prompts of two families."""
    if first.family != second.family:
        one, other = (find_family(prompt.family).title for prompt in (first, second))
        raise MismatchedValues(
            f"One prompt is made for {one}, the other for {other}.",
            socket=socket,
            remedy="Make both with the text encoder of one model.",
        )


def _first_of(second: Conditioning, first: Conditioning) -> Entry:
    """What counts of a second prompt. Raises MismatchedValues for one that says nothing, or that is
    made for other models than the first."""
    _check_kin(first, second, "second")
    if not second.entries:
        raise MismatchedValues(
            "The second prompt says nothing.",
            socket="second",
            remedy="Wire one in; Apply ControlNet gives back only those that it is given.",
        )
    return second.entries[0]


def _alike(one: Tensor, other: Tensor) -> tuple[Tensor, Tensor]:
    """Both [B,...] of a row for each picture, where one of them is for all, and as `one` is.

    Raises MismatchedValues for prompts of two numbers of pictures.
    """
    rows = max(len(one), len(other))
    if not {len(one), len(other)} <= {1, rows}:
        raise MismatchedValues(
            f"The first prompt is for {len(one)} pictures, the second for {len(other)}.",
            socket="second",
            remedy="Use one prompt for all pictures, or one for each.",
        )
    one, other = (x.to(one).expand(rows, *x.shape[1:]) for x in (one, other))
    return one, other


def _nothing(entry: Entry) -> Entry:
    """The same shapes, and zeros in them."""
    from ponystudio.diffusion.text.conditioning import Encoded

    encoded = Encoded(entry.context, entry.padding, entry.pooled).zeros()
    return replace(entry, **vars(encoded))


def _as_long(context: Tensor, wanted: Tensor) -> Tensor:
    """Cut, or lengthened with zeros, to as many tokens as `wanted` [B,n,width] has."""
    from torch.nn.functional import pad

    context = context[:, : wanted.shape[1]].to(wanted)
    return pad(context, (0, 0, 0, wanted.shape[1] - context.shape[1]))
