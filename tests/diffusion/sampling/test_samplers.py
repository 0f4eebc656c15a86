"""Samplers against closed forms: constants that others computed, and pictures whose D is known."""

from itertools import pairwise

import pytest
import torch
from diffusers import TCDScheduler

from helpers.denoisers import Gaussian
from ponystudio.diffusion.noise.draws import between, brownian, first
from ponystudio.diffusion.sampling.names import SAMPLER_SPECS
from ponystudio.diffusion.sampling.parameterisation import VP, Flow
from ponystudio.diffusion.sampling.samplers import Process, samplers
from ponystudio.diffusion.sampling.schedules import sigmas
from ponystudio.errors import ParamChoice

SPACES = {"vp": VP(), "flow": Flow(1.73)}
SPECS = {spec.name: spec for spec in SAMPLER_SPECS if not spec.gpu}
# The order that each method has on a smooth problem, those that draw noise without any. Where the
# first step is Euler's it can be no higher than 2. CFG++ with one side is the method without it.
ORDERS = {
    "euler": 1, "ddim": 1, "euler_cfg_pp": 1, "heunpp2": 1, "tcd": 1,
    "gradient_estimation": 1, "gradient_estimation_cfg_pp": 1,
    "euler_ancestral": 1, "euler_ancestral_cfg_pp": 1,
    "heun": 2, "dpm_2": 2, "dpm_2_ancestral": 2,
    "dpmpp_2m": 2, "dpmpp_2m_cfg_pp": 2, "dpmpp_2m_sde": 2, "dpmpp_2m_sde_heun": 2,
    "dpmpp_3m_sde": 2, "dpmpp_sde": 2, "dpmpp_2s_ancestral": 2,
    "lms": 2, "plms": 2, "ipndm": 2, "ipndm_v": 2, "deis": 2,
    "res_multistep": 2, "res_multistep_cfg_pp": 2,
    "res_multistep_ancestral": 2, "res_multistep_ancestral_cfg_pp": 2,
    "uni_pc": 3, "uni_pc_bh2": 3, "dpm_fast": 3,
    "seeds_2": 2, "seeds_3": 3, "sa_solver": 3, "sa_solver_pece": 3,
}  # fmt: skip
# Those that take a step of their own to get from noise to a picture; dpm_* leave the last noise.
PLAIN = [name for name in ORDERS if not SPECS[name].options or name in ("lms", "ipndm", "ipndm_v")]
# lcm and tcd jump to means and so lose spread, as does the u of another place in 2S of CFG++.
STOCHASTIC = [
    name
    for name, spec in SPECS.items()
    if ("s_noise" in spec.options or name == "ddpm")
    and name not in ("lcm", "tcd", "dpmpp_2s_ancestral_cfg_pp", "dpm_fast", "dpm_adaptive")
]
# How much of the start may be seen in the result: some add little noise while there is much of it.
KEPT = {"er_sde": 0.7, "sa_solver": 0.2, "sa_solver_pece": 0.2}
TWO_CALLS = (
    "heun", "dpm_2", "dpm_2_ancestral", "dpmpp_sde", "dpmpp_2s_ancestral",
    "dpmpp_2s_ancestral_cfg_pp", "seeds_2",
)  # fmt: skip
CALLS = {
    **dict.fromkeys(TWO_CALLS, lambda n: 2 * n - 1),
    "plms": lambda n: n + (n > 1),
    "seeds_3": lambda n: 3 * n - 2,
    "sa_solver_pece": lambda n: 2 * n - 1,
    "heunpp2": lambda n: 3 * max(n - 2, 0) + 2 * (n > 1) + 1,
}
GAUSSIAN = Gaussian()


def no_noise(*_):
    raise AssertionError("a deterministic sampler draws no noise")


def noise_for(sampler, x, levels):
    # Others than dpmpp_sde ask for no stretch of a path twice, and a path is slow.
    return brownian(x, 3, levels) if sampler == "dpmpp_sde" else between(x, 3)


