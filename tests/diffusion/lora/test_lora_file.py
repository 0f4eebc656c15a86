"""LoRA files: one change under every naming, and a plain word about what does not fit."""

from __future__ import annotations

import json

import pytest
import torch
from diffusers import UNet2DConditionModel
from safetensors.torch import save_file
from transformers import CLIPTextConfig, CLIPTextModel

from helpers import relatives
from helpers.checkpoints import micro, micro_lora
from helpers.paths import DATA, needs_data
from ponystudio.diffusion.families import find_family
from ponystudio.diffusion.lora import lora_file
from ponystudio.errors import DamagedFile, MismatchedValues, UnsupportedModel, WrongKind

SD1, SDXL = find_family("sd1"), find_family("sdxl")
QUERY = "down_blocks.1.attentions.0.transformer_blocks.0.attn1.to_q"
QUERY_LDM = "input_blocks.4.1.transformer_blocks.0.attn1.to_q"
OUT = "mid_block.attentions.0.transformer_blocks.0.attn2.to_out.0"
MLP = "encoder.layers.1.mlp.fc1"
PROJECTION = "encoder.layers.0.self_attn.q_proj"


@pytest.fixture(scope="module")
def unet():
    with torch.device("meta"):
        return UNet2DConditionModel(
            block_out_channels=(32, 64, 128, 128), cross_attention_dim=64, attention_head_dim=8
        )


@pytest.fixture(scope="module")
def clip():
    with torch.device("meta"):
        return CLIPTextModel(
            CLIPTextConfig(
                hidden_size=64, num_attention_heads=1, num_hidden_layers=2, intermediate_size=256
            )
        )


@pytest.fixture
def write(tmp_path):
    """Writes a LoRA file of the given tensors and opens it."""
    opened = []

    def write(tensors, metadata=None):
        path = tmp_path / f"{len(opened)}.safetensors"
        save_file(tensors, path, metadata=metadata)
        opened.append(lora_file.read(path))
        return opened[-1]

    yield write
    for file in opened:
        file.close()


def pair(i, o, rank=2, down="lora_down.weight", up="lora_up.weight", alpha=None):
    """The two matrices of a layer, without its name."""
    torch.manual_seed(i + o)
    tensors = {down: torch.randn(rank, i), up: torch.randn(o, rank)}
    if alpha is not None:
        tensors["alpha"] = torch.tensor(float(alpha))
    return tensors


def named(name, tensors):
    return {f"{name}.{key}": value for key, value in tensors.items()}


KOHYA = {"down": "lora_down.weight", "up": "lora_up.weight"}
PEFT = {"down": "lora_A.weight", "up": "lora_B.weight"}
ADAPTER = {"down": "lora_A.default.weight", "up": "lora_B.default.weight"}
EARLY = {"down": "lora.down.weight", "up": "lora.up.weight"}
LINEAR = {"down": "lora_linear_layer.down.weight", "up": "lora_linear_layer.up.weight"}
PROCESSOR = {"down": "down.weight", "up": "up.weight"}


FLAT, FLAT_LDM = QUERY.replace(".", "_"), QUERY_LDM.replace(".", "_")
EARLY_QUERY = QUERY.replace(".to_q", ".processor.to_q_lora")
# What a file may call the layer, and its two matrices.
NAMINGS = {
    "kohya": (f"lora_unet_{FLAT}", KOHYA),
    "kohya with LDM names": (f"lora_unet_{FLAT_LDM}", KOHYA),
    "LyCORIS": (f"lycoris_{FLAT}", KOHYA),
    "diffusers": (f"unet.{QUERY}", PEFT),
    "PEFT": (f"base_model.model.{QUERY}", PEFT),
    "PEFT with an adapter's name": (f"base_model.model.{QUERY}", ADAPTER),
    "ComfyUI": (f"diffusion_model.{QUERY_LDM}", PEFT),
    "no prefix": (QUERY, PEFT),
    "early diffusers": (f"unet.{QUERY}", EARLY),
    "attention processors": (EARLY_QUERY, PROCESSOR),
    "attention processors of the unet": (f"unet.{EARLY_QUERY}", PROCESSOR),
}


