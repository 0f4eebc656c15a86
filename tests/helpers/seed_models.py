"""The models that this community uses, of SD1, SD2 and SDXL: tiny files of each one's true form.

Every row is a system as it was released: its container, its prefixes, what stands beside it. All
files of a family hold the same weights, so that what comes out tells only how they were read.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from diffusers import DDIMScheduler, EulerDiscreteScheduler
from safetensors.torch import save_file
from torch import Tensor

from helpers import checkpoints, pipelines, relatives
from helpers.core_graphs import checkpoint, core
from ponystudio.graph.model import Node

State = dict[str, Tensor]
UNET = "model.diffusion_model."
# The spread of this bias tells which of both kinds an SD2 model is.
SD2_MARKER = f"{UNET}output_blocks.11.1.transformer_blocks.0.norm1.bias"
V_YAML = 'model:\n  params:\n    parameterization: "v"\n'
VSCALING_YAML = (
    "model:\n  params:\n    denoiser_config:\n      params:\n        scaling_config:\n"
    "          target: sgm.modules.diffusionmodules.denoiser_scaling.VScaling\n"
)


@dataclass(frozen=True)
class SeedModel:
    """One row: what is written below a folder of models, and what must be found in it.

    `write` gets the place of the file, `checkpoints/file`, or, for a model in parts, the folder of
    models. `why` is part of the line that says how its prediction was found. `rounded`: its
    weights are not bit for bit those of the others. `params` are what its user sets.
    """

    family: str
    file: str
    write: Callable[[Path], object]
    prediction: str = "eps"
    zsnr: bool = False
    why: str = "nothing says otherwise"
    channels: int = 4
    rounded: bool = False
    in_parts: bool = False
    params: Mapping[str, Any] = field(default_factory=dict)

    @property
    def folder(self) -> str:
        return "diffusion_models" if self.in_parts else "checkpoints"

    def make(self, root: Path) -> None:
        """Write it."""
        place = root / self.folder / self.file
        place.parent.mkdir(parents=True, exist_ok=True)
        self.write(root if self.in_parts else place)

    def sources(self) -> tuple[tuple[Node, ...], dict[str, str]]:
        """The nodes that open it, and which of them gives what."""
        if not self.in_parts:
            return checkpoint(self.file, **self.params), {}
        encoders = [{"file": f"{name}.safetensors"} for name in _encoders(self.family)]
        nodes = (
            core("model", "load_model", file=self.file, **self.params),
            core("clip", "load_clip", files=encoders, family=self.family),
            core("vae", "load_vae", file="vae.safetensors"),
        )
        return nodes, {"model": "model", "clip": "clip", "vae": "vae"}


def state(family: str, in_channels: int = 4) -> State:
    """The tensors of a family's tiny checkpoint, fp16; of SD2 one that predicts noise."""
    if family != "sd1":
        tensors = dict(relatives.relative(family, in_channels).tensors)
        return tensors | ({SD2_MARKER: tensors[SD2_MARKER] / 2} if family == "sd2" else {})
    tensors = checkpoints.weights()
    first = f"{UNET}input_blocks.0.0.weight"
    if in_channels > 4:
        generator = torch.Generator().manual_seed(5)
        shape = (len(tensors[first]), in_channels - 4, 3, 3)
        more = torch.randn(shape, generator=generator).half() * 0.1
        tensors[first] = torch.cat([tensors[first], more], dim=1)
    return tensors


def _single(
    family: str, *, yaml: str = "", channels: int = 4, extra: State | None = None,
    dtype: torch.dtype = torch.float16, **metadata: str,
) -> Callable[[Path], object]:  # fmt: skip
    """A .safetensors file, with tensors beside the weights and a yaml beside the file."""

    def write(path: Path) -> None:
        tensors = state(family, channels)
        tensors = {k: v.to(dtype) if v.is_floating_point() else v for k, v in tensors.items()}
        save_file(tensors | (extra or {}), path, metadata=hints(family) | metadata)
        if yaml:
            path.with_suffix(".yaml").write_text(yaml)

    return write


