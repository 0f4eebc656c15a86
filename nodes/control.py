"""Nodes that steer a model by a picture."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

from ponystudio.api import (
    Annotated,
    Choice,
    Conditioning,
    Context,
    Control,
    ControlNet,
    File,
    Image,
    Label,
    Mask,
    Model,
    Range,
    Vae,
    node,
)
from ponystudio.diffusion.control import KINDS, number_of
from ponystudio.diffusion.families import find_family
from ponystudio.diffusion.loading.load import recognise
from ponystudio.diffusion.sampling.fitting import check_autoencoder, check_control
from ponystudio.errors import MismatchedValues, ParamRange

Share = Annotated[float, Range(0, 1, step=0.01)]


@node(
    "core.load_controlnet",
    title="Load ControlNet",
    group="Models",
    aliases=("ControlNetLoader", "DiffControlNetLoader", "T2I-Adapter", "Control-LoRA"),
)
def load_controlnet(
    model: Model | None = None, *, file: Annotated[Path, File("controlnet")] = Path(), ctx: Context
) -> ControlNet:
    """Open a ControlNet, or one of its kin: a union, a control-LoRA or a T2I-adapter.

    Args:
        model: The model that a control-LoRA or a file of differences changes, as its file has it;
            others need none.
        file: The ControlNet, by its name in the model folders.
    """
    found = recognise(file, "controlnet")
    assert found.control is not None
    net = ControlNet(str(file), ctx.models.content(file), found.family)
    if not found.control.needs_model:
        return net
    if model is None:
        raise MismatchedValues(
            "This ControlNet only holds what it changes in the weights of a model.",
            where=str(file),
            remedy="Wire that model in too.",
            socket="model",
        )
    if model.family != found.family:
        raise MismatchedValues(
            f"This ControlNet changes the weights of a model of {find_family(found.family).title},"
            f" not of {find_family(model.family).title}.",
            where=str(file),
            remedy="Wire in a model of that family, or use another ControlNet.",
            socket="model",
        )
    if model.patches:
        ctx.note(
            "The ControlNet changes the weights of the model as its file has them: what LoRAs and"
            " merges add to those is not in it."
        )
    return net.with_file("base", model.path, model.content)


class Steered(NamedTuple):
    positive: Conditioning
    negative: Conditioning


def check_shares(start: float, end: float) -> None:
    """Raise ParamRange for a range that ends before it begins."""
    if start > end:
        raise ParamRange(
            f"The ControlNet steers from {start:g}, and up to {end:g}, which is before.",
            socket="end",
            remedy="Swap the two.",
        )


@node(
    "core.apply_controlnet",
    title="Apply ControlNet",
    group="Text",
    exact=True,
    check=check_shares,
    aliases=(
        "ControlNetApply",
        "ControlNetApplyAdvanced",
        "ControlNetApplySD3",
        "SetUnionControlNetType",
        "ControlNetInpaintingAliMamaApply",
        "T2I-Adapter",
    ),
)
def apply_controlnet(
    positive: Conditioning,
    controlnet: ControlNet,
    image: Image,
    negative: Conditioning | None = None,
    vae: Vae | None = None,
    mask: Mask | None = None,
    *,
    strength: Annotated[float, Range(0, 10, soft=(0, 2), step=0.05)] = 1.0,
    start: Annotated[Share, Label("From")] = 0.0,
    end: Annotated[Share, Label("To")] = 1.0,
    kind: Annotated[str, Choice(("auto", *KINDS)), Label("Kind of picture")] = "auto",
    ctx: Context,
) -> Steered:
    """Have a picture steer what is painted: its edges, depth, poses or whatever the ControlNet was
    made for. Several of these in a row add up.

    Args:
        image: The picture, already made into edges, depths, ...; it is cut to the proportion of
            what is painted.
        negative: The other prompt, which is then steered alike. Without it, the prompt that the
            sampler is given is.
        vae: The model's VAE, for ControlNets of SD3 and FLUX.
        mask: White where the picture has a hole, for ControlNets that are made for inpainting.
        strength: How strongly it steers; 0 not at all.
        start: From which share of the run on.
        end: Up to which share of the run.
        kind: What the picture shows, for a ControlNet that knows several kinds (union); auto does
            not tell.
    """
    check_shares(start, end)
    found = recognise(Path(controlnet.path), "controlnet").control
    assert found is not None
    check_control(found, positive.family, vae=vae is not None, mask=mask is not None)
    if vae is not None and found.encoded:
        check_autoencoder(vae.family, positive.family)
    if kind != "auto" and number_of(kind, found) is None:
        ctx.note("The kind of the picture says nothing to this ControlNet, which knows one alone.")
    control = Control(
        controlnet,
        image.pixels,
        strength,
        start,
        end,
        kind,
        vae if found.encoded else None,
        None if mask is None else mask.values,
        shared=negative is None,
    )
    others = Conditioning((), positive.family) if negative is None else negative
    return Steered(_with(positive, control), _with(others, control))


def _with(prompt: Conditioning, control: Control) -> Conditioning:
    entries = (replace(entry, controls=(*entry.controls, control)) for entry in prompt.entries)
    return replace(prompt, entries=tuple(entries))
