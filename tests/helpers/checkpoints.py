"""Tiny checkpoints of the SD1 layout in every wrapping that such files come in.

All hold the weights that `make_checkpoint.py micro` draws, so what is read from any of them can be
compared with `weights()`.
"""

from __future__ import annotations

import json
import sys
import types
from collections import OrderedDict
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any

import numpy
import torch
from safetensors.torch import save_file
from torch import Tensor

from helpers.make_checkpoint import SEED, metadata, tensors, write_checkpoint

PREFIXES = ("model.diffusion_model.", "first_stage_model.", "cond_stage_model.transformer.")

UNET = {
    "_class_name": "UNet2DConditionModel",
    "sample_size": 16,
    "block_out_channels": [32, 64, 128, 128],
    "cross_attention_dim": 64,
    "attention_head_dim": 8,
}
VAE = {
    "_class_name": "AutoencoderKL",
    "sample_size": 128,
    "block_out_channels": [32, 32, 64, 64],
    "down_block_types": ["DownEncoderBlock2D"] * 4,
    "up_block_types": ["UpDecoderBlock2D"] * 4,
    "layers_per_block": 2,
    "latent_channels": 4,
    "scaling_factor": 0.18215,
}
TEXT = {
    "architectures": ["CLIPTextModel"],
    "model_type": "clip_text_model",
    "hidden_size": 64,
    "intermediate_size": 256,
    "num_attention_heads": 1,
    "num_hidden_layers": 2,
    "hidden_act": "quick_gelu",
    "max_position_embeddings": 77,
    "vocab_size": 49408,
    "projection_dim": 64,
    "bos_token_id": 49406,
    "eos_token_id": 49407,
}


@cache
def _weights(seed: int) -> dict[str, Tensor]:
    return tensors("micro", seed)


def weights(seed: int = SEED) -> dict[str, Tensor]:
    """The tensors of `micro` under their LDM names, fp16. Do not change them."""
    return dict(_weights(seed))


def micro(path: Path, seed: int = SEED, extra: Mapping[str, str] | None = None) -> Path:
    """A .safetensors checkpoint; `extra` goes into its metadata."""
    save_file(weights(seed), path, metadata={**metadata("micro", seed), **(extra or {})})
    return path


def incomplete(path: Path, *fragments: str, add: Iterable[tuple[str, Tensor]] = ()) -> Path:
    """A checkpoint without the tensors whose names have one of these in them, and with others."""
    kept = {
        name: value
        for name, value in weights().items()
        if not any(fragment in name for fragment in fragments)
    }
    save_file({**kept, **dict(add)}, path)
    return path


def micro_lora(path: Path, seed: int = SEED) -> Path:
    """A kohya LoRA for `micro`, of the same names as one for SD1."""
    return write_checkpoint("lora micro", path, seed)


def flat_pickle(path: Path, *, legacy: bool = False, seed: int = SEED) -> Path:
    """A checkpoint saved as a plain dict of tensors."""
    torch.save(weights(seed), path, _use_new_zipfile_serialization=not legacy)
    return path


def lightning(
    path: Path,
    *,
    legacy: bool = False,
    ema: bool = False,
    optimizer: bool = False,
    half: bool = False,
    seed: int = SEED,
) -> Path:
    """A training checkpoint as Lightning wrote them in 2022, with all that it keeps beside weights.

    With `ema` the averaged weights (1.5 times the others, to tell them apart) stand beside; with
    `optimizer` Adam's two moments do, larger than the model itself.
    """
    state = OrderedDict(
        (name, value if half or not value.is_floating_point() else value.float())
        for name, value in weights(seed).items()
    )
    if ema:
        state.update(dict(_averages(state)))
    content: dict[str, Any] = {
        "epoch": 2,
        "global_step": 26400,
        "pytorch-lightning_version": "1.7.6",
        "state_dict": state,
        "loops": {"fit_loop": {"state_dict": {}, "epoch_progress": {"current": {"ready": 3}}}},
        "lr_schedulers": [{"base_lrs": [5e-06], "last_epoch": 26400, "lr_lambdas": [None]}],
        "hparams_name": "kwargs",
    }
    if optimizer:
        content["optimizer_states"] = [_adam(state)]
    with _lightning_modules() as checkpoint_class:
        content["callbacks"] = {
            checkpoint_class: {
                "monitor": "val/loss",
                "best_model_score": torch.tensor(0.25),
                "current_score": numpy.float32(0.5),
                "kth_best": numpy.dtype("float32"),
            }
        }
        torch.save(content, path, _use_new_zipfile_serialization=not legacy)
    return path


def _averages(state: Mapping[str, Tensor]) -> Iterator[tuple[str, Tensor]]:
    """LDM's LitEma: one buffer for each weight of `model`, its name without dots."""
    yield "model_ema.decay", torch.tensor(0.9999)
    yield "model_ema.num_updates", torch.tensor(26400, dtype=torch.int32)
    for name, value in state.items():
        if name.startswith("model."):
            yield f"model_ema.{name.removeprefix('model.').replace('.', '')}", value * 1.5