def start(space, levels):
    """Full noise for a picture of zeros."""
    noise = first((1, 4, 64, 64), 1)
    return space.start(torch.zeros_like(noise), noise, levels[0])


def run(sampler, D, space, x, levels, noise=no_noise, **options):
    """All (x, D) that a sampler yields."""
    return list(samplers()[sampler](Process(D, space, noise), x, levels, **options))


def supported(samplers):
    return [
        (sampler, space)
        for sampler in samplers
        for space in SPACES
        if (sampler, space) != ("ddpm", "flow")
    ]


# A toy: u and D of three values, from σ = 10 to 0, every draw of noise ½


TOYS = {
    "euler": ((0.557755, -0.331981, 0.163172), 5),
    "heun": ((0.632484, -0.364295, 0.162862), 9),
    "heunpp2": ((0.569217, -0.336316, 0.160824), 12),
    "ipndm": ((0.588960, -0.344038, 0.164827), 5),
    "ipndm_v": ((0.583681, -0.339814, 0.159946), 5),
    "deis": ((0.581711, -0.339315, 0.158859), 5),
    "dpmpp_2m": ((0.580533, -0.338814, 0.155960), 5),
    "res_multistep": ((0.583298, -0.339666, 0.154909), 5),
    "gradient_estimation": ((0.595124, -0.343573, 0.155287), 5),
    "euler_cfg_pp": ((0.670565, -0.442091, 0.250177), 5),
    "dpmpp_2m_cfg_pp": ((0.757195, -0.522334, 0.315059), 5),
    "res_multistep_cfg_pp": ((0.587828, -0.351382, 0.176045), 5),
    "gradient_estimation_cfg_pp": ((0.633054, -0.383383, 0.188260), 5),
    "euler_ancestral": ((0.528076, 0.459079, 0.498150), 5),
    "dpmpp_2m_sde": ((0.554295, 0.510476, 0.524304), 5),
    "dpmpp_2m_sde_heun": ((0.560499, 0.523998, 0.530510), 5),
    "dpmpp_3m_sde": ((0.571102, 0.489472, 0.540456), 5),
    "dpmpp_sde": ((0.588463, 0.530864, 0.560052), 9),
    "dpmpp_2s_ancestral": ((0.608471, 0.503848, 0.562151), 9),
    "euler_ancestral_cfg_pp": ((0.569826, 0.494720, 0.539177), 5),
    "dpmpp_2s_ancestral_cfg_pp": ((0.639415, 0.537343, 0.597106), 9),
    "res_multistep_ancestral": ((0.560499, 0.523998, 0.530510), 5),
    "res_multistep_ancestral_cfg_pp": ((0.477939, 0.418630, 0.450559), 5),
    "er_sde": ((0.730991, 0.136020, 0.483221), 5),
    "seeds_2": ((0.719897, 0.668879, 0.694374), 9),
    "dpm_fast": ((0.957254, -0.513295, 0.221318), 5),
    "dpm_adaptive": ((0.919219, -0.518459, 0.241220), 15),
}


@pytest.mark.parametrize("sampler", TOYS)
def test_the_toy_of_the_peers(sampler):
    calls = []

    def both(x, σ):
        calls.append(σ)
        u = x * 0.25 / (σ**2 + 0.25)
        return u + 0.2 * x.tanh(), u

    x = torch.tensor([10.0, -5.0, 2.0], dtype=torch.float64)
    levels = torch.tensor([10, 5, 2, 1, 0.5, 0], dtype=torch.float64)
    process = Process(lambda x, σ: both(x, σ)[0], VP(), lambda *_: torch.full_like(x, 0.5), both)
    *_, (result, _) = samplers()[sampler](process, x, levels)
    expected, count = TOYS[sampler]
    assert result.tolist() == pytest.approx(expected, abs=1e-5)
    assert len(calls) == count


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
    still = {"eta": 0.0} if "eta" in SPECS[sampler].options else {}
    *_, (result, _), _ = run(sampler, D_of(space), space, x, levels, **still)
    return (result - GAUSSIAN.at(space, offsets, levels[-2])).abs().max().item()


