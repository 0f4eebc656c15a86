"""The nodes that sample and the parts they take: as functions, and as graphs of a tiny model."""

from __future__ import annotations

import math

import pytest
import torch

from helpers import checkpoints
from helpers.core_graphs import checkpoint, core, picture
from helpers.denoisers import FunctionDenoiser, prompt
from helpers.node_context import FakeContext
from ponystudio.api import Guider, Latent, Model, Noise, Predicts, Sampler, Sigmas
from ponystudio.diffusion.images.latent_file import read_latent
from ponystudio.engine.cache.result_codec import decode, encode
from ponystudio.engine.headless import run_graph
from ponystudio.errors import MismatchedValues, ParamChoice, ParamRange
from ponystudio.graph.model import Graph
from ponystudio.library.model_folders import ModelFolders
from ponystudio_nodes import latent_editing, sampling, sampling_parts


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    root = tmp_path_factory.mktemp("models")
    (root / "checkpoints").mkdir()
    checkpoints.micro(root / "checkpoints" / "sd1.safetensors")
    return root


@pytest.fixture(scope="module")
def model(root):
    return Model(str(root / "checkpoints" / "sd1.safetensors"), "content", "sd1")


@pytest.fixture
def made(root, tmp_path):
    """The latents that a graph of ours saves, by the number of the file."""

    def made(*nodes):
        run_graph(
            Graph.of(*nodes),
            folders=ModelFolders([root]),
            output=tmp_path,
            device="cpu",
            dtype="fp32",
        )
        files = sorted(tmp_path.glob("*.latent"), key=lambda file: file.stat().st_mtime_ns)
        return read_latent(files[-1])[0]

    return made


SOURCE = checkpoint("sd1.safetensors")
SETTINGS = {"seed": 3, "steps": 4, "cfg": 5.0, "sampler": "euler_ancestral", "scheduler": "karras"}


def plain(**more):
    return [node for node in picture(*SOURCE, **{**SETTINGS, **more}) if node.id != "save"]


def with_sampler(*sampler):
    """The plain graph, with another node of the id "sampler"."""
    return [node for node in plain() if node.id != "sampler"] + list(sampler)


MODEL, LATENT = ("checkpoint", "model"), ("latent", "latent")
SIDES = {"positive": ("positive", "conditioning"), "negative": ("negative", "conditioning")}


def parts(*, noise=(), choose=(), sigmas=None, guide=None):
    return with_sampler(
        core("noise", "random_noise", **{"seed": 3, **dict(noise)}),
        core("choose", "choose_sampler", **{"sampler": "euler_ancestral", **dict(choose)}),
        sigmas or core("sigmas", "make_sigmas", model=MODEL, scheduler="karras", steps=4),
        guide or core("guide", "guide", model=MODEL, **SIDES, cfg=5.0),
        core(
            "sampler",
            "sample_custom",
            noise=("noise", "noise"),
            guider=("guide", "guider"),
            sampler=("choose", "sampler"),
            sigmas=("sigmas", "sigmas"),
            latent=LATENT,
        ),
    )


# A run by its parts


def test_the_parts_of_a_run_are_the_run(made):
    """Bit for bit, with what the sampler has as its own said aloud, too."""
    whole = made(*plain())
    assert torch.equal(made(*parts()), whole)
    assert torch.equal(made(*parts(choose={"eta": 1.0, "s_noise": 1.0})), whole)
    assert not torch.allclose(made(*parts(choose={"eta": 0.5})), whole, atol=0.1)


def test_steps_in_two_parts_are_the_run(made):
    """The first leaves its noise, the second adds none; ancestral noise begins anew with it."""
    whole = made(*plain(sampler="euler"))
    common = {"model": MODEL, **SIDES, **SETTINGS, "sampler": "euler"}
    first = core("first", "sample_steps", **common, latent=LATENT, end=2, leftover=True)
    rest = core(
        "sampler", "sample_steps", **common, latent=("first", "latent"), start=2, add_noise=False
    )
    assert torch.allclose(made(*with_sampler(first, rest)), whole, atol=1e-5)
    one = core("sampler", "sample_steps", **common, latent=LATENT)
    assert torch.equal(made(*with_sampler(one)), whole)


# On a network that answers what is asked


class Opened(FunctionDenoiser):
    def to_rgb(self, values):
        return torch.zeros(1, 3, 8, 8)