class TestNamings:
    @pytest.mark.parametrize("naming", NAMINGS)
    def test_of_the_denoiser(self, naming, unet, clip, write):
        name, suffixes = NAMINGS[naming]
        tensors = pair(64, 64, **suffixes)
        file = write(named(name, tensors))
        found = file.for_module("model", unet, SD1)
        assert list(found.deltas) == [f"{QUERY}.weight"]
        assert found.unmatched == ()
        product = tensors[suffixes["up"]] @ tensors[suffixes["down"]]
        assert torch.allclose(found.deltas[f"{QUERY}.weight"].product(torch.empty(64, 64)), product)
        assert found.deltas[f"{QUERY}.weight"].scale == 1
        assert file.for_module("clip", clip, SD1).deltas == {}

    @pytest.mark.parametrize(
        "name",
        ["lora_unet_" + OUT.replace(".", "_"), OUT.replace("to_out.0", "processor.to_out_lora")],
    )
    def test_of_an_output_projection(self, name, unet, write):
        suffixes = PROCESSOR if "processor" in name else KOHYA
        file = write(named(name, pair(128, 128, **suffixes)))
        assert list(file.for_module("model", unet, SD1).deltas) == [f"{OUT}.weight"]

    @pytest.mark.parametrize(
        ("name", "suffixes", "ours"),
        [
            ("lora_te_text_model_encoder_layers_1_mlp_fc1", KOHYA, MLP),
            ("lora_te1_text_model_encoder_layers_1_mlp_fc1", KOHYA, MLP),
            ("text_encoder.text_model.encoder.layers.1.mlp.fc1", PEFT, MLP),
            ("text_encoder.text_model.encoder.layers.1.mlp.fc1", LINEAR, MLP),
            ("text_model.encoder.layers.1.mlp.fc1", PEFT, MLP),
            (
                "text_encoder.text_model.encoder.layers.0.self_attn.to_q_lora",
                PROCESSOR,
                PROJECTION,
            ),
        ],
    )
    def test_of_the_text_encoder(self, name, suffixes, ours, unet, clip, write):
        o = 256 if ours == MLP else 64
        file = write(named(name, pair(64, o, **suffixes)))
        assert list(file.for_module("clip", clip, SD1).deltas) == [f"{ours}.weight"]
        assert file.for_module("model", unet, SD1).deltas == {}

    def test_every_layer_of_a_whole_file_finds_its_place(self, unet, clip, tmp_path):
        file = lora_file.read(micro_lora(tmp_path / "lora.safetensors"))
        model, text = file.for_module("model", unet, SD1), file.for_module("clip", clip, SD1)
        assert model.unmatched == text.unmatched == ()
        assert len(model.deltas) == 16 * 12
        assert len(text.deltas) == 2 * 6
        assert len(model.deltas) + len(text.deltas) == len(file.layers)
        file.close()


class TestScale:
    def test_is_alpha_over_rank(self, unet, write):
        name = f"lora_unet_{QUERY.replace('.', '_')}"
        for alpha, scale in ((None, 1), (1, 0.25), (8, 2)):
            file = write(named(name, pair(64, 64, rank=4, alpha=alpha)))
            assert file.for_module("model", unet, SD1).deltas[f"{QUERY}.weight"].scale == scale

    def test_may_stand_in_pefts_metadata(self, unet, clip, write):
        tensors = named(f"unet.{QUERY}", pair(64, 64, rank=4, **PEFT)) | named(
            f"text_encoder.text_model.{PROJECTION}", pair(64, 64, rank=4, **PEFT)
        )
        settings = {"unet.lora_alpha": 8, "text_encoder.lora_alpha": 6}
        settings["text_encoder.use_rslora"] = True
        file = write(tensors, {"lora_adapter_metadata": json.dumps(settings)})
        assert file.for_module("model", unet, SD1).deltas[f"{QUERY}.weight"].scale == 2
        assert file.for_module("clip", clip, SD1).deltas[f"{PROJECTION}.weight"].scale == 3

    @pytest.mark.parametrize(
        "said", ["[1]", "[" * 100_000, "no JSON", '{"unet.lora_alpha": "eight"}']
    )
    def test_settings_that_make_no_sense_are_passed_over(self, said, unet, write):
        tensors = named(f"unet.{QUERY}", pair(64, 64, **PEFT))
        file = write(tensors, {"lora_adapter_metadata": said})
        assert file.for_module("model", unet, SD1).deltas[f"{QUERY}.weight"].scale == 1

    def test_may_differ_by_layer(self, unet, write):
        tensors = named(f"unet.{QUERY}", pair(64, 64, rank=4, **PEFT))
        settings = {"unet.lora_alpha": 8, "unet.alpha_pattern": {QUERY: 2}}
        file = write(tensors, {"lora_adapter_metadata": json.dumps(settings)})
        assert file.for_module("model", unet, SD1).deltas[f"{QUERY}.weight"].scale == 0.5


