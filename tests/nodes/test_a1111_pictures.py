"""core.sample by A1111's rules against plain loops over steps, as A1111 takes them."""

from contextlib import nullcontext
from dataclasses import replace

import pytest
import torch

from helpers import checkpoints
from helpers.a1111_loops import (
    CFG,
    NEGATIVE,
    POSITIVE,
    SCALE,
    Pictures,
    ddim,
    dpmpp_2m,
    eps,
    euler,
    euler_a,
    karras,
    plms,
    same,
    times,
    uniform,
    ᾱ,
)
from helpers.denoisers import FunctionDenoiser, prompt
from helpers.node_context import FakeContext
from ponystudio.api import A1111Rules, Latent, Model, Noise, Predicts, Sampler
from ponystudio.diffusion.noise.philox import PhiloxGenerator
from ponystudio.errors import ParamRange
from ponystudio_nodes import modifying, sampling, sampling_parts

EMPTY = torch.zeros(2, 4, 8, 8)
PICTURE = torch.randn(1, 4, 8, 8, generator=torch.Generator().manual_seed(5)) * 4


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    folder = tmp_path_factory.mktemp("models") / "checkpoints"
    folder.mkdir()
    checkpoints.micro(folder / "sd1.safetensors")
    return Model(str(folder / "sd1.safetensors"), "content", "sd1")


class Opened(FunctionDenoiser):
    def to_rgb(self, values):
        return torch.zeros(1, 3, 8, 8)


def context():
    ctx = FakeContext()
    ctx.open = lambda recipe, **_: nullcontext(Opened(eps, modifiers=recipe.modifiers))
    return ctx


def sample(model, values=EMPTY, *, node=sampling.sample, mask=None, ctx=None, **settings):
    said = {"seed": 7, "steps": 12, "cfg": CFG, "rules": "a1111", "noise": "nvidia", **settings}
    latent = Latent(values, mask=mask)
    prompts = prompt(POSITIVE), prompt(NEGATIVE)
    return node(model, *prompts, latent, **said, ctx=ctx or context()).values


# Pictures of a text


def test_euler_a(model):
    noise = Pictures(7, 2)
    sigmas = uniform(12)
    expected = euler_a(noise.next() * sigmas[0], sigmas, noise)
    same(sample(model, sampler="euler_ancestral", scheduler="normal"), expected)
    # Which is not what ComfyUI makes of it.
    comfyui = sample(model, sampler="euler_ancestral", scheduler="normal", rules="comfyui")
    assert not torch.allclose(comfyui, expected / SCALE, atol=0.5)


def test_dpmpp_2m_karras(model):
    sigmas = karras(12)
    expected = dpmpp_2m(Pictures(7, 2).next() * sigmas[0], sigmas)
    same(sample(model, sampler="dpmpp_2m", scheduler="karras"), expected)
    same(sample(model, sampler="dpmpp_2m", scheduler="auto"), expected)


def test_ddim(model):
    expected = ddim(Pictures(7, 2).next(), times(12)[::-1])
    same(sample(model, sampler="ddim"), expected)


def test_plms(model):
    same(sample(model, sampler="plms"), plms(Pictures(7, 2).next(), times(12)[::-1]))


def test_each_source_draws_for_each_picture(model):
    drawn = [torch.randn(4, 8, 8, generator=torch.Generator().manual_seed(7 + i)) for i in (0, 1)]
    sigmas = karras(12)
    expected = dpmpp_2m(torch.stack(drawn) * sigmas[0], sigmas)
    same(sample(model, sampler="dpmpp_2m", scheduler="karras", noise="cpu"), expected)


def test_ensd_and_eta(model):
    first, later = Pictures(7, 2), Pictures(7 + 31337, 2)
    sigmas = uniform(12)
    said = modifying.a1111_rules(model, ensd=31337, eta=0.6)
    expected = euler_a(first.next() * sigmas[0], sigmas, later, eta=0.6)
    same(sample(said, sampler="euler_ancestral", scheduler="normal"), expected)
    noise = Pictures(7, 2)
    expected = ddim(noise.next(), times(12)[::-1], 0.6, noise)
    same(sample(modifying.a1111_rules(model, eta=0.6), sampler="ddim"), expected)


