"""The node at the heart: from noise and two prompts to a latent."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from ponystudio.api import (
    Annotated,
    Choice,
    Conditioning,
    Context,
    Image,
    Label,
    Latent,
    Model,
    Range,
    Rescaled,
    Seed,
    node,
)
from ponystudio.diffusion.loading.load import recognise
from ponystudio.diffusion.sampling.names import DDIM_ENDS, NOISES, SAMPLERS, SCHEDULES

if TYPE_CHECKING:
    from torch import Tensor


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
        scheduler: How the noise falls from step to step; auto is the model's own.
        denoise: How much of the latent is replaced; 1 keeps nothing of it.
        noise: Draw the noise between steps on the CPU, alike everywhere, or on the GPU.
        ddim_end: Where DDIM ends: at no noise, or at the first entry of the model's table.
        rescale: Keeps strong guidance from burning out; 0.7 suits models without terminal SNR, 0
            leaves it to the model (Rescale guidance).
    """
    from ponystudio.diffusion.sampling import run

    if rescale:
        model = model.with_modifier(Rescaled(rescale))
    family, largest = model.family, recognise(Path(model.path), "diffusion_models").largest
    run.check_inputs(family, positive, negative, latent, largest)
    for text in run.guidance_notes(family, cfg):
        ctx.note(text)

    def attempt(precise: bool) -> Tensor:
        prompts = (positive, negative)
        with (
            ctx.models.open(model, precise=precise) as denoiser,
            run.opened(ctx.models, prompts, precise=precise) as networks,
        ):
            for text in run.ignored_inputs(denoiser, prompts):
                ctx.note(text)

            def on_step(step: int, steps: int, denoised: Tensor) -> None:
                ctx.progress(step, steps)
                ctx.preview(lambda: Image(denoiser.to_rgb(denoised)))

            return run.sample(
                denoiser,
                positive,
                negative,
                latent.values,
                seed=seed,
                steps=steps,
                cfg=cfg,
                sampler=sampler,
                scheduler=scheduler,
                denoise=denoise,
                mask=latent.mask,
                shown=latent.shown,
                batch_index=latent.batch_index,
                noise=noise,
                ddim_end=ddim_end,
                networks=networks,
                rows=1 if ctx.frugal else None,
                on_step=on_step,
            )

    values = run.with_wider_numbers(attempt, ctx.note)
    return replace(latent, values=values, family=family)