class TestShapes:
    @pytest.mark.parametrize("conv", [True, False])
    def test_1x1_convolutions_and_linear_layers_are_the_same(self, conv, unet, write):
        name = "lora_unet_down_blocks_0_attentions_0_proj_in"  # a convolution in SD1
        tensors = pair(32, 32)
        product = tensors["lora_up.weight"] @ tensors["lora_down.weight"]
        if conv:
            tensors = {key: value[..., None, None] for key, value in tensors.items()}
        file = write(named(name, tensors))
        delta = file.for_module("model", unet, SD1).deltas[
            "down_blocks.0.attentions.0.proj_in.weight"
        ]
        result = delta.product(torch.empty(32, 32, 1, 1))
        assert torch.allclose(result, product[..., None, None])

    def test_3x3_convolutions(self, unet, write):
        torch.manual_seed(0)
        down, up = torch.randn(2, 32, 3, 3), torch.randn(32, 2, 1, 1)
        name = "lora_unet_down_blocks_0_resnets_0_conv1"
        file = write(named(name, {"lora_down.weight": down, "lora_up.weight": up}))
        delta = file.for_module("model", unet, SD1).deltas["down_blocks.0.resnets.0.conv1.weight"]
        x = torch.randn(1, 32, 6, 6)
        two_steps = torch.conv2d(torch.conv2d(x, down, padding=1), up)
        at_once = torch.conv2d(x, delta.product(torch.empty(32, 32, 3, 3)), padding=1)
        assert torch.allclose(at_once, two_steps, atol=1e-4)


