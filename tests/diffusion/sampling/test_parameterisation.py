import json
import math

import pytest
import torch
from diffusers import EDMEulerScheduler, LCMScheduler

from helpers.denoisers import FLOW, FunctionDenoiser, prompt
from helpers.paths import PARITY
from ponystudio.api import Noise, Sampler
from ponystudio.api.modifiers import Predicts, Shift
from ponystudio.diffusion.families import find_family
from ponystudio.diffusion.sampling.guidance import one
from ponystudio.diffusion.sampling.parameterisation import VP, Flow, of, rounded
from ponystudio.diffusion.sampling.run import walk
from ponystudio.diffusion.sampling.schedules import SCHEDULES, sigmas

REFERENCE = json.loads((PARITY / "sigmas.json").read_text())
SPACES = {
    "eps": VP(),
    "v": VP("v"),
    "zsnr": VP("v", zsnr=True),
    "flow": Flow(),
    "shifted": Flow(1.73),
}


@pytest.fixture(params=SPACES, scope="module")
def space(request):
    return SPACES[request.param]


def value(number):
    return torch.tensor(float(number), dtype=torch.float64)


# Tables


def test_table_of_the_peer_to_the_last_bit():
    table = VP().table
    assert [table[i].item() for i in (0, 1, 500, 998, 999)] == REFERENCE["sigmas_0_1_500_998_999"]
    assert VP().sigma_min.item() == REFERENCE["sigma_min"]
    assert VP().sigma_max.item() == REFERENCE["sigma_max"]


@pytest.mark.parametrize(
    ("t", "alpha_bar", "sigma"),
    [
        (0, 0.99915000, 0.0291672),
        (1, 0.99829603, 0.0413144),
        (100, 0.89422348, 0.3439312),
        (250, 0.67379263, 0.6957989),
        (500, 0.27633268, 1.6182788),
        (750, 0.05616985, 4.0991641),
        (900, 0.01415114, 8.3465966),
        (999, 0.00466010, 14.6146412),
    ],
)
def test_check_values_of_the_table(t, alpha_bar, sigma):
    σ = VP().table[t].item()
    assert σ == pytest.approx(sigma, abs=6e-8, rel=1e-7)
    assert 1 / (σ**2 + 1) == pytest.approx(alpha_bar, rel=1e-5)


def test_table_without_terminal_signal():
    table = VP("v", zsnr=True).table
    assert [table[i].item() for i in (0, 500, 998, 999)] == REFERENCE["zsnr_sigmas_0_500_998_999"]
    alpha_bar = 1 / (table.double() ** 2 + 1)
    assert alpha_bar[0].item() == pytest.approx(0.99915, rel=1e-5)
    assert alpha_bar[1].item() == pytest.approx(0.99823345, rel=1e-6)
    assert alpha_bar[500].item() == pytest.approx(0.24101878, rel=1e-6)
    assert alpha_bar[998].item() == pytest.approx(1.967888e-7, rel=1e-5)


def test_flow_shift_bends_towards_noise():
    assert Flow(3.0).sigma(value(500)).item() == pytest.approx(0.75)
    assert Flow(3.0).sigma_max == 1


# Time


def test_time_of_sigma_is_the_nearest_whole_step():
    for σ, t in REFERENCE["timestep_of_sigma"].items():
        assert VP().t(value(σ)) == t


@pytest.mark.parametrize(("halfway", "t"), [(832.5, 833), (499.5, 500), (333.5, 333), (166.5, 166)])
def test_time_halfway_is_rounded_as_the_peers_round_it(halfway, t):
    """What ComfyUI's float32 gives on x86 processors with and without AVX2 and AVX-512."""
    assert VP().t(rounded(VP().sigma(value(halfway)))) == t


def test_time_inverts_sigma_on_the_table():
    space = VP()
    for t in (0, 1, 17, 500, 998, 999):
        assert space.t(space.sigma(value(t))) == t
        assert torch.allclose(space.sigma(value(t)), space.table[t], rtol=1e-6)


def test_networks_are_told_a_time_in_float32(space):
    assert space.t(value(0.5)).dtype == torch.float32


def test_sigma_between_entries_is_their_geometric_mean():
    space = VP()
    assert space.sigma(value(10.5)) ** 2 == pytest.approx(
        (space.table[10] * space.table[11]).item(), rel=1e-6
    )


def test_flow_tells_the_network_sigma_itself():
    assert Flow(3.0).t(value(0.25)) == 250
    assert Flow(1.73, time=1.0).t(value(0.25)) == 0.25


# What networks say


