"""Published graphs of ComfyUI, from their files to pictures: with tiny random models of the true
layout in place of theirs, and an eighth of their sizes.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy
import pytest
import torch
from PIL import Image
from safetensors.torch import save_file

from helpers import checkpoints, controls, flows, relatives, seed_models, visions
from helpers.encoders import write as write_encoder
from helpers.flow_files import FORMS
from helpers.flow_pipelines import vae_tensors
from ponystudio.diffusion.weights import tensor_names
from ponystudio.engine.headless import run_graph
from ponystudio.graph.comfyui.importer import import_document
from ponystudio.graph.model import Graph, Node
from ponystudio.library.model_folders import ModelFolders
from ponystudio_resources import path as resource

pytestmark = pytest.mark.full

DATA = os.environ.get("PONYSTUDIO_TEST_DATA")
# Of families that are not run here.
OTHERS = (*("chroma", "cosmos", "flux2", "hidream", "lumina", "omnigen", "qwen", "stable_cascade"),)
FILES = [
    path
    for path in (sorted(Path(DATA, "workflows").glob("*.json")) if DATA else [])
    if ".workflow." not in path.name and not path.name.startswith(OTHERS)
]
SIZES = ("width", "height", "x", "y", "left", "top", "right", "bottom", "feather")
SMALLER = 8


def sd1(path: Path, seed: int = 0) -> None:
    checkpoints.micro(path, seed) if seed else checkpoints.micro(path)


def filling(path: Path) -> None:
    """FLUX.1 Fill: the picture with a hole, and the hole, beside the latent."""
    state = flows.original("flux-dev")
    wide = state["img_in.weight"]
    more = torch.randn(len(wide), 384 - wide.shape[1]) * 0.1
    save_file(
        {**state, "img_in.weight": torch.cat([wide, more], dim=1)},
        path,
        metadata=flows.hints("flux-dev"),
    )


def inpainting(path: Path) -> None:
    save_file(seed_models.state("sd1", 9), path, metadata=seed_models.hints("sd1"))


def vae(path: Path) -> None:
    weights = checkpoints.weights()
    save_file({k: v for k, v in weights.items() if k.startswith("first_stage_model.")}, path)


def hypernetwork(path: Path) -> None:
    def network(width: int) -> dict[str, torch.Tensor]:
        return {
            "linear.0.weight": torch.randn(2 * width, width) / width,
            "linear.0.bias": torch.zeros(2 * width),
            "linear.1.weight": torch.randn(width, 2 * width) / width,
            "linear.1.bias": torch.zeros(width),
        }

    torch.save({width: (network(width), network(width)) for width in (32, 64, 128)}, path)


def gligen(path: Path) -> None:
    from diffusers import UNet2DConditionModel

    config = {k: v for k, v in checkpoints.UNET.items() if not k.startswith("_")}
    unet = UNet2DConditionModel(**config, attention_type=["gated", "text", "image"][0])
    names = tensor_names.ldm_modules(name for name, _ in unet.named_modules())
    save_file(visions.gligen(unet, {ours: theirs for theirs, ours in names.items()}), path)


def relative(name: str) -> Callable[[Path], object]:
    return lambda path: relatives.write(name, path)


def control(name: str) -> Callable[[Path], object]:
    return lambda path: controls.write(name, path)


def vision(kind: str) -> Callable[[Path], object]:
    return lambda path: visions.write(path, visions.state(kind))


def as_wide_as_sdxl(path: Path) -> None:
    """A vision model that gives as many features as SDXL is told of a prompt."""
    state = visions.state("clip")
    width = state["visual_projection.weight"].shape[1]
    visions.write(path, {**state, "visual_projection.weight": torch.randn(64, width) / 8})


# What stands in the place of each published model: its folder, and what writes it.
MODELS: dict[str, tuple[str, Callable[[Path], object]]] = {
    "sd1.safetensors": ("checkpoints", sd1),
    "other sd1.safetensors": ("checkpoints", lambda path: sd1(path, 7)),
    "inpainting.safetensors": ("checkpoints", inpainting),
    "sd2.safetensors": ("checkpoints", relative("sd2")),
    "unclip.safetensors": ("checkpoints", relative("sd2 unclip")),
    "sdxl.safetensors": ("checkpoints", relative("sdxl")),
    "refiner.safetensors": ("checkpoints", relative("refiner")),
    "vae.safetensors": ("vae", vae),
    "flux1-fill-dev.safetensors": ("diffusion_models", filling),
    "ae.safetensors": ("vae", lambda path: save_file(vae_tensors("flux"), path)),
    "lora.safetensors": ("loras", checkpoints.micro_lora),
    "hypernetwork.pt": ("hypernetworks", hypernetwork),
    "sd1 control.safetensors": ("controlnet", control("sd1")),
    "adapter.safetensors": ("controlnet", control("adapter")),
    "flux control.safetensors": ("controlnet", control("flux")),
    "sd3 control.safetensors": ("controlnet", control("sd3")),
    "siglip.safetensors": ("clip_vision", vision("siglip")),
    "vision.safetensors": ("clip_vision", as_wide_as_sdxl),
    "SDA768.pt": (
        "embeddings",
        lambda path: torch.save({"string_to_param": {"*": torch.randn(2, 64) / 8}}, path),
    ),
    "redux.safetensors": (
        "style_models",
        lambda path: save_file(visions.redux().state_dict(), path),
    ),
    "gligen.safetensors": ("gligen", gligen),
}
WHOLE = {"auraflow", "flux-dev", "sd3"}
STAND_INS = {
    "v1-5-pruned-emaonly.ckpt": "sd1.safetensors",
    "Anything-V3.0.ckpt": "sd1.safetensors",
    "AbyssOrangeMix2_hard.safetensors": "other sd1.safetensors",
    "cardosAnime_v10.safetensors": "other sd1.safetensors",
    "AOM3A1.safetensors": "other sd1.safetensors",
    "512-inpainting-ema.safetensors": "inpainting.safetensors",
    "sd-v1-5-inpainting.ckpt": "inpainting.safetensors",
    "v2-1_768-ema-pruned.ckpt": "sd2.safetensors",
    "wd-illusion-fp16.safetensors": "sd2.safetensors",
    "sd21-unclip-h.ckpt": "unclip.safetensors",
    "sd_xl_base_1.0.safetensors": "sdxl.safetensors",
    "sd_xl_refiner_1.0.safetensors": "refiner.safetensors",
    "sd_xl_turbo_1.0_fp16.safetensors": "sdxl.safetensors",
    "aura_flow_0.2.safetensors": "auraflow/model.safetensors",
    "flux1-dev-fp8.safetensors": "flux-dev/model.safetensors",
    "sd3.5_large_fp8_scaled.safetensors": "sd3/model.safetensors",
    "sd3.5_large.safetensors": "sd3/model.safetensors",
    "sd3_medium.safetensors": "sd3/model.safetensors",
    "sd3_medium_incl_clips_t5xxlfp8.safetensors": "sd3/model.safetensors",
    "flux1-dev.safetensors": "flux-dev.safetensors",
    "flux1-schnell.safetensors": "flux.safetensors",
    "vae-ft-mse-840000-ema-pruned.safetensors": "vae.safetensors",
    "kl-f8-anime2.ckpt": "vae.safetensors",
    "epiNoiseoffset_v2.safetensors": "lora.safetensors",
    "dantionMarbleStatues_10.pt": "hypernetwork.pt",
    "control_scribble.safetensors": "sd1 control.safetensors",
    "t2iadapter_depth_sd14v1.pth": "adapter.safetensors",
    "instantx_flux_canny.safetensors": "flux control.safetensors",
    "sd3_controlnet_canny.safetensors": "sd3 control.safetensors",
    "sd3.5_large_controlnet_canny.safetensors": "sd3 control.safetensors",
    "sigclip_vision_patch14_384.safetensors": "siglip.safetensors",
    "clip_vision_g.safetensors": "vision.safetensors",
    "flux1-redux-dev.safetensors": "redux.safetensors",
    "gligen_sd14_textbox_pruned.safetensors": "gligen.safetensors",
    "RealESRGAN_x4plus.pth": "realesrgan-x4plus-anime.safetensors",
    "RealESRGAN_x2.pth": "realesr-animevideov3-x4.safetensors",
}


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    root = tmp_path_factory.mktemp("models")
    for name, (folder, write) in MODELS.items():
        (root / folder).mkdir(exist_ok=True)
        write(root / folder / name)
    for name in WHOLE:
        FORMS["whole"].write(name, root)
    for name in ("flux", "flux-dev"):
        flows.write(name, root / "diffusion_models" / f"{name}.safetensors")
    (root / "text_encoders").mkdir()
    for family in ("flux", "sd3"):
        for tower in ("clip_l", "clip_g", "t5xxl"):
            if (family, tower) != ("flux", "clip_g"):
                write_encoder(
                    family, tower, root / "text_encoders" / f"{family} {tower}.safetensors"
                )
    (root / "input").mkdir()
    drawn = numpy.random.default_rng(3).integers(0, 256, (64, 64, 4), dtype=numpy.uint8)
    drawn[..., 3] = 255
    drawn[16:48, 16:48, 3] = 0
    Image.fromarray(drawn).save(root / "input" / "picture.png")
    return root


def small(node: Node) -> Node:
    """With the models that are there, and an eighth of its sizes."""
    params: dict[str, Any] = {}
    for name, value in node.params.items():
        if name == "file":
            params[name] = STAND_INS.get(value, value)
            if node.type == "core.load_image":
                params[name] = "picture.png"
        elif name == "files":
            family = node.params["family"]
            params[name] = [{**row, "file": f"{family} {tower(row['file'])}"} for row in value]
        elif name in SIZES and node.type != "core.set_sizes":
            least = 8 if name in ("width", "height") else 0
            params[name] = max(least, round(value / SMALLER / 8) * 8)
        elif name == "megapixels":
            params[name] = value / SMALLER**2
        else:
            params[name] = value
    return replace(node, params=params)


def tower(file: str) -> str:
    return next(name for name in ("clip_l", "clip_g", "t5xxl") if name in file) + ".safetensors"


@pytest.mark.skipif(not FILES, reason="PONYSTUDIO_TEST_DATA names no published files")
@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name.partition(".")[0])
def test_a_published_graph_runs_to_a_picture(path, root, tmp_path):
    graph = import_document(json.loads(path.read_text("utf-8"))).graph
    graph = Graph({id: small(node) for id, node in graph.nodes.items()})
    folders = ModelFolders([root, Path(resource("models"))])
    output = tmp_path / "output"
    run_graph(graph, folders=folders, output=output, device="cpu", dtype="fp32")
    pictures = list(output.rglob("*.png"))
    assert pictures
    for picture in pictures:
        assert numpy.asarray(Image.open(picture).convert("RGB")).std() > 1
