from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest
import torch

from helpers import checkpoints
from helpers.gguf_writer import write_gguf
from helpers.model_shapes import CONTEXT, SD1, SD2, SDXL, UNET, VAE
from helpers.sparse import write_sparse
from ponystudio.errors import MissingFile, UnknownModel, UnsupportedModel
from ponystudio.library.recognition.recognise import recognise

Shapes = Mapping[str, Sequence[int]]

REFINER = {
    f"{UNET}input_blocks.0.0.weight": [384, 4, 3, 3],
    f"{UNET}label_emb.0.0.weight": [1536, 2560],
    f"{UNET}input_blocks.4.{CONTEXT}": [768, 1280],
    **VAE,
    "conditioner.embedders.0.model.ln_final.weight": [1280],
}
FAMILIES: dict[str, tuple[Shapes, str, str]] = {
    "sd1": (SD1, "checkpoint", "eps"),
    "sdxl": (SDXL, "checkpoint", "eps"),
    "sdxl_refiner": (REFINER, "checkpoint", "eps"),
    "auraflow": (
        {
            "model.double_layers.0.attn.w1q.weight": [3072, 3072],
            "model.positional_encoding": [1, 9216, 3072],
            "vae.decoder.conv_in.weight": [512, 4, 3, 3],
            "text_encoders.pile_t5xl.transformer.shared.weight": [32128, 2048],
        },
        "checkpoint",
        "flow",
    ),
    "flux": (
        {
            "double_blocks.0.img_attn.norm.key_norm.scale": [128],
            "img_in.weight": [3072, 64],
        },
        "diffusion_model",
        "flow",
    ),
    "chroma": (
        {
            "double_blocks.0.img_attn.norm.key_norm.scale": [128],
            "distilled_guidance_layer.in_proj.weight": [5120, 64],
        },
        "diffusion_model",
        "flow",
    ),
    "sd3": (
        {
            f"{UNET}joint_blocks.0.context_block.attn.qkv.weight": [4608, 1536],
            "first_stage_model.decoder.conv_in.weight": [512, 16, 3, 3],
        },
        "checkpoint",
        "flow",
    ),
}


@pytest.mark.parametrize("family", FAMILIES)
def test_families(family: str, tmp_path: Path) -> None:
    shapes, kind, prediction = FAMILIES[family]
    found = recognise(write_sparse(tmp_path / "m.safetensors", shapes))
    assert (found.family, found.kind, found.prediction) == (family, kind, prediction)
    assert found.why


