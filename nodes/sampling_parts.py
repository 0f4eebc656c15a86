"""The parts of a run for core.sample_custom: samplers, noise levels, noise, guiders."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from ponystudio.api import (
    A1111Rules,
    Annotated,
    Choice,
    Conditioning,
    Context,
    Guider,
    Label,
    Latent,
    Model,
    Noise,
    Predicts,
    Range,
    Rescaled,
    Sampler,
    Seed,
    Sigmas,
    node,
)
from ponystudio.api.modifiers import find
from ponystudio.diffusion.families import families, find_family
from ponystudio.diffusion.loading.load import describe
from ponystudio.diffusion.sampling.names import (
    DUAL_STYLES,
    NOISES,
    SAMPLERS,
    SCHEDULES,
    SOLVERS,
    find_sampler,
)
from ponystudio.errors import MismatchedValues, ParamRange
from ponystudio_nodes.modifying import THREADS

if TYPE_CHECKING:
    from torch import Tensor

    from ponystudio.diffusion.sampling.parameterisation import Parameterisation

Steps = Annotated[int, Range(1, 10_000, soft=(1, 60))]
Share = Annotated[float, Range(0, 1, step=0.01)]
Strength = Annotated[float, Range(0, 100, soft=(1, 15), step=0.5), Label("Guidance")]

OWN_RANGES = ("karras", "exponential", "polyexponential", "laplace", "vp")
SPLIT_AT = ("step", "denoise")
ANY = "any"
ALIGNED = tuple(
    family.name
    for family in sorted(families().values(), key=lambda family: family.position)
    if family.aligned and family.name in ("sd1", "sdxl")
)


def check_options(sampler: str, order: int, eta: float) -> None:
    """Raise ParamRange for an order, or an eta, that a sampler does not have."""
    if sampler not in SAMPLERS:
        return
    spec = find_sampler(sampler)
    if "eta" in spec.options and eta > spec.most_eta:
        raise ParamRange(
            f"The sampler {sampler} has no eta above {spec.most_eta:g}: no more of the noise than"
            " all of it is added anew.",
            remedy=f"Use 0 to {spec.most_eta:g}, or -1 for its own.",
            socket="eta",
        )
    least, highest = spec.orders
    if order and "order" in spec.options and not least <= order <= highest:
        raise ParamRange(
            f"The sampler {sampler} has no order {order}.",
            remedy=f"Use {least} to {highest}, or 0 for its own.",
            socket="order",
        )


@node(
    "core.choose_sampler",
    title="Choose sampler",
    group="Sampling",
    exact=True,
    check=check_options,
    aliases=(
        "KSamplerSelect",
        "SamplerEulerAncestral",
        "SamplerEulerAncestralCFGPP",
        "SamplerDPMPP_2M_SDE",
        "SamplerDPMPP_3M_SDE",
        "SamplerDPMPP_SDE",
        "SamplerDPMPP_2S_Ancestral",
        "SamplerLMS",
        "SamplerDPMAdaptative",
        "SamplerER_SDE",
        "SamplerSASolver",
        "Eta",
    ),
)
def choose_sampler(
    *,
    sampler: Annotated[str, Choice(SAMPLERS)] = "euler",
    eta: Annotated[float, Range(-1, 100, soft=(-1, 1), step=0.05)] = -1.0,
    s_noise: Annotated[float, Range(0, 100, soft=(0, 2), step=0.05), Label("Noise strength")] = 1.0,
    solver: Annotated[str, Choice(SOLVERS)] = "midpoint",
    r: Annotated[float, Range(0.01, 1, step=0.05)] = 0.5,
    order: Annotated[int, Range(0, 4)] = 0,
    ctx: Context,
) -> Sampler:
    """A sampler with options of its own, for Sample by parts.

    Args:
        sampler: The method of integration.
        eta: How much of the noise is taken away and added anew; -1 is the sampler's own, mostly 1.
        s_noise: How strong the noise is that is added between steps.
        solver: How DPM++ 2M SDE corrects a step by the one before.
        r: Where in a step the stage of DPM++ SDE and SEEDS 2 stands.
        order: How many steps are looked back at; 0 is the sampler's own, its highest.
    """
    check_options(sampler, order, eta)
    spec = find_sampler(sampler)
    said = {
        name: value
        for name, value, own in (
            ("eta", eta, -1.0),
            ("s_noise", s_noise, 1.0),
            ("solver", solver, SOLVERS[0]),
            ("r", r, 0.5),
            ("order", order, 0),
        )
        if value != own
    }
    if eta < 0:
        said.pop("eta", None)
    for name in said.keys() - set(spec.options):
        ctx.note(f"The sampler {sampler} has no option {name}: it changes nothing.")
    return Sampler(sampler, tuple((n, v) for n, v in said.items() if n in spec.options))


@node(
    "core.make_sigmas",
    title="Noise levels",
    group="Sampling",
    exact=True,
    aliases=("BasicScheduler", "Scheduler", "Schedule type"),
)
def make_sigmas(
    model: Model,
    latent: Latent | None = None,
    *,
    scheduler: Annotated[str, Choice(SCHEDULES)] = "auto",
    steps: Steps = 25,
    denoise: Share = 1.0,
    sampler: Annotated[str, Choice((ANY, *SAMPLERS)), Label("For sampler")] = ANY,
) -> Sigmas:
    """How the noise falls from step to step, by one of the schedulers.

    Args:
        model: Whose noise it is; it is not loaded.
        latent: Of the size that is made, where the noise of the model hangs on it, as FLUX dev's
            does; without it, pictures of its usual size.
        scheduler: auto is the model's own.
        steps: How many levels follow the first.
        denoise: Below 1 they are the last of a longer run; 0 gives none.
        sampler: Some samplers go without the last level but one, and by A1111's rules some have
            levels of their own; any is all that the scheduler gives.
    """
    from ponystudio.diffusion.sampling import run

    known = describe(with_samplers_answer(model, sampler))
    values = _usual(known.family.native // known.family.downscale) if latent is None else latent
    made_for = "" if sampler == ANY else sampler
    return _sigmas(
        run.levels(known, values.values, scheduler, steps, sampler=made_for, denoise=denoise)
    )


@node(
    "core.turbo_sigmas",
    title="Turbo noise levels",
    group="Sampling",
    exact=True,
    aliases=("SDTurboScheduler",),
)
def turbo_sigmas(
    model: Model, *, steps: Annotated[int, Range(1, 10)] = 1, denoise: Share = 1.0
) -> Sigmas:
    """The noise levels that SD Turbo and SDXL Turbo were distilled to.

    Args:
        model: Whose noise it is; it is not loaded.
        steps: 1 to 4 are usual.
        denoise: Below 1 the run begins at a lower level.
    """
    from ponystudio.diffusion.sampling.schedules import turbo

    return _sigmas(turbo(_table(model), steps, denoise))


@node(
    "core.beta_sigmas",
    title="Beta noise levels",
    group="Sampling",
    exact=True,
    aliases=("BetaSamplingScheduler", "Beta"),
)
def beta_sigmas(
    model: Model,
    *,
    steps: Steps = 25,
    alpha: Annotated[float, Range(0.01, 50, soft=(0.1, 2), step=0.05)] = 0.6,
    beta: Annotated[float, Range(0.01, 50, soft=(0.1, 2), step=0.05)] = 0.6,
) -> Sigmas:
    """Noise levels at quantiles of a Beta distribution (Lee et al. 2024).

    Args:
        model: Whose noise it is; it is not loaded.
        alpha: Below 1 the levels are dense at little noise.
        beta: Below 1 the levels are dense at much noise.
    """
    from ponystudio.diffusion.sampling import schedules

    return _sigmas(schedules.ended(schedules.beta(_space(model), steps, alpha, beta)))


@node(
    "core.ays_sigmas",
    title="Aligned noise levels",
    group="Sampling",
    exact=True,
    aliases=("AlignYourStepsScheduler", "Align Your Steps"),
)
def ays_sigmas(
    *,
    family: Annotated[str, Choice(ALIGNED)] = ALIGNED[0],
    steps: Steps = 10,
    denoise: Share = 1.0,
) -> Sigmas:
    """Noise levels that were optimised for few steps (Sabour et al. 2024, Align Your Steps).

    Args:
        family: Whose they are.
        steps: Ten were optimised; others lie evenly between them.
        denoise: Below 1 they are the last of them; 0 gives none.
    """
    from ponystudio.diffusion.sampling.schedules import aligned_levels, ended

    levels = ended(aligned_levels(find_family(family).aligned, steps))
    last = steps if denoise >= 1 else round(steps * denoise)
    return _sigmas(levels[-(last + 1) :] if denoise > 0 else levels[:0])


# Of log(σ² + 1) of the highest level of vp: beyond it squares of levels overflow float32.
MOST_VP = 80.0


def check_range(
    scheduler: str, sigma_max: float, sigma_min: float, beta_d: float, beta_min: float
) -> None:
    """Raise ParamRange for levels that would rise, or be beyond all numbers, or 0."""
    if scheduler == "vp":
        if not 0 < beta_d / 2 + beta_min <= MOST_VP:
            raise ParamRange(
                f"With beta_d {beta_d:g} and beta_min {beta_min:g} vp has no noise levels.",
                remedy=f"Let beta_d / 2 + beta_min be above 0, and {MOST_VP:g} at most.",
                socket="beta_d",
            )
        return
    if sigma_min >= sigma_max:
        raise ParamRange(
            f"The lowest noise level, {sigma_min:g}, is not below the highest, {sigma_max:g}.",
            remedy="Exchange them: a run begins at the highest.",
            socket="sigma_min",
        )


@node(
    "core.range_sigmas",
    title="Noise levels in a range",
    group="Sampling",
    exact=True,
    check=check_range,
    aliases=(
        "KarrasScheduler",
        "ExponentialScheduler",
        "PolyexponentialScheduler",
        "LaplaceScheduler",
        "VPScheduler",
        "Schedule max sigma",
        "Schedule min sigma",
        "Schedule rho",
    ),
)
def range_sigmas(
    *,
    scheduler: Annotated[str, Choice(OWN_RANGES)] = "karras",
    steps: Steps = 25,
    sigma_max: Annotated[float, Range(1e-4, 20_000, soft=(1, 20)), Label("Highest")] = 14.614642,
    sigma_min: Annotated[float, Range(1e-4, 20_000, soft=(0.01, 1)), Label("Lowest")] = 0.0291675,
    rho: Annotated[float, Range(0, 100, soft=(0, 10), step=0.5)] = 0.0,
    mu: Annotated[float, Range(-10, 10, step=0.1)] = 0.0,
    beta: Annotated[float, Range(0, 10, soft=(0, 2), step=0.05)] = 0.5,
    beta_d: Annotated[float, Range(0, 1000, soft=(1, 40), step=0.1)] = 19.9,
    beta_min: Annotated[float, Range(0, 1000, soft=(0, 1), step=0.01)] = 0.1,
    eps_s: Annotated[float, Range(0, 1, step=0.001)] = 0.001,
) -> Sigmas:
    """Noise levels between two of your own, and then none.

    Args:
        scheduler: How they fall between the two.
        steps: How many there are, with both ends.
        sigma_max: Where the run begins; that of SD 1 and SDXL is 14.6146.
        sigma_min: The last level before 0.
        rho: How much denser they get at little noise, for karras and polyexponential; 0 is the
            usual 7 and 1.
        mu: Where laplace is densest, as a logarithm.
        beta: How wide laplace is.
        beta_d: For vp, which has no highest and lowest level of its own.
        beta_min: For vp.
        eps_s: For vp, the time at which it ends.
    """
    from ponystudio.diffusion.sampling import schedules

    check_range(scheduler, sigma_max, sigma_min, beta_d, beta_min)
    levels = {
        "karras": lambda: schedules.karras_levels(steps, sigma_max, sigma_min, rho or 7.0),
        "exponential": lambda: schedules.polyexponential_levels(steps, sigma_max, sigma_min),
        "polyexponential": lambda: schedules.polyexponential_levels(
            steps, sigma_max, sigma_min, rho or 1.0
        ),
        "laplace": lambda: schedules.laplace_levels(steps, sigma_max, sigma_min, mu, beta),
        "vp": lambda: schedules.vp_levels(steps, beta_d, beta_min, eps_s),
    }[scheduler]()
    return _sigmas(schedules.ended(levels))


class SplitSigmas(NamedTuple):
    high: Sigmas
    low: Sigmas


@node(
    "core.split_sigmas",
    title="Split noise levels",
    group="Sampling",
    exact=True,
    aliases=("SplitSigmas", "SplitSigmasDenoise"),
)
def split_sigmas(
    sigmas: Sigmas,
    *,
    at: Annotated[str, Choice(SPLIT_AT)] = "step",
    step: Annotated[int, Range(0, 10_000, soft=(0, 60))] = 10,
    denoise: Share = 0.5,
) -> SplitSigmas:
    """The noise levels before and after a step, to take each part of a run in its own way.

    Args:
        at: A step, or the share of the steps that the second part has.
        step: How many steps the first part has.
        denoise: The share of the second part.
    """
    from ponystudio.diffusion.sampling.schedules import split, split_at_share

    levels = levels_of(sigmas)
    high, low = split(levels, step) if at == "step" else split_at_share(levels, denoise)
    return SplitSigmas(_sigmas(high), _sigmas(low))


@node(
    "core.flip_sigmas",
    title="Flip noise levels",
    group="Sampling",
    exact=True,
    aliases=("FlipSigmas", "Unsample"),
)
def flip_sigmas(sigmas: Sigmas) -> Sigmas:
    """From the lowest noise level to the highest: from a picture to the noise it would come from.

    With noise that is off, and a sampler that can go that way: euler, heun, dpm_2, lms, dpmpp_2m,
    ddim.
    """
    from ponystudio.diffusion.sampling.schedules import flipped

    return _sigmas(flipped(levels_of(sigmas)))


@node(
    "core.set_first_sigma",
    title="Set first noise level",
    group="Sampling",
    exact=True,
    aliases=("SetFirstSigma",),
)
def set_first_sigma(
    sigmas: Sigmas, *, sigma: Annotated[float, Range(0, 20_000, soft=(1, 200))] = 136.0
) -> Sigmas:
    """Let a run begin at another noise level, and go on as it would have.

    Args:
        sigmas: The noise levels; where there are none, none come back.
        sigma: The first of them, in place of the one there is; above the second, or the levels
            would rise.
    """
    return Sigmas((sigma, *sigmas.levels[1:])) if sigmas.levels else sigmas


@node(
    "core.random_noise",
    title="Noise",
    group="Sampling",
    exact=True,
    aliases=(
        "RandomNoise",
        "DisableNoise",
        "Variation seed",
        "Variation strength",
        "Seed resize from",
    ),
)
def random_noise(
    *,
    seed: Annotated[int, Seed()] = 0,
    variation: Annotated[float, Range(0, 1, step=0.01)] = 0.0,
    variation_seed: Annotated[int, Seed()] = 0,
    from_width: Annotated[int, Range(0, 16384, soft=(0, 2048), step=8), Label("From width")] = 0,
    from_height: Annotated[int, Range(0, 16384, soft=(0, 2048), step=8), Label("From height")] = 0,
    off: bool = False,
    source: Annotated[str, Choice(NOISES), Label("Noise source")] = "cpu",
    threads: Annotated[int, THREADS, Label("Threads of the card")] = 0,
) -> Noise:
    """What a run begins with, and draws between its steps.

    Args:
        seed: The same seed gives the same noise, on every device.
        variation: How far it is turned towards that of another seed: pictures much like the first.
        variation_seed: The other seed.
        from_width: Keep, in the middle, the noise that a picture of this width would begin with;
            0 is that of the picture itself.
        from_height: The same for its height.
        off: Begin without noise, for a latent that has its noise in it.
        source: Draw the noise between steps on the CPU, alike everywhere, on the GPU, or as a card
            of NVIDIA does, on any device.
        threads: How many the card runs at once, where a picture has more values than that: 43008
            for an RTX 3060, 40960 T4, 89088 L4, 175104 4090 D, 221184 A100, 233472 H100, 270336
            H200. 0 is a card for any picture.
    """
    return Noise(
        seed,
        source,
        variation_seed,
        variation,
        off,
        resized_from=(from_width, from_height),
        threads=threads,
    )


@node("core.guide", title="Guide", group="Sampling", exact=True, aliases=("CFGGuider",))
def guide(
    model: Model,
    positive: Conditioning,
    negative: Conditioning,
    *,
    cfg: Strength = 7.0,
    rescale: Annotated[float, Range(0, 1, step=0.05), Label("Guidance rescale")] = 0.0,
) -> Guider:
    """A model that follows one prompt, away from another.

    Args:
        positive: What the picture shall show.
        negative: What it shall not show; has no effect at guidance 1.
        cfg: How closely the prompts are followed.
        rescale: Keeps strong guidance from burning out; 0 is the model's own.
    """
    if rescale:
        model = model.with_modifier(Rescaled(rescale))
    return Guider(model, "cfg", positive, negative=negative, cfg=cfg)


@node(
    "core.guide_one",
    title="Guide by one prompt",
    group="Sampling",
    exact=True,
    aliases=("BasicGuider",),
)
def guide_one(model: Model, positive: Conditioning) -> Guider:
    """A model that follows one prompt without guidance, at half the cost: FLUX, Turbo, Lightning.

    Args:
        positive: What the picture shall show.
    """
    return Guider(model, "one", positive)


@node(
    "core.guide_dual",
    title="Guide by three prompts",
    group="Sampling",
    exact=True,
    aliases=("DualCFGGuider",),
)
def guide_dual(
    model: Model,
    positive: Conditioning,
    middle: Conditioning,
    negative: Conditioning,
    *,
    cfg: Strength = 7.0,
    cfg_middle: Annotated[Strength, Label("Guidance to the middle")] = 1.5,
    style: Annotated[str, Choice(DUAL_STYLES)] = "regular",
) -> Guider:
    """A model that goes from one prompt over a second to a third, as when a picture is edited.

    Args:
        positive: What is asked for, and all that the middle one says.
        middle: What is given, as the picture that is edited.
        negative: Neither of them.
        cfg: From the middle to the positive prompt.
        cfg_middle: From the negative to the middle prompt.
        style: nested guides what the first guidance gave once more, away from the negative prompt.
    """
    rule = "dual" if style == "regular" else "nested"
    return Guider(model, rule, positive, middle, negative, cfg, cfg_middle)


@node(
    "core.perp_neg",
    title="Perpendicular negative",
    group="Sampling",
    exact=True,
    aliases=("PerpNegGuider", "PerpNeg", "Perp-Neg"),
)
def perp_neg(
    model: Model,
    positive: Conditioning,
    negative: Conditioning,
    empty: Conditioning,
    *,
    cfg: Strength = 8.0,
    scale: Annotated[Strength, Label("Negative strength")] = 1.0,
) -> Guider:
    """A model led away from a negative prompt only where that does not contradict the positive one.

    What both ask for stays (Armandpour et al. 2023); each step takes three passes of the network.

    Args:
        positive: What the picture shall show.
        negative: What it shall not show.
        empty: An empty prompt.
        cfg: How closely the positive prompt is followed.
        scale: How far the picture is led away from the negative one.
    """
    return Guider(model, "perpendicular", positive, empty, negative, cfg, scale)


def with_samplers_answer(model: Model, sampler: str) -> Model:
    """As the sampler reads it: by A1111's rules LCM takes any model for one that was distilled."""
    if sampler != "lcm" or not find(model.modifiers, A1111Rules):
        return model
    if find(model.modifiers, Predicts) or find_family(model.family).prediction == "flow":
        return model
    return model.with_modifier(Predicts("lcm"))


