"""Every block of a network is watched while it runs, and a stop leaves it whole."""

from __future__ import annotations

import pytest
import torch
from diffusers import UNet2DConditionModel

from ponystudio.diffusion.families import find_family
from ponystudio.diffusion.loading.cancel_hooks import blocks, cancel_hooks
from ponystudio.diffusion.loading.denoiser import Denoiser
from ponystudio.errors import Cancelled

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


class TestWatching:
    def test_every_block_is_watched_and_nothing_afterwards(self, denoiser, module, inputs):
        seen = []
        with cancel_hooks(module, lambda: seen.append(None)):
            denoiser(*inputs)
        names = {id(inside): name for name, inside in module.named_modules()}
        watched = {names[id(block)] for block in blocks(module)}
        assert {"", "down_blocks.0.resnets.1", "mid_block.attentions.0"} <= watched
        assert "down_blocks.0.attentions.0.transformer_blocks.0" in watched
        assert "up_blocks.0.upsamplers.0" in watched
        assert len(seen) > 30
        count = len(seen)
        denoiser(*inputs)
        assert len(seen) == count

    def test_cancel_leaves_inside_the_step_and_the_network_whole(self, denoiser, module, inputs):
        before = denoiser(*inputs)
        countdown = iter(range(10))

        def check():
            if next(countdown) == 9:
                raise Cancelled

        with pytest.raises(Cancelled), cancel_hooks(module, check):
            denoiser(*inputs)
        assert torch.equal(denoiser(*inputs), before)
