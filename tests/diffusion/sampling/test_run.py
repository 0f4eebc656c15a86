from dataclasses import replace

import pytest
import torch

from helpers.denoisers import FLOW, SD1, FunctionDenoiser, prompt
from ponystudio.diffusion.families import find_family
from ponystudio.diffusion.noise.draws import first
from ponystudio.diffusion.sampling.names import SAMPLERS, SCHEDULES
from ponystudio.diffusion.sampling.parameterisation import VP
from ponystudio.diffusion.sampling.run import sample
from ponystudio.diffusion.sampling.schedules import sigmas
from ponystudio.errors import (
    Cancelled,
    MismatchedValues,
    NotANumber,
    ParamChoice,
    ParamRange,
    UnsupportedModel,
)

EMPTY = torch.zeros(1, 4, 8, 8)
SPACE = VP()


def network(**options):
    """A smooth network that mixes neighbours, so that every cell depends on others."""

    def answer(x, t, context):
        mixed = 0.6 * x + 0.3 * x.roll(1, -1) - 0.2 * x.roll(1, -2)
        return mixed.tanh() * (0.5 + t.view(-1, 1, 1, 1) / 2000) + context.mean((1, 2)).view(
            -1, 1, 1, 1
        )

    return FunctionDenoiser(answer, **options)


def run(denoiser=None, values=EMPTY, **options):
    settings = {
        "seed": 1,
        "steps": 4,
        "cfg": 3.0,
        "sampler": "euler",
        "scheduler": "normal",
        **options,
    }
    return sample(denoiser or network(), prompt(0.2), prompt(-0.1), values, **settings)


# A run is a function of its arguments


@pytest.mark.parametrize("sampler", SAMPLERS)
def test_the_same_arguments_give_the_same_result(sampler):
    torch.manual_seed(0)
    once = run(sampler=sampler)
    torch.manual_seed(99)
    assert torch.equal(once, run(sampler=sampler))
    assert once.dtype == torch.float32
    assert not torch.allclose(once, run(sampler=sampler, seed=2), atol=1e-2)


@pytest.mark.parametrize("scheduler", SCHEDULES)
def test_every_schedule_serves_samplers_of_all_kinds(scheduler):
    for sampler in (
        "euler",
        "dpm_2",
        "uni_pc",
        "dpmpp_3m_sde",
        "dpm_adaptive",
        "deis",
        "sa_solver",
    ):
        assert torch.isfinite(run(sampler=sampler, scheduler=scheduler, steps=5)).all()


@pytest.mark.parametrize("cfg", [1.0, 3.0])
def test_samplers_of_the_unguided_picture_ask_for_it_at_any_guidance(cfg):
    """At guidance 1 both halves are computed, and CFG++ gives what it is at 1."""
    denoiser = network()
    result = run(denoiser, sampler="euler_cfg_pp", cfg=cfg)
    assert all(len(x) == 2 for x, *_ in denoiser.calls)
    assert not torch.allclose(result, run(sampler="euler", cfg=cfg), atol=1e-2)
    plain = network()
    run(plain, sampler="euler", cfg=1.0)
    assert all(len(x) == 1 for x, *_ in plain.calls)


def test_the_global_generator_and_the_latent_stay_as_they_are():
    torch.manual_seed(3)
    expected = torch.randn(4)
    torch.manual_seed(3)
    values = torch.randn(1, 4, 8, 8, generator=torch.Generator().manual_seed(0))
    before = values.clone()
    run(values=values, sampler="dpmpp_sde", denoise=0.5, mask=torch.ones(1, 1, 64, 64))
    assert torch.equal(values, before)
    assert torch.equal(torch.randn(4), expected)


def test_the_first_picture_of_a_batch_is_the_single_one():
    batch = run(values=torch.zeros(3, 4, 8, 8))
    assert torch.allclose(batch[:1], run(), atol=1e-6)


def test_a_picture_of_a_batch_by_its_index():
    batch = run(values=torch.zeros(3, 4, 8, 8))
    assert torch.allclose(run(batch_index=[2]), batch[2:], atol=1e-6)


def test_splitting_the_batch_changes_nothing():
    values = torch.zeros(2, 4, 8, 8)
    assert torch.allclose(run(values=values, rows=1), run(values=values), atol=1e-6)


