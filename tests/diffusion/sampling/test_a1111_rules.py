"""Noise levels, times and begin of a run by A1111's rules."""

import pytest
import torch

from helpers.denoisers import FLOW, SD1, FunctionDenoiser
from ponystudio.api import A1111Rules, Predicts
from ponystudio.diffusion.families import find_family
from ponystudio.diffusion.sampling import a1111_rules, parameterisation
from ponystudio.diffusion.sampling.names import SAMPLERS, SCHEDULES
from ponystudio.diffusion.sampling.parameterisation import VP
from ponystudio.diffusion.sampling.run import levels as levels_of
from ponystudio.diffusion.sampling.schedules import sigmas
from ponystudio.errors import ParamChoice, ParamRange

SPACE, PLAIN = VP(fractional=True), A1111Rules()
EMPTY, PICTURE = torch.zeros(1, 4, 8, 8), torch.ones(1, 4, 8, 8)


def denoiser(rules=PLAIN, modifiers=(), **options):
    return FunctionDenoiser(lambda x, t, context: x, modifiers=(*modifiers, rules), **options)


def levels(schedule, steps, sampler="euler", *, values=EMPTY, family=SD1, denoise=1.0, **rules):
    network = denoiser(A1111Rules(**rules), family=family, prediction=family.prediction)
    made = levels_of(network, values, schedule, steps, sampler=sampler, denoise=denoise)
    return made.tolist()


def whole(schedule, steps, **options):
    return sigmas(VP(), schedule, steps, **options).tolist()


def close(values):
    return pytest.approx(values, abs=6e-6)


# Schedules of its own


def test_kl_optimal_ends_at_the_lowest_level():
    assert levels("kl_optimal", 10) == close(
        [
            14.61464,
            4.56504,
            2.63289,
            1.78645,
            1.29477,
            0.96159,
            0.71163,
            0.50942,
            0.33564,
            0.17835,
            0.02917,
        ]
    )


def test_beta_is_even_in_sigma():
    assert levels("beta", 10) == close(
        [
            14.61464,
            13.92778,
            12.49098,
            10.59761,
            8.44244,
            6.20137,
            4.0462,
            2.15283,
            0.71602,
            0.02917,
            0,
        ]
    )


def test_aligned_steps_are_those_that_were_published_rounded():
    twenty = levels("align_your_steps", 20)
    assert len(twenty) == 21
    assert twenty[:6] == close([14.615, 9.52171, 6.30118, 4.80002, 3.7179, 3.07814])
    assert twenty[-2:] == close([0.029, 0])
    assert levels("align_your_steps", 11)[1] == close(6.475)
    assert levels("align_your_steps", 11, family=find_family("sdxl"))[1] == close(6.315)
    with pytest.raises(ParamChoice, match="Nobody has aligned steps"):
        levels("align_your_steps", 10, family=FLOW)


@pytest.mark.parametrize(
    "schedule",
    ["normal", "karras", "exponential", "polyexponential", "sgm_uniform", "simple", "ddim_uniform"],
)
def test_the_others_are_comfyuis(schedule):
    assert levels(schedule, 10) == pytest.approx(whole(schedule, 10), rel=1e-6)


@pytest.mark.parametrize(
    ("sampler", "schedule"),
    [
        ("dpmpp_2m", "karras"),
        ("dpmpp_sde", "karras"),
        ("dpmpp_2s_ancestral", "karras"),
        ("dpmpp_2m_sde", "exponential"),
        ("dpmpp_2m_sde_heun", "exponential"),
        ("euler", "normal"),
        ("euler_ancestral", "normal"),
        ("lms", "normal"),
    ],
)
def test_automatic_is_the_samplers_own(sampler, schedule):
    assert levels("auto", 10, sampler) == levels(schedule, 10, sampler)


def test_automatic_of_flow_models_is_theirs():
    assert levels("auto", 10, "dpmpp_2m", family=FLOW) == levels(FLOW.schedule, 10, family=FLOW)


def test_some_samplers_go_without_the_last_level_but_one():
    eleven = levels("karras", 11)
    for sampler in ("dpm_2", "dpm_2_ancestral", "dpmpp_3m_sde"):
        assert levels("karras", 10, sampler) == [*eleven[:-2], 0]
    for sampler in ("euler", "dpmpp_2m", "dpmpp_2m_sde"):
        assert levels("karras", 10, sampler) == levels("karras", 10)
        assert levels("karras", 10, sampler, discard=True) == [*eleven[:-2], 0]