KINDS: dict[str, tuple[Shapes, str, str]] = {
    "vae": ({"decoder.conv_in.weight": [512, 4, 3, 3]}, "vae", ""),
    "unet of diffusers": (
        {
            "conv_in.weight": [320, 4, 3, 3],
            "time_embedding.linear_1.weight": [1280, 320],
            "down_blocks.0.attentions.0.transformer_blocks.0.attn2.to_k.weight": [320, 768],
        },
        "diffusion_model",
        "sd1",
    ),
    "unet of SDXL in diffusers": (
        {
            "conv_in.weight": [320, 4, 3, 3],
            "time_embedding.linear_1.weight": [1280, 320],
            "add_embedding.linear_1.weight": [1280, 2816],
        },
        "diffusion_model",
        "sdxl",
    ),
    "vae of diffusers": (
        {"decoder.conv_in.weight": [512, 4, 3, 3], "encoder.conv_in.weight": [128, 3, 3, 3]},
        "vae",
        "",
    ),
    "clip": ({"text_model.encoder.layers.0.mlp.fc1.weight": [3072, 768]}, "text_encoder", ""),
    "t5": (
        {"encoder.block.0.layer.1.DenseReluDense.wi_1.weight": [10240, 4096]},
        "text_encoder",
        "",
    ),
    "t5 of llama.cpp": (
        {"enc.blk.0.attn_q.weight": [4096, 4096], "token_embd.weight": [32128, 4096]},
        "text_encoder",
        "",
    ),
    "controlnet of FLUX": (
        {
            "controlnet_blocks.0.weight": [3072, 3072],
            "single_transformer_blocks.0.attn.norm_k.weight": [128],
        },
        "controlnet",
        "",
    ),
    "kohya lora": (
        {
            "lora_unet_x_attn2_to_k.lora_down.weight": [8, 768],
            "lora_unet_x_attn2_to_k.lora_up.weight": [320, 8],
            "lora_unet_x_attn2_to_k.alpha": [],
        },
        "lora",
        "sd1",
    ),
    "peft lora": (
        {
            "unet.x.attn2.to_k.lora_A.weight": [8, 2048],
            "unet.x.attn2.to_k.lora_B.weight": [640, 8],
        },
        "lora",
        "sdxl",
    ),
    "lora of SD2": (
        {
            "lora_unet_x_attn2_to_v.lora_down.weight": [8, 1024],
            "lora_unet_x_attn2_to_v.lora_up.weight": [320, 8],
        },
        "lora",
        "sd2",
    ),
    "lora of Flux": (
        {
            "transformer.single_transformer_blocks.0.proj_mlp.lora_A.weight": [8, 3072],
            "transformer.single_transformer_blocks.0.proj_mlp.lora_B.weight": [12288, 8],
        },
        "lora",
        "flux",
    ),
    "loha": ({"lora_unet_x.hada_w1_a": [320, 8], "lora_unet_x.hada_w1_b": [8, 768]}, "lora", ""),
    "loha of SDXL": (
        {
            "lora_unet_x_attn2_to_k.hada_w1_a": [640, 8],
            "lora_unet_x_attn2_to_k.hada_w1_b": [8, 2048],
        },
        "lora",
        "sdxl",
    ),
    "lokr": ({"lora_unet_x.lokr_w1": [8, 8], "lora_unet_x.lokr_w2": [40, 96]}, "lora", ""),
    "controlnet": (
        {"control_model.input_hint_block.0.weight": [16, 3, 3, 3], **SD1},
        "controlnet",
        "",
    ),
    "embedding": ({"emb_params": [4, 768]}, "embedding", "sd1"),
    "embedding of diffusers": ({"<pony>": [768]}, "embedding", "sd1"),
    "embedding of SDXL": ({"clip_l": [4, 768], "clip_g": [4, 1280]}, "embedding", "sdxl"),
    "esrgan": (
        {"conv_first.weight": [64, 3, 3, 3], "body.0.rdb1.conv1.weight": [32, 64, 3, 3]},
        "upscaler",
        "",
    ),
    "old esrgan": (
        {"model.0.weight": [64, 3, 3, 3], "model.1.sub.0.RDB1.conv1.0.weight": [32, 64, 3, 3]},
        "upscaler",
        "",
    ),
    "x2": ({"conv_first.weight": [64, 12, 3, 3]}, "upscaler", ""),
    "compact": ({"body.0.weight": [64, 3, 3, 3], "body.1.weight": [64]}, "upscaler", ""),
    "from two devices": (
        {"module.conv_first.weight": [64, 3, 3, 3]},
        "upscaler",
        "",
    ),
    "hypernetwork": (
        {"768.0.linear.0.weight": [1536, 768], "320.1.linear.0.weight": [640, 320]},
        "hypernetwork",
        "sd1",
    ),
    "first hypernetworks": ({"2048.1.linear1.weight": [4096, 2048]}, "hypernetwork", "sdxl"),
    "CLIP ViT-L of transformers": (
        {
            "vision_model.embeddings.class_embedding": [1024],
            "vision_model.embeddings.patch_embedding.weight": [1024, 3, 14, 14],
            "visual_projection.weight": [768, 1024],
            "vision_model.encoder.layers.0.mlp.fc1.weight": [4096, 1024],
        },
        "vision",
        "",
    ),
    "image encoder of open_clip alone": (
        {
            "class_embedding": [1664],
            "conv1.weight": [1664, 3, 14, 14],
            "transformer.resblocks.0.mlp.c_fc.weight": [8192, 1664],
        },
        "vision",
        "",
    ),
    "SigLIP of the newest names": (
        {
            "embeddings.patch_embedding.weight": [1152, 3, 14, 14],
            "encoder.layers.0.mlp.fc1.weight": [4304, 1152],
        },
        "vision",
        "",
    ),
    "both encoders of CLIP": (
        {
            "text_model.embeddings.token_embedding.weight": [49408, 768],
            "text_model.encoder.layers.0.mlp.fc1.weight": [3072, 768],
            "vision_model.embeddings.patch_embedding.weight": [1024, 3, 14, 14],
        },
        "text_encoder",
        "",
    ),
    "Redux": (
        {"redux_up.weight": [12288, 1152], "redux_down.weight": [4096, 12288]},
        "style_model",
        "flux",
    ),
    "GLIGEN": (
        {
            "position_net.null_position_feature": [64],
            "input_blocks.1.1.transformer_blocks.0.fuser.linear.weight": [320, 768],
        },
        "gligen",
        "sd1",
    ),
    "discriminator": (
        {"conv0.weight": [64, 3, 3, 3], "conv1.weight_orig": [128, 64, 4, 4], "conv9.weight": [1]},
        "discriminator",
        "",
    ),
}


