"""What modifiers change inside a network: diffusers' own numbers, or the paper's formula."""

from __future__ import annotations

from copy import deepcopy

import pytest
import torch
from diffusers import UNet2DConditionModel
from diffusers.models.attention_processor import PAGIdentitySelfAttnProcessor2_0
from diffusers.models.unets import unet_2d_blocks
from diffusers.utils.torch_utils import fourier_filter
from torch import nn

from helpers import flows
from ponystudio.api.modifiers import FreeU, PerturbedAttention, SkipLayers
from ponystudio.diffusion.families import find_family
from ponystudio.diffusion.loading.denoiser import Denoiser
from ponystudio.diffusion.loading.forward_hooks import freed
from ponystudio.diffusion.sampling.run import ignored_inputs

C = 32


@pytest.fixture(scope="module")
def unet():
    torch.manual_seed(0)
    return UNet2DConditionModel(
        block_out_channels=(C, 2 * C, 4 * C),
        down_block_types=("CrossAttnDownBlock2D", "CrossAttnDownBlock2D", "DownBlock2D"),
        up_block_types=("UpBlock2D", "CrossAttnUpBlock2D", "CrossAttnUpBlock2D"),
        layers_per_block=1,
        cross_attention_dim=16,
        attention_head_dim=4,
        norm_num_groups=8,
    )


@pytest.fixture(scope="module")
def denoiser(unet):
    return Denoiser(unet, find_family("sd1"))


@pytest.fixture
def inputs():
    torch.manual_seed(1)
    return torch.randn(2, 4, 8, 8), torch.tensor([7.0, 981.0]), torch.randn(2, 7, 16)


class TestFreeU:
    def test_the_published_numbers(self):
        skip = torch.arange(16.0).view(1, 1, 4, 4)
        hidden = torch.arange(16.0).view(1, 4, 2, 2)
        _, low = freed(hidden, skip, 1.0, 0.2, adaptive=False)
        rows = [[-4, -3, -2.8, -1.8], [0, 1, 1.2, 2.2], [0.8, 1.8, 2, 3], [4.8, 5.8, 6, 7]]
        assert torch.allclose(low[0, 0], torch.tensor(rows), atol=1e-5)
        v1, _ = freed(hidden, skip, 1.1, 1.0, adaptive=False)
        v2, same = freed(hidden, skip, 1.3, 1.0, adaptive=True)
        first = torch.tensor([0, 1.1, 2.2, 3.3, 4.4, 5.5, 6.6, 7.7])
        assert torch.allclose(v1.flatten(), torch.cat([first, torch.arange(8.0, 16)]), atol=1e-5)
        first = torch.tensor([0, 1.1, 2.4, 3.9, 4, 5.5, 7.2, 9.1])
        assert torch.allclose(v2.flatten(), torch.cat([first, torch.arange(8.0, 16)]), atol=1e-5)
        assert torch.allclose(same, skip, atol=1e-5)

    def test_each_picture_has_its_own_means(self):
        hidden, skip = torch.randn(2, 4, 4, 4), torch.randn(2, 2, 4, 4)
        both, _ = freed(hidden, skip, 1.3, 0.9, adaptive=True)
        alone, _ = freed(hidden[1:], skip[1:], 1.3, 0.9, adaptive=True)
        assert torch.equal(both[1:], alone)

    def test_the_decoder_gets_it_by_the_width_of_what_is_hidden(
        self, unet, denoiser, inputs, monkeypatch
    ):
        """diffusers' own place and filter, which goes by the number of the block."""
        seen = []

        def by_width(_, hidden, skip, *, s1, s2, b1, b2):
            width = hidden.shape[1]
            seen.append(width)
            b, s = {4 * C: (b1, s1), 2 * C: (b2, s2)}.get(width, (1.0, 1.0))
            hidden = torch.cat([hidden[:, : width // 2] * b, hidden[:, width // 2 :]], dim=1)
            return hidden, fourier_filter(skip, threshold=1, scale=s)

        plain = denoiser(*inputs)
        with denoiser.modified((FreeU(1.1, 1.2, 0.9, 0.2, adaptive=False),)):
            ours = denoiser(*inputs)
        monkeypatch.setattr(unet_2d_blocks, "apply_freeu", by_width)
        theirs = deepcopy(unet)
        theirs.enable_freeu(s1=0.9, s2=0.2, b1=1.1, b2=1.2)
        x, t, context = inputs
        expected = theirs(x, t, encoder_hidden_states=context).sample
        assert {C, 2 * C, 4 * C} == set(seen)
        assert torch.allclose(ours, expected, atol=1e-4)
        assert (ours - plain).norm() / plain.norm() > 0.01
        assert torch.equal(denoiser(*inputs), plain)


def test_perturbed_attention_is_diffusers_own(unet, denoiser, inputs):
    x, t, context = inputs
    plain = denoiser(*inputs)
    ours = denoiser(*inputs, mode=PerturbedAttention(3.0))
    theirs = deepcopy(unet)
    theirs.set_attn_processor(
        {
            name: PAGIdentitySelfAttnProcessor2_0() if "mid" in name and "attn1" in name else own
            for name, own in theirs.attn_processors.items()
        }
    )
    both = theirs(
        torch.cat([x, x]), torch.cat([t, t]), encoder_hidden_states=torch.cat([context, context])
    ).sample
    assert torch.allclose(both[: len(x)], plain, atol=1e-5)
    assert torch.allclose(both[len(x) :], ours, atol=1e-5)
    assert (ours - plain).norm() / plain.norm() > 1e-3
    assert torch.equal(denoiser(*inputs), plain)


@pytest.mark.parametrize("name", ["sd3", "flux", "auraflow"])
def test_layers_that_are_skipped_might_not_be_there(name):
    family = flows.family_of(name)
    torch.manual_seed(2)
    x = torch.randn(1, 4 if family == "auraflow" else 16, 8, 8)
    context, pooled = torch.randn(1, 5, flows.CONTEXT[family]), None
    if family in flows.POOLED:
        pooled = torch.randn(1, flows.POOLED[family])
    arguments = (x, torch.tensor([0.7]), context, pooled)
    mode = SkipLayers((1, 9), (0,), scale=3.0, start=0.0, end=1.0)

    denoiser = Denoiser(flows.network(name), find_family(family))
    plain, ours = denoiser(*arguments), denoiser(*arguments, mode=mode)
    less = deepcopy(flows.network(name))
    for holder, numbers in (
        ("joint_transformer_blocks", mode.double),
        ("transformer_blocks", mode.double),
        ("single_transformer_blocks", mode.single),
    ):
        if kept := getattr(less, holder, None):
            left = nn.ModuleList(block for i, block in enumerate(kept) if i not in numbers)
            setattr(less, holder, left)
    assert torch.equal(ours, Denoiser(less, find_family(family))(*arguments))
    assert not torch.equal(ours, plain)
    assert torch.equal(denoiser(*arguments), plain)


def test_layers_that_a_model_does_not_have_are_told():
    denoiser = Denoiser(flows.network("sd3"), find_family("sd3"))
    for double, notes in ((2, 0), (7, 1)):
        with denoiser.modified((SkipLayers((double,), (0,), 3.0, 0.0, 1.0),)):
            assert len(list(ignored_inputs(denoiser, []))) == notes


def test_a_pass_that_fails_leaves_nothing_behind(denoiser, inputs):
    plain = denoiser(*inputs)
    x, t, _ = inputs
    with pytest.raises(RuntimeError):
        denoiser(x, t, torch.zeros(2, 7, 99), mode=PerturbedAttention(3.0))
    assert torch.equal(denoiser(*inputs), plain)