def test_the_ends_and_the_bend_of_a_schedule():
    ends = {"sigma_max": 10.0, "sigma_min": 0.1}
    for schedule in ("karras", "exponential", "polyexponential", "beta", "kl_optimal"):
        made = levels(schedule, 10, **ends)
        assert made[0] == pytest.approx(10, rel=1e-6)
        assert min(level for level in made if level) == pytest.approx(0.1, rel=1e-6)
    assert levels("sgm_uniform", 10, **ends)[0] == pytest.approx(10, rel=1e-6)
    third = levels("karras", 3, rho=3.0, **ends)[1]
    assert third == pytest.approx(((10 ** (1 / 3) + 0.1 ** (1 / 3)) / 2) ** 3, rel=1e-6)
    bent = levels("polyexponential", 3, rho=2.0, **ends)[1]
    assert bent == pytest.approx(0.1 * 100**0.25, rel=1e-6)
    with pytest.raises(ParamRange, match="not below the highest"):
        levels("karras", 10, sigma_min=20.0)


# How many steps are taken


def test_a_picture_that_is_changed_takes_a_share_of_the_steps():
    """t_enc = int(min(s, .999)·n), and one more."""
    twenty = whole("karras", 20)
    for share, taken in ((0.5, 11), (0.75, 16), (0.7, 15), (0.01, 1)):
        assert levels("karras", 20, denoise=share, values=PICTURE) == twenty[20 - taken :]
    assert levels("karras", 20, values=PICTURE) == twenty
    assert levels("karras", 20, denoise=0.0) == []


def test_hires_takes_all_of_them():
    """t_enc = n − 1 of int(n / min(s, .999)) steps."""
    made = levels("karras", 10, denoise=0.7, values=PICTURE, all_steps=True)
    assert made == whole("karras", 14)[14 - 10 :]
    assert len(levels("karras", 10, denoise=1.0, values=PICTURE, all_steps=True)) == 11
    with pytest.raises(ParamRange, match="over 1,000,000"):
        levels("karras", 9000, denoise=0.001, all_steps=True)


def test_levels_are_left_out_of_the_part_too():
    made = levels("normal", 20, "dpm_2", denoise=0.5, values=PICTURE)
    assert made == [*whole("normal", 21)[:-2], 0][9:]


@pytest.mark.parametrize("schedule", SCHEDULES)
def test_every_schedule_serves_every_count(schedule):
    for steps in (1, 2, 7, 1500):
        for denoise in (1.0, 0.4):
            for sampler in ("euler", "dpm_2", "ddim", "uni_pc"):
                made = torch.tensor(levels(schedule, steps, sampler, denoise=denoise))
                assert (made.diff() < 0).all()
                assert torch.isfinite(made).all()


# Time steps


@pytest.mark.parametrize("sampler", ["ddim", "plms"])
def test_ddim_walks_whole_steps_of_the_training(sampler):
    twenty = [float(SPACE.table[t]) for t in range(951, 0, -50)]
    assert levels("karras", 20, sampler) == twenty
    # 1000 // 30 is 33: there are 31 of them.
    assert levels("normal", 30, sampler) == [float(SPACE.table[t]) for t in range(991, 0, -33)]
    half = levels("normal", 20, sampler, denoise=0.5, values=PICTURE)
    assert half == twenty[10:]
    # A picture that is changed is never begun from noise alone.
    assert levels("normal", 20, sampler, values=PICTURE) == twenty[1:]
    assert levels("normal", 1500, sampler)[0] == float(SPACE.table[999])


def test_unipc_takes_as_many_of_equal_length_to_the_first():
    made = levels("normal", 20, "uni_pc")
    times = [float(SPACE.t(torch.tensor(level, dtype=torch.float64))) for level in made]
    assert times == pytest.approx([999 * (1 - i / 20) for i in range(21)], abs=0.01)
    half = levels("normal", 20, "uni_pc", denoise=0.5, values=PICTURE)
    assert len(half) == 11
    assert half[0] == pytest.approx(float(SPACE.table[451]), rel=1e-6)


def test_only_a_whole_table_has_time_steps():
    assert levels("simple", 10, "ddim", family=FLOW) == levels("simple", 10, family=FLOW)
    for other in (Predicts("lcm"), Predicts("edm", counted="log")):
        network = denoiser(modifiers=(other,))
        by_ddim, by_euler = (
            levels_of(network, EMPTY, "karras", 10, sampler=sampler)
            for sampler in ("ddim", "euler")
        )
        assert torch.equal(by_ddim, by_euler)


