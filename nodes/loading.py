"""Nodes that open model files. What they give are recipes; no weight is read here."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

from ponystudio.api import Annotated, Clip, Context, File, Label, Model, Vae, node
from ponystudio.diffusion.loading import recognise


class Checkpoint(NamedTuple):
    model: Model
    clip: Clip
    vae: Vae


@node("core.load_checkpoint", title="Load checkpoint", group="Models")
def load_checkpoint(
    *,
    file: Annotated[Path, File("checkpoints")] = Path("starter.safetensors"),
    ema: Annotated[bool, Label("Use EMA")] = False,
    ctx: Context,
) -> Checkpoint:
    """Open a checkpoint: the denoiser, the text encoder and the autoencoder in one file.

    Reads `.safetensors`, `.ckpt` and diffusers folders. Nothing in a file is ever executed.

    Args:
        file: The checkpoint, by its name in the model folders.
        ema: Take the averaged weights of a full training checkpoint, where it has them.
    """
    family, content = recognise(file, "checkpoints").family, ctx.models.content(file)
    options = (("ema", True),) if ema else ()
    return Checkpoint(
        Model(str(file), content, family, options=options),
        Clip(str(file), content, family, options=options),
        Vae(str(file), content, family),
    )


@node("core.load_vae", title="Load VAE", group="Models")
def load_vae(*, file: Annotated[Path, File("vae")] = Path("vae.safetensors"), ctx: Context) -> Vae:
    """Open an autoencoder of its own, to use instead of the one in the checkpoint.

    Args:
        file: A VAE file, or a checkpoint of which only the VAE is taken.
    """
    info = recognise(file, "vae")
    return Vae(str(file), ctx.models.content(file), info.family)