def _adam(state: Mapping[str, Tensor]) -> dict[str, Any]:
    trained = [value for name, value in state.items() if name.startswith("model.")]
    moments = {
        index: {"step": 26400, "exp_avg": value.float(), "exp_avg_sq": value.float() ** 2}
        for index, value in enumerate(trained)
    }
    group = {"lr": 5e-06, "betas": (0.9, 0.999), "eps": 1e-08, "params": list(moments)}
    return {"state": moments, "param_groups": [group]}


@contextmanager
def _lightning_modules() -> Iterator[type]:
    """A class that pickles under the name of Lightning's ModelCheckpoint."""
    name = "pytorch_lightning.callbacks.model_checkpoint"
    parents = ["pytorch_lightning", "pytorch_lightning.callbacks", name]
    known = {parent: sys.modules.get(parent) for parent in parents}
    sys.modules.update((parent, types.ModuleType(parent)) for parent in parents)
    stand_in = type("ModelCheckpoint", (), {"__module__": name})
    sys.modules[name].ModelCheckpoint = stand_in
    try:
        yield stand_in
    finally:
        for parent, module in known.items():
            if module is None:
                del sys.modules[parent]
            else:
                sys.modules[parent] = module


def diffusers_folder(
    folder: Path,
    *,
    suffix: str = ".safetensors",
    variant: str = "",
    shards: int = 1,
    old_names: bool = False,
    scaling_factor: bool = True,
    seed: int = SEED,
) -> Path:
    """A folder as diffusers' `save_pretrained` writes it, without a tokenizer.

    `suffix` ".bin" writes pickles; `variant` "fp16" goes into the names of files; `shards` > 1
    splits the UNet; `old_names` gives the VAE's attention the names of 2022; without
    `scaling_factor` the VAE's config lacks it, as before 2023.
    """
    vae = {key: value for key, value in VAE.items() if key != "scaling_factor" or scaling_factor}
    unet_weights, vae_weights, text_weights = _diffusers_weights(seed)
    if old_names:
        vae_weights = {_old_name(name): value for name, value in vae_weights.items()}
    index = {
        "_class_name": "StableDiffusionPipeline",
        "_diffusers_version": "0.3.0",
        "feature_extractor": ["transformers", "CLIPFeatureExtractor"],
        "safety_checker": [None, None],
        "text_encoder": ["transformers", "CLIPTextModel"],
        "tokenizer": ["transformers", "CLIPTokenizer"],
        "unet": ["diffusers", "UNet2DConditionModel"],
        "vae": ["diffusers", "AutoencoderKL"],
    }
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "model_index.json").write_text(json.dumps(index, indent=2))
    diffusers_stem = "diffusion_pytorch_model"
    text_stem = "model" if suffix == ".safetensors" else "pytorch_model"
    for name, config, state, stem, parts in (
        ("unet", UNET, unet_weights, diffusers_stem, shards),
        ("vae", vae, vae_weights, diffusers_stem, 1),
        ("text_encoder", TEXT, text_weights, text_stem, 1),
    ):
        (folder / name).mkdir()
        (folder / name / "config.json").write_text(json.dumps(config, indent=2))
        _write_shards(folder / name, state, stem, suffix, variant, parts)
    return folder


def _write_shards(
    folder: Path, state: Mapping[str, Tensor], stem: str, suffix: str, variant: str, parts: int
) -> None:
    dot = f".{variant}" if variant else ""
    if parts == 1:
        _save(dict(state), folder / f"{stem}{dot}{suffix}")
        return
    names = list(state)
    weight_map = {}
    for part in range(parts):
        file = f"{stem}{dot}-{part + 1:05}-of-{parts:05}{suffix}"
        chosen = names[part::parts]
        _save({name: state[name] for name in chosen}, folder / file)
        weight_map.update(dict.fromkeys(chosen, file))
    index = {"metadata": {"total_size": 0}, "weight_map": weight_map}
    (folder / f"{stem}{suffix}.index{dot}.json").write_text(json.dumps(index))


def _save(state: dict[str, Tensor], path: Path) -> None:
    if path.suffix == ".safetensors":
        save_file(state, path, metadata={"format": "pt"})
    else:
        torch.save(state, path)


def _old_name(name: str) -> str:
    for new, old in (
        ("to_q", "query"),
        ("to_k", "key"),
        ("to_v", "value"),
        ("to_out.0", "proj_attn"),
    ):
        name = name.replace(f"attentions.0.{new}.", f"attentions.0.{old}.")
    return name


def _diffusers_weights(seed: int) -> tuple[dict[str, Tensor], dict[str, Tensor], dict[str, Tensor]]:
    """UNet, VAE and text encoder under diffusers' names, by diffusers' own conversion."""
    from diffusers.loaders.single_file_utils import (
        convert_ldm_unet_checkpoint,
        convert_ldm_vae_checkpoint,
    )

    prefix = PREFIXES[2]
    text = {k.removeprefix(prefix): v for k, v in weights(seed).items() if k.startswith(prefix)}
    return (
        _contiguous(convert_ldm_unet_checkpoint(weights(seed), {**UNET, "layers_per_block": 2})),
        _contiguous(convert_ldm_vae_checkpoint(weights(seed), VAE)),
        _contiguous(text),
    )


def _contiguous(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    return {name: value.contiguous() for name, value in state.items()}