def test_each_prediction_gives_the_picture_back():
    x0, ε = torch.randn(2, 4, 8, 8), torch.randn(2, 4, 8, 8)
    for σ in map(value, (0.05, 0.5, 0.99)):
        alpha_bar = 1 / (σ**2 + 1)
        outputs = {
            "eps": ε,
            "v": alpha_bar.sqrt() * ε - (1 - alpha_bar).sqrt() * x0,
            "flow": ε - x0,
        }
        for name, output in outputs.items():
            space = SPACES[name]
            x = space.renoise(x0, ε, σ)
            assert torch.allclose(space.denoised(x, output, σ), x0, atol=1e-5), (name, σ)


def test_networks_see_inputs_of_even_variance():
    x0, ε = torch.randn(1, 4, 64, 64), torch.randn(1, 4, 64, 64)
    for σ in map(value, (0.1, 1, 10)):
        space = VP()
        seen = space.renoise(x0, ε, σ) / space.input_scale(σ)
        assert seen.std().item() == pytest.approx(1, abs=0.02)
    assert Flow().input_scale(value(0.5)) == 1


def test_full_noise_starts_with_the_variance_of_a_picture():
    space, zeros, ones = VP(), torch.zeros(1), torch.ones(1)
    σ = space.sigma_max
    assert space.start(zeros, ones, σ) == (1 + σ**2).sqrt()
    # Schedules that come to σ_max by logarithms miss it by less than the tolerance.
    assert space.start(zeros, ones, σ * (1 - 5e-6)) > σ
    below = σ * (1 - 1e-4)
    assert space.start(zeros, ones, below) == below
    assert space.start(ones, ones, below) == 1 + below


def test_flow_starts_from_a_mixture():
    assert Flow().start(torch.ones(1), torch.full((1,), 3.0), value(0.25)) == 0.75 + 0.75


def test_finish_undoes_the_coordinates():
    x = torch.ones(1)
    assert VP().finish(x, value(0)) == 1
    assert VP().finish(x, value(2)).item() == pytest.approx(5**-0.5)
    assert Flow().finish(x, value(0)) == 1


# Signal to noise


def test_half_log_snr_is_what_its_name_says(space):
    for σ in map(value, (0.01, 0.3, 0.9)):
        λ = space.half_log_snr(σ)
        assert torch.allclose(λ, (space.alpha(σ) / σ).log(), atol=1e-5)
        assert torch.allclose(space.sigma_of_half_log_snr(λ), σ, rtol=1e-5)
    assert space.half_log_snr(value(0)) == torch.inf


def test_flow_starts_a_little_later_where_lambda_would_be_infinite():
    sigmas = torch.tensor([1.0, 0.5, 0.0], dtype=torch.float64)
    finite = Flow(1.73).with_finite_snr(sigmas)
    assert 0.999 < finite[0] < 1
    assert torch.equal(finite[1:], sigmas[1:])
    assert torch.isfinite(Flow(1.73).half_log_snr(finite[0]))
    assert sigmas[0] == 1, "the schedule itself must stay"
    assert torch.equal(VP().with_finite_snr(sigmas), sigmas)


def test_ancestral_steps_arrive_at_the_right_noise(space):
    σ, σ_next = value(0.8), value(0.5)
    down, scale, up = space.ancestral(σ, σ_next)
    assert 0 < down < σ_next
    assert torch.allclose((scale * down) ** 2 + up**2, σ_next**2)
    assert torch.allclose(scale * space.alpha(down), space.alpha(σ_next))


# Choice


def test_the_denoiser_says_which():
    eps = of(FunctionDenoiser(torch.zeros_like), 64)
    assert isinstance(eps, VP)
    assert eps.prediction == "eps"
    zsnr = of(FunctionDenoiser(torch.zeros_like, prediction="v", zsnr=True), 64)
    assert zsnr.sigma_max > 4000
    flow = of(FunctionDenoiser(torch.zeros_like, prediction="flow", family=FLOW), 64)
    assert torch.equal(flow.table, Flow(1.73).table)


# Tokens of a picture, four cells each, and the shift that FLUX dev gives them.
@pytest.mark.parametrize(("tokens", "mu"), [(256, 0.5), (1024, 0.63), (2304, 0.8467), (4096, 1.15)])
def test_guided_models_bend_time_by_the_size_of_the_picture(tokens, mu):
    dev = FunctionDenoiser(
        torch.zeros_like, prediction="flow", family=find_family("flux"), guided=True
    )
    space = of(dev, 4 * tokens)
    assert space.shift == pytest.approx(math.exp(mu), rel=1e-4)
    assert len(space.table) == 10_000
    dev.guided = False
    assert of(dev, 4 * tokens).shift == 1


