"""The autoencoder: diffusers' own numbers, whole or in tiles."""

from __future__ import annotations

from copy import deepcopy

import pytest
import torch
from diffusers import AutoencoderKL

from ponystudio.diffusion.families import find_family
from ponystudio.diffusion.images import vae
from ponystudio.diffusion.images.vae import Autoencoder
from ponystudio.diffusion.loading.cancel_hooks import cancel_hooks
from ponystudio.errors import Cancelled, MismatchedValues

SD1 = find_family("sd1")


@pytest.fixture(scope="module")
def module():
    torch.manual_seed(0)
    return AutoencoderKL(
        block_out_channels=(8, 8, 8, 8),
        down_block_types=("DownEncoderBlock2D",) * 4,
        up_block_types=("UpDecoderBlock2D",) * 4,
        norm_num_groups=4,
        scaling_factor=0.18215,
    )


@pytest.fixture(scope="module")
def autoencoder(module):
    return Autoencoder(module, SD1)


@pytest.fixture(scope="module")
def local():
    """One without statistics and attention over the whole picture: tiles of it can be exact."""
    torch.manual_seed(0)
    module = AutoencoderKL(
        block_out_channels=(4, 4, 4, 4),
        down_block_types=("DownEncoderBlock2D",) * 4,
        up_block_types=("UpDecoderBlock2D",) * 4,
        norm_num_groups=1,
        layers_per_block=1,
        mid_block_add_attention=False,
    )
    for name, layer in list(module.named_modules()):
        if isinstance(layer, torch.nn.GroupNorm):
            path, _, leaf = name.rpartition(".")
            setattr(module.get_submodule(path), leaf, torch.nn.Identity())
    return Autoencoder(module, SD1)


def pictures(*shape):
    return torch.rand(*shape, generator=torch.Generator().manual_seed(1))


class TestWhole:
    def test_encode_is_the_mean_of_the_posterior(self, autoencoder, module):
        pixels = pictures(2, 3, 64, 40)
        with torch.no_grad():
            theirs = module.encode(pixels * 2 - 1).latent_dist.mean
        ours = autoencoder.encode(pixels)
        assert ours.shape == (2, 4, 8, 5)
        assert torch.allclose(ours, theirs, atol=1e-5)

    def test_decode_is_clamped_to_0_1(self, autoencoder, module):
        values = torch.randn(2, 4, 8, 5) * 3
        with torch.no_grad():
            theirs = ((module.decode(values).sample + 1) / 2).clamp(0, 1)
        ours = autoencoder.decode(values)
        assert ours.shape == (2, 3, 64, 40)
        assert ours.dtype == torch.float32
        assert torch.allclose(ours, theirs, atol=1e-5)

    def test_the_centre_is_kept_when_cut_to_a_multiple_of_8(self, autoencoder):
        pixels = pictures(1, 3, 70, 45)
        assert torch.equal(autoencoder.encode(pixels), autoencoder.encode(pixels[..., 3:67, 2:42]))

    def test_runs_in_its_dtype_and_gives_float32(self, autoencoder, module):
        half = Autoencoder(deepcopy(module).bfloat16(), SD1)
        pixels = pictures(1, 3, 32, 32)
        ours, exact = half.encode(pixels), autoencoder.encode(pixels)
        assert ours.dtype == half.decode(ours).dtype == torch.float32
        # Rounded, so run in low precision, yet close.
        assert 0 < (ours - exact).norm() / exact.norm() < 0.05

    def test_one_picture_at_a_time(self, autoencoder):
        told = []
        autoencoder.decode(torch.randn(3, 4, 4, 4), on_tile=lambda *at: told.append(at))
        assert told == [(1, 3), (2, 3), (3, 3)]


class TestTiles:
    def test_far_from_the_seams_nothing_changes(self, local):
        values = torch.randn(1, 4, 40, 56, generator=torch.Generator().manual_seed(2))
        whole = local.decode(values)
        tiled = local.decode(values, tile=192)
        assert tiled.shape == whole.shape
        # The corner tile ends at cell 24 and gives way from cell 18 on; the rest of it is its own.
        far = 8 * 8
        assert torch.allclose(tiled[..., :far, :far], whole[..., :far, :far], atol=1e-5)
        assert torch.allclose(tiled[..., -far:, -far:], whole[..., -far:, -far:], atol=1e-5)

    def test_seams_are_blended_not_cut(self, local):
        """A constant network shows the weights: they sum to one everywhere."""
        values = torch.full((1, 4, 40, 56), 0.3)
        tiled = local.decode(values, tile=160)
        steps = (tiled[..., 1:] - tiled[..., :-1]).abs()
        whole = local.decode(values)
        jumps = (whole[..., 1:] - whole[..., :-1]).abs().max()
        assert steps.max() <= jumps * 1.5 + 1e-6

    def test_encoding_in_tiles(self, local):
        pixels = pictures(1, 3, 320, 448)
        whole, tiled = local.encode(pixels), local.encode(pixels, tile=192)
        assert tiled.shape == whole.shape == (1, 4, 40, 56)
        assert torch.allclose(tiled[..., :8, :8], whole[..., :8, :8], atol=1e-4)
        assert (tiled - whole).norm() / whole.norm() < 0.2

    def test_large_pictures_are_tiled_unasked_and_small_ones_not(self, module, monkeypatch):
        monkeypatch.setattr(vae, "TILE", 256)
        told = []
        eager = Autoencoder(module, SD1, tiled_from=320 * 320)
        for side in (39, 40):
            told.clear()
            eager.decode(torch.zeros(1, 4, side, side), on_tile=lambda *at: told.append(at))
            assert len(told) == (4 if side == 40 else 1)

    @pytest.mark.parametrize("tile", [1, 8, 100])
    def test_a_silly_tile_becomes_a_usable_one(self, autoencoder, tile):
        result = autoencoder.decode(torch.randn(1, 4, 20, 33), tile=tile)
        assert result.shape == (1, 3, 160, 264)
        assert result.isfinite().all()

    def test_progress_counts_tiles_of_the_whole_batch(self, autoencoder):
        told = []
        autoencoder.decode(torch.randn(2, 4, 32, 16), tile=128, on_tile=lambda *at: told.append(at))
        assert told == [(i, 6) for i in range(1, 7)]


def test_cancel_is_noticed_between_blocks(autoencoder):
    calls = []

    def check():
        calls.append(None)
        if len(calls) == 5:
            raise Cancelled

    with cancel_hooks(autoencoder.module, check), pytest.raises(Cancelled):
        autoencoder.decode(torch.randn(1, 4, 4, 4))
    assert len(calls) == 5
    autoencoder.decode(torch.randn(1, 4, 4, 4))
    assert len(calls) == 5


def test_what_does_not_fit_is_refused(autoencoder):
    with pytest.raises(MismatchedValues, match="16 channels"):
        autoencoder.decode(torch.zeros(1, 16, 4, 4))
    with pytest.raises(MismatchedValues, match="smaller than 8"):
        autoencoder.encode(torch.zeros(1, 3, 7, 64))
