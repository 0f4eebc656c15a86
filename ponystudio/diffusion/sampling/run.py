"""One sampling run: from a latent, noise and prompts along noise levels to a latent.

`walk` takes the parts; `levels` and `guidance_of` make some of them; `sample` puts together what is
mostly wanted.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from functools import partial
from types import MappingProxyType
from typing import Any, NamedTuple

import torch
from torch import Tensor

from ponystudio.api import (
    A1111Rules,
    Conditioning,
    Differential,
    Guider,
    Latent,
    Models,
    Noise,
    Predicts,
    Recipe,
    Sampler,
    SelfAttention,
    Shift,
    SkipLayers,
)
from ponystudio.api.modifiers import find
from ponystudio.diffusion.families import Family, find_family
from ponystudio.diffusion.noise import draws
from ponystudio.diffusion.noise.run_noise import BatchNoise, PictureNoise, RunNoise
from ponystudio.diffusion.sampling import a1111_rules, parameterisation, unclip
from ponystudio.diffusion.sampling.composition import (
    DenoiserProtocol,
    check_areas,
    mask_of_latent,
)
from ponystudio.diffusion.sampling.fitting import check_latent, check_prompt, no_flow
from ponystudio.diffusion.sampling.guidance import (
    Guidance,
    Guided,
    GuidedProtocol,
    Masked,
    MaskedAfter,
    MaskedBefore,
    classifier_free,
    dual,
    one,
    perpendicular,
)
from ponystudio.diffusion.sampling.modified_guidance import skipped_blocks, with_modifiers
from ponystudio.diffusion.sampling.names import (
    DDIM_ENDS,
    NOISES,
    SCHEDULES,
    find_sampler,
)
from ponystudio.diffusion.sampling.parameterisation import Parameterisation, Predictor
from ponystudio.diffusion.sampling.samplers import Process, samplers
from ponystudio.diffusion.sampling.schedules import checked
from ponystudio.diffusion.sampling.schedules import sigmas as sigmas_of
from ponystudio.diffusion.sampling.shown_latents import by_default
from ponystudio.errors import (
    FloatOverflow,
    MismatchedValues,
    NotANumber,
    ParamChoice,
    ParamRange,
)

# Called after each step with its number from 1, the number of steps, and D(x, σ) in VAE units.
OnStep = Callable[[int, int, Tensor], None]


class Sampled(NamedTuple):
    """What a run ends with, and the last D(x, σ) on the way; latents [B,C,h,w] in VAE units."""

    values: Tensor
    denoised: Tensor


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

    `cfg` is that of guidance.classifier_free, `denoise` in 0..1 the share of the schedule that is
    run; 0 returns `values`. `scheduler`, `noise`, `ddim_end` are of names.SCHEDULES, NOISES,
    DDIM_ENDS. The rest is that of `walk`.

    Raises ParamChoice and ParamRange for arguments outside these, and what `walk` raises.
    """
    method = Sampler(sampler, (("end", ddim_end),) if sampler == "ddim" else ())
    _check_choice("ddim_end", ddim_end, DDIM_ENDS)
    return walk(
        denoiser,
        classifier_free(positive, negative, cfg, both=find_sampler(sampler).unguided),
        values,
        levels(denoiser, values, scheduler, steps, sampler=sampler, denoise=denoise),
        sampler=method,
        noise=Noise(seed, noise),
        mask=mask,
        shown=shown,
        batch_index=batch_index,
        networks=networks,
        rows=rows,
        on_step=on_step,
    ).values


