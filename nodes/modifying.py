"""Nodes that change a model while it samples; its weights stay as they are."""

from __future__ import annotations

from pathlib import Path

from ponystudio.api import (
    A1111Rules,
    Annotated,
    Choice,
    Context,
    Differential,
    File,
    FreeU,
    FreSca,
    Hypernetwork,
    Label,
    Model,
    NormedGuidance,
    PerturbedAttention,
    Predicts,
    Range,
    Rescaled,
    SelfAttention,
    Shift,
    SkipLayers,
    Text,
    node,
)
from ponystudio.diffusion.families import find_family
from ponystudio.diffusion.loading.load import recognise
from ponystudio.errors import MismatchedValues, ParamChoice, ParamRange

ANSWERS = ("eps", "v", "x0", "lcm", "edm", "img_to_img")
COUNTED = ("table", "log", "angle")
# What has fewer ways to count its noise.
COUNTED_BY = {
    **dict.fromkeys(("x0", "lcm", "img_to_img"), ("table",)),
    "edm": ("log",),
    "eps": ("table", "log"),
}
Factor = Range(0, 10, soft=(0, 2), step=0.01)
# Those of a card: its multiprocessors times the threads of each.
THREADS = Range(0, 10_000_000, soft=(0, 300_000), step=256)
FREEU = ("V2", "V1")
PASSES = ("a pass of its own", "the negative prompt")
SKIP_INSTEAD = "Take Skip layers (core.skip_layers) instead."


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


def check_prediction(prediction: str, counted: str, sigma_max: float, sigma_min: float) -> None:
    """Raise ParamChoice for a meaning of the answer without its way of counting noise, ParamRange
    for levels that would rise."""
    if counted not in (ways := COUNTED_BY.get(prediction, COUNTED)):
        raise ParamChoice(
            f"Noise of a model that predicts {prediction} is not counted by {counted}.",
            remedy=f"Let it be counted by {' or '.join(ways)}.",
            socket="counted",
        )
    if counted != "table" and sigma_min >= sigma_max:
        raise ParamRange(
            f"The lowest noise level, {sigma_min:g}, is not below the highest, {sigma_max:g}.",
            remedy="Exchange them.",
            socket="sigma_min",
        )


@node(
    "core.set_prediction",
    title="Set prediction",
    group="Sampling",
    exact=True,
    check=check_prediction,
    aliases=(
        "ModelSamplingDiscrete",
        "ModelSamplingContinuousEDM",
        "ModelSamplingContinuousV",
        "Zero Terminal SNR",
        "Noise Schedule",
    ),
)
def set_prediction(
    model: Model,
    *,
    prediction: Annotated[str, Choice(ANSWERS)] = "eps",
    zero_snr: Annotated[bool, Label("Zero terminal SNR")] = False,
    counted: Annotated[str, Choice(COUNTED), Label("Noise counted by")] = "table",
    sigma_max: Annotated[float, Range(1e-4, 20_000, soft=(1, 200)), Label("Highest")] = 120.0,
    sigma_min: Annotated[float, Range(1e-4, 20_000, soft=(0.001, 1)), Label("Lowest")] = 0.002,
    own_latents: Annotated[bool, Label("Latents of Playground 2.5")] = False,
) -> Model:
    """Say what a model's network answers, where its file does not or is wrong.

    Args:
        prediction: The noise (eps), the velocity (v), the picture (x0), the noise of a latent
            consistency model (lcm), as of Karras et al. 2022 (edm), or the picture of one that it
            is shown without noise (img_to_img), as Lotus makes depth of a picture in one step.
        zero_snr: The noise levels of the training end without signal.
        counted: By the table of the training, or without one: by log, as edm is, or by angle.
        sigma_max: The highest noise level, where no table says it.
        sigma_min: The lowest noise level, where no table says it.
        own_latents: Scale latents as Playground 2.5 does, for its edm.
    """
    check_prediction(prediction, counted, sigma_max, sigma_min)
    if find_family(model.family).prediction == "flow":
        raise MismatchedValues(
            f"{find_family(model.family).title} predicts flow, and nothing else.",
            socket="model",
            remedy="Take this node away; what bends its noise is Flow shift (core.set_shift).",
        )
    said = Predicts(prediction, zero_snr, counted, sigma_max, sigma_min, own_latents)
    return model.with_modifier(said)


def check_levels(sigma_max: float, sigma_min: float) -> None:
    """Raise ParamRange for noise levels that would rise; 0 is the model's own."""
    if sigma_max and sigma_min >= sigma_max:
        raise ParamRange(
            f"The lowest noise level, {sigma_min:g}, is not below the highest, {sigma_max:g}.",
            remedy="Exchange them, or use 0 for the model's own.",
            socket="sigma_min",
        )


