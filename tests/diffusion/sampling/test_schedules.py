import json
import math

import numpy as np
import pytest
import torch
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from helpers.paths import PARITY
from ponystudio.diffusion.families import find_family
from ponystudio.diffusion.sampling.parameterisation import VP, Flow, rounded
from ponystudio.diffusion.sampling.schedules import (
    SCHEDULES,
    karras_levels,
    laplace_levels,
    polyexponential_levels,
    sigmas,
    vp_levels,
)
from ponystudio.errors import ParamChoice, ParamRange

REFERENCE = json.loads((PARITY / "sigmas.json").read_text())
# One step of kl_optimal is NaN there.
WHOLE = {
    key: levels
    for key, levels in REFERENCE["schedules"].items()
    if key.split("/")[0] in SCHEDULES and key != "kl_optimal/1"
}
SD1, SDXL = (find_family(name).aligned for name in ("sd1", "sdxl"))
SPACES = {
    "vp": VP(aligned=SD1),
    "zsnr": VP("v", zsnr=True, aligned=SDXL),
    "flow": Flow(1.73),
}

TEN_STEPS = {
    "normal": "14.61464 7.83988 4.60917 2.91831 1.95016 1.34493 .93236 .62498 .36866 .02917",
    "sgm_uniform": "14.61464 8.30717 5.09241 3.32507 2.27973 1.61558 1.16286 .83188 .57119 .34370",
    "simple": "14.61464 8.3028 5.08776 3.32108 2.27646 1.61289 1.16058 .82986 .56928 .34167",
    "ddim_uniform": "8.39068 5.13443 3.34776 2.29285 1.62369 1.16822 .83565 .57405 .34619 .04131",
    "karras": "14.61464 9.10293 5.47839 3.16860 1.74942 .91407 .44692 .20140 .08191 .02917",
    "exponential": "14.61464 7.32487 3.67123 1.84002 .92222 .46222 .23166 .11611 .05819 .02917",
}


# Units in the last place that float32 costs ComfyUI: powers and tangents enlarge its roundings,
# and what is picked from the table has none.
ROUNDING = {"karras": 16, "kl_optimal": 16, "simple": 0, "ddim_uniform": 0, "beta": 0}


def assert_of_the_peer(schedule, ours, theirs):
    np.testing.assert_array_max_ulp(
        ours.float().numpy(), np.array(theirs, np.float32), maxulp=ROUNDING.get(schedule, 4)
    )


@pytest.mark.parametrize("key", WHOLE)
def test_levels_of_the_peer(key):
    schedule, steps = key.split("/")
    assert_of_the_peer(schedule, sigmas(SPACES["vp"], schedule, int(steps)), WHOLE[key])


@pytest.mark.parametrize("key", REFERENCE["ksampler"])
def test_levels_of_the_peer_by_sampler_and_denoise(key):
    sampler, schedule, steps, denoise = key.split("/")
    levels = sigmas(SPACES["vp"], schedule, int(steps), sampler=sampler, denoise=float(denoise))
    assert_of_the_peer(schedule, levels, REFERENCE["ksampler"][key])


@pytest.mark.parametrize("schedule", TEN_STEPS)
def test_ten_steps(schedule):
    expected = [*map(float, TEN_STEPS[schedule].split()), 0.0]
    assert sigmas(SPACES["vp"], schedule, 10).tolist() == pytest.approx(expected, abs=6e-6)


def test_ten_steps_of_linear_and_quadratic():
    shares = [1, 0.995, 0.99, 0.985, 0.98, 0.975, 0.932, 0.813, 0.618, 0.347, 0]
    assert sigmas(Flow(), "linear_quadratic", 10).tolist() == pytest.approx(shares, abs=5e-4)
    levels = sigmas(SPACES["vp"], "linear_quadratic", 10) / SPACES["vp"].sigma_max
    assert levels.tolist() == pytest.approx(shares, abs=5e-4)


def test_aligned_steps():
    levels = sigmas(SPACES["vp"], "align_your_steps", 20)
    expected = [14.61464, 9.72747, 6.47458, 5.00157, 3.86367, 3.22663]
    assert levels[:6].tolist() == pytest.approx(expected, abs=6e-6)
    ten = sigmas(SPACES["zsnr"], "align_your_steps", 10)
    assert ten.tolist() == pytest.approx([*SDXL[:-1], 0], rel=1e-6)
    assert torch.equal(
        sigmas(SPACES["vp"], "align_your_steps", 10, denoise=0.5)[-11:], levels[-11:]
    )


def test_nobody_has_aligned_steps_of_flow():
    with pytest.raises(ParamChoice, match="Nobody has aligned steps") as caught:
        sigmas(SPACES["flow"], "align_your_steps", 10)
    assert caught.value.socket == "scheduler"


def test_levels_by_their_own_ends():
    """Of k-diffusion; the exponent of 1 is `exponential`, whose ends are the first and the last."""
    five = polyexponential_levels(5, 10.0, 0.1, 2.0)
    w = torch.linspace(1, 0, 5, dtype=torch.float64) ** 2
    assert torch.allclose(five.log(), w * math.log(100) + math.log(0.1))
    assert torch.allclose(
        polyexponential_levels(5, 10.0, 0.1), polyexponential_levels(5, 10, 0.1, 1.0)
    )
    karras = karras_levels(5, 10.0, 0.1, 3.0)
    assert torch.allclose(
        karras ** (1 / 3), torch.linspace(10 ** (1 / 3), 0.1 ** (1 / 3), 5).double()
    )
    vp = vp_levels(5)
    assert vp[0].item() == pytest.approx(math.sqrt(math.exp(19.9 / 2 + 0.1) - 1))
    laplace = laplace_levels(5, 10.0, 0.1)
    assert laplace.tolist() == pytest.approx(
        [10.0, math.exp(-0.5 * math.log(0.5 + 1e-5)), 1.0, 0.707114, 0.1], rel=1e-5
    )