def test_options_of_the_schedule(model):
    sigmas = karras(13)
    sigmas = [*sigmas[:-2], 0.0]
    said = modifying.a1111_rules(model, discard=True, scaled_start=True)
    x = Pictures(7, 2).next() * (1 + sigmas[0] ** 2) ** 0.5
    same(sample(said, sampler="euler", scheduler="karras"), euler(x, sigmas))


# Pictures of a picture


def test_img2img(model):
    steps, strength = 12, 0.6
    t_enc = int(min(strength, 0.999) * steps)
    sigmas = karras(steps)[steps - t_enc - 1 :]
    x = PICTURE * SCALE + Pictures(7, 1).next() * sigmas[0]
    said = {"sampler": "dpmpp_2m", "scheduler": "karras", "denoise": strength}
    same(sample(model, PICTURE, **said), dpmpp_2m(x, sigmas))


def test_img2img_by_time_steps(model):
    steps, strength = 12, 0.6
    t_enc = int(min(strength, 0.999) * steps)
    a = float(ᾱ[times(steps)[t_enc]])
    x = a**0.5 * PICTURE * SCALE + (1 - a) ** 0.5 * Pictures(7, 1).next()
    expected = ddim(x, times(steps)[:t_enc][::-1])
    same(sample(model, PICTURE, sampler="ddim", denoise=strength), expected)


def test_the_second_pass_of_hires(model):
    """Twice as large, with noise of the same seed at the new size; all steps are taken."""
    sigmas = uniform(12)
    noise = Pictures(7, 1)
    small = euler_a(noise.next() * sigmas[0], sigmas, noise)
    large = torch.nn.functional.interpolate(small, scale_factor=2, mode="bilinear")
    steps, strength = 8, 0.55
    whole = int(steps / min(strength, 0.999))
    sigmas = uniform(whole)[whole - (steps - 1) - 1 :]
    noise = Pictures(7, 1)
    expected = euler_a(large + noise.next((4, 16, 16)) * sigmas[0], sigmas, noise)

    said = {"sampler": "euler_ancestral", "scheduler": "normal"}
    first = sample(model, EMPTY[:1], **said)
    same(first, small)
    larger = torch.nn.functional.interpolate(first, scale_factor=2, mode="bilinear")
    second = sample(model, larger, **said, rules="a1111_hires", steps=steps, denoise=strength)
    same(second, expected)


@pytest.mark.parametrize("grey", [0.0, 0.5])
@pytest.mark.parametrize("sampler", ["euler_ancestral", "ddim"])
def test_what_is_masked_stays_and_is_seen(model, sampler, grey):
    mask = torch.full((1, 1, 64, 64), grey)
    mask[..., 32:] = 1
    cells = torch.full((1, 1, 8, 8), grey)
    cells[..., 4:] = 1
    kept = PICTURE * SCALE
    noise = Pictures(7, 1)

    def put_back(x):
        return x * cells + kept * (1 - cells)

    if sampler == "ddim":
        a = float(ᾱ[times(12)[6]])
        x = a**0.5 * kept + (1 - a) ** 0.5 * noise.next()
        x = ddim(x, times(12)[:6][::-1], put_back=put_back)
    else:
        sigmas = uniform(12)[12 - 6 - 1 :]
        x = euler_a(kept + noise.next() * sigmas[0], sigmas, noise, put_back=put_back)
    ours = sample(model, PICTURE, sampler=sampler, scheduler="normal", denoise=0.5, mask=mask)
    same(ours, put_back(x))


# Steps in two parts, and by parts


@pytest.mark.parametrize("sampler", ["euler_ancestral", "ddim"])
def test_noise_goes_on_in_the_second_part(model, sampler):
    said = {"sampler": sampler, "scheduler": "normal"}
    steps = {**said, "node": sampling.sample_steps}
    first = sample(model, **steps, end=5, leftover=True)
    rest = sample(model, first, **steps, start=5, add_noise=False)
    assert torch.allclose(rest, sample(model, **said), atol=1e-4)


