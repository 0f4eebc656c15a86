"""The nodes at the heart: from noise and prompts to a latent."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from ponystudio.api import (
    A1111Rules,
    Annotated,
    Choice,
    Conditioning,
    Context,
    Guider,
    Image,
    Label,
    Latent,
    Model,
    Noise,
    Range,
    Rescaled,
    Sampler,
    Seed,
    Sigmas,
    node,
)
from ponystudio.api.modifiers import find
from ponystudio.diffusion.loading.load import recognise
from ponystudio.diffusion.sampling.fitting import check_method
from ponystudio.diffusion.sampling.names import (
    DDIM_ENDS,
    NOISES,
    RULES,
    SAMPLERS,
    SCHEDULES,
    find_sampler,
)
from ponystudio_nodes.growing import without_growth
from ponystudio_nodes.sampling_parts import levels_of, with_samplers_answer

if TYPE_CHECKING:
    from torch import Tensor

    from ponystudio.diffusion.loading.denoiser import Denoiser


@node("core.sample", title="Sample", group="Sampling", aliases=("KSampler",))
def sample(
    model: Model,
    positive: Conditioning,
    negative: Conditioning,
    latent: Latent,
    *,
    seed: Annotated[int, Seed()] = 0,
    steps: Annotated[int, Range(1, 10_000, soft=(1, 60))] = 25,
    cfg: Annotated[float, Range(0, 100, soft=(1, 15), step=0.5), Label("Guidance")] = 7.0,
    sampler: Annotated[str, Choice(SAMPLERS)] = "euler",
    scheduler: Annotated[str, Choice(SCHEDULES)] = "auto",
    denoise: Annotated[float, Range(0, 1, step=0.01)] = 1.0,
    noise: Annotated[str, Choice(NOISES), Label("Noise source")] = "cpu",
    rules: Annotated[str, Choice(RULES)] = "comfyui",
    ddim_end: Annotated[str, Choice(DDIM_ENDS), Label("DDIM end")] = "zero",
    rescale: Annotated[float, Range(0, 1, step=0.05), Label("Guidance rescale")] = 0.0,
    ctx: Context,
) -> Latent:
    """Denoise a latent step by step, guided by the two prompts.

    Args:
        model: The denoiser.
        positive: What the picture shall show.
        negative: What it shall not show; has no effect at guidance 1.
        latent: An empty latent for a new picture, or an encoded one to change.
        seed: The same seed and settings give the same picture, on every device.
        steps: More steps are slower and, up to a point, finer.
        cfg: How closely the prompts are followed.
        sampler: The method of integration.
        scheduler: How the noise falls from step to step; auto is the model's own, by A1111's rules
            the sampler's.
        denoise: How much of the latent is replaced; 1 keeps nothing of it.
        noise: Draw the noise between steps on the CPU, alike everywhere, on the GPU, or as a card
            of NVIDIA does, on any device.
        rules: Make the picture that ComfyUI would make of the settings, or A1111; its second pass,
            Hires. fix, counts steps otherwise than its img2img.
        ddim_end: Where DDIM ends: at no noise, or at the first entry of the model's table.
        rescale: Keeps strong guidance from burning out; 0.7 suits models without terminal SNR, 0
            leaves it to the model (Rescale guidance).
    """
    from ponystudio.diffusion.sampling import run

    check_method(model.family, sampler, scheduler)
    model = _by_rules(model, rules, ctx)
    if rescale:
        model = model.with_modifier(Rescaled(rescale))
    guider = Guider(model, "cfg", positive, negative=negative, cfg=cfg)
    method = Sampler(sampler, (("end", ddim_end),) if sampler == "ddim" else ())
    if sampler == "ddim" and ddim_end != DDIM_ENDS[0] and find(model.modifiers, A1111Rules):
        ctx.note("By A1111's rules DDIM ends where its time steps do: DDIM end changes nothing.")

    def levels(denoiser: Denoiser) -> Tensor:
        return run.levels(
            denoiser, latent.values, scheduler, steps, sampler=sampler, denoise=denoise
        )

    return _walked(guider, method, Noise(seed, noise), levels, latent, ctx).latent


@node(
    "core.sample_steps",
    title="Sample steps",
    group="Sampling",
    aliases=("KSamplerAdvanced", "KSampler (Advanced)", "Refiner", "Switch at"),
)
def sample_steps(
    model: Model,
    positive: Conditioning,
    negative: Conditioning,
    latent: Latent,
    *,
    seed: Annotated[int, Seed()] = 0,
    steps: Annotated[int, Range(1, 10_000, soft=(1, 60))] = 25,
    start: Annotated[int, Range(0, 10_000, soft=(0, 60)), Label("From step")] = 0,
    end: Annotated[int, Range(1, 10_000, soft=(1, 60)), Label("To step")] = 10_000,
    add_noise: bool = True,
    leftover: Annotated[bool, Label("Leave noise")] = False,
    cfg: Annotated[float, Range(0, 100, soft=(1, 15), step=0.5), Label("Guidance")] = 7.0,
    sampler: Annotated[str, Choice(SAMPLERS)] = "euler",
    scheduler: Annotated[str, Choice(SCHEDULES)] = "auto",
    noise: Annotated[str, Choice(NOISES), Label("Noise source")] = "cpu",
    rules: Annotated[str, Choice(RULES[:2])] = "comfyui",
    rescale: Annotated[float, Range(0, 1, step=0.05), Label("Guidance rescale")] = 0.0,
    ctx: Context,
) -> Latent:
    """Some of the steps of a run, so that another model, prompt or sampler can take the others.

    The first part adds noise and leaves what is not yet gone; the next adds none and goes on.

    Args:
        latent: An empty latent, an encoded one, or what the part before left.
        seed: That of the noise, also of what is drawn between steps.
        steps: Of the whole run.
        start: The first step that is taken, counted from 0.
        end: The step before which it ends; beyond the last one: at the end of the run.
        add_noise: Begin from noise; off for a latent that has its noise in it.
        leftover: End with the noise that further steps would take away.
        cfg: How closely the prompts are followed.
        sampler: The method of integration.
        scheduler: How the noise falls from step to step; auto is the model's own, by A1111's rules
            the sampler's.
        noise: Draw the noise between steps on the CPU, alike everywhere, on the GPU, or as a card
            of NVIDIA does, on any device.
        rules: Make the picture that ComfyUI would make of the settings, or A1111.
        rescale: Keeps strong guidance from burning out; 0.7 suits models without terminal SNR.
    """
    from ponystudio.diffusion.sampling import run
    from ponystudio.diffusion.sampling.schedules import part

    check_method(model.family, sampler, scheduler)
    model = _by_rules(model, rules, ctx)
    if rescale:
        model = model.with_modifier(Rescaled(rescale))
    guider = Guider(model, "cfg", positive, negative=negative, cfg=cfg)

    def levels(denoiser: Denoiser) -> Tensor:
        whole = run.levels(denoiser, latent.values, scheduler, steps, sampler=sampler, whole=True)
        some = part(whole, start, end, leftover=leftover)
        if len(some) < 2:
            ctx.note(f"Of {len(whole) - 1} steps there is none from {start} to {end}.")
        return some

    drawn = Noise(seed, noise, off=not add_noise, behind=0 if add_noise else start)
    return _walked(guider, Sampler(sampler), drawn, levels, latent, ctx).latent


class SampledLatents(NamedTuple):
    latent: Latent
    denoised: Latent


@node(
    "core.sample_custom",
    title="Sample by parts",
    group="Sampling",
    aliases=("SamplerCustomAdvanced", "SamplerCustom"),
)
def sample_custom(
    noise: Noise,
    guider: Guider,
    sampler: Sampler,
    sigmas: Sigmas,
    latent: Latent,
    *,
    ctx: Context,
) -> SampledLatents:
    """Denoise a latent along noise levels of your own, with a sampler, guidance and noise.

    Args:
        noise: What the run begins with and draws.
        guider: The model, and the prompts that guide it.
        sampler: The method of integration.
        sigmas: The noise levels; with fewer than two the latent comes back.
        latent: An empty latent for a new picture, or an encoded one to change.
    """
    from ponystudio.diffusion.sampling.schedules import checked

    levels = checked(levels_of(sigmas), rising=find_sampler(sampler.name).reverses)
    return _walked(guider, sampler, noise, lambda _: levels, latent, ctx)


def _by_rules(model: Model, rules: str, ctx: Context) -> Model:
    """The model with A1111's rules, where these are chosen."""
    said = find(model.modifiers, A1111Rules)
    if rules == "comfyui":
        if said:
            ctx.note("The model comes with A1111 rules: it is sampled by these.")
        return model
    said = said or A1111Rules()
    return model.with_modifier(replace(said, all_steps=said.all_steps or rules == RULES[2]))