def test_ten_steps_of_shifted_flow():
    expected = [
        1,
        0.93965,
        0.87374,
        0.80146,
        0.72184,
        0.63370,
        0.53560,
        0.42576,
        0.30192,
        0.16123,
        0,
    ]
    assert sigmas(Flow(1.73), "simple", 10).tolist() == pytest.approx(expected, abs=6e-6)


def test_linear_is_what_flow_models_come_with():
    """Ten steps of AuraFlow, and of FLUX dev at 1024 × 1024 with μ = 1.15."""
    aura = [1, 0.93965, 0.87374, 0.80146, 0.72184, 0.63370, 0.53560, 0.42576, 0.30192, 0.16123, 0]
    assert sigmas(Flow(1.73), "linear", 10).tolist() == pytest.approx(aura, abs=6e-6)
    dev = [1, 0.96601, 0.92665, 0.88051, 0.82570, 0.75951, 0.67799, 0.57510, 0.44120, 0.25976, 0]
    levels = sigmas(Flow(math.exp(1.15), 1.0), "linear", 10)
    assert levels.tolist() == pytest.approx(dev, abs=6e-6)
    seven = Flow(3.0).sigma(1000 * torch.linspace(1, 1 / 7, 7, dtype=torch.float64))
    assert torch.allclose(sigmas(Flow(3.0), "linear", 7)[:-1], seven, atol=1e-6)


def test_four_steps_of_plain_flow():
    assert sigmas(Flow(), "simple", 4).tolist() == [1, 0.75, 0.5, 0.25, 0]


@settings(deadline=None)
@given(
    st.sampled_from(sorted(SPACES)),
    st.sampled_from(sorted(SCHEDULES)),
    st.integers(1, 300),
    st.sampled_from(["euler", "dpm_2", "uni_pc"]),
    st.floats(0.02, 1),
)
def test_levels_fall_to_zero(space, schedule, steps, sampler, denoise):
    assume((space, schedule) != ("flow", "align_your_steps"))
    levels = sigmas(SPACES[space], schedule, steps, sampler=sampler, denoise=denoise)
    assert torch.equal(levels, rounded(levels))
    assert torch.isfinite(levels).all()
    assert (levels.diff() < 0).all()
    assert levels[-1] == 0
    assert levels[0] <= SPACES[space].sigma_max * (1 + 1e-5)


@settings(deadline=None)
@given(st.sampled_from(sorted(SCHEDULES)), st.integers(1, 1000))
def test_as_many_steps_as_asked(schedule, steps):
    n = len(sigmas(SPACES["vp"], schedule, steps)) - 1
    if schedule == "ddim_uniform":
        assert min(steps, 999) <= n <= 2 * steps, "table entries at a whole stride"
    elif schedule == "beta":
        assert n <= steps, "repeated table entries are dropped"
    else:
        assert n == steps


@pytest.mark.parametrize("schedule", sorted(SCHEDULES))
def test_more_steps_than_table_entries(schedule):
    levels = sigmas(SPACES["vp"], schedule, 3000)
    assert (levels.diff() < 0).all(), "a step of no length would divide by zero"


@settings(deadline=None)
@given(st.integers(1, 60), st.floats(0.05, 1))
def test_denoise_is_the_end_of_a_longer_schedule(steps, denoise):
    part = sigmas(SPACES["vp"], "karras", steps, denoise=denoise)
    whole = sigmas(SPACES["vp"], "karras", int(steps / denoise) if denoise < 1 else steps)
    assert len(part) == steps + 1
    assert torch.equal(part, whole[-len(part) :])


def test_a_small_share_of_a_schedule_longer_than_the_table():
    """The last 21 levels of 2001, of which every two are one: ComfyUI's rule."""
    table = SPACES["vp"].table
    levels = sigmas(SPACES["vp"], "simple", 20, denoise=0.01)
    assert torch.equal(levels, torch.cat([table[:10].flip(0), torch.zeros(1)]))


def test_a_share_that_is_all_but_the_whole():
    """The schedule has an interval more than asked; a part of it has as many as asked."""
    levels = sigmas(SPACES["vp"], "ddim_uniform", 7, denoise=0.95)
    whole = sigmas(SPACES["vp"], "ddim_uniform", 7)
    assert len(whole) == 9
    assert torch.equal(levels, whole[-8:])


@pytest.mark.parametrize("schedule", sorted(SCHEDULES))
def test_a_share_too_small_to_be_worked_out(schedule):
    with pytest.raises(ParamRange, match="larger share"):
        sigmas(SPACES["vp"], schedule, 10_000, denoise=1e-9)
    assert len(sigmas(SPACES["vp"], schedule, 2, denoise=1e-5)) >= 2


def test_denoise_ends():
    assert len(sigmas(SPACES["vp"], "normal", 10, denoise=0.0)) == 0
    assert torch.equal(
        sigmas(SPACES["vp"], "normal", 10, denoise=0.99995), sigmas(SPACES["vp"], "normal", 10)
    )


def test_beta_quantiles_are_those_of_the_distribution():
    from scipy.stats import beta

    for n in (1, 7, 20, 333):
        quantiles = beta.ppf(1 - np.linspace(0, 1, n, endpoint=False), 0.6, 0.6)
        expected = SPACES["vp"].table[np.unique(np.rint(quantiles * 999).astype(int))[::-1].copy()]
        assert torch.equal(sigmas(SPACES["vp"], "beta", n)[:-1], expected)
