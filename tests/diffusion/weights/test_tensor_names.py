"""Names: LDM, early and present diffusers, all to the same tensors."""

from __future__ import annotations

import pytest
import torch
from diffusers import UNet2DConditionModel

from helpers.checkpoints import _diffusers_weights, _old_name, weights
from ponystudio.diffusion.weights import tensor_names


@pytest.fixture(scope="module")
def ldm():
    return weights()


@pytest.fixture(scope="module")
def diffusers():
    """By diffusers' own conversion."""
    return dict(zip(("unet", "vae"), _diffusers_weights(20250101), strict=False))


def same(ours, stored, theirs):
    """The same names, and behind each the same numbers."""
    assert ours.keys() == theirs.keys()
    for name, key in ours.items():
        assert torch.equal(stored[key].flatten(), theirs[name].flatten()), name


class TestSingleFile:
    def test_denoiser(self, ldm, diffusers):
        same(tensor_names.unet(ldm), ldm, diffusers["unet"])

    def test_autoencoder(self, ldm, diffusers):
        same(tensor_names.vae(ldm), ldm, diffusers["vae"])

    @pytest.mark.parametrize(
        ("prefix", "part"),
        [("model.diffusion_model.", "unet"), ("first_stage_model.", "vae")],
    )
    def test_a_part_by_itself_needs_no_prefix(self, ldm, diffusers, prefix, part):
        stored = {
            name.removeprefix(prefix): value
            for name, value in ldm.items()
            if name.startswith(prefix)
        }
        stored["v_pred"] = torch.zeros(0)  # a marker beside the part is none of its tensors
        same(getattr(tensor_names, part)(stored), stored, diffusers[part])

    def test_what_is_not_there_is_empty(self):
        keys = {"lora_unet_mid_block_attentions_0_proj_in.alpha"}
        assert tensor_names.unet(keys) == tensor_names.vae(keys) == {}

    def test_foreign_tensors_inside_a_part_are_not_dropped(self, ldm):
        keys = [*ldm, "model.diffusion_model.label_emb.0.0.weight"]
        assert keys[-1] in tensor_names.unet(keys).values()

    def test_huge_numbers_cost_nothing(self):
        keys = ["conv_in.weight", "down_blocks.999999999.resnets.9.conv1.weight"]
        assert tensor_names.topology(keys).down == ()


@pytest.fixture(scope="module")
def averaged(ldm):
    """Twice the weights, named as LDM's LitEma names its buffers."""
    model = {k.removeprefix("model."): v for k, v in ldm.items() if k.startswith("model.")}
    return {f"model_ema.{name.replace('.', '')}": value * 2 for name, value in model.items()}


class TestAverages:
    def test_are_taken_when_asked_for(self, ldm, averaged, diffusers):
        stored = {**ldm, **averaged}
        doubled = {name: value * 2 for name, value in diffusers["unet"].items()}
        same(tensor_names.averaged(tensor_names.unet(stored), stored), stored, doubled)
        same(tensor_names.unet(stored), stored, diffusers["unet"])

    def test_where_there_are_none_the_others_serve(self, ldm):
        assert tensor_names.averaged(tensor_names.unet(ldm), ldm) == tensor_names.unet(ldm)


class TestFolder:
    @pytest.mark.parametrize("part", ["unet", "vae"])
    def test_present_names(self, diffusers, part):
        same(getattr(tensor_names, part)(diffusers[part]), diffusers[part], diffusers[part])

    def test_attention_of_2022(self, diffusers):
        stored = {_old_name(name): value for name, value in diffusers["vae"].items()}
        assert any("proj_attn" in name for name in stored)
        same(tensor_names.vae(stored), stored, diffusers["vae"])


@pytest.mark.parametrize(
    ("channels", "types", "layers"),
    [
        ((32, 64), ("CrossAttnDownBlock2D", "DownBlock2D"), 1),
        ((32, 64, 64), ("DownBlock2D", "CrossAttnDownBlock2D", "CrossAttnDownBlock2D"), 2),
        ((32,), ("CrossAttnDownBlock2D",), 3),
    ],
)
def test_module_names_of_any_topology_go_to_ldm_and_back(channels, types, layers):
    with torch.device("meta"):
        unet = UNet2DConditionModel(
            block_out_channels=channels,
            down_block_types=types,
            up_block_types=tuple(name.replace("Down", "Up") for name in reversed(types)),
            layers_per_block=layers,
            cross_attention_dim=8,
        )
    tensors = list(unet.state_dict())
    ldm_of = {ours: theirs for theirs, ours in tensor_names.ldm_modules(tensors).items()}
    assert tensor_names.unet(ldm_of.values()) == ldm_of
    assert not any("resnets" in name or "attentions" in name for name in ldm_of.values())
