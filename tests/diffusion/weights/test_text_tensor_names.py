"""Text encoders among tensors: every layout, every prefix, and whose they are."""

from __future__ import annotations

import pytest
import torch
from transformers import CLIPTextModel

from helpers import encoders, relatives
from helpers.checkpoints import _diffusers_weights, weights
from ponystudio.diffusion.families import find_family
from ponystudio.diffusion.families.text_encoder_specs import (
    CLIP_G,
    CLIP_H,
    CLIP_L,
    PILE_T5_XL,
    T5_XXL,
)
from ponystudio.diffusion.weights.name_table import TRANSPOSED
from ponystudio.diffusion.weights.text_tensor_names import (
    TextEncoderTensors,
    naming,
    of_towers,
    text_encoders,
)

SD3_L = find_family("sd3").towers[0]


def same(ours, stored, theirs):
    """The same names, and behind each the same numbers."""
    assert ours.names.keys() == theirs.keys()
    for name, key in ours.names.items():
        cut = ours.fused.get(name)
        assert torch.equal(cut.of(stored[key]) if cut else stored[key], theirs[name]), name


def under(prefix, state):
    return {prefix + name: value for name, value in state.items()}


def only(stored):
    (found,) = text_encoders(stored)
    return found


class TestClip:
    @pytest.mark.parametrize("text_model", ["text_model.", ""])
    def test_with_and_without_its_infix(self, text_model):
        ldm = weights()
        stored = {name.replace("text_model.", text_model): value for name, value in ldm.items()}
        _, _, diffusers = _diffusers_weights(20250101)
        theirs = {
            name.removeprefix("text_model."): value
            for name, value in diffusers.items()
            if not name.endswith("position_ids")
        }
        found = only(stored)
        assert found.prefix == f"cond_stage_model.transformer.{text_model}"
        same(naming(stored, found, CLIP_L), stored, theirs)

    @pytest.mark.parametrize(
        "prefix", ["", "conditioner.embedders.0.transformer.", "text_encoders.clip_l.transformer."]
    )
    def test_under_any_prefix(self, prefix):
        theirs = relatives.relative("sdxl").texts[0].state_dict()
        stored = under(f"{prefix}text_model.", theirs)
        same(naming(stored, only(stored), CLIP_L), stored, theirs)

    def test_open_clip(self):
        clip_g = relatives.relative("sdxl").texts[1]
        stored = under("conditioner.embedders.1.model.", dict(relatives.open_clip(clip_g)))
        ours = naming(stored, only(stored), CLIP_G)
        same(ours, stored, clip_g.state_dict())
        assert ours.fused["text_projection.weight"] == TRANSPOSED

    def test_a_projection_that_nobody_reads_is_left(self):
        clip_g = relatives.relative("sdxl").texts[1]
        stored = dict(relatives.open_clip(clip_g))
        same(naming(stored, only(stored), CLIP_H), stored, clip_g.text_model.state_dict())

    def test_a_whole_clip_gives_its_text_half(self):
        vision = "vision_model.encoder.layers.0.mlp.fc1.weight"
        stored = {
            **encoders.state("flux", "clip_l"),
            vision: torch.zeros(8, 4),
            "vision_model.embeddings.class_embedding": torch.zeros(4),
            "visual.transformer.resblocks.0.mlp.c_fc.weight": torch.zeros(8, 4),
            "text_projection.weight": torch.zeros(4, 4),
            "logit_scale": torch.zeros(()),
        }
        same(naming(stored, only(stored), CLIP_L), stored, bare(encoders.network("flux", "clip_l")))

    def test_sd3s_has_a_projection_in_folders_alone(self):
        """Elsewhere it is that of the original CLIP, which SD3 was not trained with."""
        network = encoders.network("sd3", "clip_l")
        for prefix in ("text_encoder.", "0/text_encoder."):
            stored = under(prefix, network.state_dict())
            same(naming(stored, only(stored), SD3_L), stored, network.state_dict())
        for prefix in ("", "1/", "text_encoders.clip_l.transformer."):
            stored = under(prefix, network.state_dict())
            same(naming(stored, only(stored), SD3_L), stored, bare(network))


def bare(network):
    text = network if isinstance(network, CLIPTextModel) else network.text_model
    return dict(text.state_dict())


@pytest.fixture(params=[("flux", "t5xxl", T5_XXL), ("auraflow", "pile_t5xl", PILE_T5_XL)])
def t5(request):
    """Its tensors as they are saved, the stack that they are of, and the tower."""
    name, tower, kind = request.param
    return encoders.state(name, tower), encoders.network(name, tower).encoder.state_dict(), kind


