"""Nodes that say what is to be where in a picture, by GLIGEN's layers in the model."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from ponystudio.api import (
    Annotated,
    Area,
    Clip,
    Conditioning,
    Context,
    File,
    Gligen,
    PlacedText,
    Range,
    Text,
    node,
)
from ponystudio.diffusion.loading.load import recognise
from ponystudio.diffusion.sampling.fitting import check_adapter

Offset = Annotated[int, Range(0, 16384, soft=(0, 1024), step=8)]
Side = Annotated[int, Range(8, 16384, soft=(64, 1024), step=8)]


@node("core.load_gligen", title="Load GLIGEN", group="Models", aliases=("GLIGENLoader",))
def load_gligen(*, file: Annotated[Path, File("gligen")] = Path(), ctx: Context) -> Gligen:
    """Open GLIGEN's layers, by which a model of Stable Diffusion 1 knows what to place where.

    Args:
        file: The layers alone, or a model of which only they are taken.
    """
    info = recognise(file, "gligen")
    return Gligen(str(file), ctx.models.content(file), info.family)


@node(
    "core.place_text",
    title="Place text",
    group="Text",
    aliases=("GLIGENTextBoxApply", "Regional prompting"),
)
def place_text(
    conditioning: Conditioning,
    clip: Clip,
    gligen: Gligen,
    *,
    text: Annotated[str, Text(lines=2, prompt=True)] = "",
    x: Offset = 0,
    y: Offset = 0,
    width: Side = 256,
    height: Side = 256,
    ctx: Context,
) -> Conditioning:
    """Say what is to be in a rectangle of the picture; up to 30 of them in a row.

    The prompt itself should name it, too. The negative prompt needs none.

    Args:
        clip: The text encoder of the prompt.
        text: A few words, such as "a red ball".
        x: Where the rectangle begins, from the left, in pixels.
        y: Where it begins, from the top.
    """
    check_adapter("GLIGEN model", gligen.family, conditioning.family, "conditioning")
    check_adapter("text encoder", clip.family, conditioning.family, "clip")
    with ctx.models.open(clip) as encoder:
        words = encoder.summary(text)
    box = PlacedText(gligen, words, Area(x, y, width, height))
    entries = tuple(replace(entry, boxes=(*entry.boxes, box)) for entry in conditioning.entries)
    return replace(conditioning, entries=entries)