def levels(
    denoiser: Predictor,
    values: Tensor,
    scheduler: str,
    steps: int,
    *,
    sampler: str = "",
    denoise: float = 1.0,
    whole: bool = False,
) -> Tensor:
    """The noise levels of `schedules.sigmas`, or for a model with A1111's rules those of
    `a1111_rules.levels`, for a latent [B,C,h,w].

    `scheduler` is of names.SCHEDULES; "auto" is the model's own. `sampler`: where it is named, its
    schedule may lack a level, as in ComfyUI and A1111. `whole`: those of a run from noise, whatever
    is in the latent. Raises ParamChoice and ParamRange.
    """
    if sampler:
        _check_sampler(denoiser, sampler)
    _check_choice("scheduler", scheduler, SCHEDULES)
    if steps < 1:
        raise ParamRange(
            f"{steps} steps make no picture.", remedy="Use at least 1.", socket="steps"
        )
    space = parameterisation.of(denoiser, values.shape[-2] * values.shape[-1])
    if rules := find(denoiser.modifiers, A1111Rules):
        return a1111_rules.levels(
            space,
            denoiser.family,
            scheduler,
            steps,
            rules=rules,
            sampler=sampler,
            denoise=denoise,
            empty=whole or not values.any(),
        )
    schedule = denoiser.family.schedule if scheduler == "auto" else scheduler
    return sigmas_of(space, schedule, steps, sampler=sampler, denoise=denoise)


def guidance_of(guider: Guider, sampler: str) -> Guidance:
    """How a guider's prompts make one D(x, σ), for a sampler that may want one of them besides."""
    positive, middle, negative = guider.positive, guider.middle, guider.negative
    if guider.rule == "cfg" and negative:
        both = find_sampler(sampler).unguided
        both = both or find(guider.model.modifiers, SelfAttention) is not None
        return classifier_free(positive, negative, guider.cfg, both=both)
    if guider.rule in ("dual", "nested") and middle and negative:
        nested = guider.rule == "nested"
        return dual(positive, middle, negative, guider.cfg, guider.cfg_middle, nested=nested)
    if guider.rule == "perpendicular" and middle and negative:
        return perpendicular(positive, negative, middle, guider.cfg, guider.cfg_middle)
    return one(positive)


