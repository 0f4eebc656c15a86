"""Nodes that open model files. What they give are recipes; no weight is read here."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

from ponystudio.api import (
    Affects,
    Annotated,
    Choice,
    Clip,
    Context,
    File,
    Label,
    Model,
    Vae,
    Vision,
    node,
)
from ponystudio.diffusion.families import families, find_family
from ponystudio.diffusion.families.predictions import AUTO, CHOICES
from ponystudio.diffusion.families.text_encoder_specs import T5EncoderSpec
from ponystudio.diffusion.loading.load import recognise
from ponystudio.diffusion.loading.text_encoder_files import check, nouns
from ponystudio.diffusion.text.sentencepiece_tokens import read
from ponystudio.errors import MismatchedValues

TEXT_FAMILIES = tuple(
    family.name for family in sorted(families().values(), key=lambda family: family.position)
)
Prediction = Annotated[str, Choice(CHOICES)]
PREDICTION_HELP = "What the model gives: noise or velocity; auto asks the file."


class Checkpoint(NamedTuple):
    model: Model
    clip: Clip
    vae: Vae
    vision: Vision


@node(
    "core.load_checkpoint",
    title="Load checkpoint",
    group="Models",
    aliases=("CheckpointLoaderSimple", "unCLIPCheckpointLoader"),
)
def load_checkpoint(
    *,
    file: Annotated[Path, File("checkpoints")] = Path("starter.safetensors"),
    ema: Annotated[bool, Label("Use EMA")] = False,
    prediction: Annotated[Prediction, Label(help=PREDICTION_HELP), Affects("model")] = AUTO,
    ctx: Context,
) -> Checkpoint:
    """Open a checkpoint: the denoiser, the text encoder and the autoencoder in one file.

    Reads `.safetensors`, `.ckpt` and diffusers folders; nothing in a file is ever executed. unCLIP
    models have an image encoder as well, `vision`; others have nothing there.

    Args:
        file: The checkpoint, by its name in the model folders.
        ema: Take the averaged weights of a full training checkpoint, where it has them.
    """
    family, content = recognise(file, "checkpoints").family, ctx.models.content(file)
    options = (("ema", True),) if ema else ()
    return Checkpoint(
        Model(str(file), content, family, options=options + _predicting(prediction)),
        Clip(str(file), content, family, options=options),
        Vae(str(file), content, family),
        Vision(str(file), content, ""),
    )


@node("core.load_vae", title="Load VAE", group="Models", aliases=("VAELoader",))
def load_vae(*, file: Annotated[Path, File("vae")] = Path(), ctx: Context) -> Vae:
    """Open an autoencoder of its own, to use instead of the one in the checkpoint.

    Args:
        file: A VAE file, or a checkpoint of which only the VAE is taken.
    """
    info = recognise(file, "vae")
    return Vae(str(file), ctx.models.content(file), info.family)


@node("core.load_model", title="Load model", group="Models", aliases=("UNETLoader",))
def load_model(
    *,
    file: Annotated[Path, File("diffusion_models")] = Path(),
    prediction: Annotated[Prediction, Label(help=PREDICTION_HELP)] = AUTO,
    ctx: Context,
) -> Model:
    """Open a denoiser of its own, without text encoder and autoencoder.

    Args:
        file: A file of a denoiser alone, or a checkpoint of which only that is taken.
    """
    info = recognise(file, "diffusion_models")
    options = _predicting(prediction)
    return Model(str(file), ctx.models.content(file), info.family, options=options)


class TextEncoderFile(NamedTuple):
    file: Annotated[Path, File("text_encoders")] = Path()


@node(
    "core.load_clip",
    title="Load text encoder",
    group="Models",
    aliases=("CLIPLoader", "DualCLIPLoader", "TripleCLIPLoader"),
)
def load_clip(
    *,
    files: list[TextEncoderFile] = [],  # noqa: B006 - the declared default, never changed
    family: Annotated[str, Choice(TEXT_FAMILIES)] = "sd1",
    ctx: Context,
) -> Clip:
    """Open text encoders of their own: one to three files, in any order.

    SDXL reads CLIP-L and OpenCLIP-bigG, FLUX CLIP-L and T5-XXL, AuraFlow Pile-T5-XL; SD3 reads
    CLIP-L and OpenCLIP-bigG, and T5-XXL where it is given.

    Args:
        files: Files of text encoders; a checkpoint gives those that are in it.
        family: The family of the models that they are for.
    """
    target = find_family(family)
    if not 1 <= len(files) <= len(target.towers):
        raise MismatchedValues(
            f"There are {len(files)} files of text encoders.",
            socket="files",
            remedy=f"{target.title} reads {nouns(target)}: name a file for each, or one that has"
            " all.",
        )
    paths = [row.file for row in files]
    for path in paths:
        recognise(path, "text_encoders")
    check(paths, target)
    first, *others = paths
    clip = Clip(str(first), ctx.models.content(first), family, options=(("family", family),))
    for path in others:
        clip = clip.with_file("with", str(path), ctx.models.content(path))
    return clip


@node("core.set_tokenizer", title="Tokenizer", group="Models")
def set_tokenizer(
    clip: Clip, *, file: Annotated[Path, File("tokenizers")] = Path(), ctx: Context
) -> Clip:
    """Give a text encoder the tokenizer that belongs to it, which cuts prompts into words.

    AuraFlow and Pony Diffusion V7 need it where their files come without: tokenizer.json or
    tokenizer.model, from the folder `tokenizer` of the model.

    Args:
        file: The tokenizer, by its name in the model folders.
    """
    family = find_family(clip.family)
    if not any(isinstance(tower, T5EncoderSpec) for tower in family.towers):
        raise MismatchedValues(
            f"{family.title} reads prompts with {nouns(family)}, whose tokenizer is known.",
            socket="clip",
            remedy="Take this node away; it is for AuraFlow and its kin.",
        )
    read(file)
    return clip.with_file("tokenizer", str(file), ctx.models.content(file))


def _predicting(prediction: str) -> tuple[tuple[str, str], ...]:
    return () if prediction == AUTO else (("prediction", prediction),)