def D_of(space):
    return lambda x, σ: GAUSSIAN.denoised(space, x, σ)


@pytest.mark.parametrize(("sampler", "space"), supported(ORDERS))
def test_the_error_falls_with_the_order_of_the_method(sampler, space):
    coarse, fine = (error(sampler, SPACES[space], n) for n in (160, 320))
    # DEIS adds up ten thousand values for each weight, which is as near as it comes.
    assert fine < max(coarse * 0.5 ** (ORDERS[sampler] - 0.3), 1e-6)
    assert fine < 0.005


@pytest.mark.parametrize("order", [2, 3])
def test_an_adaptive_step_is_as_long_as_the_tolerance_allows(order):
    """A hundredth of the tolerance leaves a fiftieth of the error, for more calls."""
    space, σ = SPACES["vp"], torch.tensor([5.0, 0.1, 0.0], dtype=torch.float64)
    offsets = torch.linspace(-3, 3, 7, dtype=torch.float64).view(-1, 1, 1, 1)
    x, right = (GAUSSIAN.at(space, offsets, level) for level in σ[:2])

    def error_and_calls(tolerance):
        calls = []

        def D(x, σ):
            calls.append(σ)
            return GAUSSIAN.denoised(space, x, σ)

        options = {"order": order, "rtol": tolerance, "atol": tolerance / 10}
        *_, (result, _) = run("dpm_adaptive", D, space, x, σ, **options)
        return (result - right).abs().max().item(), len(calls)

    (rough, few), (fine, many) = error_and_calls(0.1), error_and_calls(0.001)
    assert fine < rough / 50
    assert few < many < 20 * few


@pytest.mark.parametrize(("sampler", "space"), supported(PLAIN))
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
    allowed = KEPT.get(sampler, 0.1)
    # The start is noise about 0 and not about the picture, of which as much is left.
    assert result.mean().item() == pytest.approx(GAUSSIAN.mean, abs=0.02 + 0.02 * allowed)
    assert result.std().item() == pytest.approx(GAUSSIAN.std, rel=0.05)
    kept = torch.corrcoef(torch.stack([result.flatten(), x.flatten()]))[0, 1]
    assert abs(kept) < allowed, "fresh noise makes another picture than the start would"


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


@pytest.mark.parametrize("sampler", [name for name in SPECS if "eta" in SPECS[name].options])
def test_without_fresh_noise_none_is_drawn(sampler):
    space = SPACES["vp"]
    levels = sigmas(space, "karras", 6)
    run(sampler, D_of(space), space, torch.randn(1, 4, 8, 8), levels, no_noise, eta=0.0)


@pytest.mark.parametrize(
    ("sampler", "space"),
    supported(n for n in SPECS if "eta" in SPECS[n].options and "gpu" not in n),
)
def test_the_most_fresh_noise_leaves_numbers(sampler, space):
    space, most = SPACES[space], min(5.0, SPECS[sampler].most_eta)
    levels, x = sigmas(space, "karras", 6), torch.randn(1, 4, 8, 8)
    states = run(sampler, D_of(space), space, x, levels, noise_for(sampler, x, levels), eta=most)
    assert all(torch.isfinite(x).all() for x, _ in states)


def test_an_adaptive_run_ends_where_no_step_is_short_enough():
    generator = torch.Generator().manual_seed(1)

    def rough(x, σ):
        return torch.randn(x.shape, generator=generator) * 100

    with pytest.raises(ParamChoice, match="came to no end") as caught:
        run("dpm_adaptive", rough, VP(), torch.randn(1, 4, 2, 2), sigmas(VP(), "karras", 6))
    assert caught.value.socket == "sampler"


