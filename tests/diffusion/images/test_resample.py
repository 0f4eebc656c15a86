"""Scaling of latents: sizes, exact cases, and what bislerp is for."""

import pytest
import torch

from ponystudio.diffusion.images.resample import LATENT_METHODS, scale_latent


@pytest.mark.parametrize("method", LATENT_METHODS)
def test_size_and_constant(method):
    values = torch.full((2, 4, 6, 5), 0.7)
    scaled = scale_latent(values, (9, 11), method)
    assert scaled.shape == (2, 4, 9, 11)
    assert torch.allclose(scaled, torch.tensor(0.7), atol=1e-5)


def test_bislerp_of_the_same_size_is_the_identity():
    values = torch.randn(1, 4, 8, 8, generator=torch.Generator().manual_seed(0))
    assert torch.allclose(scale_latent(values, (8, 8), "bislerp"), values, atol=1e-6)


def test_bislerp_halfway_between_orthogonal_vectors():
    """Between e₁ and 3·e₂ at t = ¼: angle π/8 on the sphere, norm 1.5 on the line."""
    values = torch.zeros(1, 2, 1, 2)
    values[0, 0, 0, 0], values[0, 1, 0, 1] = 1.0, 3.0
    scaled = scale_latent(values, (1, 4), "bislerp")[0, :, 0, 1]
    angle = torch.tensor(torch.pi / 8)
    assert torch.allclose(scaled, 1.5 * torch.stack([angle.cos(), angle.sin()]), atol=1e-6)


def test_bislerp_keeps_the_norm_that_bilinear_loses():
    values = torch.randn(1, 4, 32, 32, generator=torch.Generator().manual_seed(1))
    norm = values.norm(dim=1).mean()
    bilinear = scale_latent(values, (64, 64), "bilinear").norm(dim=1).mean()
    bislerp = scale_latent(values, (64, 64), "bislerp").norm(dim=1).mean()
    assert bilinear < 0.85 * norm
    assert abs(bislerp - norm) < 0.05 * norm


def test_bislerp_of_opposite_and_zero_vectors_is_finite():
    values = torch.zeros(1, 2, 1, 3)
    values[0, 0, 0] = torch.tensor([1.0, -1.0, 0.0])
    scaled = scale_latent(values, (1, 7), "bislerp")
    assert scaled.isfinite().all()