def test_a_shift_of_ones_own_is_taken_instead():
    for family in ("flux", "sd3", "auraflow"):
        denoiser = FunctionDenoiser(
            torch.zeros_like,
            prediction="flow",
            family=find_family(family),
            guided=True,
            modifiers=(Shift(2.5),),
        )
        assert of(denoiser, 4096).shift == 2.5


# What a model is said to predict


def said(answer, **more):
    return of(FunctionDenoiser(None, modifiers=(Predicts(answer, **more),)), 64)


def test_what_is_said_of_a_model_goes_before_its_file():
    assert said("v").prediction == "v"
    assert torch.equal(said("v", zsnr=True).table, VP("v", zsnr=True).table)
    x, out = torch.tensor([3.0]), torch.tensor([0.5])
    assert said("x0").denoised(x, out, torch.tensor(2.0)) == out


def test_a_network_from_picture_to_picture_is_shown_it_as_it_is():
    x, seen = torch.full((1, 4, 8, 8), 3.0), []

    def network(shown, t, context):
        seen.append((shown, t))
        return shown * 2

    denoiser = FunctionDenoiser(network, modifiers=(Predicts("img_to_img"),))
    made = walk(
        denoiser, one(prompt()), x, torch.tensor([999.0, 0.0], dtype=torch.float64),
        sampler=Sampler("euler"), noise=Noise(1, off=True),
    )  # fmt: skip
    ((shown, t),) = seen
    scale = denoiser.family.scaling_factor
    assert torch.allclose(shown, x * scale)
    assert t.unique() == 999
    assert torch.allclose(made.values, x * 2, atol=1e-4)


def test_consistency_models_know_fifty_levels():
    space = said("lcm")
    assert torch.equal(space.table, VP().table[19::20])
    assert [float(space.t(σ)) for σ in space.table[[0, 1, -1]]] == [19, 39, 999]
    assert space.sigma_max == VP().sigma_max
    times = torch.tensor([999.0, 979.0, 19.0], dtype=torch.float64)
    assert torch.allclose(space.sigma(times), VP().sigma(times))
    assert [float(space.t(σ)) for σ in sigmas(space, "simple", 4)[:-1]] == [999, 759, 499, 259]


def test_a_consistency_model_gives_the_picture_of_diffusers():
    space, t = said("lcm"), 259
    theirs = LCMScheduler(beta_start=0.00085, beta_end=0.012, beta_schedule="scaled_linear")
    theirs.set_timesteps(4)
    assert t in theirs.timesteps
    x, ε = torch.randn(1, 4, 8, 8), torch.randn(1, 4, 8, 8)
    σ = VP().table[t]
    D = space.denoised(x * (1 + σ**2).sqrt(), ε, σ)
    assert torch.allclose(D, theirs.step(ε, t, x).denoised, atol=1e-4)


def test_levels_without_a_table():
    """Of Karras et al. 2022, with the spread of pictures that it has in mind, and of others."""
    edm = said("edm", counted="log")
    assert edm.sigma_min == pytest.approx(0.002)
    assert edm.sigma_max == pytest.approx(120)
    assert len(edm.table) == 1000
    σ = torch.tensor(3.0, dtype=torch.float64)
    assert edm.t(σ) == pytest.approx(math.log(3) / 4)
    assert edm.sigma(edm.t(σ).double()) == pytest.approx(3.0)
    assert edm.sigma_at(0.5) == pytest.approx(math.sqrt(120 * 0.002))
    assert edm.input_scale(σ) == pytest.approx(math.sqrt(9.25))
    x, out = torch.tensor([2.0]), torch.tensor([0.5])
    assert edm.denoised(x, out, σ) == pytest.approx(2 * 0.25 / 9.25 + 0.5 * 1.5 / math.sqrt(9.25))
    theirs = EDMEulerScheduler(sigma_data=0.5)
    assert torch.allclose(edm.denoised(x, out, σ), theirs.precondition_outputs(x, out, σ.float()))
    v = said("v", counted="log")
    assert v.denoised(x, out, σ) == pytest.approx(2 / 10 - 0.5 * 3 / math.sqrt(10))
    angle = said("v", counted="angle", sigma_max=500.0, sigma_min=0.03)
    assert angle.t(σ) == pytest.approx(math.atan(3) * 2 / math.pi)
    assert angle.sigma(angle.t(σ).double()) == pytest.approx(3.0)


@pytest.mark.parametrize("scheduler", sorted(SCHEDULES.keys() - {"align_your_steps"}))
def test_schedules_fall_along_levels_without_a_table(scheduler):
    for space in (said("edm", counted="log"), said("v", counted="angle"), said("lcm")):
        levels = sigmas(space, scheduler, 8)
        assert (levels.diff() < 0).all()
        assert levels[0] <= space.sigma_max * (1 + 1e-5)
        assert levels[-1] == 0