def _walked(
    guider: Guider,
    sampler: Sampler,
    noise: Noise,
    levels: Callable[[Denoiser], Tensor],
    latent: Latent,
    ctx: Context,
) -> SampledLatents:
    """A run of a model that is opened for it, or one for each part of a batch; `levels` are asked
    for once it is."""
    import torch

    from ponystudio.diffusion.sampling import run

    plain, growth = without_growth(sampler)
    model, prompts = with_samplers_answer(guider.model, sampler.name), guider.prompts
    said = [prompt for _, prompt in prompts]
    largest = recognise(Path(model.path), "diffusion_models").largest
    run.check_inputs(model.family, prompts, latent, largest)
    for text in run.guidance_notes(guider):
        ctx.note(text)

    def attempt(precise: bool) -> run.Sampled:
        with (
            ctx.models.open(model, precise=precise) as denoiser,
            run.opened(ctx.models, said, precise=precise) as networks,
        ):
            for text in run.ignored_inputs(denoiser, said):
                ctx.note(text)

            parts, sigmas = in_parts(latent), levels(denoiser)
            each = max(0, len(sigmas) - 1)

            def walked(part: Latent, some: Tensor, drawn: Noise, before: int) -> run.Sampled:
                def on_step(step: int, _: int, denoised: Tensor) -> None:
                    ctx.progress(before + step, len(parts) * each)
                    ctx.preview(lambda: Image(denoiser.to_rgb(denoised)))

                return run.walk(
                    denoiser,
                    run.guidance_of(guider, sampler.name),
                    part.values,
                    some,
                    sampler=plain,
                    noise=drawn,
                    mask=part.mask,
                    shown=part.shown,
                    batch_index=part.batch_index,
                    networks=networks,
                    rows=1 if ctx.frugal else None,
                    on_step=on_step,
                )

            way = growth.walked(walked) if growth else walked
            walks = [way(part, sigmas, noise, i * each) for i, part in enumerate(parts)]
            if len(walks) == 1:
                return walks[0]
            return run.Sampled(*(torch.cat(planes) for planes in zip(*walks, strict=True)))

    made = run.with_wider_numbers(attempt, ctx.note)
    values, denoised = (replace(latent, values=v, family=model.family) for v in made)
    return SampledLatents(values, denoised)


def in_parts(latent: Latent) -> list[Latent]:
    """A batch as those of its pictures that are sampled together, each with the noise that it has
    in the whole."""
    count = len(latent.values)
    if not 0 < latent.at_once < count:
        return [latent]
    places = latent.batch_index or tuple(range(count))
    parts = [slice(i, i + latent.at_once) for i in range(0, count, latent.at_once)]

    def of(planes: Tensor | None, part: slice) -> Tensor | None:
        return planes if planes is None or len(planes) == 1 else planes[part]

    return [
        replace(
            latent,
            values=latent.values[part],
            mask=of(latent.mask, part),
            shown=of(latent.shown, part),
            batch_index=places[part],
        )
        for part in parts
    ]
