"""Whole loops equal those of diffusers' schedulers on the same tiny random network.

Both get the same start; the schedules compared are those where diffusers uses the same integer
timesteps.
"""

from __future__ import annotations

import pytest
import torch

from helpers.denoisers import FunctionDenoiser, words
from ponystudio.diffusion.noise.draws import between
from ponystudio.diffusion.sampling.guidance import Guided, classifier_free
from ponystudio.diffusion.sampling.parameterisation import VP
from ponystudio.diffusion.sampling.samplers import Process, samplers
from ponystudio.diffusion.sampling.schedules import sigmas

# diffusers' schedulers make arrays of tensors in a way that numpy 2 warns of.
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")

BETAS = {"beta_start": 0.00085, "beta_end": 0.012, "beta_schedule": "scaled_linear"}
CFG = 5.0
STEPS = 8


@pytest.fixture(scope="module")
def unet():
    from diffusers import UNet2DConditionModel

    torch.manual_seed(0)
    return UNet2DConditionModel(
        block_out_channels=(32, 64),
        down_block_types=("CrossAttnDownBlock2D", "DownBlock2D"),
        up_block_types=("UpBlock2D", "CrossAttnUpBlock2D"),
        layers_per_block=1,
        cross_attention_dim=32,
        attention_head_dim=4,
        norm_num_groups=8,
    ).eval()


@pytest.fixture(scope="module")
def prompts():
    generator = torch.Generator().manual_seed(1)
    return [words(torch.randn(1, 77, 32, generator=generator)) for _ in range(2)]


@torch.no_grad()
def ours(unet, prompts, sampler, schedule, prediction="eps"):
    """The schedule, and the state after each step, in variance-preserving coordinates."""
    network = FunctionDenoiser(
        lambda x, t, context: unet(x, t, context, return_dict=False)[0], prediction=prediction
    )
    space = VP(prediction)
    positive, negative = prompts
    levels = sigmas(space, schedule, STEPS, sampler=sampler)
    x = start() * (1 + levels[0] ** 2).sqrt()
    process = Process(
        Guided(network, space, classifier_free(positive, negative, CFG), shape=x.shape),
        space,
        between(x, 4),
    )
    states = [x for x, _ in samplers()[sampler](process, x, levels)]
    return [space.finish(x, σ) for x, σ in zip(states, levels[1:], strict=True)]


def start():
    """Variance-preserving noise."""
    return torch.randn(1, 4, 16, 16, generator=torch.Generator().manual_seed(2))


@torch.no_grad()
def theirs(unet, prompts, scheduler, *, exploding=False):
    """The same of a diffusers scheduler; `exploding`: it works in x₀ + σ·ε."""
    positive, negative = prompts
    context = torch.cat([prompt.entries[0].context for prompt in (negative, positive)])
    scheduler.set_timesteps(STEPS)
    x, states = start(), []
    if exploding:
        x = x * (1 + scheduler.sigmas[0] ** 2).sqrt()
    for i, t in enumerate(scheduler.timesteps):
        shown = scheduler.scale_model_input(torch.cat([x, x]), t)
        u, c = unet(shown, t, context, return_dict=False)[0].chunk(2)
        x = scheduler.step(u + CFG * (c - u), t, x).prev_sample
        states.append(x / (1 + scheduler.sigmas[i + 1] ** 2).sqrt() if exploding else x)
    return states


def assert_equal_at_every_step(a, b):
    assert len(a) == len(b) == STEPS
    for x, y in zip(a, b, strict=True):
        assert (x - y).norm() / y.norm() < 1e-4


@pytest.mark.parametrize("sampler", ["euler", "ddim"])
@pytest.mark.parametrize(("kind", "name"), [("eps", "epsilon"), ("v", "v_prediction")])
def test_euler_with_trailing_steps_is_ours_with_simple(unet, prompts, sampler, kind, name):
    from diffusers import EulerDiscreteScheduler

    scheduler = EulerDiscreteScheduler(**BETAS, timestep_spacing="trailing", prediction_type=name)
    assert_equal_at_every_step(
        ours(unet, prompts, sampler, "simple", kind),
        theirs(unet, prompts, scheduler, exploding=True),
    )


def test_dpmpp_2m_on_karras_levels(unet, prompts):
    from diffusers import DPMSolverMultistepScheduler

    scheduler = DPMSolverMultistepScheduler(**BETAS, use_karras_sigmas=True)
    assert_equal_at_every_step(
        ours(unet, prompts, "dpmpp_2m", "karras"), theirs(unet, prompts, scheduler)
    )


def test_ddim_with_leading_steps_is_ours_with_ddim_uniform(unet, prompts):
    from diffusers import DDIMScheduler

    scheduler = DDIMScheduler(**BETAS, clip_sample=False, set_alpha_to_one=True, steps_offset=1)
    assert_equal_at_every_step(
        ours(unet, prompts, "ddim", "ddim_uniform"), theirs(unet, prompts, scheduler)
    )


def test_heun_on_trailing_steps(unet, prompts):
    """Theirs takes two steps for one of ours."""
    from diffusers import HeunDiscreteScheduler

    scheduler = HeunDiscreteScheduler(**BETAS, timestep_spacing="trailing")
    positive, negative = prompts
    context = torch.cat([prompt.entries[0].context for prompt in (negative, positive)])
    scheduler.set_timesteps(STEPS)
    x = start() * (1 + scheduler.sigmas[0] ** 2).sqrt()
    with torch.no_grad():
        for t in scheduler.timesteps:
            shown = scheduler.scale_model_input(torch.cat([x, x]), t)
            u, c = unet(shown, t, context, return_dict=False)[0].chunk(2)
            x = scheduler.step(u + CFG * (c - u), t, x).prev_sample
    result = ours(unet, prompts, "heun", "simple")[-1]
    assert (result - x).norm() / x.norm() < 1e-4