def test_deis_takes_levels_too_low_for_its_time():
    levels = torch.tensor([5.0, 1.0, 1e-8, 0.0], dtype=torch.float64)
    x = torch.randn(1, 4, 8, 8)
    _, (almost, D), (end, _) = run("deis", D_of(VP()), VP(), x, levels)
    assert torch.allclose(almost, D, atol=1e-6), "Euler's step"
    assert torch.isfinite(end).all()


@pytest.mark.parametrize(("sampler", "space"), supported(SPECS))
def test_every_step_is_reported_and_the_network_called_no_more_than_needed(sampler, space):
    space = SPACES[space]
    for steps in (1, 2, 3, 4, 5, 8):
        levels = sigmas(space, "karras", steps, sampler=sampler)
        calls = []

        def D(x, σ, calls=calls):
            calls.append(σ.item())
            return GAUSSIAN.denoised(space, x, σ)

        x = torch.randn(1, 4, 8, 8)
        states = run(sampler, D, space, x, levels, noise_for(sampler, x, levels))
        assert len(states) == steps
        assert all(torch.isfinite(x).all() for x, _ in states)
        if sampler != "dpm_adaptive":
            assert len(calls) == CALLS.get(sampler, lambda n: n)(steps)
        if sampler not in {*CALLS, "dpm_adaptive"}:
            assert all(a > b for a, b in pairwise(calls))


@pytest.mark.parametrize("sampler", SPECS)
def test_one_step_is_the_denoised_picture(sampler):
    space, x = VP(), torch.randn(1, 4, 8, 8) * 14
    levels = sigmas(space, "normal", 1)
    ((result, D),) = run(sampler, D_of(space), space, x, levels)
    assert torch.equal(D, GAUSSIAN.denoised(space, x, levels[0]))
    assert torch.allclose(result, D, atol=5e-3), "uni_pc ends at σ = 0.001"


@pytest.mark.parametrize("sampler", SPECS)
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


def test_trajectory_consistency_is_that_of_diffusers():
    """Steps with γ = 0.3 and the same draws, until the last, which ends elsewhere there."""
    space, γ = VP(), 0.3
    theirs = TCDScheduler(
        beta_start=0.00085, beta_end=0.012, beta_schedule="scaled_linear", clip_sample=False
    )
    theirs.set_timesteps(4)
    times = theirs.timesteps.tolist()
    sample = torch.randn(1, 4, 8, 8)
    levels = torch.cat([space.table[times], torch.zeros(1, dtype=torch.float64)])
    x = sample * (1 + levels[0] ** 2).sqrt()
    draws = torch.Generator().manual_seed(1)
    for t in times[:-1]:
        ε = 0.5 * sample + t / 4096
        sample = theirs.step(ε, t, sample, eta=γ, generator=draws).prev_sample

    def D(x, σ):
        return x - σ * (0.5 * x / space.input_scale(σ) + space.t(σ) / 4096)

    draws = torch.Generator().manual_seed(1)
    *_, (x, _), _ = run(
        "tcd", D, space, x, levels, lambda *_: torch.randn(x.shape, generator=draws), eta=γ
    )
    assert torch.allclose(space.finish(x, levels[-2]), sample, atol=1e-4)


@pytest.mark.parametrize("space", SPACES)
def test_trajectory_consistency_lies_between_two_others(space):
    space = SPACES[space]
    levels = sigmas(space, "karras", 5)
    x, noise = torch.randn(1, 4, 8, 8), torch.randn(1, 4, 8, 8)

    def end(sampler, **options):
        return run(sampler, D_of(space), space, x, levels, lambda *_: noise, **options)[-1][0]

    assert torch.allclose(end("tcd", eta=1.0), end("lcm"), atol=1e-6)
    assert torch.allclose(end("tcd", eta=0.0), end("euler"), atol=1e-5)