@node(
    "core.a1111_rules",
    title="A1111 rules",
    group="Sampling",
    exact=True,
    check=check_levels,
    aliases=(
        "AUTOMATIC1111",
        "ENSD",
        "Eta noise seed delta",
        "Eta",
        "SGM noise multiplier",
        "Discard penultimate sigma",
        "Downcast alphas_cumprod",
        "Zero Terminal SNR",
        "Schedule max sigma",
        "Schedule min sigma",
        "Schedule rho",
    ),
)
def a1111_rules(
    model: Model,
    *,
    eta: Annotated[float, Range(-1, 1, step=0.05)] = -1.0,
    ensd: Annotated[int, Range(-(2**32), 2**32, soft=(0, 31337)), Label("ENSD")] = 0,
    threads: Annotated[int, THREADS, Label("Threads of the card")] = 0,
    all_steps: bool = False,
    discard: Annotated[bool, Label("Discard last but one")] = False,
    scaled_start: Annotated[bool, Label("SGM noise multiplier")] = False,
    quantized: Annotated[bool, Label("Whole time steps")] = False,
    half_alphas: Annotated[bool, Label("Half-precision alphas")] = False,
    zero_snr: Annotated[bool, Label("Zero terminal SNR")] = False,
    sigma_max: Annotated[float, Range(0, 20_000, soft=(0, 20)), Label("Highest")] = 0.0,
    sigma_min: Annotated[float, Range(0, 20_000, soft=(0, 1)), Label("Lowest")] = 0.0,
    rho: Annotated[float, Range(0, 100, soft=(0, 10), step=0.5)] = 0.0,
) -> Model:
    """Sample a model as A1111's web UI does, with the settings that its pictures speak of.

    Where these are as usual, rules in Sample does the same without this node. They hold for all
    nodes that sample the model or make noise levels for it.

    Args:
        eta: How much noise samplers add anew between steps; -1 is their own.
        ensd: Eta noise seed delta: between steps noise is that of the seed and this.
        threads: With noise of NVIDIA, where a picture has more values than the card ran threads:
            that number (help of Noise has some); 0 is a card for any picture.
        all_steps: Take all steps when denoise is below 1, as Hires. fix does; else a share of them.
        discard: Leave the last noise level but one out, with every sampler.
        scaled_start: Begin from the little stronger noise that ComfyUI begins from.
        quantized: Tell the network whole steps of its training, as Forge does.
        half_alphas: Round the noise levels as versions before 1.7 did.
        zero_snr: The noise levels of the training end without signal.
        sigma_max: Where the schedule begins; 0 is the model's highest.
        sigma_min: Its last level before 0; 0 is the model's lowest.
        rho: Of the schedules karras and polyexponential; 0 is their usual 7 and 1.
    """
    check_levels(sigma_max, sigma_min)
    return model.with_modifier(
        A1111Rules(
            all_steps=all_steps,
            scaled_start=scaled_start,
            quantized=quantized,
            half_alphas=half_alphas,
            zero_snr=zero_snr,
            discard=discard,
            sigma_max=sigma_max,
            sigma_min=sigma_min,
            rho=rho,
            eta=eta,
            ensd=ensd,
            threads=threads,
        )
    )


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
    "core.perturb_attention",
    title="Perturbed attention",
    group="Sampling",
    exact=True,
    aliases=("PerturbedAttentionGuidance", "PAG"),
)
def perturb_attention(
    model: Model, *, scale: Annotated[float, Range(0, 100, soft=(0, 10), step=0.1)] = 3.0
) -> Model:
    """Guide away from what the model sees when its middle attends to nothing: firmer structure.

    Each step takes one more pass of the network (Ahn et al. 2024); works without a negative prompt
    too.

    Args:
        scale: How far; 0 changes nothing, beyond 6 pictures begin to burn.
    """
    _check_unet(model, "What is perturbed is the attention in the middle of a UNet", SKIP_INSTEAD)
    return model.with_modifier(PerturbedAttention(scale))


@node(
    "core.blur_attention",
    title="Self-attention guidance",
    group="Sampling",
    exact=True,
    aliases=("SelfAttentionGuidance", "SAG"),
)
def blur_attention(
    model: Model,
    *,
    scale: Annotated[float, Range(-2, 5, soft=(0, 2), step=0.05)] = 0.5,
    blur: Annotated[float, Range(0.01, 10, soft=(0.5, 4), step=0.1)] = 2.0,
) -> Model:
    """Guide away from a picture that is blurred where the model looks most: clearer details.

    Each step takes one more pass of the network (Hong et al. 2023), for the negative prompt.

    Args:
        scale: How far; 0 changes nothing.
        blur: How far it is blurred, in cells of the latent.
    """
    _check_unet(model, "What is watched is the attention in the middle of a UNet", SKIP_INSTEAD)
    return model.with_modifier(SelfAttention(scale, blur))


