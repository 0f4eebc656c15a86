"""A sampler between whose steps the picture grows."""

from __future__ import annotations

from contextlib import nullcontext

import pytest
import torch

from helpers import checkpoints
from helpers.denoisers import FunctionDenoiser, prompt
from helpers.node_context import FakeContext
from ponystudio.api import Guider, Latent, Model, Noise, Sampler, Sigmas
from ponystudio_nodes import sampling
from ponystudio_nodes.growing import Growth, growing_sampler, without_growth

LEVELS = (8.0, 4.0, 2.0, 1.0, 0.0)


class Opened(FunctionDenoiser):
    def to_rgb(self, values):
        return torch.zeros(1, 3, 8, 8)


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    path = tmp_path_factory.mktemp("models") / "sd1.safetensors"
    checkpoints.micro(path)
    return Model(str(path), "content", "sd1")


def walked(model, sampler, levels=LEVELS, mask=None):
    denoiser = Opened(lambda x, t, context: 0.3 * x + context.mean((1, 2)).view(-1, 1, 1, 1))
    ctx = FakeContext()
    ctx.open = lambda *_, **__: nullcontext(denoiser)
    made = sampling.sample_custom(
        Noise(1),
        Guider(model, "cfg", prompt(0.2), negative=prompt(-0.1), cfg=2.0),
        sampler,
        Sigmas(levels),
        Latent(torch.zeros(2, 4, 8, 12), mask=mask),
        ctx=ctx,
    )
    return made, [tuple(call[0].shape[-2:]) for call in denoiser.calls], ctx.steps


@pytest.mark.parametrize(
    ("steps", "levels", "factors"),
    [(0, 5, [1.5, 2.0]), (4, 5, [1.25, 1.5, 1.75, 2.0]), (9, 3, [4 / 3, 5 / 3, 2.0]), (0, 1, [2])],
)
def test_by_how_much_it_has_grown(steps, levels, factors):
    assert Growth(2.0, steps, "bislerp").factors(levels) == pytest.approx(factors)


def test_each_step_works_on_a_larger_picture(model):
    made, sizes, steps = walked(model, growing_sampler(scale=2.0))
    assert sizes == [(8, 12), (12, 18), (16, 24), (16, 24)]
    assert made.latent.values.shape == (2, 4, 16, 24)
    assert steps == [(1, 4), (2, 4), (3, 4), (4, 4)]


def test_without_growth_it_is_lcm_with_noise_of_other_seeds(model):
    grown, *_ = walked(model, growing_sampler(scale=1.0), LEVELS[-2:])
    plain, *_ = walked(model, Sampler("lcm"), LEVELS[-2:])
    assert torch.allclose(grown.latent.values, plain.latent.values, atol=1e-6)


def test_a_mask_grows_with_the_picture(model):
    mask = torch.zeros(1, 1, 64, 96)
    made, *_ = walked(model, growing_sampler(scale=2.0), mask=mask)
    assert torch.allclose(made.latent.values, torch.zeros(2, 4, 16, 24), atol=1e-5)


def test_without_levels_the_latent_comes_back(model):
    made, sizes, _ = walked(model, growing_sampler(), ())
    assert sizes == []
    assert made.latent.values.shape == (2, 4, 8, 12)


def test_what_the_sampler_itself_is_told():
    sampler, growth = without_growth(growing_sampler(scale=1.5, steps=2, method="area"))
    assert sampler == Sampler("lcm")
    assert growth == Growth(1.5, 2, "area")
    assert without_growth(Sampler("euler")) == (Sampler("euler"), None)