def test_seeds_are_unsigned_64_bit_numbers():
    largest = run(seed=2**64 - 1, sampler="euler_ancestral")
    assert torch.equal(largest, run(seed=-1, sampler="euler_ancestral"))
    assert not torch.allclose(largest, run(seed=0, sampler="euler_ancestral"), atol=1e-2)


def test_half_precision_latents_are_sampled_in_float32():
    denoiser = network()
    assert run(denoiser, EMPTY.half()).dtype == torch.float32
    assert {call[0].dtype for call in denoiser.calls} == {torch.float32}


# Start


def first_seen(values, **options):
    """x at the first call, in the sampler's coordinates."""
    denoiser = network()
    run(denoiser, values, cfg=1.0, **options)
    x, t, _, _ = denoiser.calls[0]
    return x, t


def test_full_noise_starts_without_the_latent_mattering_much():
    x, t = first_seen(EMPTY)
    σ = SPACE.sigma_max
    assert t.tolist() == [999]
    noise = first(EMPTY.shape, 1)
    assert torch.allclose(x, noise * (1 + σ**2).sqrt() / (1 + σ**2).sqrt(), atol=1e-5)


def test_a_part_of_the_schedule_starts_from_the_latent():
    values = torch.randn(1, 4, 8, 8)
    x, _ = first_seen(values, denoise=0.5)
    σ = sigmas(SPACE, "normal", 4, denoise=0.5)[0]
    expected = (values * 0.18215 + first(EMPTY.shape, 1) * σ) / (σ**2 + 1).sqrt()
    assert torch.allclose(x, expected, atol=1e-5)


def test_a_schedule_below_full_noise_starts_there():
    x, t = first_seen(EMPTY, scheduler="ddim_uniform")
    σ = sigmas(SPACE, "ddim_uniform", 4)[0]
    assert t.tolist() == [751]
    assert torch.allclose(x, first(EMPTY.shape, 1) * σ / (σ**2 + 1).sqrt(), atol=1e-5)


def test_shift_and_scale_stay_inside():
    shifted = replace(SD1, scaling_factor=0.5, shift=2.0)
    values = torch.randn(1, 4, 8, 8)
    still = FunctionDenoiser(lambda x, t, context: torch.zeros_like(x), family=shifted)
    assert torch.allclose(
        run(still, values, denoise=0.1, steps=1),
        values + first(EMPTY.shape, 1) * sigmas(SPACE, "normal", 1, denoise=0.1)[0] / 0.5,
        atol=1e-4,
    )


def test_an_empty_latent_is_no_grey_picture():
    shifted = replace(SD1, shift=2.0)
    denoiser = network(family=shifted)
    run(denoiser)
    assert denoiser.calls[0][0].mean().abs() < 0.3


def test_denoise_of_zero_gives_the_latent_back():
    denoiser, values = network(), torch.randn(1, 4, 8, 8)
    assert torch.equal(run(denoiser, values, denoise=0.0), values)
    assert denoiser.calls == []


def test_auto_is_the_familys_own_schedule():
    karras = network(family=replace(SD1, schedule="karras"))
    assert torch.equal(run(karras, scheduler="auto"), run(scheduler="karras"))


def test_flow_models_mix_latent_and_noise():
    denoiser = network(prediction="flow", family=FLOW)
    values = torch.randn(1, 4, 8, 8)
    run(denoiser, values, scheduler="auto", denoise=0.5)
    x, t, _, _ = denoiser.calls[0]
    σ = t[0] / 1000
    expected = (1 - σ) * values * 0.18215 + σ * first(EMPTY.shape, 1)
    assert torch.allclose(x[:1], expected, atol=1e-5)


# DDIM's end


def half(x, t, context):
    return 0.5 * x


def test_ddim_may_end_where_the_first_schedulers_did():
    """The network is linear, so the whole run is a factor: that of the original sampler."""
    denoiser = FunctionDenoiser(half)
    options = {"sampler": "ddim", "scheduler": "ddim_uniform", "steps": 10, "cfg": 1.0}
    σ = sigmas(SPACE, "ddim_uniform", 10)[0]
    start = first(EMPTY.shape, 1) * σ / (1 + σ**2).sqrt()
    old = run(denoiser, **options, ddim_end="alpha0") * 0.18215
    assert torch.allclose(old, start * 2.2527490, rtol=1e-5)
    new = run(denoiser, **options) * 0.18215
    assert torch.equal(new, run(denoiser, **{**options, "sampler": "euler"}) * 0.18215)
    assert not torch.allclose(new, old, rtol=1e-3)