class TestT5:
    @pytest.mark.parametrize(
        "prefix", ["", "text_encoder_3.", "text_encoders.t5xxl.transformer.", "0/", "model."]
    )
    def test_under_any_prefix(self, t5, prefix):
        state, stack, kind = t5
        stored = under(prefix, state)
        found = only(stored)
        assert (found.prefix, found.width, found.biased) == (prefix, 48, kind.biased)
        same(naming(stored, found, kind), stored, stack)

    @pytest.mark.parametrize("kept", ["shared", "encoder.embed_tokens", "both"])
    def test_words_have_one_of_two_names(self, t5, kept):
        state, stack, kind = t5
        stored = dict(state)
        words = stored.pop("shared.weight")
        names = ["shared", "encoder.embed_tokens"] if kept == "both" else [kept]
        stored |= {f"{name}.weight": words for name in names}
        same(naming(stored, only(stored), kind), stored, stack)

    def test_a_decoder_is_left(self, t5):
        state, stack, kind = t5
        decoder = {k.replace("encoder.", "decoder."): v for k, v in state.items() if "block" in k}
        stored = {**state, **decoder, "lm_head.weight": torch.zeros(4, 4)}
        same(naming(stored, only(stored), kind), stored, stack)

    @pytest.mark.parametrize("prefix", ["", "1/"])
    def test_as_llama_cpp_names_it(self, t5, prefix):
        state, stack, kind = t5
        stored = under(prefix, dict(encoders.llama_cpp(state)))
        stored |= {f"{prefix}dec.blk.0.attn_q.weight": torch.zeros(4, 4)}
        found = only(stored)
        assert (found.width, found.biased) == (48, kind.biased)
        same(naming(stored, found, kind), stored, stack)

    def test_what_is_unknown_in_it_is_not_dropped(self, t5):
        state, _, kind = t5
        for stored, extra in (
            (state, "encoder.block.0.gate.weight"),
            (dict(encoders.llama_cpp(state)), "enc.blk.0.gate.weight"),
        ):
            stored = {**stored, extra: torch.zeros(4, 4)}
            assert extra in naming(stored, only(stored), kind).names.values()


def test_what_is_none_is_not_found():
    for name in (
        "lora_te_text_model_encoder_layers_0_mlp_fc1.lora_down.weight",
        "model.diffusion_model.input_blocks.0.0.weight",
        "encoder.layers.0.mlp.fc1.weight",  # of pictures: no words are embedded
        "my_encoder.layers.0.mlp.fc1.weight",
    ):
        assert text_encoders({name: torch.zeros(4, 4)}) == []
    assert text_encoders({"enc.blk.0.ffn_up.weight": torch.zeros(4)}) == []


def clip(width, prefix=""):
    return TextEncoderTensors("CLIP", prefix, width)


def t5_of(width, biased=False):
    return TextEncoderTensors("T5", "", width, biased)


class TestTowers:
    @pytest.mark.parametrize(
        ("name", "found", "names"),
        [
            ("sd1", [clip(768)], ["clip_l"]),
            ("sd2", [clip(1024)], ["clip_h"]),
            ("sdxl", [clip(1280), clip(768)], ["clip_l", "clip_g"]),
            ("sd3", [t5_of(4096), clip(1280), clip(768)], ["clip_l", "clip_g", "t5xxl"]),
            ("flux", [t5_of(4096), clip(768)], ["clip_l", "t5xxl"]),
            ("auraflow", [t5_of(2048, True)], ["pile_t5xl"]),
            # Those that are another's are nobody's here.
            ("flux", [clip(1280), t5_of(2048, True)], []),
            ("auraflow", [t5_of(2048, False), t5_of(4096)], []),
            ("sd1", [clip(1024), t5_of(4096)], []),
            ("sdxl", [clip(1280)], ["clip_g"]),
            # Smaller relatives: the narrower is the narrower.
            ("sdxl", [clip(64), clip(32)], ["clip_l", "clip_g"]),
            ("sdxl", [clip(32)], ["clip_l"]),
            ("sd3", [clip(2000)], ["clip_g"]),
            ("flux", [t5_of(48), clip(32)], ["clip_l", "t5xxl"]),
            ("flux", [t5_of(48, True)], []),
            ("flux", [t5_of(48, None)], ["t5xxl"]),
        ],
    )
    def test_widths_tell(self, name, found, names):
        placed = of_towers(found, find_family(name).towers)
        assert sorted(placed) == sorted(names)
        ordered = sorted(placed.values(), key=lambda one: one.width)
        assert [placed[t.name] for t in find_family(name).towers if t.name in placed] == ordered

    def test_of_two_alike_the_first_counts(self):
        first, second = clip(768, "a."), clip(768, "b.")
        assert of_towers([first, second], find_family("sd1").towers) == {"clip_l": first}

    def test_nouns(self):
        assert clip(1280).noun == "OpenCLIP-bigG"
        assert t5_of(2048, True).noun == "Pile-T5-XL"
        assert t5_of(2048).noun == "a text encoder of 2048 numbers a token"