def _pickle(family: str, yaml: str = "", **extra: Tensor) -> Callable[[Path], object]:
    """A .ckpt file as training tools save a whole model, buffers and all."""

    def write(path: Path) -> None:
        torch.save({"state_dict": state(family) | extra, "global_step": 470000}, path)
        if yaml:
            path.with_suffix(".yaml").write_text(yaml)

    return write


def _folder(
    family: str, scheduler: Any = None, channels: int = 4, **how: Any
) -> Callable[[Path], object]:
    return lambda path: pipelines.save(family, path, scheduler, channels, **how)


def _parts(family: str, *, diffusers: bool = False) -> Callable[[Path], object]:
    """UNet, text encoders and autoencoder in files of their own, in either's names."""

    def write(root: Path) -> None:
        places = {
            "unet": ("diffusion_models", UNET),
            "vae": ("vae", "first_stage_model."),
            **{name: ("text_encoders", prefix) for name, prefix in _encoders(family).items()},
        }
        whole = pipelines.save(family, root / "whole") if diffusers else None
        for name, (folder, prefix) in places.items():
            (root / folder).mkdir(exist_ok=True)
            target = root / folder / f"{name}.safetensors"
            if whole is not None:
                (source,) = (whole / COMPONENTS[name]).glob("*.safetensors")
                source.rename(target)
                continue
            part = {
                k.removeprefix(prefix): v for k, v in state(family).items() if k.startswith(prefix)
            }
            save_file(part, target, metadata=hints(family))

    return write


COMPONENTS = {
    "unet": "unet",
    "vae": "vae",
    "clip_l": "text_encoder",
    "clip_h": "text_encoder",
    "clip_g": "text_encoder_2",
}


def _encoders(family: str) -> dict[str, str]:
    """The prefix of each of its text encoders in a single file."""
    return {
        "sd1": {"clip_l": "cond_stage_model.transformer."},
        "sd2": {"clip_h": "cond_stage_model.model."},
        "sdxl": {
            "clip_g": "conditioner.embedders.1.model.",  # the order is nobody's to know
            "clip_l": "conditioner.embedders.0.transformer.",
        },
    }[family]


def hints(family: str) -> dict[str, str]:
    """What the shapes of so small a model cannot tell."""
    said = relatives.HINTS.get(family)
    return {"format": "pt", **({"ponystudio.config": json.dumps(said)} if said else {})}


def _of_velocity(path: Path) -> None:
    """SD2 as Pony V5.5 is: the bias of its last block is spread as wide as in 768-v."""
    tensors = state("sd2")
    bias = torch.linspace(-1, 1, len(tensors[SD2_MARKER]))
    tensors[SD2_MARKER] = (bias / bias.std(correction=0) * 0.12).half()
    save_file(tensors, path, metadata={"format": "pt"})


def _betas(zsnr: bool) -> State:
    """The schedule that LDM keeps among its buffers."""
    made = DDIMScheduler(**pipelines.BETAS, rescale_betas_zero_snr=zsnr)
    return {"betas": made.betas, "alphas_cumprod": made.alphas_cumprod}


def _euler(**settings: Any) -> EulerDiscreteScheduler:
    return EulerDiscreteScheduler(**pipelines.BETAS, timestep_spacing="leading", **settings)


V = "v_prediction"
LUN = "sd1.4 finetuned v2 derpibooru e=0000 gs=026400.ckpt"  # its very name
MERGE = {
    "modelspec.architecture": "stable-diffusion-xl-v1-base",
    "sd_merge_models": '{"67ab2fd8ec": {"name": "ponyDiffusionV6XL.safetensors"}}',
}
V_PRED = {"v_pred": torch.zeros(0), "ztsnr": torch.zeros(0)}

