"""Samplers against closed forms: constants that others computed, and pictures whose D is known."""

from itertools import pairwise

import pytest
import torch

from helpers.denoisers import Gaussian
from ponystudio.diffusion.sampling.noise import between, brownian, first
from ponystudio.diffusion.sampling.parameterisation import VP, Flow
from ponystudio.diffusion.sampling.samplers import BROWNIAN, Process, samplers
from ponystudio.diffusion.sampling.schedules import sigmas

SPACES = {"vp": VP(), "flow": Flow(1.73)}
# The order that each method promises, on a smooth problem.
ORDERS = {
    "euler": 1, "ddim": 1,
    "heun": 2, "dpm_2": 2, "dpmpp_2m": 2,
    "lms": 2, "uni_pc": 3, "uni_pc_bh2": 3,
}  # fmt: skip
# lcm jumps to means and so loses spread.
STOCHASTIC = sorted(set(samplers()) - set(ORDERS) - {"lcm"})
CALLS = {
    "heun": lambda n: 2 * n - 1,
    "dpm_2": lambda n: 2 * n - 1,
    "dpm_2_ancestral": lambda n: 2 * n - 1,
    "dpmpp_sde": lambda n: 2 * n - 1,
    "dpmpp_2s_ancestral": lambda n: 2 * n - 1,
}
GAUSSIAN = Gaussian()


def no_noise(*_):
    raise AssertionError("a deterministic sampler draws no noise")


def noise_for(sampler, x, levels):
    return brownian(x, 3, levels) if sampler in BROWNIAN else between(x, 3)


def start(space, levels):
    """Full noise for a picture of zeros."""
    noise = first((1, 4, 64, 64), 1)
    return space.start(torch.zeros_like(noise), noise, levels[0])


def run(sampler, D, space, x, levels, noise=no_noise):
    """All (x, D) that a sampler yields."""
    return list(samplers()[sampler](Process(D, space, noise), x, levels))


def supported(samplers):
    return [
        (sampler, space)
        for sampler in samplers
        for space in SPACES
        if (sampler, space) != ("ddpm", "flow")
    ]


# Check values, for a network that answers half of what it sees


def half(space):
    return lambda x, σ: space.denoised(x, 0.5 * x / space.input_scale(σ), σ)


@pytest.mark.parametrize(
    ("sampler", "result"), [("euler", 3.0641543), ("ddim", 3.0641543), ("dpmpp_2m", 2.7292457)]
)
def test_ten_normal_steps(sampler, result):
    space = VP()
    x = space.sigma_max.view(1, 1, 1, 1)
    *_, (x, _) = run(sampler, half(space), space, x, sigmas(space, "normal", 10))
    assert x.item() == pytest.approx(result, rel=2e-7)


def test_ten_steps_of_flow():
    space = Flow(1.73)
    *_, (x, _) = run(
        "euler", half(space), space, torch.ones(1, 1, 1, 1), sigmas(space, "simple", 10)
    )
    assert x.item() == pytest.approx(0.5978919, rel=2e-7)


@pytest.mark.parametrize(
    ("offset", "result"), [(0, 2.2448667), (1, 2.2527490)], ids=["steps 900..0", "steps 901..1"]
)
def test_ddim_that_ends_at_the_first_table_entry(offset, result):
    space = VP()
    times = [*range(900 + offset, -1, -100), 0]
    levels = space.table[times]
    if offset == 0:
        # The last step goes from entry 0 to entry 0: no step at all.
        levels = torch.unique_consecutive(levels)
    x = torch.ones(1, 1, 1, 1) * (1 + levels[0] ** 2).sqrt()
    *_, (x, _) = run("ddim", half(space), space, x, levels)
    assert space.finish(x, levels[-1]).item() == pytest.approx(result, rel=3e-7)


# Pictures of a known distribution


def error(sampler, space, steps):
    """Largest error one step before the end, over starts of ±3 standard deviations.

    On levels even in λ, where these methods have their full order, and before the last step, which
    some take with a lower one on purpose.
    """
    high, low = (5.0, 0.1) if space is SPACES["vp"] else (0.9, 0.1)
    λ = [space.half_log_snr(torch.tensor(σ, dtype=torch.float64)) for σ in (high, low)]
    levels = space.sigma_of_half_log_snr(torch.linspace(*λ, steps + 1, dtype=torch.float64))
    offsets = torch.linspace(-3, 3, 7, dtype=torch.float64).view(-1, 1, 1, 1)
    x = GAUSSIAN.at(space, offsets, levels[0])
    *_, (result, _), _ = run(sampler, D_of(space), space, x, levels)
    return (result - GAUSSIAN.at(space, offsets, levels[-2])).abs().max().item()


def D_of(space):
    return lambda x, σ: GAUSSIAN.denoised(space, x, σ)


@pytest.mark.parametrize(("sampler", "space"), supported(ORDERS))
def test_the_error_falls_with_the_order_of_the_method(sampler, space):
    coarse, fine = (error(sampler, SPACES[space], n) for n in (160, 320))
    assert fine < coarse * 0.5 ** (ORDERS[sampler] - 0.3)
    assert fine < 0.005


@pytest.mark.parametrize(("sampler", "space"), supported(ORDERS))
def test_a_hundred_steps_find_the_picture(sampler, space):
    space = SPACES[space]
    levels = sigmas(space, "karras", 100, sampler=sampler)
    x = start(space, levels)
    *_, (result, _) = run(sampler, D_of(space), space, x, levels)
    tolerance = 0.06 if ORDERS[sampler] == 1 else 0.006
    assert torch.allclose(result, GAUSSIAN.flowed(space, x, levels[0]), atol=tolerance)