def walk(
    model,
    ctx=None,
    *,
    values=None,
    latent=None,
    guider=None,
    noise=None,
    levels=(5.0, 2.0, 1.0, 0.0),
):
    denoiser = Opened(lambda x, t, context: 0.3 * x + context.mean((1, 2)).view(-1, 1, 1, 1))
    ctx = ctx or FakeContext()
    ctx.open = lambda *_, **__: _entered(denoiser)
    guider = guider or Guider(model, "cfg", prompt(0.2), negative=prompt(-0.1), cfg=2.0)
    return sampling.sample_custom(
        noise or Noise(1),
        guider,
        Sampler("euler"),
        Sigmas(tuple(levels)),
        latent or Latent(torch.zeros(1, 4, 8, 8) if values is None else values),
        ctx=ctx,
    )


def _entered(denoiser):
    from contextlib import nullcontext

    return nullcontext(denoiser)


def test_the_last_picture_without_noise_comes_too(model):
    made = walk(model)
    assert torch.allclose(made.latent.values, made.denoised.values, atol=1e-4)
    some = walk(model, levels=(5.0, 2.0, 1.0))
    assert not torch.allclose(some.latent.values, some.denoised.values, atol=0.1)
    rest = walk(model, values=some.latent.values, noise=Noise(9, off=True), levels=(1.0, 0.0))
    assert torch.allclose(rest.latent.values, made.latent.values, atol=1e-5)


def test_without_levels_the_latent_comes_back(model):
    values = torch.randn(1, 4, 8, 8)
    for levels in ((), (3.0,)):
        made = walk(model, values=values, levels=levels)
        assert torch.equal(made.latent.values, values)
        assert torch.equal(made.denoised.values, values)


def test_levels_that_rise_are_refused_where_they_do(model):
    with pytest.raises(ParamRange, match="rise at step 2, from 1 to 3") as caught:
        walk(model, levels=(5.0, 1.0, 3.0, 0.0))
    assert caught.value.socket == "sigmas"


def test_a_picture_goes_to_its_noise_and_back(model):
    """Where the network is linear, Euler's way up and down ends near where it began."""
    levels = torch.linspace(3.0, 0.0, 400).tolist()
    up = sampling_parts.flip_sigmas(Sigmas(tuple(levels))).levels
    assert up[0] == pytest.approx(1e-4)
    off, values = Noise(0, off=True), torch.randn(1, 4, 8, 8)
    guider = Guider(model, "one", prompt(0.0))
    noisy = walk(model, values=values, guider=guider, noise=off, levels=up).latent.values
    assert not torch.allclose(noisy, values, atol=0.5)
    back = walk(model, values=noisy, guider=guider, noise=off, levels=levels).latent.values
    assert torch.allclose(back, values, atol=0.02)


def test_guiders_follow_their_rules(model):
    """One step from σ to 0 ends at D, which the prompts' means move by −σ each."""

    def end(guider):
        return walk(model, guider=guider, levels=(2.0, 0.0)).latent.values.mean() * 0.18215

    one = {value: end(Guider(model, "one", prompt(value))) for value in (0.3, 0.1, -0.2)}
    c, m, u = one.values()
    three = prompt(0.3), prompt(0.1), prompt(-0.2)
    assert end(Guider(model, "cfg", three[0], negative=three[2], cfg=3.0)) == pytest.approx(
        float(u + 3 * (c - u)), abs=1e-4
    )
    dual = sampling_parts.guide_dual(model, *three, cfg=3.0, cfg_middle=2.0)
    assert end(dual) == pytest.approx(float(u + 2 * (m - u) + 3 * (c - m)), abs=1e-4)
    nested = sampling_parts.guide_dual(model, *three, cfg=3.0, cfg_middle=2.0, style="nested")
    assert end(nested) == pytest.approx(float(u + 2 * (m + 3 * (c - m) - u)), abs=1e-4)
    # All of these lie along each other: there is nothing to lead away from.
    perpendicular = sampling_parts.perp_neg(model, three[0], three[1], three[2], cfg=3.0, scale=2.0)
    assert end(perpendicular) == pytest.approx(float(u + 3 * (c - u)), abs=1e-4)


@pytest.mark.parametrize(
    ("said", "socket"),
    [({"sampler": "ddpm"}, "sampler"), ({"scheduler": "align_your_steps"}, "scheduler")],
)
def test_what_serves_no_model_of_a_family_is_refused_before_one_is_opened(said, socket):
    flux = Model("/nowhere/flux.safetensors", "content", "flux")
    for node in (sampling.sample, sampling.sample_steps):
        with pytest.raises(ParamChoice, match=r"FLUX\.1") as caught:
            node(flux, prompt(), prompt(), Latent(torch.zeros(1, 16, 8, 8)), **said, ctx=None)
        assert caught.value.socket == socket


