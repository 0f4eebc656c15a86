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


@pytest.mark.parametrize("space", [VP(), Flow(3.0)], ids=["VP", "flow"])
def test_a_differential_mask_lets_go_of_dark_places_late(space):
    latent, noise, x = (torch.randn(1, 4, 1, 4) for _ in range(3))
    mask = torch.tensor([0.0, 0.3, 0.6, 1.0]).view(1, 1, 1, 4)
    span = space.sigma_at(0.1), space.sigma_at(0.9)
    first, last = (torch.tensor(σ, dtype=torch.float64) for σ in span)
    masked = Masked(lambda x, σ: x, space, mask, latent, noise, (first, last))
    begin, end = (float(space.t(σ)) for σ in (first, last))
    for share, free in ((1.0, [3]), (0.5, [2, 3]), (0.2, [1, 2, 3]), (0.0, [0, 1, 2, 3])):
        t = end + share * (begin - end)
        if space.prediction == "flow":
            σ = torch.tensor(t / 1000, dtype=torch.float64)
        else:
            σ = space.sigma(torch.tensor(t, dtype=torch.float64))
        out = masked(x, σ)
        there = torch.zeros(4, dtype=bool).index_fill(0, torch.tensor(free), True)
        assert torch.allclose(out[..., there], x[..., there], atol=1e-6), share
        assert torch.equal(out[..., ~there], latent[..., ~there]), share


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