@node(
    "core.skip_layers",
    title="Skip layers",
    group="Sampling",
    exact=True,
    aliases=(
        "SkipLayerGuidanceDiT",
        "SkipLayerGuidanceSD3",
        "SkipLayerGuidanceDiTSimple",
        "SLG",
    ),
)
def skip_layers(
    model: Model,
    *,
    double: Annotated[str, Text(), Label("Double layers")] = "7, 8, 9",
    single: Annotated[str, Text(), Label("Single layers")] = "7, 8, 9",
    scale: Annotated[float, Range(0, 10, soft=(0, 5), step=0.1)] = 3.0,
    start: Annotated[float, Range(0, 1, step=0.01)] = 0.01,
    end: Annotated[float, Range(0, 1, step=0.01)] = 0.15,
    rescale: Annotated[float, Range(0, 1, step=0.05)] = 0.0,
    passes: Annotated[str, Choice(PASSES), Label("Skipped by")] = PASSES[0],
) -> Model:
    """Guide away from what a transformer sees without some of its layers: better anatomy.

    For Stable Diffusion 3, FLUX and AuraFlow; layers that a model does not have are passed over.

    Args:
        double: Numbers, from 0, of layers with streams of text and picture; those of Stable
            Diffusion 3 are all such.
        single: Numbers of layers over both at once, which FLUX and AuraFlow have.
        scale: How far; 3 suits Stable Diffusion 3.5 medium.
        start: From which share of the run.
        end: To which share of the run.
        rescale: How much of the result takes the spread of the positive prompt's.
        passes: A pass of its own, or the negative prompt's, which costs nothing more; then scale
            and rescale have no effect.
    """
    family = find_family(model.family)
    if family.architecture == "unet":
        raise MismatchedValues(
            f"{family.title} is no transformer: it has no such layers.",
            socket="model",
            remedy="Take Perturbed attention (core.perturb_attention) instead.",
        )
    if start >= end:
        raise ParamRange(
            f"The layers would be skipped from {start:g} to {end:g} of the run, which is never.",
            socket="start",
            remedy="Let start be smaller than end.",
        )
    numbers = (_numbers(double, "double"), _numbers(single, "single"))
    return model.with_modifier(
        SkipLayers(*numbers, scale, start, end, rescale, negative=passes == PASSES[1])
    )


def _numbers(text: str, socket: str) -> tuple[int, ...]:
    """Whole numbers with commas or blanks between them."""
    words = text.replace(",", " ").split()
    if not all(word.isascii() and word.isdigit() for word in words):
        raise ParamChoice(
            f"{text!r} is no list of layers.",
            socket=socket,
            remedy="Write whole numbers with commas between them: 7, 8, 9.",
        )
    return tuple(sorted({int(word) for word in words}))


@node(
    "core.fresca",
    title="Scale guidance by frequency",
    group="Sampling",
    exact=True,
    aliases=("FreSca",),
)
def fresca(
    model: Model,
    *,
    low: Annotated[float, Factor] = 1.0,
    high: Annotated[float, Factor] = 1.25,
    cutoff: Annotated[int, Range(1, 10_000, soft=(1, 64))] = 20,
) -> Model:
    """Let guidance act on what is fine in a picture otherwise than on its large shapes.

    Args:
        low: Times the slow changes across the picture.
        high: Times all others; above 1 there is more detail.
        cutoff: How many steps from the slowest of all count as slow, on each axis.
    """
    return model.with_modifier(FreSca(low, high, cutoff))


@node(
    "core.norm_guidance",
    title="Bounded guidance",
    group="Sampling",
    exact=True,
    aliases=("CFGNorm",),
)
def norm_guidance(
    model: Model, *, strength: Annotated[float, Range(0, 100, soft=(0, 2), step=0.01)] = 1.0
) -> Model:
    """Keep what guidance gives from being stronger, at any place, than the positive prompt's own.

    Args:
        strength: Times the result; 1 but for experiments.
    """
    return model.with_modifier(NormedGuidance(strength))


@node(
    "core.differential",
    title="Differential diffusion",
    group="Sampling",
    exact=True,
    aliases=("DifferentialDiffusion",),
)
def differential(model: Model) -> Model:
    """Read grey in a latent's mask as how much may change: dark places are let go of late.

    Without it a grey mask blends at every step. White places are painted during the whole run,
    those of 30 % only during its last 30 % (Levin & Fried 2023).
    """
    return model.with_modifier(Differential())


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


def _check_unet(model: Model, why: str, instead: str = "") -> None:
    """Raise MismatchedValues for a model without a UNet; `instead`: what there is for those."""
    family = find_family(model.family)
    if family.architecture != "unet":
        raise MismatchedValues(
            f"{why}, and {family.title} has none.",
            socket="model",
            remedy=instead or "Take this node away; it is for Stable Diffusion 1 and 2, and SDXL.",
        )