@pytest.mark.parametrize("name", KINDS)
def test_kinds(name: str, tmp_path: Path) -> None:
    shapes, kind, family = KINDS[name]
    found = recognise(write_sparse(tmp_path / "m.safetensors", shapes))
    assert (found.kind, found.family) == (kind, family)


@pytest.mark.parametrize(("features", "told"), [(768, 1536), (1024, 2048)])
def test_unclip_of_sd2(features: int, told: int, tmp_path: Path) -> None:
    """It is told a vector as SDXL is, and reads prompts as SD2 does."""
    shapes = {
        **SD2,
        f"{UNET}label_emb.0.0.weight": [1280, told],
        "embedder.model.visual.class_embedding": [1024],
        "embedder.model.visual.conv1.weight": [1024, 3, 14, 14],
    }
    found = recognise(write_sparse(tmp_path / "m.safetensors", shapes))
    assert (found.family, found.kind, found.pictured) == ("sd2", "checkpoint", features)
    assert "vision" in found.parts
    assert recognise(write_sparse(tmp_path / "xl.safetensors", SDXL)).pictured == 0


@pytest.mark.parametrize(
    ("architecture", "family"),
    [
        ("flux-1-dev/lora", "flux"),
        ("flux-2-dev/lora", "flux2"),
        ("stable-diffusion-3-medium/lora", "sd3"),
        ("auraflow-v1/lora", "auraflow"),
    ],
)
def test_a_lora_that_says_whose_it_is(architecture: str, family: str, tmp_path: Path) -> None:
    shapes = {"lora_unet_x.lokr_w1": [8, 8], "lora_unet_x.lokr_w2": [40, 96]}
    said = {"modelspec.architecture": architecture}
    assert recognise(write_sparse(tmp_path / "l.safetensors", shapes, said)).family == family


@pytest.mark.parametrize(
    ("shapes", "kind"),
    [({"x": [3, 3]}, "no kind"), ({"head.weight": [10, 10, 10]}, "no kind"), ({}, "no weights")],
)
def test_unknown(shapes: Shapes, kind: str, tmp_path: Path) -> None:
    with pytest.raises(UnknownModel, match=kind):
        recognise(write_sparse(tmp_path / "m.safetensors", shapes))


