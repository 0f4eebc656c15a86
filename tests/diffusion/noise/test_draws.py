import json
import warnings
from itertools import pairwise

import pytest
import torch
from torchsde import BrownianTree

from helpers.paths import PARITY
from ponystudio.diffusion.noise.draws import between, brownian, first

REFERENCE = {
    seed: values
    for seed, values in json.loads((PARITY / "noise.json").read_text()).items()
    if seed.isdigit()
}
SHAPE = (2, 4, 16, 16)
SEEDS = [0, 1, 2**63, 2**64 - 1]


def plain(seed, *shape):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def of_the_peer(values):
    """torch's generator takes logarithms and cosines in float32, as each CPU rounds them."""
    return pytest.approx(values, rel=1e-6, abs=1e-6)


@pytest.mark.parametrize("seed", REFERENCE)
def test_first_noise_of_the_peer(seed):
    noise = first((2, 4, 32, 32), int(seed))
    assert noise[0].flatten()[:4].tolist() == of_the_peer(REFERENCE[seed]["b0_first4"])
    assert noise[1].flatten()[:4].tolist() == of_the_peer(REFERENCE[seed]["b1_first4"])


@pytest.mark.parametrize("seed", REFERENCE)
def test_noise_by_batch_index_of_the_peer(seed):
    noise = first((2, 4, 32, 32), int(seed), batch_index=[1, 3])
    for picture, values in zip(noise, REFERENCE[seed]["batch_index_1_3_first4"], strict=True):
        assert picture.flatten()[:4].tolist() == of_the_peer(values)


def test_one_picture_of_a_batch_can_be_made_again():
    batch = first((4, 4, 8, 10), 7)
    assert torch.equal(first((1, 4, 8, 10), 7, batch_index=[2])[0], batch[2])
    assert torch.equal(first((1, 4, 8, 10), 7)[0], batch[0])


def test_a_batch_index_may_repeat_and_go_back():
    noise = first((3, 4, 8, 8), 7, batch_index=[2, 0, 2])
    assert torch.equal(noise[0], noise[2])
    assert torch.equal(noise[1], first((1, 4, 8, 8), 7)[0])


def test_nothing_touches_the_global_generator():
    torch.manual_seed(5)
    expected = torch.randn(3)
    torch.manual_seed(5)
    x = torch.zeros(SHAPE)
    first(SHAPE, 1)
    draw = between(x, 1)
    draw(torch.tensor(2.0), torch.tensor(1.0))
    brownian(x, 1, torch.tensor([2.0, 1.0, 0.0]))(torch.tensor(2.0), torch.tensor(1.0))
    assert torch.equal(torch.randn(3), expected)


def test_fresh_noise_is_one_stream_of_the_next_seed():
    generator = torch.Generator().manual_seed(8)
    draw = between(torch.zeros(SHAPE), 7)
    for _ in range(3):
        expected = torch.randn(SHAPE, generator=generator)
        assert torch.equal(draw(torch.tensor(2.0), torch.tensor(1.0)), expected)


def test_on_the_cpu_both_sources_are_one():
    σ = torch.tensor(1.0)
    x = torch.zeros(SHAPE)
    assert torch.equal(between(x, 7, source="gpu")(σ, σ), between(x, 7, source="cpu")(σ, σ))


@pytest.mark.gpu
def test_on_a_gpu_the_sources_differ():
    x = torch.zeros(SHAPE, device="cuda")
    σ = torch.tensor(1.0)
    cpu, gpu = between(x, 7, source="cpu")(σ, σ), between(x, 7, source="gpu")(σ, σ)
    assert torch.equal(cpu.cpu(), plain(8, *SHAPE))
    generator = torch.Generator("cuda").manual_seed(7)
    assert torch.equal(gpu, torch.randn(SHAPE, generator=generator, device="cuda"))


def test_seeds_wrap():
    σ = torch.tensor(1.0)
    assert torch.equal(first(SHAPE, 2**64 + 3), first(SHAPE, 3))
    assert torch.equal(between(torch.zeros(SHAPE), 2**64 - 1)(σ, σ), plain(0, *SHAPE))


@pytest.mark.parametrize("seed", SEEDS)
def test_every_64_bit_seed_is_a_seed(seed):
    levels = torch.tensor([14.6, 3.0, 0.03, 0.0])
    x = torch.zeros(SHAPE)
    for noise in (first(SHAPE, seed), brownian(x, seed, levels)(levels[0], levels[1])):
        assert noise.std().item() == pytest.approx(1, abs=0.05)


# Brownian paths

LEVELS = torch.tensor([14.6146402, 5.0924, 1.6, 0.4, 0.0291671, 0.0])


@pytest.fixture(scope="module")
def path():
    return brownian(torch.zeros(SHAPE), 1234, LEVELS)


def test_increments_have_unit_variance(path):
    for σ, σ_next in pairwise(LEVELS[:-1]):
        assert path(σ, σ_next).std().item() == pytest.approx(1, abs=0.06)


def test_increments_add_up(path):
    def increment(i, j):
        return path(LEVELS[i], LEVELS[j]) * (LEVELS[i] - LEVELS[j]).sqrt()

    assert torch.allclose(increment(0, 1) + increment(1, 3), increment(0, 3), atol=1e-5)


def test_the_path_does_not_depend_on_the_steps(path):
    other = brownian(torch.zeros(SHAPE), 1234, LEVELS[[0, 4, 5]])
    other(LEVELS[2], torch.tensor(1.0))
    assert torch.equal(other(LEVELS[0], LEVELS[1]), path(LEVELS[0], LEVELS[1]))


def test_the_increment_goes_with_falling_sigma(path):
    tree = BrownianTree(t0=LEVELS[4], w0=torch.zeros(SHAPE), t1=LEVELS[0], entropy=1234)
    expected = -tree(LEVELS[2], LEVELS[1]) / (LEVELS[1] - LEVELS[2]).sqrt()
    assert torch.equal(path(LEVELS[1], LEVELS[2]), expected)


def test_ends_of_a_path_give_no_warning(path):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        path(LEVELS[0], LEVELS[4])


def test_a_single_step_needs_no_path():
    assert brownian(torch.zeros(SHAPE), 1, torch.tensor([14.6, 0.0])) is not None