@pytest.mark.parametrize(("sampler", "space"), supported(STOCHASTIC))
def test_random_steps_draw_from_the_distribution(sampler, space):
    space = SPACES[space]
    levels = sigmas(space, "karras", 100, sampler=sampler)
    x = start(space, levels)
    *_, (result, _) = run(sampler, D_of(space), space, x, levels, noise_for(sampler, x, levels))
    assert result.mean().item() == pytest.approx(GAUSSIAN.mean, abs=0.02)
    assert result.std().item() == pytest.approx(GAUSSIAN.std, rel=0.05)
    kept = torch.corrcoef(torch.stack([result.flatten(), x.flatten()]))[0, 1]
    assert abs(kept) < 0.1, "fresh noise makes another picture than the start would"


def test_multistep_slopes_integrate_cubics_exactly():
    """Where dx/dσ is a cubic in σ, four slopes know all of it."""
    levels = torch.tensor([9.0, 7.0, 6.5, 4.0, 3.0, 2.5, 1.0, 0.0], dtype=torch.float64)

    def integral(σ):
        return σ**4 / 4 - 2 * σ**3 + σ**2 - 5 * σ

    def D(x, σ):
        return x - σ * (σ**3 - 6 * σ**2 + 2 * σ - 5)

    states = run("lms", D, SPACES["vp"], torch.zeros(1, dtype=torch.float64), levels)
    for i in (3, 4, 5):
        moved = states[i][0] - states[i - 1][0]
        assert torch.allclose(moved, integral(levels[i + 1]) - integral(levels[i]))


@pytest.mark.parametrize("space", SPACES)
def test_consistency_noises_the_picture_again(space):
    space = SPACES[space]
    levels = sigmas(space, "simple", 3)
    x = torch.randn(1, 4, 8, 8)
    noise = torch.randn(1, 4, 8, 8)
    states = run("lcm", D_of(space), space, x, levels, lambda *_: noise)
    for (x, D), σ in zip(states, levels[1:], strict=True):
        assert torch.equal(x, space.renoise(D, noise, σ) if σ > 0 else D)


# What holds for all


@pytest.mark.parametrize(("sampler", "space"), supported(samplers()))
@pytest.mark.parametrize("steps", [1, 2, 3, 4, 5, 8])
def test_every_step_is_reported_and_the_network_called_no_more_than_needed(sampler, space, steps):
    space = SPACES[space]
    levels = sigmas(space, "karras", steps, sampler=sampler)
    calls = []

    def D(x, σ):
        calls.append(σ.item())
        return GAUSSIAN.denoised(space, x, σ)

    x = torch.randn(1, 4, 8, 8)
    noise = noise_for(sampler, x, levels)
    states = run(sampler, D, space, x, levels, noise)
    assert len(states) == steps
    assert len(calls) == CALLS.get(sampler, lambda n: n)(steps)
    assert all(torch.isfinite(x).all() for x, _ in states)
    assert all(a > b for a, b in pairwise(calls)) or sampler in CALLS


@pytest.mark.parametrize("sampler", samplers())
def test_one_step_is_the_denoised_picture(sampler):
    space, x = VP(), torch.randn(1, 4, 8, 8) * 14
    levels = sigmas(space, "normal", 1)
    ((result, D),) = run(sampler, D_of(space), space, x, levels)
    assert torch.equal(D, GAUSSIAN.denoised(space, x, levels[0]))
    assert torch.allclose(result, D, atol=5e-3), "uni_pc ends at σ = 0.001"


@pytest.mark.parametrize("sampler", samplers())
def test_tensors_that_went_out_are_never_written(sampler):
    space, levels = VP(), sigmas(VP(), "karras", 6)
    x = torch.randn(1, 4, 8, 8) * 14
    before, versions = x.clone(), levels._version
    noise = noise_for(sampler, x, levels)
    kept = [
        (x, D, x.clone(), D.clone())
        for x, D in samplers()[sampler](Process(D_of(space), space, noise), x, levels)
    ]
    assert torch.equal(x, before)
    assert levels._version == versions
    assert all(torch.equal(x, x2) and torch.equal(D, D2) for x, D, x2, D2 in kept)


def test_ancestral_noise_is_as_strong_as_the_formula_says():
    space, levels = VP(), torch.tensor([4.0, 2.0, 0.0])
    x = torch.randn(1, 4, 8, 8)
    noise = torch.randn(1, 4, 8, 8)
    (result, D), _ = run("euler_ancestral", D_of(space), space, x, levels, lambda *_: noise)
    up = (2**2 * (4**2 - 2**2) / 4**2) ** 0.5
    down = (2**2 - up**2) ** 0.5
    assert torch.allclose(result, x + (x - D) / 4 * (down - 4) + noise * up, atol=1e-6)


def test_ddpm_is_the_posterior_of_the_diffusion_chain():
    """Ho et al. 2020, eq. 6 and 7, in variance-preserving coordinates."""
    space, levels = VP(), torch.tensor([4.0, 2.0, 0.0])
    x, noise = torch.randn(1, 4, 8, 8), torch.randn(1, 4, 8, 8)
    (result, D), _ = run("ddpm", D_of(space), space, x, levels, lambda *_: noise)
    bar, bar_next = (1 / (1 + σ**2) for σ in levels[:2])
    α = bar / bar_next
    μ = (
        bar_next.sqrt() * (1 - α) / (1 - bar) * D
        + α.sqrt() * (1 - bar_next) / (1 - bar) * x * bar.sqrt()
    )
    β = (1 - bar_next) / (1 - bar) * (1 - α)
    assert torch.allclose(result * bar_next.sqrt(), μ + β.sqrt() * noise, atol=1e-5)