def test_steps_that_are_none_leave_the_latent_and_say_so(model):
    ctx = FakeContext()
    ctx.open = lambda *_, **__: _entered(Opened(lambda x, t, context: x))
    values = torch.randn(1, 4, 8, 8)
    left = sampling.sample_steps(
        model, prompt(), prompt(), Latent(values), steps=4, start=6, end=9, ctx=ctx
    )
    assert torch.equal(left.values, values)
    turned = sampling.sample_steps(
        model, prompt(), prompt(), Latent(values), steps=4, start=3, end=2, ctx=ctx
    )
    assert torch.equal(turned.values, values)
    assert ctx.notes == [f"Of 4 steps there is none from {way}." for way in ("6 to 9", "3 to 2")]


# Samplers


def test_a_sampler_has_the_options_that_differ_from_its_own():
    ctx = FakeContext()
    made = sampling_parts.choose_sampler(sampler="dpmpp_2m_sde", eta=0.5, solver="heun", ctx=ctx)
    assert made == Sampler("dpmpp_2m_sde", (("eta", 0.5), ("solver", "heun")))
    assert not ctx.notes
    assert sampling_parts.choose_sampler(sampler="euler", r=0.4, ctx=ctx) == Sampler("euler")
    assert ctx.notes == ["The sampler euler has no option r: it changes nothing."]


def test_an_order_that_a_sampler_lacks_is_refused():
    with pytest.raises(ParamRange, match="deis has no order 4") as caught:
        sampling_parts.check_options("deis", 4, -1.0)
    assert caught.value.remedy == "Use 1 to 3, or 0 for its own."
    sampling_parts.check_options("lms", 4, -1.0)


def test_more_fresh_noise_than_all_is_refused_where_steps_are_in_its_logarithm():
    for sampler in ("dpm_fast", "dpm_adaptive"):
        with pytest.raises(ParamRange, match="no eta above 1") as caught:
            sampling_parts.check_options(sampler, 0, 1.5)
        assert caught.value.socket == "eta"
    sampling_parts.check_options("euler_ancestral", 0, 1.5)


# Noise levels


def levels(sigmas):
    return list(sigmas.levels)


def test_levels_of_a_scheduler_lack_none_where_samplers_would(model):
    made = sampling_parts.make_sigmas(model, scheduler="karras", steps=10)
    assert len(made.levels) == 11
    expected = [14.61464, 9.10293, 5.47839, 3.16860, 1.74942, 0.91407, 0.44692, 0.20140, 0.08191]
    assert levels(made)[:9] == pytest.approx(expected, abs=6e-6)
    part = sampling_parts.make_sigmas(model, scheduler="karras", steps=5, denoise=0.5)
    assert part.levels == made.levels[-6:]
    assert not sampling_parts.make_sigmas(model, steps=5, denoise=0.0).levels


def test_turbo_levels(model):
    four = sampling_parts.turbo_sigmas(model, steps=4)
    assert levels(four) == pytest.approx([14.61464, 8.302803, 5.087763, 3.321083, 0], abs=1e-5)
    part = sampling_parts.turbo_sigmas(model, steps=2, denoise=0.5)
    assert levels(part) == pytest.approx([1.612886, 1.160578, 0], abs=1e-5)
    by_log = model.with_modifier(Predicts("eps", counted="log"))
    with pytest.raises(MismatchedValues, match="counted without one"):
        sampling_parts.turbo_sigmas(by_log)


def test_aligned_levels():
    twenty = sampling_parts.ays_sigmas(family="sd1", steps=20)
    expected = [14.61464, 9.72747, 6.47458, 5.00157, 3.86367, 3.22663]
    assert levels(twenty)[:6] == pytest.approx(expected, abs=6e-6)
    half = sampling_parts.ays_sigmas(family="sd1", steps=20, denoise=0.5)
    assert half.levels == twenty.levels[-11:]
    assert not sampling_parts.ays_sigmas(denoise=0.0).levels


def test_levels_in_a_range_of_ones_own(model):
    own = sampling_parts.range_sigmas(scheduler="karras", steps=10)
    whole = sampling_parts.make_sigmas(model, scheduler="karras", steps=10)
    assert levels(own) == pytest.approx(levels(whole), abs=1e-5)
    for scheduler in sampling_parts.OWN_RANGES:
        made = levels(sampling_parts.range_sigmas(scheduler=scheduler, steps=5))
        assert made == sorted(made, reverse=True)
        assert made[-1] == 0
    with pytest.raises(ParamRange, match="not below the highest"):
        sampling_parts.check_range("karras", 1.0, 2.0, 19.9, 0.1)


