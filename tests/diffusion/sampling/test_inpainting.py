import pytest
import torch

from ponystudio.diffusion.sampling.composition import mask_of_latent
from ponystudio.diffusion.sampling.guidance import Masked
from ponystudio.diffusion.sampling.parameterisation import VP, Flow
from ponystudio.errors import MismatchedValues


def test_the_mask_blends_what_is_seen_and_what_comes_out():
    latent, noise, x = (torch.randn(2, 4, 8, 8) for _ in range(3))
    mask = torch.rand(2, 1, 8, 8)
    seen = []

    def D(x, σ):
        seen.append(x)
        return x * 0.5

    σ = torch.tensor(3.0)
    out = Masked(D, VP(), mask, latent, noise)(x, σ)
    blend = x * mask + (latent + 3 * noise) * (1 - mask)
    assert torch.allclose(seen[0], blend, atol=1e-6)
    assert torch.allclose(out, blend * 0.5 * mask + latent * (1 - mask), atol=1e-6)


def test_flow_blends_with_its_own_noising():
    latent, noise, x = (torch.randn(1, 4, 8, 8) for _ in range(3))
    seen = []
    masked = Masked(
        lambda x, σ: seen.append(x) or x, Flow(), torch.zeros(1, 1, 8, 8), latent, noise
    )
    masked(x, torch.tensor(0.25))
    assert torch.allclose(seen[0], 0.75 * latent + 0.25 * noise)


def test_a_mask_of_pixels_becomes_one_of_cells():
    mask = torch.zeros(1, 1, 64, 128)
    mask[..., 64:] = 1
    cells = mask_of_latent(mask, (3, 4, 8, 16))
    assert cells.shape == (3, 1, 8, 16)
    assert (cells[..., :8] == 0).all()
    assert (cells[..., 8:] == 1).all()


def test_edges_between_cells_are_soft():
    mask = torch.zeros(1, 1, 16, 16)
    mask[..., 4:] = 1
    assert mask_of_latent(mask, (1, 4, 2, 2))[0, 0, 0].tolist() == [0.5, 1]


def test_masks_for_another_number_of_latents_are_refused():
    with pytest.raises(MismatchedValues, match="2 masks cannot apply to 3 latents"):
        mask_of_latent(torch.zeros(2, 1, 8, 8), (3, 4, 8, 8))