def test_micro(tmp_path: Path) -> None:
    """A width that no family has: the layout decides."""
    found = recognise(checkpoints.micro(tmp_path / "m.safetensors"))
    assert (found.kind, found.family, found.prediction, found.zsnr) == (
        "checkpoint",
        "sd1",
        "eps",
        False,
    )
    assert found.input_channels == 4
    weights = checkpoints.weights()
    for part, prefix in zip(("model", "vae", "clip"), checkpoints.PREFIXES, strict=True):
        mine = [value for name, value in weights.items() if name.startswith(prefix)]
        assert found.parts[part].prefix == prefix
        assert found.parts[part].count == len(mine)
        assert found.parts[part].parameters == sum(value.numel() for value in mine)
        assert found.parts[part].dtype == "F16"


FLUX = {
    "double_blocks.0.img_attn.norm.key_norm.scale": [128],
    "double_blocks.0.img_attn.qkv.weight": [96, 32],
    "img_in.weight": [32, 64],
    "guidance_in.in_layer.weight": [32, 256],
}
T5 = {
    "encoder.block.0.layer.0.SelfAttention.q.weight": [64, 4096],
    "shared.weight": [100, 4096],
}
CLIP = {"text_model.encoder.layers.0.mlp.fc1.weight": [3072, 768]}


def below(prefix: str, shapes: Shapes) -> dict[str, Sequence[int]]:
    return {prefix + name: shape for name, shape in shapes.items()}


def numbers_of(*parts: Shapes) -> int:
    return sum(math.prod(shape) for part in parts for shape in part.values())


@pytest.mark.parametrize("prefix", ["model.diffusion_model.", "model.", "transformer.", ""])
def test_all_in_one(prefix: str, tmp_path: Path) -> None:
    """Every tensor is of one part, also where the denoiser stands under no prefix."""
    vae = {"decoder.conv_in.weight": [512, 16, 3, 3], "encoder.conv_in.weight": [128, 3, 3, 3]}
    found = recognise(
        write_sparse(
            tmp_path / "m.safetensors",
            {
                **below(prefix, FLUX),
                **below("vae.", vae),
                **below("text_encoders.clip_l.transformer.", CLIP),
                **below("text_encoders.t5xxl.transformer.", T5),
            },
        )
    )
    assert (found.kind, found.family, found.guided) == ("checkpoint", "flux", True)
    assert found.input_channels == 16
    counted = {name: (part.count, part.parameters) for name, part in found.parts.items()}
    assert counted == {
        "model": (len(FLUX), numbers_of(FLUX)),
        "clip": (len(CLIP) + len(T5), numbers_of(CLIP, T5)),
        "vae": (len(vae), numbers_of(vae)),
    }
    assert found.parts["model"].prefix == prefix
    assert "it has text encoders: clip_l, t5xxl" in found.why
    assert "it has an autoencoder with 16 channels" in found.why


def test_every_text_encoder_of_a_converted_folder_counts(tmp_path: Path) -> None:
    shapes = {
        **below("transformer.", FLUX),
        **below("text_encoder.", CLIP),
        **below("text_encoder_2.", CLIP),
        **below("text_encoder_3.", T5),
    }
    found = recognise(write_sparse(tmp_path / "m.safetensors", shapes))
    assert found.parts["clip"].prefix == "text_encoder."
    assert found.parts["clip"].parameters == numbers_of(CLIP, CLIP, T5)


@pytest.mark.parametrize(
    ("shapes", "words"),
    [
        (T5, "T5-XXL"),
        ({"encoder.block.0.layer.0.SelfAttention.q.weight": [2048, 2048]}, "Pile-T5-XL"),
        ({"enc.blk.0.attn_q.weight": [2048, 2048]}, "Pile-T5-XL"),
        (CLIP, "CLIP-L"),
        ({"encoder.layers.0.mlp.fc1.weight": [256, 64]}, "a text encoder"),
        ({"encoder.layers.0.mlp.fc1.weight": []}, "a text encoder"),
    ],
)
def test_text_encoders_alone(shapes: Shapes, words: str, tmp_path: Path) -> None:
    found = recognise(write_sparse(tmp_path / "t.safetensors", shapes))
    assert (found.kind, found.family) == ("text_encoder", "")
    assert any(words in line for line in found.why)


