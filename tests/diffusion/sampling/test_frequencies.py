import torch

from ponystudio.diffusion.sampling.frequencies import scaled_frequencies


def test_the_published_numbers():
    x = torch.arange(16.0).view(1, 1, 4, 4)
    rows = [
        [-1.25, 0, 1, 2.25],
        [3.75, 5, 6, 7.25],
        [7.75, 9, 10, 11.25],
        [12.75, 14, 15, 16.25],
    ]
    found = scaled_frequencies(x, low=1.0, high=1.25, reach=1)
    assert torch.allclose(found[0, 0], torch.tensor(rows), atol=1e-5)


def test_no_axis_is_reached_beyond_its_half():
    x = torch.randn(2, 3, 5, 12)
    assert torch.allclose(scaled_frequencies(x, low=2.0, high=2.0, reach=20), 2 * x, atol=1e-5)
    # Of five frequencies −2 … 1 are reached: the last stays.
    kept = scaled_frequencies(x, low=0.0, high=1.0, reach=20)
    assert kept.abs().max() > 0