class TestRefusals:
    @pytest.mark.parametrize(
        ("key", "kind"),
        [
            ("oft_blocks", "OFT"),
            ("a1.weight", "GLoRA"),
            ("on_input", "IA³"),
        ],
    )
    def test_other_kinds_by_name(self, key, kind, write):
        tensors = named("lora_unet_mid_block", {**pair(4, 4), key: torch.ones(2, 2)})
        with pytest.raises(UnsupportedModel, match=kind):
            write(tensors)

    def test_half_a_pair(self, write):
        tensors = named("lora_unet_mid_block", pair(4, 4))
        del tensors["lora_unet_mid_block.lora_up.weight"]
        with pytest.raises(DamagedFile, match="lacks one of its matrices"):
            write(tensors)

    @pytest.mark.parametrize(
        ("down", "up"), [((), (4,)), ((4,), (4, 1)), ((0, 4), (4, 0)), ((2, 4), (4, 3))]
    )
    def test_matrices_without_a_product(self, write, down, up):
        name = "lora_unet_down_blocks_0_attentions_0_transformer_blocks_0_attn2_to_k"
        state = {
            f"{name}.lora_down.weight": torch.zeros(down),
            f"{name}.lora_up.weight": torch.zeros(up),
        }
        with pytest.raises(DamagedFile, match="have no product"):
            write(state)

    def test_an_alpha_of_two_numbers(self, write):
        tensors = named("lora_unet_mid_block", pair(4, 4))
        with pytest.raises(DamagedFile, match="alpha"):
            write({**tensors, "lora_unet_mid_block.alpha": torch.zeros(2)})

    @pytest.mark.parametrize("role", ["diff", "diff_b", "dora_scale", "lokr_w1"])
    @pytest.mark.parametrize("shape", [(), (0, 4)])
    def test_numbers_that_are_no_list(self, role, shape, write):
        tensors = {**pair(4, 4), "lokr_w2": torch.ones(2, 2), role: torch.zeros(shape)}
        with pytest.raises(DamagedFile, match="is empty"):
            write(named("lora_unet_mid_block", tensors))

    def test_lengths_of_another_layer(self, unet, write):
        tensors = {**pair(64, 64), "dora_scale": torch.ones(65, 1)}
        file = write(named(f"lora_unet_{QUERY.replace('.', '_')}", tensors))
        with pytest.raises(MismatchedValues, match=r"to_q.weight is \[64, 64\]"):
            file.for_module("model", unet, SD1)

    def test_a_checkpoint(self, tmp_path):
        with pytest.raises(WrongKind, match="no LoRA"):
            lora_file.read(micro(tmp_path / "checkpoint.safetensors"))

    @pytest.mark.parametrize(
        ("name", "width", "base"),
        [
            ("lora_unet_down_blocks_1_attentions_0_transformer_blocks_0_attn2_to_k", 1024, "2"),
            ("lora_unet_input_blocks_4_1_transformer_blocks_0_attn2_to_k", 2048, "SDXL"),
            ("lora_te2_text_model_encoder_layers_0_mlp_fc1", 64, "SDXL"),
            ("lora_unet_double_blocks_0_img_attn_qkv", 64, "FLUX.1"),
            ("transformer.joint_transformer_blocks.0.attn.to_q", 64, "AuraFlow"),
        ],
    )
    def test_another_base_by_both_names(self, name, width, base, unet, clip, write):
        file = write(named(name, pair(width, 64)))
        with pytest.raises(MismatchedValues, match=rf"{base}.*Stable Diffusion 1"):
            lora_file.notes(file.path, "sd1")
        part, module = ("clip", clip) if "te2" in name else ("model", unet)
        with pytest.raises(MismatchedValues, match=base):
            file.for_module(part, module, SD1)

    def test_the_right_base_passes(self, tmp_path, write):
        name = "lora_unet_down_blocks_1_attentions_0_transformer_blocks_0_attn2_to_k"
        lora_file.notes(write(named(name, pair(768, 640))).path, "sd1")
        # A relative of its own width is nobody's base: its shapes are compared when it is applied.
        lora_file.notes(micro_lora(tmp_path / "micro.safetensors"), "sd1")

    def test_a_few_layers_without_a_place_are_told_not_fatal(self, unet, write):
        tensors = named(f"lora_unet_{QUERY.replace('.', '_')}", pair(64, 64))
        tensors |= named("lora_unet_nowhere", pair(64, 64))
        found = write(tensors).for_module("model", unet, SD1)
        assert list(found.deltas) == [f"{QUERY}.weight"]
        assert found.unmatched == ("lora_unet_nowhere",)

    def test_tensors_of_no_known_kind_are_told_not_fatal(self, unet, write):
        tensors = named(f"lora_unet_{QUERY.replace('.', '_')}", pair(64, 64))
        odd = {f"lora_unet_{n}.lora_sideways.weight": torch.ones(2) for n in range(4)}
        file = write(tensors | odd)
        assert list(file.for_module("model", unet, SD1).deltas) == [f"{QUERY}.weight"]
        (said,) = lora_file.notes(file.path, "sd1")
        names = [f"lora_unet_{n}.lora_sideways.weight" for n in range(3)]
        assert "without effect: 4 of the 6 tensors of " in said
        assert said.endswith(f"({', '.join(names)} and 1 more)")

    def test_a_whole_dialect_that_is_not_known(self, tmp_path):
        names = [f"blocks.{n}.lora_sideways.weight" for n in range(4)]
        save_file({name: torch.ones(2) for name in names}, tmp_path / "odd.safetensors")
        with pytest.raises(UnsupportedModel, match=r"dialect .* none of its 4 tensors.*blocks\.0"):
            lora_file.notes(tmp_path / "odd.safetensors", "sd1")

    def test_layers_that_are_all_called_by_unknown_names(self, unet, write):
        file = write(named("my_net.one.q", pair(64, 64, **PEFT)))
        assert lora_file.notes(file.path, "sd1") == []
        with pytest.raises(MismatchedValues, match=r"dialect.* none of the layers my_net_one_q"):
            file.for_module("model", unet, SD1)

    def test_a_layer_of_another_width(self, unet, write):
        file = write(named(f"lora_unet_{QUERY.replace('.', '_')}", pair(320, 320)))
        with pytest.raises(MismatchedValues, match=r"to_q.weight is \[64, 64\]"):
            file.for_module("model", unet, SD1)


