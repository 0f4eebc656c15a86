from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from helpers import checkpoints
from helpers.sparse import write_sparse
from ponystudio.errors import MissingFile, UnknownModel, WrongKind
from ponystudio.library.model_file import ACCEPTED, INSTEAD, NOUNS
from ponystudio.library.recognise import ModelFile, check_kind, recognise

Shapes = Mapping[str, Sequence[int]]

UNET = "model.diffusion_model."
CONTEXT = "1.transformer_blocks.0.attn2.to_k.weight"
VAE = {
    "first_stage_model.decoder.conv_in.weight": [512, 4, 3, 3],
    "first_stage_model.encoder.conv_in.weight": [128, 3, 3, 3],
}
SD1 = {
    f"{UNET}input_blocks.0.0.weight": [320, 4, 3, 3],
    f"{UNET}input_blocks.1.1.proj_in.weight": [320, 320, 1, 1],
    f"{UNET}input_blocks.1.{CONTEXT}": [320, 768],
    **VAE,
    "cond_stage_model.transformer.text_model.final_layer_norm.weight": [768],
}
SD2 = {
    f"{UNET}input_blocks.0.0.weight": [320, 4, 3, 3],
    f"{UNET}input_blocks.1.1.proj_in.weight": [320, 320],
    f"{UNET}input_blocks.1.{CONTEXT}": [320, 1024],
    **VAE,
    "cond_stage_model.model.ln_final.weight": [1024],
}
SDXL = {
    f"{UNET}input_blocks.0.0.weight": [320, 4, 3, 3],
    f"{UNET}label_emb.0.0.weight": [1280, 2816],
    f"{UNET}input_blocks.4.{CONTEXT}": [640, 2048],
    **VAE,
    "conditioner.embedders.0.transformer.text_model.final_layer_norm.weight": [768],
}
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
            "transformer.single_transformer_blocks.0.attn.to_q.lora_A.weight": [8, 3072],
            "transformer.single_transformer_blocks.0.attn.to_q.lora_B.weight": [3072, 8],
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


@pytest.mark.parametrize(
    ("metadata", "prediction", "zsnr"),
    [
        ({}, "eps", False),
        ({"modelspec.prediction_type": "v"}, "v", False),
        ({"modelspec.prediction_type": "epsilon"}, "eps", False),
        ({"modelspec.architecture": "stable-diffusion-v2-768-v"}, "v", False),
        ({"ss_v_parameterization": "True"}, "v", False),
        ({"ss_zero_terminal_snr": "True"}, "v", True),
        ({"modelspec.prediction_type": "v", "ss_zero_terminal_snr": "True"}, "v", True),
    ],
)
def test_prediction_by_metadata(
    metadata: dict[str, str], prediction: str, zsnr: bool, tmp_path: Path
) -> None:
    found = recognise(write_sparse(tmp_path / "m.safetensors", SD1, metadata))
    assert (found.prediction, found.zsnr) == (prediction, zsnr)


@pytest.mark.parametrize(
    ("markers", "zsnr"),
    [(["v_pred"], False), (["v_pred", "ztsnr"], True), (["edm_vpred.sigma_max"], False)],
)
def test_prediction_by_markers(markers: list[str], zsnr: bool, tmp_path: Path) -> None:
    shapes = {**SDXL, **{name: [0] for name in markers}}
    found = recognise(write_sparse(tmp_path / "m.safetensors", shapes))
    assert (found.prediction, found.zsnr) == ("v", zsnr)


# Lists of lists, and mappings merged from mappings, that would fill any memory.
LAUGHS = "a0: &a0 [x]\n" + "".join(
    f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]\n" for n in range(1, 12)
)
LAUGHS += "model:\n  params:\n    parameterization: *a11\n"
MERGES = "a0: &a0 {x: y}\n" + "".join(
    f"a{n}: &a{n}\n  <<: [{', '.join([f'*a{n - 1}'] * 9)}]\n" for n in range(1, 12)
)


