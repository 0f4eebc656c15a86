"""Values that several nodes share: a number, a text, a seed, and texts made of texts.

What is known before a run is checked before it: where a wire brings one of the constants, the param
that it leads to is looked at as if it were written there (`graph/topology.py`).
"""

from __future__ import annotations

from typing import Any

from ponystudio.api import (
    Annotated,
    Context,
    Image,
    Latent,
    Mask,
    Range,
    Seed,
    Text,
    node,
)

Words = Annotated[str, Text(lines=4)]


@node(
    "core.int",
    title="Whole number",
    group="Utility",
    exact=True,
    aliases=("PrimitiveInt", "INTConstant", "Integer", "PrimitiveNode"),
)
def int_constant(*, value: Annotated[int, Range(-(2**63), 2**64 - 1, soft=(0, 2048))] = 0) -> int:
    """One whole number for several nodes: wire it into any number, such as steps or a width."""
    return value


@node(
    "core.float",
    title="Number",
    group="Utility",
    exact=True,
    aliases=("PrimitiveFloat", "Float", "FloatConstant"),
)
def float_constant(
    *, value: Annotated[float, Range(-1e12, 1e12, soft=(0, 10), step=0.01)] = 0.0
) -> float:
    """One number for several nodes: wire it into any, such as guidance or a strength."""
    return value


@node(
    "core.bool",
    title="Yes or no",
    group="Utility",
    exact=True,
    aliases=("PrimitiveBoolean", "Boolean"),
)
def bool_constant(*, value: bool = False) -> bool:
    """One answer for several nodes."""
    return value


@node(
    "core.seed",
    title="Seed",
    group="Utility",
    exact=True,
    aliases=("Seed (rgthree)", "Seed Everywhere", "easy seed", "CR Seed"),
)
def seed_constant(*, value: Annotated[int, Seed()] = 0) -> int:
    """One seed for several samplers; it is rolled as those of samplers are."""
    return value


@node(
    "core.text",
    title="Text",
    group="Utility",
    exact=True,
    aliases=(
        "PrimitiveString",
        "PrimitiveStringMultiline",
        "String",
        "StringConstant",
        "StringConstantMultiline",
        "Text Multiline",
        "String Literal",
    ),
)
def text_constant(*, value: Annotated[str, Text(lines=6, prompt=True)] = "") -> str:
    """One text for several nodes: wire it into prompts, names of files, or Join texts."""
    return value


@node(
    "core.join_texts",
    title="Join texts",
    group="Utility",
    exact=True,
    aliases=("StringConcatenate", "Text Concatenate", "JoinStrings", "Concatenate"),
)
def join_texts(
    *,
    a: Words = "",
    b: Words = "",
    separator: str = ", ",
    skip_empty: bool = True,
) -> str:
    """Two texts one after the other, such as what all prompts share and what is this one's own.

    Args:
        a: The first; wire it, or write it here.
        b: The second; wire it, or write it here.
        separator: What stands between.
        skip_empty: An empty text brings no separator with it.
    """
    return separator.join(text for text in (a, b) if text or not skip_empty)


@node(
    "core.replace_text",
    title="Replace text",
    group="Utility",
    exact=True,
    aliases=("StringReplace", "StringFunction|pysssss", "Text Find and Replace"),
)
def replace_text(*, text: Words = "", find: str = "", replace: str = "") -> str:
    """A text with other words in place of some: one prompt, and its variants.

    Args:
        text: The text; wire it, or write it here.
        find: What is replaced, wherever it stands, capitals as they are written; nothing is found
            where this is empty.
        replace: What stands there instead; may be empty.
    """
    return text.replace(find, replace) if find else text


@node(
    "core.show_value",
    title="Show value",
    group="Utility",
    effects=True,
    aliases=("PreviewAny", "Preview Any", "ShowText|pysssss", "Show text", "Display Any"),
)
def show_value(value: Any, *, ctx: Context) -> None:
    """Say what comes along a wire: a text or a number as it is, of pictures how many and how large.

    Args:
        value: Anything, such as the text of Palette as tags or of Join texts.
    """
    match value:
        case bool():
            said = "yes" if value else "no"
        case Image(pixels=planes) | Mask(values=planes) | Latent(values=planes):
            count, channels, height, width = planes.shape
            kind, unit = {3: ("Image", "pixels"), 1: ("Mask", "pixels")}.get(
                channels, (f"Latent of {channels} channels", "cells")
            )
            said = f"{kind}, {count} of {width}×{height} {unit}."
        case str() | int() | float():
            said = str(value) or "The text is empty."
        case _:
            said = f"{type(value).__name__}."
    ctx.note(said)