@pytest.mark.parametrize("prefix", ["", "model.diffusion_model."])
def test_what_stands_beside_small_numbers_is_not_counted(prefix: str, tmp_path: Path) -> None:
    layer = f"{prefix}double_blocks.0.img_attn.qkv"
    beside = {
        f"{layer}.scale_weight": [1],
        f"{layer}.scale_input": [1],
        f"{layer}.input_scale": [1],
        f"{prefix}scaled_fp8": [0],
    }
    shapes = {**below(prefix, FLUX), **beside}
    found = recognise(write_sparse(tmp_path / "m.safetensors", shapes))
    assert (found.kind, found.family, found.guided) == ("diffusion_model", "flux", True)
    assert found.parts["model"].parameters == numbers_of(FLUX)
    assert found.parts["model"].count == len(FLUX)


GGUF: dict[str, tuple[Shapes, str, str, str]] = {
    "flux": (FLUX, "flux", "diffusion_model", "flux"),
    "aura": (
        {
            "double_layers.0.attn.w1q.weight": [64, 256],
            "init_x_linear.weight": [64, 256],
            "positional_encoding": [4096, 256],
        },
        "aura",
        "diffusion_model",
        "auraflow",
    ),
    "sd3": (
        {"joint_blocks.0.context_block.attn.qkv.weight": [96, 256]},
        "sd3",
        "diffusion_model",
        "sd3",
    ),
    "no word of its kind": (FLUX, "", "diffusion_model", "flux"),
    "t5": ({"enc.blk.0.attn_q.weight": [4096, 4096]}, "t5encoder", "text_encoder", ""),
}


@pytest.mark.parametrize("name", GGUF)
def test_gguf(name: str, tmp_path: Path) -> None:
    shapes, architecture, kind, family = GGUF[name]
    kinds = {key: "Q4_K" if shape[-1] % 256 == 0 else "F16" for key, shape in shapes.items()}
    metadata = {"general.architecture": architecture} if architecture else {}
    found = recognise(write_gguf(tmp_path / "m.gguf", shapes, metadata, kinds))
    assert (found.format, found.kind, found.family) == ("gguf", kind, family)
    (part,) = found.parts.values()
    assert (part.parameters, part.dtype) == (numbers_of(shapes), "Q4_K")
    assert found.largest == (1024 if family == "auraflow" else 0)


def test_foreign_gguf(tmp_path: Path) -> None:
    metadata = {"general.architecture": "llama", "tokenizer.ggml.model": "gpt2"}
    shapes = {"token_embd.weight": [100, 256], "blk.0.attn_q.weight": [256, 256]}
    path = write_gguf(tmp_path / "m.gguf", shapes, metadata, "Q4_K")
    with pytest.raises(UnsupportedModel, match=r"language model \(llama\)") as caught:
        recognise(path)
    assert caught.value.where == str(path)


def test_averages_are_a_part(tmp_path: Path) -> None:
    found = recognise(checkpoints.lightning(tmp_path / "m.ckpt", ema=True))
    assert found.parts["ema"].count == found.parts["model"].count + 2
    assert any("EMA" in line for line in found.why)


def test_training_state_alone(tmp_path: Path) -> None:
    state = {"epoch": 1, "optimizers": [{"state": {0: {"exp_avg": torch.ones(3)}}}]}
    torch.save(state, tmp_path / "1000.state")
    assert recognise(tmp_path / "1000.state").kind == "optimizer state"


@pytest.mark.parametrize("cin", [4, 8, 9])
def test_input_channels(cin: int, tmp_path: Path) -> None:
    shapes = {**SD1, f"{UNET}input_blocks.0.0.weight": [320, cin, 3, 3]}
    found = recognise(write_sparse(tmp_path / "m.safetensors", shapes))
    assert found.input_channels == cin
    assert any("inpainting" in line for line in found.why) == (cin == 9)


# Lists of lists, and mappings merged from mappings, that would fill any memory.
LAUGHS = "a0: &a0 [x]\n" + "".join(
    f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]\n" for n in range(1, 12)
)
LAUGHS += "model:\n  params:\n    parameterization: *a11\n"