@torch.no_grad()
def walk(
    denoiser: DenoiserProtocol,
    guidance: Guidance,
    values: Tensor,
    sigmas: Tensor,
    *,
    sampler: Sampler,
    noise: Noise,
    mask: Tensor | None = None,
    shown: Tensor | None = None,
    batch_index: Sequence[int] | None = None,
    networks: Mapping[Recipe, Any] = MappingProxyType({}),
    rows: int | None = None,
    on_step: OnStep | None = None,
) -> Sampled:
    """Take latents along noise levels; the same arguments give the same result.

    `values` [B,C,h,w] and the result are in VAE units; the result is float32 on the denoiser's
    device, where all arithmetic on latents outside the network is float32 too. `sigmas` are of
    float64 on the CPU; with fewer than two `values` come back. Where they end above 0, so does the
    result: its noise is in it. `mask` [1 or B,1,H,W] in 0..1 repaints only where it is 1. `shown`
    is the latent of the picture with a hole at the mask, which models for inpainting are shown.
    `batch_index` is that of draws.first, `networks` and `rows` those of composition.Composition.
    Whatever `on_step` raises ends the run.

    Raises ParamChoice for a sampler, or source of noise, that is not there or does not serve the
    model, ParamRange for noise levels that it cannot follow, MismatchedValues for prompts, masks or
    latents that do not fit each other or the model, UnsupportedModel for a model that wants more
    than a latent, NotANumber when the network overflows.
    """
    _check_sampler(denoiser, sampler.name)
    _check_choice("noise", noise.source, NOISES)
    rules = find(denoiser.modifiers, A1111Rules)
    spec, options = find_sampler(sampler.name), dict(sampler.options)
    sigmas = checked(sigmas, rising=spec.reverses)
    values = _fitted(denoiser, values)
    _check_channels(denoiser, values)
    _check_size(denoiser.family, denoiser.largest, values)
    if batch_index is not None and len(batch_index) != len(values):
        raise MismatchedValues(
            f"The latent has {len(values)} pictures, and says which noise of a batch begins"
            f" {len(batch_index)}.",
            remedy="Take pictures out of a batch with Pick from batch (core.pick_batch).",
            socket="latent",
        )
    space = parameterisation.of(denoiser, values.shape[-2] * values.shape[-1])
    values = values.to(denoiser.device, torch.float32)
    if len(sigmas) < 2:
        return Sampled(values, values)
    finish = space.left
    if options.pop("end", DDIM_ENDS[0]) == "alpha0" and sigmas[-1] == 0:
        sigmas, finish = torch.cat([sigmas[:-1], space.sigma_min[None]]), space.finish

    latent = _to_sampler(denoiser, values)
    downscale = denoiser.family.downscale
    drawn: RunNoise
    if rules is None:
        drawn = BatchNoise(noise, values, downscale, batch_index)
        x = space.start(latent, drawn.first, sigmas[0])
    else:
        drawn = PictureNoise(noise, values, downscale, batch_index, rules)
        x = (
            latent
            if noise.off
            else a1111_rules.start(space, rules, sampler.name, latent, drawn.first, sigmas)
        )
        finish = partial(a1111_rules.finish, space, sampler.name)
        eta = a1111_rules.own_eta(rules, sampler.name)
        if eta is not None and "eta" in spec.options:
            options.setdefault("eta", eta)
    height, width = (side * downscale for side in values.shape[-2:])
    D: GuidedProtocol = Guided(
        denoiser,
        space,
        with_modifiers(guidance, denoiser.modifiers),
        shape=values.shape,
        sizes=(height, width, 0, 0, height, width),
        seed=noise.seed,
        networks=networks,
        rows=rows,
        shown=by_default(denoiser, values, mask, shown),
    )
    cells = None if mask is None else mask_of_latent(mask.to(latent), latent.shape)
    if cells is not None:
        # DDIM paints around noise of its own, as ComfyUI does; the others around the first.
        own = sampler.name == "ddim" and rules is None
        around = draws.first(values.shape, noise.seed + 1).to(latent) if own else drawn.first
        last = torch.maximum(sigmas[-1], space.sigma_min)
        span = (sigmas[0], last) if find(denoiser.modifiers, Differential) else None
        D = _masked(rules, sampler.name, space)(D, space, cells, latent, around, span)
    between = drawn.brownian(sigmas, gpu=spec.gpu) if spec.brownian else drawn.between()

    total = len(sigmas) - 1
    fresh = draws.scaled(between, float(options.pop("s_noise", 1.0)))
    process = Process(D, space, fresh, D.both)
    run = samplers()[sampler.name](process, x, sigmas, **options)
    for step, (x, denoised) in enumerate(run, 1):
        # Waiting for the device here also keeps progress and cancel honest on GPUs.
        if not torch.isfinite(x).all():
            raise (FloatOverflow if denoiser.dtype == torch.float16 else NotANumber)(
                f"The model gave values that are no numbers at step {step} of {total}.",
                remedy="Choose the dtype bf16 or fp32, or try another model file.",
            )
        if on_step is not None:
            on_step(step, total, _from_sampler(denoiser, denoised))
    ended = finish(x, sigmas[-1])
    if rules and cells is not None:
        ended = ended * cells + latent * (1 - cells)
    return Sampled(_from_sampler(denoiser, ended), _from_sampler(denoiser, denoised))


def _masked(rules: A1111Rules | None, sampler: str, space: Parameterisation) -> type[Masked]:
    """How what is not masked is put back."""
    if rules is None:
        return Masked
    return MaskedBefore if a1111_rules.walks_time_steps(sampler, space) else MaskedAfter


def _check_sampler(denoiser: Predictor, sampler: str) -> None:
    if not find_sampler(sampler).flow and denoiser.prediction == "flow":
        raise no_flow(sampler, denoiser.family)


def _check_choice(socket: str, value: str, choices: Sequence[str]) -> None:
    if value not in choices:
        raise ParamChoice(
            f"There is no {value!r} to choose.",
            remedy=f"Choose one of: {', '.join(choices)}.",
            socket=socket,
        )


def _fitted(denoiser: DenoiserProtocol, values: Tensor) -> Tensor:
    """A latent of zeros is an empty one, and has as many channels as it takes."""
    channels = denoiser.family.latent_channels
    if values.shape[1] == channels or values.any():
        return values
    return values[:, :1].expand(-1, channels, -1, -1)