def test_vp_has_no_ends_of_its_own_but_bounds():
    asked = sampling_parts.range_sigmas(scheduler="vp", steps=5, sigma_max=1.0, sigma_min=2.0)
    assert asked == sampling_parts.range_sigmas(scheduler="vp", steps=5)
    for betas in ((1000.0, 1000.0), (0.0, 0.0)):
        with pytest.raises(ParamRange, match="no noise levels"):
            sampling_parts.check_range("vp", 1.0, 0.1, *betas)
    highest = sampling_parts.range_sigmas(
        scheduler="vp", beta_d=0.0, beta_min=sampling_parts.MOST_VP
    )
    assert math.isfinite(highest.levels[0] ** 2)


def test_beta_levels(model):
    own = sampling_parts.beta_sigmas(model, steps=10)
    assert own == sampling_parts.make_sigmas(model, scheduler="beta", steps=10)
    assert sampling_parts.beta_sigmas(model, steps=10, alpha=1.0, beta=1.0) != own


def test_a_run_may_begin_at_another_level():
    made = sampling_parts.set_first_sigma(Sigmas((5.0, 2.0, 0.0)), sigma=9.0)
    assert made == Sigmas((9.0, 2.0, 0.0))
    assert sampling_parts.set_first_sigma(Sigmas(())) == Sigmas(())


def test_levels_are_split_at_a_step_or_a_share():
    five = Sigmas((5.0, 4.0, 3.0, 2.0, 1.0, 0.0))
    assert sampling_parts.split_sigmas(five, step=2) == (
        Sigmas((5.0, 4.0, 3.0)),
        Sigmas((3.0, 2.0, 1.0, 0.0)),
    )
    by = {"at": "denoise"}
    assert sampling_parts.split_sigmas(five, **by, denoise=0.4) == (
        Sigmas((5.0, 4.0, 3.0, 2.0)),
        Sigmas((2.0, 1.0, 0.0)),
    )
    assert sampling_parts.split_sigmas(five, **by, denoise=0.0) == (Sigmas(()), Sigmas((0.0,)))


# With all else


def test_the_parts_are_kept_as_values(model):
    guider = Guider(model, "dual", prompt(), prompt(), prompt(), 2.0, 3.0)
    for value in (Sampler("lms", (("order", 2),)), Sigmas((2.0, 0.0)), Noise(2**63, "gpu", 5, 0.5)):
        assert decode(encode(value, {}))[0] == value
    back = decode(encode(guider, {}))[0]
    assert (back.model, back.rule, back.cfg, back.cfg_middle) == (model, "dual", 2.0, 3.0)
    assert len(back.prompts) == 3


def test_a_prompt_of_another_family_is_refused_by_its_socket(model):
    other = prompt(0.0)
    other = type(other)(other.entries, "sdxl")
    with pytest.raises(MismatchedValues, match="SDXL") as caught:
        walk(model, guider=Guider(model, "one", other))
    assert caught.value.socket == "positive"


def test_parts_of_a_batch_begin_with_the_noise_that_they_have_in_it(model):
    values = torch.zeros(3, 4, 8, 8)
    whole = walk(model, values=values).latent
    latent = latent_editing.split_batch(Latent(values), count=2)
    parts = sampling.in_parts(latent)
    assert [part.batch_index for part in parts] == [(0, 1), (2,)]
    ctx = FakeContext()
    found = walk(model, ctx, latent=latent).latent
    assert torch.allclose(found.values, whole.values, atol=1e-5)
    assert found.at_once == 2
    assert ctx.steps[0] == (1, 6)
    assert ctx.steps[-1] == (6, 6)


def test_parts_of_a_batch_have_their_own_masks():
    mask, shown = torch.rand(3, 1, 8, 8), torch.rand(1, 4, 8, 8)
    latent = Latent(torch.rand(3, 4, 8, 8), mask=mask, shown=shown, batch_index=(7, 5, 9))
    one, two = sampling.in_parts(latent_editing.split_batch(latent, count=2))
    assert torch.equal(two.mask, mask[2:])
    assert two.shown is shown
    assert (one.batch_index, two.batch_index) == ((7, 5), (9,))
    assert sampling.in_parts(latent_editing.split_batch(latent, count=3))[0].mask is mask