@pytest.fixture(scope="module")
def networks():
    """The tiny denoiser and both text encoders, as they are loaded."""
    found = relatives.relative("sdxl")
    names = ("clip_l", "clip_g")
    texts = torch.nn.ModuleDict(dict(zip(names, found.texts, strict=True)))
    return {"model": found.unet, "clip": texts}


class TestOfSdxl:
    @pytest.mark.parametrize(
        ("name", "part", "ours", "sides"),
        [
            (
                "lora_unet_input_blocks_4_1_transformer_blocks_1_attn1_to_q",
                "model",
                "down_blocks.1.attentions.0.transformer_blocks.1.attn1.to_q.weight",
                (64, 64),
            ),
            (
                "lora_unet_down_blocks_1_attentions_0_transformer_blocks_1_attn1_to_q",
                "model",
                "down_blocks.1.attentions.0.transformer_blocks.1.attn1.to_q.weight",
                (64, 64),
            ),
            ("lora_unet_label_emb_0_0", "model", "add_embedding.linear_1.weight", (112, 128)),
            (
                "lora_te1_text_model_encoder_layers_0_mlp_fc1",
                "clip",
                "clip_l.encoder.layers.0.mlp.fc1.weight",
                (32, 96),
            ),
            (
                "lora_te2_text_model_encoder_layers_3_self_attn_v_proj",
                "clip",
                "clip_g.text_model.encoder.layers.3.self_attn.v_proj.weight",
                (64, 64),
            ),
            (
                "text_encoder_2.text_model.encoder.layers.3.mlp.fc2",
                "clip",
                "clip_g.text_model.encoder.layers.3.mlp.fc2.weight",
                (96, 64),
            ),
        ],
    )
    def test_every_naming(self, name, part, ours, sides, networks, write):
        suffixes = PEFT if "." in name else KOHYA
        file = write(named(name, pair(*sides, **suffixes)))
        assert list(file.for_module(part, networks[part], SDXL).deltas) == [ours]

    def test_the_encoders_are_not_mixed_up(self, networks, write):
        first = named("lora_te1_text_model_encoder_layers_0_mlp_fc1", pair(32, 96))
        second = named("lora_te2_text_model_encoder_layers_0_mlp_fc1", pair(64, 96))
        found = write(first | second).for_module("clip", networks["clip"], SDXL)
        assert sorted(found.deltas) == [
            "clip_g.text_model.encoder.layers.0.mlp.fc1.weight",
            "clip_l.encoder.layers.0.mlp.fc1.weight",
        ]


def test_a_bundled_textual_inversion_is_no_layer(unet, clip, write):
    tensors = named(f"lora_unet_{QUERY.replace('.', '_')}", pair(64, 64))
    tensors |= {f"bundle_emb.{word}.string_to_param.*": torch.ones(2, 64) for word in "ab"}
    file = write(tensors)
    assert file.for_module("model", unet, SD1).unmatched == ()
    assert file.for_module("clip", clip, SD1).unmatched == ()
    (said,) = lora_file.notes(file.path, "sd1")
    assert said.endswith("for the prompts behind it: embedding:a, embedding:b")


@needs_data
def test_a_real_file_of_early_diffusers():
    """All of its 128 layers, attention alone, find their place in a network of SD1's size."""
    path = DATA / "lora" / "sd15_weapons_rank4_diffusers_attnprocs.safetensors"
    with torch.device("meta"):
        unet = UNet2DConditionModel(cross_attention_dim=768)
    assert lora_file.notes(path, "sd1") == []
    file = lora_file.read(path)
    found = file.for_module("model", unet, SD1)
    assert (len(found.deltas), found.unmatched) == (128, ())
    assert {name.split(".")[-2] for name in found.deltas} == {"to_q", "to_k", "to_v", "0"}
    file.close()