def _space(model: Model) -> Parameterisation:
    from ponystudio.diffusion.sampling import parameterisation

    known = describe(model)
    side = known.family.native // known.family.downscale
    return parameterisation.of(known, side * side)


def _table(model: Model) -> Parameterisation:
    """The noise of a model with a table of a thousand levels."""
    from ponystudio.diffusion.sampling.parameterisation import Continuous

    space = _space(model)
    if space.prediction == "flow":
        raise MismatchedValues(
            f"Turbo levels are made for Stable Diffusion and SDXL, the model is"
            f" {find_family(model.family).title}.",
            remedy="Make its noise levels with Noise levels (core.make_sigmas).",
            socket="model",
        )
    if isinstance(space, Continuous):
        raise MismatchedValues(
            "Turbo levels are entries of the table of the training, and this model's noise is"
            " counted without one.",
            remedy="Let Set prediction (core.set_prediction) count it by table, or make the levels"
            " with Noise levels (core.make_sigmas).",
            socket="model",
        )
    return space


def _usual(side: int) -> Latent:
    import torch

    return Latent(torch.zeros(1, 4, side, side))


def levels_of(sigmas: Sigmas) -> Tensor:
    """Float64 [n]."""
    import torch

    return torch.tensor(sigmas.levels, dtype=torch.float64)


def _sigmas(levels: Tensor) -> Sigmas:
    return Sigmas(tuple(levels.tolist()))
