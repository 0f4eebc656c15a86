"""Nodes that turn words into conditionings."""

from __future__ import annotations

from ponystudio.api import Annotated, Choice, Clip, Conditioning, Context, Label, Range, Text, node
from ponystudio.diffusion.prompt import DIALECTS, notes


@node("core.encode_prompt", title="Prompt", group="Text")
def encode_prompt(
    clip: Clip,
    *,
    text: Annotated[str, Text(lines=5, prompt=True)] = "",
    dialect: Annotated[str, Choice(DIALECTS)] = "a1111",
    clip_skip: Annotated[int, Range(0, 12, soft=(0, 4)), Label("Clip skip")] = 0,
    ctx: Context,
) -> Conditioning:
    """Say what the picture shall show, or, as the negative prompt, what it shall not.

    `(words)` and `(words:1.2)` draw more attention; `BREAK` starts a new chunk of 75 tokens.

    Args:
        text: The prompt; `embedding:name` stands for a textual inversion.
        dialect: How attention is written and weighed: as in A1111, or as in ComfyUI.
        clip_skip: 1 takes the last layer, 2 the one before; 0 is what the model was made for.
    """
    for said in notes(text, dialect):
        ctx.note(said)
    with ctx.models.open(clip) as encoder:
        encoded = encoder.encode(text, dialect=dialect, clip_skip=clip_skip)
    return Conditioning(encoded.context, clip.family, encoded.padding, encoded.pooled)
