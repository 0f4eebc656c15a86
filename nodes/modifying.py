"""Nodes that change a model while it samples; its weights stay as they are."""

from __future__ import annotations

from pathlib import Path

from ponystudio.api import (
    Annotated,
    Choice,
    Context,
    File,
    FreeU,
    Hypernetwork,
    Label,
    Model,
    Range,
    Rescaled,
    Shift,
    node,
)
from ponystudio.diffusion.families import find_family
from ponystudio.diffusion.loading.load import recognise
from ponystudio.errors import MismatchedValues

Factor = Range(0, 10, soft=(0, 2), step=0.01)
FREEU = ("V2", "V1")


@node(
    "core.set_shift",
    title="Flow shift",
    group="Sampling",
    exact=True,
    aliases=("ModelSamplingSD3", "ModelSamplingAuraFlow", "ModelSamplingFlux"),
)
def set_shift(
    model: Model, *, shift: Annotated[float, Range(0.01, 100, soft=(0.5, 8), step=0.05)] = 1.73
) -> Model:
    """Change how much of a run a flow model spends at high noise; more suits larger pictures.

    Args:
        shift: 1 is even; AuraFlow's own is 1.73, that of Stable Diffusion 3 is 3.
    """
    return model.with_modifier(Shift(shift))


@node(
    "core.rescale_guidance",
    title="Rescale guidance",
    group="Sampling",
    exact=True,
    aliases=("RescaleCFG", "CFG Rescale"),
)
def rescale_guidance(
    model: Model, *, amount: Annotated[float, Range(0, 1, step=0.05)] = 0.7
) -> Model:
    """Keep strong guidance from burning pictures out, wherever the model is sampled.

    The guided velocity gets the spread that the positive prompt's alone has (Lin et al. 2023). A
    node that samples and says an amount of its own does as that says.

    Args:
        amount: How much of it; 0.7 suits models without terminal SNR, 0 changes nothing.
    """
    return model.with_modifier(Rescaled(amount))


@node("core.freeu", title="FreeU", group="Sampling", exact=True, aliases=("FreeU_V2",))
def freeu(
    model: Model,
    *,
    version: Annotated[str, Choice(FREEU)] = "V2",
    b1: Annotated[float, Factor, Label("Backbone, deep")] = 1.3,
    b2: Annotated[float, Factor, Label("Backbone, middle")] = 1.4,
    s1: Annotated[float, Factor, Label("Skips, deep")] = 0.9,
    s2: Annotated[float, Factor, Label("Skips, middle")] = 0.2,
) -> Model:
    """Shift a UNet's balance from its skips to its backbone: calmer, fuller pictures for nothing.

    In the decoder, where the hidden channels are four (deep) or two times (middle) the narrowest,
    half of them are multiplied, and so are the lowest frequencies of the skip (Si et al. 2023).

    Args:
        version: V2 lets the factor follow the channels' mean at each place; V1 has it everywhere.
        b1: 1.3 in V2 and 1.1 in V1 are usual, for SDXL less.
        b2: 1.4 in V2 and 1.2 in V1 are usual.
        s1: 1 leaves the skips as they are.
        s2: 1 leaves the skips as they are.
    """
    _check_unet(model, "FreeU acts on the skips of a UNet")
    return model.with_modifier(FreeU(b1, b2, s1, s2, adaptive=version == "V2"))


@node(
    "core.apply_hypernetwork",
    title="Apply hypernetwork",
    group="Models",
    aliases=("HypernetworkLoader",),
)
def apply_hypernetwork(
    model: Model,
    *,
    file: Annotated[Path, File("hypernetworks")] = Path(),
    strength: Annotated[float, Range(-10, 10, soft=(0, 2), step=0.05)] = 1.0,
    ctx: Context,
) -> Model:
    """Let small networks change what a model's attention reads, as A1111's `<hypernet:name:1>`.

    Several of them act one after the other. Their files are pickles; nothing in them is run.

    Args:
        file: The hypernetwork, by its name in the model folders.
        strength: Of its effect; 0 leaves the model as it is.
    """
    _check_unet(model, "Hypernetworks are made for UNets")
    info = recognise(file, "hypernetworks")
    if info.family and info.family != model.family:
        raise MismatchedValues(
            f"The hypernetwork is made for {find_family(info.family).title}, the model is"
            f" {find_family(model.family).title}.",
            socket="file",
            remedy="Choose one that was trained for the model's family.",
        )
    if not strength:
        return model
    return model.with_modifier(Hypernetwork(str(file), ctx.models.content(file), strength))


def _check_unet(model: Model, why: str) -> None:
    """Raise MismatchedValues for a model without a UNet."""
    family = find_family(model.family)
    if family.architecture != "unet":
        raise MismatchedValues(
            f"{why}, and {family.title} has none.",
            socket="model",
            remedy="Take this node away; it is for Stable Diffusion 1 and 2, and SDXL.",
        )
