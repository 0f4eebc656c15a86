"""One sampling run: from a latent, noise and two prompts to a latent."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from types import MappingProxyType
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import interpolate

from ponystudio.api import Conditioning, Differential, Latent, Models, Recipe, Shift
from ponystudio.api.modifiers import find
from ponystudio.diffusion.families import Family, find_family
from ponystudio.diffusion.sampling import noise as noises
from ponystudio.diffusion.sampling import parameterisation, unclip
from ponystudio.diffusion.sampling.composition import (
    DenoiserProtocol,
    check_areas,
    mask_of_latent,
)
from ponystudio.diffusion.sampling.fitting import check_latent, check_prompt
from ponystudio.diffusion.sampling.guidance import (
    Guided,
    GuidedProtocol,
    Masked,
    classifier_free,
)
from ponystudio.diffusion.sampling.modified_guidance import with_modifiers
from ponystudio.diffusion.sampling.names import (
    DDIM_ENDS,
    NOISES,
    SAMPLERS,
    SCHEDULES,
    find_sampler,
    supports,
)
from ponystudio.diffusion.sampling.samplers import Process, samplers
from ponystudio.diffusion.sampling.schedules import sigmas as sigmas_of
from ponystudio.errors import (
    FloatOverflow,
    MismatchedValues,
    NotANumber,
    ParamChoice,
    ParamRange,
    UnsupportedModel,
)

# Called after each step with its number from 1, the number of steps, and D(x, σ) in VAE units.
OnStep = Callable[[int, int, Tensor], None]


@torch.no_grad()
def sample(
    denoiser: DenoiserProtocol,
    positive: Conditioning,
    negative: Conditioning,
    values: Tensor,
    *,
    seed: int,
    steps: int,
    cfg: float,
    sampler: str,
    scheduler: str,
    denoise: float = 1.0,
    mask: Tensor | None = None,
    shown: Tensor | None = None,
    noise: str = "cpu",
    ddim_end: str = "zero",
    batch_index: Sequence[int] | None = None,
    networks: Mapping[Recipe, Any] = MappingProxyType({}),
    rows: int | None = None,
    on_step: OnStep | None = None,
) -> Tensor:
    """Denoise latents, guided by two prompts; the same arguments give the same result.

    `values` [B,C,h,w] and the result are in VAE units; the result is float32 on the denoiser's
    device, where all arithmetic on latents outside the network is float32 too. `seed` is taken
    modulo 2⁶⁴. `denoise` in 0..1 is the share of the schedule that is run; 0 returns `values`.
    `mask` [1 or B,1,H,W] in 0..1 repaints only where it is 1. `shown` is the latent of the picture
    with a hole at the mask, which models for inpainting are shown. `scheduler`, `noise`, `ddim_end`
    are of names.SCHEDULES, NOISES, DDIM_ENDS; `batch_index` is that of noise.first, `networks` and
    `rows` those of composition.Composition. Whatever `on_step` raises ends the run.

    Raises ParamChoice and ParamRange for arguments outside these, MismatchedValues for prompts,
    masks or latents that do not fit each other or the model, UnsupportedModel for a model that
    wants more than a latent, NotANumber when the network overflows.
    """
    _check_choices(denoiser, steps, sampler, scheduler, noise, ddim_end)
    values = _fitted(denoiser, values)
    _check_channels(denoiser, values, mask, shown)
    _check_size(denoiser.family, denoiser.largest, values)
    space = parameterisation.of(denoiser, values.shape[-2] * values.shape[-1])
    schedule = denoiser.family.schedule if scheduler == "auto" else scheduler
    sigmas = sigmas_of(space, schedule, steps, sampler=sampler, denoise=denoise)
    values = values.to(denoiser.device, torch.float32)
    if len(sigmas) < 2:
        return values
    if sampler == "ddim" and ddim_end == "alpha0":
        sigmas = torch.cat([sigmas[:-1], space.sigma_min[None]])

    latent = _to_sampler(denoiser, values)
    first = noises.first(values.shape, seed, batch_index=batch_index).to(values.device)
    height, width = (side * denoiser.family.downscale for side in values.shape[-2:])
    spec = find_sampler(sampler)
    D: GuidedProtocol = Guided(
        denoiser,
        space,
        with_modifiers(
            classifier_free(positive, negative, cfg, both=spec.unguided), denoiser.modifiers
        ),
        shape=values.shape,
        sizes=(height, width, 0, 0, height, width),
        seed=seed,
        networks=networks,
        rows=rows,
        beside=_beside(denoiser, mask, shown, latent),
    )
    if mask is not None:
        # DDIM paints around noise of its own, as the peers do; the others around the first.
        around = noises.first(values.shape, seed + 1) if sampler == "ddim" else first
        last = torch.maximum(sigmas[-1], space.sigma_min)
        D = Masked(
            D,
            space,
            mask_of_latent(mask.to(latent), latent.shape),
            latent,
            around.to(values.device),
            (sigmas[0], last) if find(denoiser.modifiers, Differential) else None,
        )
    between = (
        noises.brownian(latent, seed, sigmas, source="gpu" if spec.gpu else "cpu")
        if spec.brownian
        else noises.between(latent, seed, source=noise)
    )

    total = len(sigmas) - 1
    process = Process(D, space, between, D.both)
    run = samplers()[sampler](process, space.start(latent, first, sigmas[0]), sigmas)
    for step, (x, denoised) in enumerate(run, 1):
        # Waiting for the device here also keeps progress and cancel honest on GPUs.
        if not torch.isfinite(x).all():
            raise (FloatOverflow if denoiser.dtype == torch.float16 else NotANumber)(
                f"The model gave values that are no numbers at step {step} of {total}.",
                remedy="Choose the dtype bf16 or fp32, or try another model file.",
            )
        if on_step is not None:
            on_step(step, total, _from_sampler(denoiser, denoised))
    return _from_sampler(denoiser, space.finish(x, sigmas[-1]))


def _check_choices(
    denoiser: DenoiserProtocol, steps: int, sampler: str, scheduler: str, noise: str, ddim_end: str
) -> None:
    for socket, value, choices in (
        ("sampler", sampler, SAMPLERS),
        ("scheduler", scheduler, SCHEDULES),
        ("noise", noise, NOISES),
        ("ddim_end", ddim_end, DDIM_ENDS),
    ):
        if value not in choices:
            raise ParamChoice(
                f"There is no {value!r} to choose.",
                remedy=f"Choose one of: {', '.join(choices)}.",
                socket=socket,
            )
    if not supports(sampler, denoiser.prediction):
        raise ParamChoice(
            f"The sampler {sampler} does not work with {denoiser.family.title}.",
            remedy="Choose euler, for example.",
            socket="sampler",
        )
    if steps < 1:
        raise ParamRange(
            f"{steps} steps make no picture.", remedy="Use at least 1.", socket="steps"
        )


def _fitted(denoiser: DenoiserProtocol, values: Tensor) -> Tensor:
    """A latent of zeros is an empty one, and has as many channels as it takes."""
    channels = denoiser.family.latent_channels
    if values.shape[1] == channels or values.any():
        return values
    return values[:, :1].expand(-1, channels, -1, -1)


def check_inputs(
    family: str, positive: Conditioning, negative: Conditioning, latent: Latent, largest: int
) -> None:
    """Raise MismatchedValues for what is made for other models than those of `family`, or larger
    than the `largest` picture, in pixels a side, that the model knows (0: no limit)."""
    ours = find_family(family)
    cells = latent.values.shape[-2], latent.values.shape[-1]
    for socket, prompt in (("positive", positive), ("negative", negative)):
        check_prompt(family, prompt.family, socket)
        check_areas(prompt.entries, cells, ours.downscale, socket)
    check_latent(family, latent.family)
    _check_size(ours, largest // ours.downscale, latent.values)


def guidance_notes(family: str, cfg: float) -> Iterator[str]:
    """What there is to say of this guidance before a model of the family is opened."""
    ours = find_family(family)
    if ours.guidance and cfg != 1:
        yield (
            f"{ours.title} was made for guidance 1: other values take twice as long, and are for"
            " models that were trained further."
        )


def ignored_inputs(denoiser: DenoiserProtocol, prompts: Iterable[Conditioning]) -> Iterator[str]:
    """What a denoiser is given that it was not made for, one plain sentence each."""
    family = denoiser.family
    if find(denoiser.modifiers, Shift) and denoiser.prediction != "flow":
        yield f"A flow shift means nothing to {family.title}."
    if not denoiser.guided and any(
        entry.guidance is not None for prompt in prompts for entry in prompt.entries
    ):
        yield f"The guidance of FLUX dev means nothing to this model of {family.title}."
    if not unclip.reads_pictures(denoiser) and any(
        entry.unclip for prompt in prompts for entry in prompt.entries
    ):
        yield (
            f"What is seen in a picture means nothing to this model of {family.title}: it is for"
            " unCLIP models, and SDXL."
        )


@contextmanager
def opened(
    models: Models, prompts: Iterable[Conditioning], *, precise: bool = False
) -> Iterator[dict[Recipe, Any]]:
    """The networks that prompts name beside the denoiser, open; `precise` as of Models.open."""
    named = {recipe for prompt in prompts for entry in prompt.entries for recipe in entry.recipes}
    with ExitStack() as stack:
        yield {
            recipe: stack.enter_context(models.open(recipe, precise=precise)) for recipe in named
        }


def with_wider_numbers(attempt: Callable[[bool], Tensor], note: Callable[[str], None]) -> Tensor:
    """What `attempt(False)` gives; `attempt(True)`, in a dtype that does not overflow, where that
    of the first did. `note` is told why it was begun again."""
    try:
        return attempt(False)
    except FloatOverflow as error:
        note(f"{error.what} It was begun again in numbers that do not overflow.")
    return attempt(True)


def _check_size(family: Family, largest: int, values: Tensor) -> None:
    """Raise MismatchedValues for a latent [B,C,h,w] with a side of more than `largest` cells."""
    height, width = (side * family.downscale for side in values.shape[-2:])
    if largest and max(values.shape[-2:]) > largest:
        raise MismatchedValues(
            f"This model knows no pictures larger than {largest * family.downscale} pixels a side,"
            f" and this one is {width} × {height}.",
            remedy="Make the picture smaller, and enlarge the result with Upscale image.",
            socket="latent",
        )


def _check_channels(
    denoiser: DenoiserProtocol, values: Tensor, mask: Tensor | None, shown: Tensor | None
) -> None:
    family = denoiser.family
    if values.shape[1] != family.latent_channels:
        raise MismatchedValues(
            f"The latent has {values.shape[1]} channels, {family.title} works on"
            f" {family.latent_channels}.",
            remedy="Make the latent with a VAE of the model's family.",
        )
    if denoiser.in_channels == family.latent_channels:
        return
    if denoiser.in_channels != 2 * family.latent_channels + 1:
        raise UnsupportedModel(
            f"The model wants {denoiser.in_channels} channels: it is made to change pictures that"
            " it is shown, which is not possible yet.",
            remedy="Use an ordinary model, with a masked latent to repaint.",
        )
    if mask is None or shown is None:
        raise MismatchedValues(
            "The model is made for inpainting, and the latent does not show it a picture and a"
            " hole.",
            remedy="Make the latent with Encode for inpainting (core.encode_for_inpainting).",
            socket="latent",
        )


def _beside(
    denoiser: DenoiserProtocol, mask: Tensor | None, shown: Tensor | None, latent: Tensor
) -> Tensor | None:
    """What stands beside x for a model for inpainting: the mask, then the picture with the hole."""
    if denoiser.in_channels == denoiser.family.latent_channels or mask is None or shown is None:
        return None
    holes = interpolate(mask.to(latent), size=latent.shape[-2:], mode="nearest").round()
    picture = _to_sampler(denoiser, shown.to(latent))
    return torch.cat([x.expand(len(latent), -1, -1, -1) for x in (holes, picture)], dim=1)


def _to_sampler(denoiser: DenoiserProtocol, values: Tensor) -> Tensor:
    """From VAE units. A latent of zeros is an empty one, not a grey picture: it stays as it is."""
    family = denoiser.family
    return (values - family.shift) * family.scaling_factor if values.any() else values


def _from_sampler(denoiser: DenoiserProtocol, x: Tensor) -> Tensor:
    family = denoiser.family
    return x / family.scaling_factor + family.shift