def test_the_end_of_ddim_is_of_no_concern_to_others():
    assert torch.equal(run(sampler="euler", ddim_end="alpha0"), run(sampler="euler"))


# Masks

MASK = torch.zeros(1, 1, 64, 64)
MASK[..., 32:] = 1


@pytest.mark.parametrize("sampler", SAMPLERS)
def test_what_is_not_masked_stays(sampler):
    values = torch.randn(2, 4, 8, 8)
    result = run(values=values, sampler=sampler, mask=MASK, denoise=0.8)
    # UniPC ends a hair above σ = 0, and two others leave the noise of the last level.
    tolerance = {"uni_pc": 0.02, "uni_pc_bh2": 0.02, "dpm_fast": 1.0, "dpm_adaptive": 1.0}.get(
        sampler, 1e-4
    )
    assert torch.allclose(result[..., :4], values[..., :4], atol=tolerance)
    assert not torch.allclose(result[..., 4:], values[..., 4:], atol=0.1)


def test_a_mask_of_ones_is_no_mask():
    values = torch.randn(1, 4, 8, 8)
    assert torch.allclose(
        run(values=values, mask=torch.ones(1, 1, 64, 64), denoise=0.8),
        run(values=values, denoise=0.8),
        atol=1e-5,
    )


@pytest.mark.parametrize(("sampler", "seed"), [("euler", 1), ("ddim", 2)])
def test_what_stays_is_shown_with_noise(sampler, seed):
    values = torch.randn(1, 4, 8, 8)
    denoiser = network()
    run(denoiser, values, sampler=sampler, mask=MASK * 0, denoise=0.5)
    σ = sigmas(SPACE, "normal", 4, denoise=0.5)[0]
    expected = (values * 0.18215 + first(EMPTY.shape, seed) * σ) / (σ**2 + 1).sqrt()
    assert torch.allclose(denoiser.calls[0][0][:1], expected, atol=1e-5)


# Progress, cancel, failure


@pytest.mark.parametrize("sampler", SAMPLERS)
def test_every_step_is_reported_in_vae_units(sampler):
    reports = []
    result = run(sampler=sampler, steps=5, on_step=lambda *report: reports.append(report))
    assert [report[:2] for report in reports] == [(i, 5) for i in range(1, 6)]
    last = reports[-1][2]
    assert last.shape == result.shape
    assert (last - result).norm() < 0.2 * result.norm()


def test_the_step_count_is_that_of_the_schedule():
    reports = []
    run(scheduler="ddim_uniform", steps=6, on_step=lambda *report: reports.append(report[:2]))
    assert reports == [(i, 7) for i in range(1, 8)]


def test_what_a_report_raises_ends_the_run():
    denoiser = network()

    def stop(step, steps, denoised):
        if step == 2:
            raise Cancelled

    with pytest.raises(Cancelled):
        run(denoiser, steps=10, on_step=stop)
    assert len(denoiser.calls) == 2


@pytest.mark.parametrize("bad", [torch.nan, torch.inf])
def test_a_network_that_overflows_is_named_at_its_step(bad):
    calls = []

    def overflow(x, t, context):
        calls.append(t)
        return torch.full_like(x, bad) if len(calls) == 3 else x

    with pytest.raises(NotANumber, match="step 3 of 9") as caught:
        run(FunctionDenoiser(overflow), steps=9)
    assert "bf16" in caught.value.remedy
    assert len(calls) == 3


@pytest.mark.parametrize("bad", [torch.nan, torch.inf])
def test_an_adaptive_run_ends_when_the_network_overflows(bad):
    denoiser = FunctionDenoiser(lambda x, t, context: torch.full_like(x, bad))
    with pytest.raises(NotANumber, match="step 1"):
        run(denoiser, sampler="dpm_adaptive")


# Refusals


def test_noises_of_a_batch_for_more_pictures_than_there_are_are_refused():
    with pytest.raises(MismatchedValues, match="has 1 pictures") as caught:
        run(batch_index=(0, 1))
    assert caught.value.socket == "latent"


