"""The noise of a run by ComfyUI's rule, and picture by picture by A1111's."""

import pytest
import torch

from ponystudio.api import A1111Rules, Noise
from ponystudio.diffusion.noise.draws import first, turned
from ponystudio.diffusion.noise.philox import PhiloxGenerator
from ponystudio.diffusion.noise.run_noise import BatchNoise, PictureNoise

BATCH = torch.zeros(3, 4, 8, 8)
ONE = BATCH[:1]
σ = torch.tensor(1.0)
LEVELS = torch.tensor([14.6146402, 5.0924, 1.6, 0.4, 0.0291671, 0.0], dtype=torch.float64)


def torchs(seed):
    return torch.Generator().manual_seed(seed)


def draw(generator, *shape):
    return torch.randn(shape or (1, 4, 8, 8), generator=generator)


def picture_noise(x=ONE, seed=1, rules=None, index=None, **noise):
    return PictureNoise(Noise(seed, **noise), x, 8, index, rules)


def batch_noise(x=ONE, seed=1, **noise):
    return BatchNoise(Noise(seed, **noise), x, 8)


# All pictures at once


def test_a_variation_is_turned_along_arcs():
    one = batch_noise(variation_seed=2, variation=0.25).first
    expected = [-1.600779, -0.342411, -1.065874, -2.144363]
    assert one.flatten()[:4].tolist() == pytest.approx(expected, abs=1e-5)
    assert torch.equal(batch_noise().first, first(ONE.shape, 1))
    assert not batch_noise(off=True).first.any()


def test_a_card_draws_between_steps_and_the_cpu_first():
    """As ComfyUI on a GPU: one draw for the batch, of the same seed."""
    noise = batch_noise(BATCH, source="nvidia", threads=256)
    assert torch.equal(noise.first, first(BATCH.shape, 1))
    card = PhiloxGenerator(1, 256)
    between = noise.between()
    for _ in range(2):
        assert torch.equal(between(σ, σ), card.randn(BATCH.shape))


def test_paths_are_a_cards_where_the_sampler_draws_there():
    plain = batch_noise().brownian(LEVELS, gpu=False)
    card = batch_noise(source="nvidia")
    a, b = LEVELS[1], LEVELS[2]
    assert torch.equal(card.brownian(LEVELS, gpu=False)(a, b), plain(a, b))
    path = card.brownian(LEVELS, gpu=True)
    assert not torch.allclose(path(a, b), plain(a, b), atol=0.1)
    many = torch.cat([path(*LEVELS[i : i + 2]).flatten() for i in range(4)])
    assert many.std().item() == pytest.approx(1, abs=0.1)


# Each picture by itself


def test_each_picture_has_the_next_seed():
    drawn = picture_noise(BATCH).first
    for i, one in enumerate(drawn):
        assert torch.equal(one[None], draw(torchs(1 + i)))
    assert torch.equal(picture_noise(ONE, index=[2]).first, drawn[2:])


def test_the_second_picture_of_a_batch_is_not_comfyuis():
    ours, theirs = (noise(BATCH[:2]).first[1] for noise in (picture_noise, batch_noise))
    assert ours.flatten()[:2].tolist() == pytest.approx([-1.0408, 0.9166], abs=1e-4)
    assert theirs.flatten()[:2].tolist() == pytest.approx([-1.2560, 0.8956], abs=1e-4)


def test_noise_between_steps_goes_on_with_the_generator():
    noise = picture_noise(BATCH)
    generators = [torchs(1 + i) for i in range(3)]
    for generator in generators:
        draw(generator)
    between = noise.between()
    for _ in range(2):
        expected = torch.cat([draw(generator) for generator in generators])
        assert torch.equal(between(σ, σ), expected)


def test_ensd_begins_it_anew():
    noise = picture_noise(BATCH, rules=A1111Rules(ensd=31337))
    assert torch.equal(noise.first, picture_noise(BATCH).first)
    expected = torch.cat([draw(torchs(31338 + i)) for i in range(3)])
    assert torch.equal(noise.between()(σ, σ), expected)