@pytest.mark.parametrize(
    ("text", "prediction", "zsnr"),
    [
        ('model:\n  params:\n    parameterization: "v"\n', "v", False),
        ("model:\n  params:\n    parameterization: v\n    zero_snr: true\n", "v", True),
        ("model:\n  params:\n    parameterization: eps\n", "eps", False),
        (
            "model:\n  params:\n    denoiser_config:\n      params:\n        scaling_config:\n"
            "          target: sgm.modules.VScaling\n",
            "v",
            False,
        ),
        ("model: [", "eps", False),
        ("just text", "eps", False),
        ("model: &a\n  params: *a\n", "eps", False),
        ("model:\n  params:\n    parameterization: v\n    zero_snr: no\n", "v", False),
        (LAUGHS, "eps", False),
        (MERGES, "eps", False),
        ("model: 1" + ":1" * 400 + ".5\n", "eps", False),
        ("model: [" + "x," * 500_000 + "]\n", "eps", False),
    ],
)
def test_prediction_by_sidecar(text: str, prediction: str, zsnr: bool, tmp_path: Path) -> None:
    path = write_sparse(tmp_path / "fluffy.safetensors", SD1)
    assert recognise(path).prediction == "eps"
    (tmp_path / "fluffy.yaml").write_text(text)
    found = recognise(path)
    assert (found.prediction, found.zsnr) == (prediction, zsnr)


def test_the_sidecar_wins(tmp_path: Path) -> None:
    metadata = {"modelspec.prediction_type": "epsilon"}
    path = write_sparse(tmp_path / "m.safetensors", SD1, metadata)
    path.with_suffix(".yaml").write_text("model:\n  params:\n    parameterization: v\n")
    assert recognise(path).prediction == "v"


@pytest.mark.parametrize("dtype", [torch.float32, torch.float16, torch.bfloat16])
@pytest.mark.parametrize(("spread", "prediction"), [(0.05, "eps"), (0.12, "v")])
def test_prediction_of_sd2(
    spread: float, prediction: str, dtype: torch.dtype, tmp_path: Path
) -> None:
    state = {name: torch.zeros(*shape, dtype=torch.float16) for name, shape in SD2.items()}
    bias = torch.linspace(-1, 1, 320)
    name = f"{UNET}output_blocks.11.1.transformer_blocks.0.norm1.bias"
    state[name] = (bias / bias.std(correction=0) * spread).to(dtype)
    save_file(state, tmp_path / "m.safetensors")
    found = recognise(tmp_path / "m.safetensors")
    assert (found.family, found.prediction) == ("sd2", prediction)


@pytest.mark.parametrize(("last", "zsnr"), [(0.0047, False), (0.0, True)])
def test_zero_terminal_snr_by_stored_schedule(last: float, zsnr: bool, tmp_path: Path) -> None:
    state = {name: torch.zeros(*shape, dtype=torch.float16) for name, shape in SD1.items()}
    state["alphas_cumprod"] = torch.linspace(0.999, last, 1000)
    save_file(state, tmp_path / "m.safetensors")
    found = recognise(tmp_path / "m.safetensors")
    assert (found.prediction, found.zsnr) == ("v" if zsnr else "eps", zsnr)
    # Who says that it predicts noise all the same is believed.
    save_file(state, tmp_path / "m.safetensors", {"modelspec.prediction_type": "epsilon"})
    found = recognise(tmp_path / "m.safetensors")
    assert (found.prediction, found.zsnr) == ("eps", zsnr)


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


def test_checkpoints_serve_for_their_parts(tmp_path: Path) -> None:
    found = recognise(write_sparse(tmp_path / "m.safetensors", SD1))
    for kind in ("checkpoints", "vae", "text_encoders", "diffusion_models"):
        check_kind(found, kind)
    bare = recognise(write_sparse(tmp_path / "v.safetensors", VAE))
    check_kind(bare, "vae")
    with pytest.raises(WrongKind, match="a VAE, not a checkpoint") as caught:
        check_kind(bare, "checkpoints")
    assert "core.load_vae" in caught.value.remedy


def test_every_wrong_kind_has_words() -> None:
    for kind in NOUNS:
        for wanted, accepted in ACCEPTED.items():
            model = ModelFile(Path("file"), "safetensors", kind)
            if kind in accepted:
                check_kind(model, wanted)
            else:
                with pytest.raises(WrongKind) as caught:
                    check_kind(model, wanted)
                assert caught.value.remedy == INSTEAD[kind]
                assert NOUNS[kind] in caught.value.what


def test_kinds_that_are_no_models_are_not_checked() -> None:
    check_kind(ModelFile(Path("file"), "safetensors", "lora"), "input")