@pytest.mark.parametrize(
    ("socket", "value"),
    [("sampler", "eular"), ("scheduler", "cubic"), ("noise", "tpu"), ("ddim_end", "one")],
)
def test_unknown_choices_are_refused_with_the_known_ones(socket, value):
    with pytest.raises(ParamChoice, match=value) as caught:
        run(**{socket: value})
    assert caught.value.socket == socket
    assert "Choose one of: " in caught.value.remedy


def test_a_sampler_that_cannot_serve_flow_says_so():
    with pytest.raises(ParamChoice, match="ddpm does not work with"):
        run(network(prediction="flow", family=FLOW), sampler="ddpm")


def test_no_steps_make_no_picture():
    with pytest.raises(ParamRange, match="0 steps") as caught:
        run(steps=0)
    assert caught.value.socket == "steps"


def test_latents_of_another_depth_are_refused():
    with pytest.raises(MismatchedValues, match="16 channels"):
        run(values=torch.ones(1, 16, 8, 8))


def test_an_empty_latent_has_as_many_channels_as_it_takes():
    model = network(prediction="flow", family=find_family("flux"), in_channels=16)
    empty = run(model, values=torch.zeros(1, 4, 8, 8))
    assert empty.shape == (1, 16, 8, 8)
    assert torch.equal(empty, run(model, values=torch.zeros(1, 16, 8, 8)))


def test_a_picture_larger_than_the_model_knows_is_refused_before_anything_runs():
    model = network()
    model.largest = 8
    with pytest.raises(
        MismatchedValues, match="64 pixels a side, and this one is 64 × 72"
    ) as caught:
        run(model, values=torch.zeros(1, 4, 9, 8))
    assert caught.value.socket == "latent"
    assert not model.calls


def test_a_model_that_nobody_knows_is_refused_by_its_channels():
    with pytest.raises(UnsupportedModel, match="7 channels"):
        run(network(in_channels=7))


def test_a_model_for_inpainting_is_shown_the_hole_and_what_is_around():
    mask = torch.zeros(1, 1, 64, 64)
    mask[..., :32] = 1
    seen = FunctionDenoiser(lambda x, t, context: x[:, :4] * 0, in_channels=9)
    run(seen, mask=mask, shown=torch.full((1, 4, 8, 8), 2.0))
    for x, *_ in seen.calls:
        assert torch.equal(x[:, 4, 0], mask[0, 0, 0, ::8].expand(len(x), -1))
        assert torch.allclose(x[:, 5:], torch.tensor(2 * SD1.scaling_factor))


def test_a_model_for_inpainting_sees_what_may_be_repainted_of_the_latent_itself():
    mask = torch.zeros(1, 1, 64, 64)
    mask[..., :32] = 1
    seen = FunctionDenoiser(lambda x, t, context: x[:, :4] * 0, in_channels=9)
    values = torch.full((1, 4, 8, 8), 2.0)
    run(seen, values=values, mask=mask)
    x = seen.calls[0][0]
    assert torch.equal(x[:1, 4], mask[0, :, ::8, ::8])
    around = 2 * SD1.scaling_factor * (1 - mask[:, :, ::8, ::8])
    assert torch.allclose(x[:1, 5:], around.expand(1, 4, 8, 8))


def test_a_model_for_inpainting_that_is_shown_nothing_paints_on_grey():
    seen = FunctionDenoiser(lambda x, t, context: x[:, :4] * 0, in_channels=9)
    run(seen)
    x = seen.calls[0][0]
    assert x[:, 4].eq(1).all()
    grey = torch.tensor([0.8223, -0.6876, 0.6364, 0.1380]).view(1, 4, 1, 1)
    assert torch.allclose(x[:, 5:], grey.expand(len(x), 4, 8, 8), atol=1e-5)


@pytest.mark.parametrize(
    ("family", "channels", "remedy"),
    [("sd1", 8, "core.edit_picture"), ("flux", 96, "core.inpaint_model")],
)
def test_a_model_that_is_shown_no_picture_says_what_to_do(family, channels, remedy):
    ours = find_family(family)
    asked = network(in_channels=channels, family=ours, prediction=ours.prediction)
    with pytest.raises(MismatchedValues) as refused:
        run(asked, values=torch.ones(1, ours.latent_channels, 8, 8))
    assert remedy in refused.value.remedy