def check_inputs(
    family: str, prompts: Iterable[tuple[str, Conditioning]], latent: Latent, largest: int
) -> None:
    """Raise MismatchedValues for what is made for other models than those of `family`, or larger
    than the `largest` picture, in pixels a side, that the model knows (0: no limit). `prompts` come
    with the names of their sockets."""
    ours = find_family(family)
    cells = latent.values.shape[-2], latent.values.shape[-1]
    for socket, prompt in prompts:
        check_prompt(family, prompt.family, socket)
        check_areas(prompt.entries, cells, ours.downscale, socket)
    check_latent(family, latent.family)
    _check_size(ours, largest // ours.downscale, latent.values)


def guidance_notes(guider: Guider) -> Iterator[str]:
    """What there is to say of this guidance before its model is opened."""
    ours = find_family(guider.family)
    if ours.guidance and guider.rule != "one" and guider.cfg != 1:
        yield (
            f"{ours.title} was made for guidance 1: other values take twice as long, and are for"
            " models that were trained further."
        )


def ignored_inputs(denoiser: DenoiserProtocol, prompts: Iterable[Conditioning]) -> Iterator[str]:
    """What a denoiser is given that it was not made for, one plain sentence each."""
    family = denoiser.family
    if find(denoiser.modifiers, Shift) and denoiser.prediction != "flow":
        yield f"A flow shift means nothing to {family.title}."
    skipped = find(denoiser.modifiers, SkipLayers)
    if skipped and not skipped_blocks(denoiser.module, skipped):
        yield "This model has none of the layers that are to be skipped: that changes nothing."
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
    entries = [entry for prompt in prompts for entry in prompt.entries]
    if not family.refers and any(entry.references for entry in entries):
        yield f"Pictures to refer to mean nothing to {family.title}, and are left out."
    alone = denoiser.in_channels == family.latent_channels
    if alone and any(entry.shown for entry in entries):
        yield "This model is no model for inpainting or editing: what it is shown is left out."


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


def with_wider_numbers(attempt: Callable[[bool], Sampled], note: Callable[[str], None]) -> Sampled:
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


def _check_channels(denoiser: DenoiserProtocol, values: Tensor) -> None:
    family = denoiser.family
    if values.shape[1] != family.latent_channels:
        raise MismatchedValues(
            f"The latent has {values.shape[1]} channels, {family.title} works on"
            f" {family.latent_channels}.",
            remedy="Make the latent with a VAE of the model's family.",
        )


# The mean and spread of each channel in latents of Playground 2.5, which works on half of that.
_PLAYGROUND = (
    (-1.6574, 1.886, -1.383, 2.5155),
    (8.4927, 5.9022, 6.5498, 5.2299),
)
_PLAYGROUND_SPREAD = 0.5


def _to_sampler(denoiser: DenoiserProtocol, values: Tensor) -> Tensor:
    """From VAE units. A latent of zeros is an empty one, not a grey picture: it stays as it is."""
    if not values.any():
        return values
    if own := _own_scale(denoiser, values):
        mean, spread = own
        return (values - mean) / spread
    family = denoiser.family
    return (values - family.shift) * family.scaling_factor


def _from_sampler(denoiser: DenoiserProtocol, x: Tensor) -> Tensor:
    if own := _own_scale(denoiser, x):
        mean, spread = own
        return x * spread + mean
    family = denoiser.family
    return x / family.scaling_factor + family.shift


def _own_scale(denoiser: DenoiserProtocol, x: Tensor) -> tuple[Tensor, Tensor] | None:
    """What a model subtracts from latents and divides them by that does not do as its family."""
    said = find(denoiser.modifiers, Predicts)
    if said is None or not said.own_latents:
        return None
    mean, spread = (torch.tensor(each, device=x.device).view(1, -1, 1, 1) for each in _PLAYGROUND)
    return mean, spread / _PLAYGROUND_SPREAD
