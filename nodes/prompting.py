"""Nodes that turn words into conditionings."""

from __future__ import annotations

from dataclasses import replace

from ponystudio.api import Annotated, Choice, Clip, Conditioning, Context, Label, Range, Text, node
from ponystudio.diffusion.text.prompt_syntax import DIALECTS, EMPTY, notes


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
    return Conditioning(encoded.context, clip.family, encoded.padding, encoded.pooled)


Side = Annotated[int, Range(0, 16384, soft=(256, 2048), step=8)]
Offset = Annotated[int, Range(0, 16384, soft=(0, 1024), step=8)]


@node("core.set_sizes", title="SDXL sizes", group="Text", exact=True)
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
    sizes = (height, width, crop_top, crop_left, target_height, target_width)
    return replace(conditioning, sizes=sizes)


@node(
    "core.set_guidance", title="FLUX guidance", group="Text", exact=True, aliases=("FluxGuidance",)
)
def set_guidance(
    conditioning: Conditioning,
    *,
    guidance: Annotated[float, Range(0, 100, soft=(1, 10), step=0.1)] = 3.5,
) -> Conditioning:
    """Tell FLUX dev how closely to follow the prompt; without it, 3.5.

    It takes the place of the sampler's guidance, which stays at 1.
    """
    return replace(conditioning, guidance=guidance)
