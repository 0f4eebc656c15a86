"""Nodes that look at pictures, and tell models what is seen instead of words."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from ponystudio.api import (
    Annotated,
    Choice,
    Conditioning,
    Context,
    Entry,
    File,
    Image,
    Label,
    Pictured,
    Range,
    StyleModel,
    Vision,
    VisionOutput,
    node,
)
from ponystudio.diffusion.loading.load import recognise
from ponystudio.diffusion.sampling.fitting import check_adapter
from ponystudio.errors import MismatchedValues

if TYPE_CHECKING:
    from torch import Tensor

CROPS = ("center", "none")


@node(
    "core.load_vision",
    title="Load image encoder",
    group="Models",
    aliases=("CLIPVisionLoader", "Load CLIP Vision"),
)
def load_vision(*, file: Annotated[Path, File("clip_vision")] = Path(), ctx: Context) -> Vision:
    """Open an image encoder: CLIP's of any size (ViT-B, L, H, bigG), or SigLIP's.

    unCLIP models, style models such as FLUX.1 Redux, scores and clusters of pictures need one.

    Args:
        file: An image encoder, as CLIP Vision files hold it, or a model of which only that is
            taken; in the layouts of transformers, open_clip and LDM.
    """
    recognise(file, "clip_vision")
    return Vision(str(file), ctx.models.content(file), "")


@node(
    "core.load_style_model",
    title="Load style model",
    group="Models",
    aliases=("StyleModelLoader", "Redux"),
)
def load_style_model(
    *, file: Annotated[Path, File("style_models")] = Path(), ctx: Context
) -> StyleModel:
    """Open a style model, which turns what is seen in a picture into words of a kind.

    Args:
        file: FLUX.1 Redux, for models of FLUX.1.
    """
    info = recognise(file, "style_models")
    return StyleModel(str(file), ctx.models.content(file), info.family)


@node(
    "core.encode_vision",
    title="Look at image",
    group="Image",
    aliases=("CLIPVisionEncode", "CLIP Vision Encode"),
)
def encode_vision(
    vision: Vision,
    image: Image,
    *,
    crop: Annotated[str, Choice(CROPS)] = "center",
    ctx: Context,
) -> VisionOutput:
    """Say what is seen in pictures as features, which models are told instead of words.

    Each picture is made as small as the encoder's: 224 pixels a side, SigLIP's 384.

    Args:
        crop: center looks at the square in the middle; none at all of it, squashed.
    """
    with ctx.models.open(vision) as encoder:
        seen = encoder(image.pixels, crop=crop == "center")
    return VisionOutput(seen.embeds, seen.hidden, seen.penultimate)


@node(
    "core.apply_unclip",
    title="Picture as prompt",
    group="Text",
    exact=True,
    aliases=("unCLIPConditioning", "unCLIP", "Revision"),
)
def apply_unclip(
    conditioning: Conditioning,
    vision_output: VisionOutput,
    *,
    strength: Annotated[float, Range(-10, 10, soft=(0, 2), step=0.05)] = 1.0,
    noise: Annotated[float, Range(0, 1, step=0.01), Label("Noise on what is seen")] = 0.0,
) -> Conditioning:
    """Tell an unCLIP model, or SDXL, what is seen in a picture, beside the prompt.

    Models such as sd21-unclip-h make variations of a picture with it; several pictures are mixed.
    SDXL reads CLIP ViT-bigG, and the picture takes the place of a part of the prompt ("revision").

    Args:
        strength: How much the picture counts; 0 leaves it out.
        noise: More keeps less of the picture.
    """
    if vision_output.embeds is None:
        raise MismatchedValues(
            "This image encoder says nothing of a picture as a whole.",
            socket="vision_output",
            remedy="Take the one that the model was made with, such as CLIP ViT-H.",
        )
    if not strength:
        return conditioning
    seen = tuple(Pictured(embed, strength, noise) for embed in vision_output.embeds)
    return replace(
        conditioning,
        entries=tuple(
            replace(entry, unclip=(*entry.unclip, *seen)) for entry in conditioning.entries
        ),
    )


WAYS = ("factor", "attention")


@node(
    "core.apply_style_model",
    title="Picture as style",
    group="Text",
    aliases=("StyleModelApply", "Redux", "Apply Style Model"),
)
def apply_style_model(
    conditioning: Conditioning,
    style_model: StyleModel,
    vision_output: VisionOutput,
    *,
    strength: Annotated[float, Range(0, 10, soft=(0, 2), step=0.05)] = 1.0,
    by: Annotated[str, Choice(WAYS), Label("Strength by")] = "factor",
    ctx: Context,
) -> Conditioning:
    """Put what is seen in a picture beside the words of a prompt, as words of its own.

    FLUX.1 Redux makes variations of a picture with it; its 729 words easily drown out the
    prompt's, so lower the strength to be heard.

    Args:
        strength: How much the picture counts; 0 leaves it out.
        by: factor multiplies what is said of the picture; attention has the model look there less
            or more, and keeps what is said.
    """
    check_adapter("style model", style_model.family, conditioning.family, "conditioning")
    if not strength and by == "attention":
        return conditioning
    with ctx.models.open(style_model) as style:
        tokens = style(vision_output.hidden).flatten(0, 1)[None]
    if by == "factor":
        tokens, strength = tokens * strength, 1.0
    entries = tuple(_with_tokens(entry, tokens, strength) for entry in conditioning.entries)
    return replace(conditioning, entries=entries)


def _with_tokens(entry: Entry, tokens: Tensor, attention: float) -> Entry:
    """The entry with tokens [1,n,width] behind its own, to which is attended so much."""
    import torch
    from torch.nn.functional import pad

    context = entry.context
    behind = tokens.to(context).expand(len(context), -1, -1)
    bias, n = entry.bias, tokens.shape[1]
    if attention != 1 or bias is not None:
        before = torch.zeros(1, 0) if bias is None else bias.cpu()
        so_far = pad(before, (0, context.shape[1] - before.shape[1]))
        bias = torch.cat([so_far, torch.full((1, n), attention).log()], dim=1)
    return replace(entry, context=torch.cat([context, behind], dim=1), bias=bias)