ROWS: dict[str, SeedModel] = {
    # SD1
    "pony-diffusion-v2, folder of 2022": SeedModel(
        "sd1", "pony-diffusion-v2",
        lambda path: checkpoints.diffusers_folder(
            path, suffix=".bin", old_names=True, scaling_factor=False
        ),
    ),
    "pony-diffusion-v2, folder of safetensors": SeedModel(
        "sd1", "pony-diffusion-v2", _folder("sd1"), why="scheduler says eps"
    ),
    "pony-diffusion-v2, folder of the variant fp16": SeedModel(
        "sd1", "pony-diffusion-v2", _folder("sd1", variant="fp16"), why="scheduler says eps"
    ),
    "pony-diffusion-v2, original": SeedModel("sd1", "pony_sfw_80k.ckpt", _pickle("sd1")),
    "Lun's Pony V2": SeedModel(
        "sd1", LUN, lambda path: checkpoints.lightning(path, optimizer=True)
    ),
    "Waifu Diffusion 1.3, float16": SeedModel(
        "sd1", "wd-v1-3-float16.ckpt", lambda path: checkpoints.lightning(path, half=True)
    ),
    "Waifu Diffusion 1.3, float32": SeedModel(
        "sd1", "wd-v1-3-float32.ckpt", lambda path: checkpoints.lightning(path)
    ),
    "Waifu Diffusion 1.3, full": SeedModel(
        "sd1", "wd-v1-3-full.ckpt", lambda path: checkpoints.lightning(path, ema=True)
    ),
    "Waifu Diffusion 1.3, full-opt": SeedModel(
        "sd1", "wd-v1-3-full-opt.ckpt",
        lambda path: checkpoints.lightning(path, ema=True, optimizer=True),
    ),
    "SD 1.4 as torch of before 1.6 wrote it": SeedModel(
        "sd1", "sd-v1-4.ckpt", lambda path: checkpoints.lightning(path, legacy=True, ema=True)
    ),
    "SD1 in parts": SeedModel("sd1", "unet.safetensors", _parts("sd1"), in_parts=True),
    "SD1 in parts of diffusers": SeedModel(
        "sd1", "unet.safetensors", _parts("sd1", diffusers=True), in_parts=True
    ),
    "SD1 for inpainting": SeedModel(
        "sd1", "sd-v1-5-inpainting.safetensors", _single("sd1", channels=9), channels=9
    ),
    "Fluffusion, ckpt": SeedModel(
        "sd1", "fluffusion_r1_e20.ckpt", _pickle("sd1", V_YAML, **_betas(zsnr=True)),
        "v", zsnr=True, why="fluffusion_r1_e20.yaml beside it says v",
    ),
    "Fluffusion, safetensors": SeedModel(
        "sd1", "fluffusion.safetensors",
        _single("sd1", yaml=V_YAML.replace("params:\n", "params:\n    zero_snr: true\n")),
        "v", zsnr=True, why="fluffusion.yaml beside it says v",
    ),
    "Fluffusion, ckpt without its yaml": SeedModel(
        "sd1", "fluffusion_r1_e20.ckpt", _pickle("sd1", **_betas(zsnr=True)),
        "v", zsnr=True, why="ends without signal",
    ),
    "FluffyRock, without its yaml": SeedModel(
        "sd1", "fluffyrock.safetensors", _single("sd1"), "v", zsnr=True, why="",
        params={"prediction": "v, zero SNR"},
    ),
    "SD1 of velocity, not down to no signal": SeedModel(
        "sd1", "v.ckpt", _pickle("sd1", V_YAML, **_betas(zsnr=False)), "v", why="v.yaml beside it"
    ),
    "SD1 beside a yaml that its user knows to be wrong": SeedModel(
        "sd1", "merge.safetensors", _single("sd1", yaml=V_YAML), why="beside it says v",
        params={"prediction": "eps"},
    ),
    # SD2
    "Pony V5.5, with its yaml": SeedModel(
        "sd2", "ponyDiffusionV5.safetensors", _single("sd2", yaml=V_YAML), "v",
        why="ponyDiffusionV5.yaml beside it says v",
    ),
    "Pony V5.5, alone": SeedModel(
        "sd2", "ponyDiffusionV5.safetensors", _of_velocity, "v", why="as in v models", rounded=True
    ),
    "SD 2.1 of 768, folder": SeedModel(
        "sd2", "stable-diffusion-2-1",
        _folder("sd2", DDIMScheduler(**pipelines.BETAS, prediction_type=V)), "v",
        why="scheduler says v", rounded=True,
    ),
    "SD 2 of 512": SeedModel(
        "sd2", "512-base-ema.safetensors", _single("sd2"), why="as in eps models"
    ),
    "SD 2 of 512, folder": SeedModel(
        "sd2", "stable-diffusion-2-base", _folder("sd2"), why="scheduler says eps", rounded=True
    ),
    "SD 2 of 512, ckpt": SeedModel(
        "sd2", "512-base-ema.ckpt", _pickle("sd2"), why="as in eps models"
    ),
    "SD2 in parts": SeedModel(
        "sd2", "unet.safetensors", _parts("sd2"), in_parts=True, why="as in eps models"
    ),
    "SD2 for inpainting": SeedModel(
        "sd2", "512-inpainting-ema.safetensors", _single("sd2", channels=9), channels=9,
        why="of 9 channels predict noise",
    ),
    # SDXL
    "Pony V6 XL": SeedModel("sdxl", "ponyDiffusionV6XL.safetensors", _single("sdxl")),
    "Pony V6 XL, bf16": SeedModel(
        "sdxl", "v6.safetensors", _single("sdxl", dtype=torch.bfloat16), rounded=True
    ),
    "Pony V6 XL, folder": SeedModel(
        "sdxl", "pony-v6", _folder("sdxl", _euler()), why="scheduler says eps"
    ),
    "Pony V6 XL, folder in shards of the variant fp16": SeedModel(
        "sdxl", "pony-v6", _folder("sdxl", _euler(), variant="fp16", max_shard_size="500KB"),
        why="scheduler says eps",
    ),
    "Pony V6 XL in parts": SeedModel("sdxl", "unet.safetensors", _parts("sdxl"), in_parts=True),
    "AutismMix SDXL": SeedModel(
        "sdxl", "autismmixSDXL_autismmixPony.safetensors", _single("sdxl", **MERGE)
    ),
    "T-ponynai3": SeedModel(
        "sdxl", "tPonynai3_v55.safetensors",
        _single("sdxl", **MERGE, **{"modelspec.prediction_type": "epsilon"}),
        why="modelspec.prediction_type says eps",
    ),
    "NoobAI-XL V-pred": SeedModel(
        "sdxl", "noobaiXLNAIXL_vPred10Version.safetensors", _single("sdxl", extra=V_PRED),
        "v", zsnr=True, why="the tensor v_pred",
    ),
    "NoobAI-XL V-pred, its metadata those of what it was merged from": SeedModel(
        "sdxl", "noob-merge.safetensors",
        _single("sdxl", extra=V_PRED, **{"modelspec.prediction_type": "epsilon"}),
        "v", zsnr=True, why="the tensor v_pred",
    ),
    "NoobAI-XL V-pred, by its metadata": SeedModel(
        "sdxl", "noob-v.safetensors",
        _single("sdxl", **{"modelspec.prediction_type": "v", "ss_zero_terminal_snr": "true"}),
        "v", zsnr=True, why="modelspec.prediction_type says v",
    ),
    "NoobAI-XL V-pred, folder": SeedModel(
        "sdxl", "noob-v", _folder("sdxl", _euler(prediction_type=V, rescale_betas_zero_snr=True)),
        "v", zsnr=True, why="scheduler says v",
    ),
    "SDXL of velocity, by its yaml": SeedModel(
        "sdxl", "xl-v.safetensors", _single("sdxl", yaml=VSCALING_YAML), "v",
        why="xl-v.yaml beside it says v",
    ),
    "SDXL for inpainting": SeedModel(
        "sdxl", "inpaint.safetensors", _single("sdxl", channels=9), channels=9
    ),
    "SDXL for inpainting, folder": SeedModel(
        "sdxl", "sdxl-inpainting-0.1", _folder("sdxl", _euler(), channels=9), channels=9,
        why="scheduler says eps",
    ),
}  # fmt: skip
