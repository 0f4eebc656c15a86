"""Whether what a node is given was made for models of one family, and goes together.

Torch-free.
"""

from __future__ import annotations

from ponystudio.diffusion.families import Family, find_family
from ponystudio.diffusion.sampling.names import LET_FALL, find_sampler
from ponystudio.errors import MismatchedValues, ParamChoice, ParamRange
from ponystudio.library.recognition.control_signatures import ControlSignature


def check_prompt(model: str, prompt: str, socket: str) -> None:
    """Raise MismatchedValues where a prompt is of another family than the model."""
    ours = find_family(model)
    if prompt != ours.name:
        raise MismatchedValues(
            f"The prompt is made for {find_family(prompt).title}, the model is {ours.title}.",
            remedy="Make the prompt with the text encoder of this model's checkpoint.",
            socket=socket,
        )


def check_adapter(noun: str, adapter: str, prompt: str, socket: str) -> None:
    """Raise MismatchedValues where what is added to a prompt, called `noun`, is of another family;
    one of "" is of no known one."""
    if adapter and adapter != prompt:
        ours = find_family(adapter).title
        raise MismatchedValues(
            f"The {noun} is for {ours}, the prompt for {find_family(prompt).title}.",
            remedy=f"Use it with a prompt and a model of {ours}.",
            socket=socket,
        )


def check_kin(model: str, other: str, socket: str) -> None:
    """Raise MismatchedValues for two models of two families, where a node takes both."""
    if model != other:
        raise MismatchedValues(
            f"One model is of {find_family(model).title}, the other of {find_family(other).title}.",
            remedy="Use two of one family.",
            socket=socket,
        )


def check_text_encoder(model: str, clip: str) -> None:
    """Raise MismatchedValues where a text encoder is of another family than the model."""
    if clip and model and clip != model:
        raise MismatchedValues(
            f"The model is of {find_family(model).title}, the text encoder of"
            f" {find_family(clip).title}.",
            remedy="Take both from one checkpoint, or from files of one family.",
            socket="clip",
        )


# Image encoders by how wide what is read of them is.
ENCODERS = {
    768: "CLIP ViT-L/14",
    1024: "CLIP ViT-H",
    1152: "SigLIP (384 pixels)",
    1280: "CLIP ViT-bigG",
}


def check_seen(reader: str, reads: int, gives: int, socket: str) -> None:
    """Raise MismatchedValues where what reads the features of a picture, called `reader`, reads
    more or fewer of them than the image encoder gives."""
    if reads != gives:
        known = f": {ENCODERS[reads]}" if reads in ENCODERS else ""
        raise MismatchedValues(
            f"The {reader} reads {reads} features of a picture, and the image encoder gives"
            f" {gives}.",
            remedy="Choose the one that it was made with in Load image encoder"
            f" (core.load_vision){known}.",
            socket=socket,
        )


def check_latent(model: str, latent: str) -> None:
    """Raise MismatchedValues for a latent of another family's; "" is anybody's."""
    ours = find_family(model)
    if latent and not ours.shares_latents(latent):
        raise MismatchedValues(
            f"The latent is made for {find_family(latent).title}, the model is {ours.title}.",
            remedy="Make the latent with a VAE of the model's family.",
            socket="latent",
        )


def check_control(control: ControlSignature, prompt: str, *, vae: bool, mask: bool) -> None:
    """Raise MismatchedValues where what steers is not for models of the prompt's family, or is not
    given what it reads."""
    family = find_family(prompt)
    # Those of SD1 have the widths of SD2 too, and their files do not tell which they are for.
    known = ("sd1", "sd2") if control.kind == "adapter" and control.family == "sd1" else ()
    if prompt not in (control.family, *known):
        raise MismatchedValues(
            f"The ControlNet is made for {find_family(control.family).title}, the prompt for"
            f" {family.title}.",
            remedy="Use a ControlNet for models of the prompt's family.",
            socket="controlnet",
        )
    if control.encoded and not vae:
        raise MismatchedValues(
            f"A ControlNet of {family.title} reads the latent of its picture.",
            remedy="Wire the model's VAE in too.",
            socket="vae",
        )
    if mask and not control.takes_mask:
        raise MismatchedValues(
            "This ControlNet knows no holes in its picture.",
            remedy="Take the mask away, or use one that is made for inpainting.",
            socket="mask",
        )
    if control.encoded and control.takes_mask and not mask:
        raise MismatchedValues(
            "This ControlNet is made for inpainting: it reads where the hole is.",
            remedy="Wire in a mask, white where the picture is to be painted anew.",
            socket="mask",
        )


def check_autoencoder(vae: str, latent: str) -> None:
    """Raise MismatchedValues for a latent that a VAE does not know; "" is anybody's."""
    if vae and latent and not find_family(vae).shares_latents(latent):
        raise MismatchedValues(
            f"The latent is of {find_family(latent).title}, the VAE of"
            f" {find_family(vae).title}: it would show nothing but noise.",
            remedy="Decode it with the VAE of its own model.",
            socket="vae",
        )


def check_latents(one: str, other: str, socket: str) -> None:
    """Raise MismatchedValues for two latents that do not mean the same; "" is anybody's."""
    if one and other and not find_family(one).shares_latents(other):
        raise MismatchedValues(
            f"One latent is of {find_family(one).title}, the other of {find_family(other).title}:"
            " together they would be nothing but noise.",
            remedy="Make both with the VAE of the same model.",
            socket=socket,
        )


def check_method(family: str, sampler: str, scheduler: str) -> None:
    """Raise ParamChoice for what does not serve any model of a family; "" is not chosen."""
    ours = find_family(family)
    if sampler and not find_sampler(sampler).flow and ours.prediction == "flow":
        raise no_flow(sampler, ours)
    if scheduler == "align_your_steps" and not ours.aligned:
        raise nobody_aligned(ours.title)


def check_rising(sampler: str) -> None:
    """Raise ParamRange for a sampler that cannot follow noise levels that rise."""
    if not find_sampler(sampler).reverses:
        raise ParamRange(
            f"The noise levels rise, and {sampler} only follows those that fall.",
            remedy=LET_FALL,
            socket="sigmas",
        )


def no_flow(sampler: str, family: Family) -> ParamChoice:
    """That a sampler serves no flow model."""
    return ParamChoice(
        f"The sampler {sampler} does not work with {family.title}.",
        remedy="Choose euler, for example.",
        socket="sampler",
    )


def nobody_aligned(models: str) -> ParamChoice:
    """That the schedule align_your_steps is not for these."""
    return ParamChoice(
        f"Nobody has aligned steps for {models}.",
        remedy="Choose another scheduler: auto is the model's own.",
        socket="scheduler",
    )
