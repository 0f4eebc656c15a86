"""The denoiser: diffusers' own numbers, and what a pool asks of any network."""

from __future__ import annotations

from copy import deepcopy

import pytest
import torch
from diffusers import UNet2DConditionModel

from helpers.bfloat16 import require_attention
from ponystudio.diffusion.families import families, find_family
from ponystudio.diffusion.loading.denoiser import Denoiser
from ponystudio.errors import UnsupportedModel

SD1 = find_family("sd1")


@pytest.fixture(scope="module")
def module():
    torch.manual_seed(0)
    return UNet2DConditionModel(
        block_out_channels=(32, 64),
        down_block_types=("CrossAttnDownBlock2D", "DownBlock2D"),
        up_block_types=("UpBlock2D", "CrossAttnUpBlock2D"),
        cross_attention_dim=16,
    )


@pytest.fixture(scope="module")
def denoiser(module):
    return Denoiser(module, SD1)


@pytest.fixture
def inputs():
    torch.manual_seed(1)
    return torch.randn(2, 4, 8, 8), torch.tensor([7.0, 981.0]), torch.randn(2, 77, 16)


class TestCall:
    def test_equals_the_network(self, denoiser, module, inputs):
        x, t, context = inputs
        with torch.no_grad():
            theirs = module(x, t, encoder_hidden_states=context).sample
        ours = denoiser(x, t, context)
        assert torch.equal(ours, theirs)
        assert not ours.requires_grad

    def test_runs_in_its_dtype_and_gives_float32(self, denoiser, module, inputs):
        require_attention()
        half = Denoiser(deepcopy(module).bfloat16(), SD1)
        ours, exact = half(*inputs), denoiser(*inputs)
        assert half.dtype == torch.bfloat16
        assert ours.dtype == torch.float32
        assert 0 < (ours - exact).norm() / exact.norm() < 0.05


class TestProperties:
    def test_prediction_is_the_familys_unless_the_file_tells(self, module):
        assert Denoiser(module, SD1).prediction == "eps"
        told = Denoiser(module, SD1, prediction="v", zsnr=True)
        assert (told.prediction, told.zsnr) == ("v", True)

    def test_what_a_pool_asks(self, denoiser, module):
        assert denoiser.device == torch.device("cpu")
        assert denoiser.dtype == torch.float32
        assert denoiser.in_channels == 4
        assert denoiser.nbytes == 4 * sum(value.numel() for value in module.parameters())

    def test_moves_and_closes(self, module):
        denoiser = Denoiser(deepcopy(module), SD1)
        assert denoiser.to("cpu") is denoiser
        denoiser.close()
        assert denoiser.device == torch.device("meta")


class TestFamilies:
    def test_by_name(self):
        assert families()["sd1"] is SD1
        assert (SD1.latent_channels, SD1.downscale, SD1.scaling_factor) == (4, 8, 0.18215)

    @pytest.mark.parametrize("name", ["", "chroma", "../sd1"])
    def test_others_are_refused(self, name):
        with pytest.raises(UnsupportedModel, match="Stable Diffusion 1"):
            find_family(name)

    def test_a_rough_picture(self, denoiser):
        values = torch.zeros(2, 4, 3, 5)
        values[:, 0] = 1 / SD1.scaling_factor
        rgb = denoiser.to_rgb(values)
        assert rgb.shape == (2, 3, 3, 5)
        expected = torch.tensor(SD1.rgb.rows[0]) / 2 + 0.5
        assert torch.allclose(rgb[0, :, 0, 0], expected)
        assert denoiser.to_rgb(values * 100).max() == 1