def test_a_variation_by_parts(model):
    """The noise, the levels and the sampler say it; the rules come with the model."""
    said = modifying.a1111_rules(model)
    made = sampling_parts.make_sigmas(said, scheduler="auto", steps=12, sampler="dpmpp_2m")
    assert list(made.levels) == pytest.approx(karras(12), rel=1e-6)
    ctx = context()
    walked = sampling.sample_custom(
        sampling_parts.random_noise(seed=7, variation=0.3, variation_seed=9, source="nvidia"),
        sampling_parts.guide(said, prompt(POSITIVE), prompt(NEGATIVE), cfg=CFG),
        Sampler("dpmpp_2m"),
        made,
        Latent(EMPTY[:1]),
        ctx=ctx,
    )
    low, high = (PhiloxGenerator(seed).randn((4, 8, 8)) for seed in (7, 9))
    lengths = [x / x.norm(dim=1, keepdim=True) for x in (low, high)]
    ω = (lengths[0] * lengths[1]).sum(1).acos()[:, None]
    noise = ((0.7 * ω).sin() * low + (0.3 * ω).sin() * high) / ω.sin()
    same(walked.latent.values, dpmpp_2m(noise[None] * karras(12)[0], karras(12)))
    steps = sampling_parts.make_sigmas(said, steps=12, sampler="ddim").levels
    assert len(steps) == 13


def test_noise_of_another_picture_by_parts():
    noise = sampling_parts.random_noise(seed=3, from_width=512, from_height=640, threads=43008)
    assert noise == Noise(3, resized_from=(512, 640), threads=43008)


# What is said


def test_rules_that_come_with_the_model_are_told_of(model):
    ctx = context()
    said = modifying.a1111_rules(model)
    with_node = sample(said, rules="comfyui", ctx=ctx, sampler="euler", scheduler="normal")
    assert ctx.notes == ["The model comes with A1111 rules: it is sampled by these."]
    plain = context()
    by_param = sample(model, ctx=plain, sampler="euler", scheduler="normal")
    assert torch.equal(with_node, by_param)
    assert not plain.notes


def test_an_end_that_means_nothing_is_told_of(model):
    ctx = context()
    made = sample(model, ctx=ctx, sampler="ddim", ddim_end="alpha0")
    assert ctx.notes == [
        "By A1111's rules DDIM ends where its time steps do: DDIM end changes nothing."
    ]
    assert torch.equal(made, sample(model, sampler="ddim"))


def test_options_stay_when_sample_names_the_rules(model):
    said = modifying.a1111_rules(model, ensd=5, all_steps=True)
    assert said.modifiers == (A1111Rules(ensd=5, all_steps=True),)
    opened = []
    ctx = context()
    once = ctx.open
    ctx.open = lambda recipe, **more: opened.append(recipe) or once(recipe, **more)
    sample(said, ctx=ctx, sampler="euler")
    sample(model, ctx=ctx, sampler="lcm", rules="a1111_hires")
    sample(model.with_modifier(Predicts("v")), ctx=ctx, sampler="lcm")
    assert [recipe.modifiers for recipe in opened] == [
        (A1111Rules(ensd=5, all_steps=True),),
        (A1111Rules(all_steps=True), Predicts("lcm")),
        (Predicts("v"), A1111Rules()),
    ]


def test_parts_read_a_model_as_lcm_does_there(model):
    said = modifying.a1111_rules(model)
    by_lcm = sampling_parts.make_sigmas(said, scheduler="normal", steps=4, sampler="lcm")
    distilled = said.with_modifier(Predicts("lcm"))
    assert by_lcm == sampling_parts.make_sigmas(distilled, scheduler="normal", steps=4)
    assert by_lcm != sampling_parts.make_sigmas(said, scheduler="normal", steps=4)
    plain = {"scheduler": "normal", "steps": 4}
    assert sampling_parts.make_sigmas(model, **plain, sampler="lcm") == sampling_parts.make_sigmas(
        model, **plain
    )


def test_levels_that_would_rise_are_refused(model):
    with pytest.raises(ParamRange, match="not below the highest") as caught:
        modifying.a1111_rules(model, sigma_max=1.0, sigma_min=2.0)
    assert caught.value.socket == "sigma_min"
    assert modifying.a1111_rules(model, sigma_min=0.1).modifiers == (A1111Rules(sigma_min=0.1),)


def test_rules_are_kept_as_values(model):
    from ponystudio.engine.cache.result_codec import decode, encode

    for value in (
        model.with_modifier(replace(A1111Rules(), ensd=31337, eta=0.5)),
        Noise(2**63, "nvidia", 5, 0.5, resized_from=(512, 640), threads=43008),
    ):
        assert decode(encode(value, {}))[0] == value
