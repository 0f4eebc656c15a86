import itertools

import pytest
import torch
from torchsde import BrownianTree

from ponystudio.diffusion.noise.brownian_path import BrownianPath

SHAPE = (1, 4, 8, 8)
LOW, HIGH = 0.0291671, 14.6146402


def drawn(seed):
    return torch.randn(SHAPE, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("seed", [0, 1234, 2**64 - 1])
def test_a_path_is_torchsdes(seed):
    path = BrownianPath(LOW, HIGH, seed, drawn)
    tree = BrownianTree(t0=LOW, w0=torch.zeros(SHAPE), t1=HIGH, entropy=seed)
    ends = round(LOW, 6), round(HIGH, 6)
    for a, b in (ends, (5.0924, ends[1]), (1.6, 5.0924), (0.4, 1.6), (0.03, 0.0301), (ends[0], 3)):
        assert torch.allclose(path(a, b), tree(a, b), atol=2e-6)


def test_a_path_does_not_hang_on_what_was_asked_before():
    once, twice = (BrownianPath(LOW, HIGH, 5, drawn) for _ in range(2))
    levels = torch.linspace(HIGH, LOW, 40).tolist()
    for high, low in itertools.pairwise(levels):
        twice(low, high)
    assert torch.equal(once(1.0, 2.0), twice(1.0, 2.0))


def test_times_beyond_its_ends_are_its_ends():
    path = BrownianPath(1.0, 2.0, 5, drawn)
    assert torch.equal(path(0.5, 3.0), path(1.0, 2.0))
    assert not path(2.0, 2.5).any()
