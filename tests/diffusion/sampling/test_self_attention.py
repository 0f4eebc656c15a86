"""Self-attention guidance: by hand, from what the network itself says of its attention."""

from __future__ import annotations

import pytest
import torch
from diffusers import UNet2DConditionModel

from helpers.denoisers import words
from ponystudio.api.modifiers import SelfAttention
from ponystudio.diffusion.families import find_family
from ponystudio.diffusion.loading.denoiser import Denoiser
from ponystudio.diffusion.sampling import parameterisation
from ponystudio.diffusion.sampling.gaussian_blur import blur
from ponystudio.diffusion.sampling.guidance import Guided, classifier_free, one
from ponystudio.diffusion.sampling.modified_guidance import with_modifiers
from ponystudio.diffusion.sampling.self_attention import looked_at


@pytest.fixture(scope="module")
def unet():
    torch.manual_seed(0)
    return UNet2DConditionModel(
        block_out_channels=(32, 64),
        down_block_types=("CrossAttnDownBlock2D", "DownBlock2D"),
        up_block_types=("UpBlock2D", "CrossAttnUpBlock2D"),
        layers_per_block=1,
        cross_attention_dim=16,
        attention_head_dim=4,
        norm_num_groups=8,
    )


POSITIVE, NEGATIVE = (words(torch.randn(1, 7, 16, generator=torch.Generator().manual_seed(i)))
                      for i in (1, 2))  # fmt: skip
SHAPE = (2, 4, 8, 12)
σ = torch.tensor(2.0, dtype=torch.float64)


def guided(unet, guidance, **how):
    denoiser = Denoiser(unet, find_family("sd1"))
    space = parameterisation.of(denoiser, SHAPE[-2] * SHAPE[-1])
    return Guided(denoiser, space, guidance, shape=SHAPE, **how)


@torch.no_grad()
@pytest.mark.parametrize("rows", [None, 1])
@pytest.mark.parametrize("cfg", [7.0, 1.0])
def test_what_is_looked_at_is_blurred_and_left(unet, rows, cfg):
    x = torch.randn(SHAPE, generator=torch.Generator().manual_seed(3)) * 2
    plain = classifier_free(POSITIVE, NEGATIVE, cfg, both=True)
    D, u = guided(unet, plain).both(x, σ)
    found, same = guided(unet, with_modifiers(plain, [SelfAttention(0.5, 2.0)]), rows=rows).both(
        x, σ
    )

    attention = unet.mid_block.attentions[0].transformer_blocks[0].attn1
    seen = []
    hook = attention.register_forward_hook(
        lambda module, given, named, _: seen.append(
            module.get_attention_scores(
                *(
                    module.head_to_batch_dim(layer(given[0] if given else named["hidden_states"]))
                    for layer in (module.to_q, module.to_k)
                )
            )
        ),
        with_kwargs=True,
    )
    guided(unet, one(NEGATIVE))(x, σ)
    hook.remove()
    scores = seen[0].unflatten(0, (2, -1)).mean(1).sum(1)  # [2, places]
    mask = (scores > 1).float().view(2, 1, 4, 6).repeat_interleave(2, 2).repeat_interleave(2, 3)
    assert 0 < mask.mean() < 1
    blurred = blur(u, 4, 2.0) * mask + u * (1 - mask)
    s = guided(unet, one(NEGATIVE))(blurred + x - u, σ)
    assert torch.allclose(same, u, atol=1e-5)
    assert torch.allclose(found, D + 0.5 * (blurred - s), atol=1e-4)
    assert not torch.allclose(found, D, atol=1e-2)


def test_nothing_is_looked_at_without_a_negative_prompt_or_at_scale_0():
    alone = one(POSITIVE)
    assert with_modifiers(alone, [SelfAttention(0.5, 2.0)]).again is None
    both = classifier_free(POSITIVE, NEGATIVE, 7.0)
    assert with_modifiers(both, [SelfAttention(0.0, 2.0)]).again is None


def test_only_maps_of_whole_pictures_count():
    x = torch.zeros(1, 4, 8, 8)
    mask = looked_at([torch.tensor([[2.0, 0.5, 1.0, 0.5]])], x)
    assert mask[0, 0, :4, :4].min() == 1
    assert mask.sum() == 16
    assert looked_at([torch.ones(1, 3)], x) is None
    assert looked_at([], x) is None