# Times and tables


def test_times_lie_between_steps():
    table = SPACE.table
    σ = (table[500] * table[501]).sqrt()
    assert float(SPACE.t(σ)) == pytest.approx(500.5, abs=1e-3)
    assert float(VP().t(σ)) in (500, 501)
    for t in (0, 1, 500, 951, 999):
        assert float(SPACE.t(table[t])) == pytest.approx(t, abs=1e-3)
    assert float(SPACE.t(table[-1] * 2)) == 999
    assert float(SPACE.t(table[0] / 2)) == 0


def test_who_says_so_tells_whole_steps():
    σ = torch.tensor(1.2345, dtype=torch.float64)

    def t(modifier, *more):
        return float(parameterisation.of(denoiser(modifier, modifiers=more), 64).t(σ))

    assert t(A1111Rules()) % 1
    assert t(A1111Rules(quantized=True)) % 1 == 0
    # A latent consistency model was distilled to whole steps.
    assert t(A1111Rules(), Predicts("lcm")) % 20 == 19


def test_alphas_of_half_precision():
    half = parameterisation.of(denoiser(A1111Rules(half_alphas=True)), 64)
    assert float(half.sigma_max) == pytest.approx(14.612339, abs=5e-6)
    assert float(half.sigma_min) == pytest.approx(0.031265, abs=1e-6)
    times = [float(half.t(level)) for level in half.table]
    assert times == sorted(times)


def test_terminal_snr():
    network = denoiser(A1111Rules(zero_snr=True))
    assert parameterisation.of(network, 64).sigma_max == VP(zsnr=True).sigma_max
    assert parameterisation.of(denoiser(), 64).sigma_max == VP().sigma_max


# Begin and end


def start(sampler="euler", latent=EMPTY, made=None, **rules):
    noise = torch.full_like(EMPTY, 2.0)
    made = torch.tensor(levels("normal", 10, sampler) if made is None else made).double()
    return a1111_rules.start(SPACE, A1111Rules(**rules), sampler, latent, noise, made), made[0]


def test_a_run_begins_with_the_noise_of_its_first_level_and_no_more():
    x, σ = start()
    assert torch.allclose(x, 2 * σ.float() * torch.ones_like(EMPTY))
    x, σ = start(latent=PICTURE)
    assert torch.allclose(x, 1 + 2 * σ.float() * PICTURE)


def test_scaled_as_comfyui_begins_it():
    x, σ = start(scaled_start=True)
    assert torch.allclose(x, 2 * (1 + σ**2).sqrt().float() * torch.ones_like(EMPTY))
    x, σ = start(latent=PICTURE, scaled_start=True)
    assert torch.allclose(x, 1 + 2 * σ.float() * PICTURE)


def test_time_steps_begin_from_noise_alone():
    """√ᾱ·x is the noise; a picture is noised up to the step above the first that is walked."""
    x, σ = start("ddim")
    assert torch.allclose(x / (1 + σ**2).sqrt(), torch.full_like(EMPTY, 2.0))
    for sampler in ("ddim", "uni_pc"):
        half = levels("normal", 20, sampler, denoise=0.5, values=PICTURE)
        x, σ = start(sampler, PICTURE, half)
        ᾱ = 1 / (1 + SPACE.table[501] ** 2)
        expected = ᾱ.sqrt() + (1 - ᾱ).sqrt() * 2
        assert torch.allclose(x / (1 + σ**2).sqrt(), expected.float() * PICTURE, rtol=1e-5)


def test_time_steps_end_as_they_are_counted():
    x = torch.ones(1)
    second = SPACE.table[1]
    scaled = x / float((1 + second**2).sqrt())
    assert torch.allclose(a1111_rules.finish(SPACE, "ddim", x, second), scaled)
    assert torch.equal(a1111_rules.finish(SPACE, "euler", x, second), x)
    assert torch.equal(a1111_rules.finish(SPACE, "ddim", x, SPACE.table[300]), x)


@pytest.mark.parametrize("sampler", SAMPLERS)
def test_eta_is_said_or_the_samplers(sampler):
    fresh = sampler in ("dpm_fast", "dpm_adaptive")
    assert a1111_rules.own_eta(A1111Rules(), sampler) == (1.0 if fresh else None)
    assert a1111_rules.own_eta(A1111Rules(eta=0.5), sampler) == 0.5
