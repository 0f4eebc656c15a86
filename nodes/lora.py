"""Nodes that change weights."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

from ponystudio.api import Affects, Annotated, Clip, Context, File, Label, Model, Patch, Range, node
from ponystudio.diffusion.lora.lora_file import notes

Strength = Range(-100, 100, soft=(-1, 2), step=0.05)


class PatchedModel(NamedTuple):
    """`clip` is None where none was given."""

    model: Model
    clip: Clip


@node(
    "core.apply_lora",
    title="Apply LoRA",
    group="Models",
    aliases=("LoraLoader", "LoraLoaderModelOnly"),
)
def apply_lora(
    model: Annotated[Model, Affects("model")],
    clip: Annotated[Clip | None, Affects("clip")] = None,
    *,
    file: Annotated[Path, File("loras")] = Path(),
    strength: Annotated[float, Strength, Affects("model")] = 1.0,
    clip_strength: Annotated[float, Strength, Affects("clip"), Label("Clip strength")] = 1.0,
    ctx: Context,
) -> PatchedModel:
    """Add what a LoRA has learned to a model and its text encoder.

    Args:
        clip: The text encoder; leave it free to change the model alone.
        file: The LoRA, by its name in the model folders.
        strength: Of its effect on the picture; 0 leaves the model as it is, below 0 inverts.
        clip_strength: Of its effect on how the prompt is read.
    """
    for said in notes(file, model.family):
        ctx.note(said)
    content = ctx.models.content(file)
    return PatchedModel(
        model.with_patch(Patch(str(file), content, strength)) if strength else model,
        # At 0 too: prompts may name the textual inversions that it brings.
        clip and clip.with_patch(Patch(str(file), content, clip_strength)),
    )


class LoraRow(NamedTuple):
    file: Annotated[Path, File("loras")] = Path()
    strength: Annotated[float, Strength, Affects("model")] = 1.0
    clip_strength: Annotated[float, Strength, Affects("clip"), Label("Clip strength")] = 1.0


@node("core.apply_loras", title="LoRA stack", group="Models")
def apply_loras(
    model: Annotated[Model, Affects("model")],
    clip: Annotated[Clip | None, Affects("clip")] = None,
    *,
    loras: list[LoraRow] = [],  # noqa: B006 - the declared default, never changed
    ctx: Context,
) -> PatchedModel:
    """Add what several LoRAs have learned; each can be switched off and has its own strengths.

    Args:
        clip: The text encoder; leave it free to change the model alone.
        loras: The files, and how strong each is for the picture and for how the prompt is read.
    """
    for row in loras:
        model, clip = apply_lora(
            model,
            clip,
            file=row.file,
            strength=row.strength,
            clip_strength=row.clip_strength,
            ctx=ctx,
        )
    return PatchedModel(model, clip)