def test_draws_that_were_made_before_are_passed_over():
    one, later = picture_noise().between(), picture_noise(off=True, behind=2)
    assert not later.first.any()
    drawn = [one(σ, σ) for _ in range(3)]
    assert torch.equal(later.between()(σ, σ), drawn[2])


def test_all_of_it_is_a_cards():
    noise = picture_noise(BATCH, source="nvidia")
    cards = [PhiloxGenerator(1 + i) for i in range(3)]
    assert torch.equal(noise.first, torch.cat([card.randn((1, 4, 8, 8)) for card in cards]))
    expected = torch.cat([card.randn((1, 4, 8, 8)) for card in cards])
    assert torch.equal(noise.between()(σ, σ), expected)
    path, plain = (
        picture_noise(BATCH, source=source).brownian(LEVELS, gpu=False)
        for source in ("nvidia", "cpu")
    )
    assert not torch.allclose(path(*LEVELS[:2]), plain(*LEVELS[:2]), atol=0.1)


def test_the_rules_may_name_the_threads_of_the_card():
    said = picture_noise(source="nvidia", threads=256).first
    assert torch.equal(said, PhiloxGenerator(1, 256).randn((1, 4, 8, 8)))
    large = torch.zeros(1, 4, 16, 16)
    of_rules = picture_noise(large, source="nvidia", rules=A1111Rules(threads=256)).first
    assert torch.equal(of_rules, PhiloxGenerator(1, 256).randn(large.shape))
    assert not torch.equal(of_rules, picture_noise(large, source="nvidia").first)


def test_paths_of_pictures_are_those_of_their_seeds():
    paths = picture_noise(BATCH).brownian(LEVELS, gpu=False)(*LEVELS[1:3])
    for i, path in enumerate(paths):
        alone = picture_noise(ONE, seed=1 + i).brownian(LEVELS, gpu=False)(*LEVELS[1:3])
        assert torch.equal(path[None], alone)


def test_variations_have_one_seed_and_others_for_the_other_noise():
    drawn = picture_noise(BATCH, variation_seed=2, variation=0.25).first
    for i, one in enumerate(drawn):
        expected = turned(draw(torchs(1)), draw(torchs(2 + i)), 0.25)
        assert torch.allclose(one[None], expected)
    assert drawn[0].flatten()[:4].tolist() == pytest.approx(
        [-1.600779, -0.342411, -1.065874, -2.144363], abs=1e-5
    )


def test_noise_of_another_size_lies_in_the_middle():
    noise = picture_noise(resized_from=(32, 48))
    whole, small = draw(torchs(1)), draw(torchs(1), 1, 4, 6, 4)
    assert torch.equal(noise.first[..., 1:7, 2:6], small)
    outside = torch.ones(8, 8, dtype=bool)
    outside[1:7, 2:6] = False
    assert torch.equal(noise.first[..., outside], whole[..., outside])
    # The generator has made one draw.
    generator = torchs(1)
    draw(generator)
    assert torch.equal(noise.between()(σ, σ), draw(generator))


def test_of_larger_noise_the_middle_stays():
    drawn = picture_noise(resized_from=(96, 64)).first
    assert torch.equal(drawn, draw(torchs(1), 1, 4, 8, 12)[..., 2:10])
    # By an odd number of cells it is one cell less, and at the edge the noise of this size.
    odd = picture_noise(resized_from=(72, 64)).first
    assert torch.equal(odd[..., :7], draw(torchs(1), 1, 4, 8, 9)[..., 1:8])
    assert torch.equal(odd[..., 7:], draw(torchs(1))[..., 7:])
    same = picture_noise(resized_from=(64, 64)).first
    assert torch.equal(same, picture_noise().first)


def test_seeds_wrap():
    batch = BATCH[:2]
    drawn = picture_noise(batch, seed=2**64 - 1).first
    assert torch.equal(drawn[1:], draw(torchs(0)))
