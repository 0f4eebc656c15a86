"""The noise on the features of pictures: ComfyUI's numbers, and diffusers' own schedule."""

from __future__ import annotations

import pytest
import torch
from diffusers import DDPMScheduler

from helpers.denoisers import FunctionDenoiser, words
from ponystudio.api import Pictured
from ponystudio.diffusion.families import find_family
from ponystudio.diffusion.sampling.composition import Composition, Side
from ponystudio.diffusion.sampling.parameterisation import VP
from ponystudio.diffusion.sampling.unclip import (
    FeatureScale,
    alpha_bars,
    level,
    sinusoids,
    told,
)
from ponystudio.errors import MismatchedValues

E = torch.tensor([1.0, 2.0, 3.0, 4.0])


def test_the_schedule_is_of_squared_cosines():
    bars = alpha_bars()
    expected = {0: 0.9999587, 50: 0.9917247, 100: 0.9715757, 500: 0.4922852}
    assert {L: float(bars[L]) for L in expected} == pytest.approx(expected, abs=1e-6)
    theirs = DDPMScheduler(beta_schedule="squaredcos_cap_v2").alphas_cumprod.double()
    torch.testing.assert_close(bars, theirs, atol=1e-6, rtol=0)


def test_one_picture():
    assert level(0.1) == 100
    expected = [1.088567, 1.904199, 2.982515, 3.906309, 0.862319, 0.540302, -0.506366, 0.841471]
    found = told([Pictured(E, noise=0.1)], 1234)
    torch.testing.assert_close(found, torch.tensor([expected]), atol=1e-5, rtol=0)


def test_two_pictures_are_merged():
    expected = [2.704238, 5.014646, 7.296208, 9.971858, 0.964966, 0.877583, -0.262375, 0.479426]
    found = told([Pictured(E, 0.5, 0.1), Pictured(2 * E)], 1234)
    torch.testing.assert_close(found, torch.tensor([expected]), atol=1e-5, rtol=0)


def test_the_scale_of_features_is_taken_away_and_given_back():
    scale = FeatureScale(E / 2, E)
    of_scaled = told([Pictured((E - scale.mean) / scale.deviation, noise=0.5)], 7)[0, :4]
    found = told([Pictured(E, noise=0.5)], 7, scale)[0, :4]
    torch.testing.assert_close(found, of_scaled * scale.deviation + scale.mean)


def test_the_level_is_diffusers_own():
    from diffusers.models.embeddings import get_timestep_embedding

    theirs = get_timestep_embedding(
        torch.tensor([500]), 64, flip_sin_to_cos=True, downscale_freq_shift=0
    )
    torch.testing.assert_close(sinusoids(500, 64), theirs[0], atol=1e-4, rtol=0)


def asked(*prompts, family="sd2", **network):
    """What a network is asked for these prompts, whose step goes in one call."""
    denoiser = FunctionDenoiser(lambda x, *_: x, family=find_family(family), **network)
    sides = [Side(prompt.entries) for prompt in prompts]
    shape = (1, 4, 8, 8)
    sees = Composition(denoiser, VP(), sides, shape=shape, sizes=(64,) * 6, seed=1234)
    sees(torch.zeros(shape), torch.tensor(1.0, dtype=torch.float64))
    ((_, _, _, told_beside),) = denoiser.calls
    return told_beside


def prompt(family="sd2", **options):
    return words(torch.zeros(1, 4, 3), family, **options)


def test_an_unclip_model_is_told_pictures_or_zeros():
    pictures = (Pictured(E, noise=0.1),)
    found = asked(prompt(), prompt(unclip=pictures), pictured=4)["pictured"]
    assert torch.equal(found, torch.cat([torch.zeros(1, 8), told(pictures, 1234)]))


def test_in_sdxl_a_picture_takes_the_place_of_the_pooled_prompt():
    pooled = torch.ones(1, 4)
    plain = prompt("sdxl", pooled=pooled)
    revised = prompt("sdxl", pooled=pooled, unclip=(Pictured(E),))
    found = asked(plain, revised, family="sdxl")["pooled"]
    assert torch.equal(found, torch.cat([pooled, told([Pictured(E)], 1234)[:, :4]]))


def test_features_of_another_encoder_are_refused():
    with pytest.raises(MismatchedValues, match="reads 768 features") as caught:
        asked(prompt(unclip=(Pictured(E),)), pictured=768)
    assert "CLIP ViT-L" in caught.value.remedy


def test_other_models_are_told_nothing():
    assert asked(prompt("sd1", unclip=(Pictured(E),)), family="sd1").keys() == set()