def test_config_of_the_file(tmp_path: Path) -> None:
    config = {"text_encoder": {"num_attention_heads": 4}}
    good = write_sparse(tmp_path / "a.safetensors", SD1, {"ponystudio.config": json.dumps(config)})
    bad = write_sparse(tmp_path / "b.safetensors", SD1, {"ponystudio.config": "[1"})
    assert recognise(good).config == config
    assert recognise(bad).config == {}


def test_a_lora_tells_its_base_in_metadata(tmp_path: Path) -> None:
    assert recognise(checkpoints.micro_lora(tmp_path / "l.safetensors")).family == "sd1"


def test_answers_follow_the_file(tmp_path: Path) -> None:
    path = write_sparse(tmp_path / "m.safetensors", SD1)
    assert recognise(path).kind == "checkpoint"
    write_sparse(path, {"emb_params": [4, 768]})
    assert recognise(path).kind == "embedding"
    path.unlink()
    with pytest.raises(MissingFile):
        recognise(path)


@pytest.mark.parametrize("suffix", [".safetensors", ".bin"])
def test_diffusers_folders(suffix: str, tmp_path: Path) -> None:
    folder = checkpoints.diffusers_folder(tmp_path / "pony", suffix=suffix)
    found = recognise(folder)
    assert (found.kind, found.family, found.prediction) == ("checkpoint", "sd1", "eps")
    assert set(found.parts) == {"model", "clip", "vae"}
    assert recognise(folder / "vae").kind == "vae"
    assert recognise(folder / "unet").kind == "diffusion_model"
    assert recognise(folder / "text_encoder").kind == "text_encoder"
    (folder / "scheduler").mkdir()
    scheduler = {"prediction_type": "v_prediction", "rescale_betas_zero_snr": True}
    (folder / "scheduler" / "scheduler_config.json").write_text(json.dumps(scheduler))
    found = recognise(folder)
    assert (found.prediction, found.zsnr) == ("v", True)


@pytest.mark.parametrize("variant", ["", ".fp16"])
@pytest.mark.parametrize("index", ["safetensors.index{}.json", "safetensors{}.index.json"])
def test_a_folder_of_transformers(index: str, variant: str, tmp_path: Path) -> None:
    """FLUX as it comes: the denoiser in shards, two text encoders, and what is not opened."""
    folder = tmp_path / "flux"
    denoiser = {
        "transformer_blocks.0.attn.add_q_proj.weight": [32, 32],
        "single_transformer_blocks.0.attn.norm_k.weight": [8],
        "x_embedder.weight": [32, 64],
        "time_text_embed.guidance_embedder.linear_1.weight": [32, 256],
    }
    for name, shapes in (("transformer", denoiser), ("text_encoder", CLIP), ("text_encoder_2", T5)):
        stem = "model" if name.startswith("text") else "diffusion_pytorch_model"
        (folder / name).mkdir(parents=True)
        where = {}
        for number, key in enumerate(shapes):
            shard = f"{stem}{variant}-{number:05}.safetensors"
            write_sparse(folder / name / shard, {key: shapes[key]})
            where[key] = shard
        listed = folder / name / f"{stem}.{index.format(variant)}"
        listed.write_text(json.dumps({"weight_map": where}))
    (folder / "safety_checker").mkdir()
    (folder / "model_index.json").write_text('{"safety_checker": ["transformers", "X"]}')
    found = recognise(folder)
    assert (found.kind, found.family, found.guided) == ("checkpoint", "flux", True)
    assert (found.prediction, found.input_channels) == ("flow", 16)
    assert found.parts["model"].parameters == numbers_of(denoiser)
    assert found.parts["clip"].parameters == numbers_of(CLIP, T5)
    alone = folder / "transformer"
    (alone / "config.json").write_text("{}")
    assert recognise(alone).kind == "diffusion_model"
