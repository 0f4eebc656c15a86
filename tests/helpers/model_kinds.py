"""A small file, or folder, of every kind that a graph can name, and the graph that names them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import torch
from PIL import Image
from safetensors.torch import save_file
from torch import Tensor

from helpers import encoders
from helpers.core_graphs import core
from helpers.gguf_writer import write_gguf
from ponystudio.graph.model import Graph, Node


def weights(seed: int) -> dict[str, Tensor]:
    """Several pages of one tensor, and two small ones."""
    generator = torch.Generator().manual_seed(seed)
    sizes = {"model.diffusion_model.a": 30_000, "model.diffusion_model.b": 7, "c": 900}
    return {name: torch.randn(size, generator=generator) for name, size in sizes.items()}


def write_all(models: Path) -> dict[str, list[Path]]:
    """Node of `graph_of_all` → the files that decide its result."""
    files = {node: [models / name] for node, name in _NAMES.items()}
    folder = models / _NAMES["diffusers"]
    for name in (
        *_NAMES.values(),
        "checkpoints/folder/unet/x",
        "checkpoints/folder/text_encoder/x",
    ):
        (models / name).parent.mkdir(parents=True, exist_ok=True)
    for seed, node in enumerate(("safetensors", "vae", "lora", "latent", "embedding pt")):
        save_file(weights(seed), models / _NAMES[node], metadata={"made by": "nobody"})
    torch.save({"state_dict": weights(9)}, models / _NAMES["zip"])
    torch.save(weights(10), models / _NAMES["legacy"], _use_new_zipfile_serialization=False)
    torch.save({"params_ema": weights(11)}, models / _NAMES["upscaler"])
    torch.save({"string_to_param": {"*": torch.randn(4, 768)}}, models / _NAMES["embedding pt"])
    write_gguf(models / _NAMES["gguf"], {"a": [256, 32]}, kind="Q4_0")
    Image.effect_noise((60, 40), 90).save(models / _NAMES["picture"])
    encoders.write("auraflow", "pile_t5xl", models / _NAMES["clip"])
    (models / _NAMES["tokenizer"]).write_bytes(encoders.tokenizer_model())
    # What lies beside them.
    config = models / "checkpoints" / "a.yaml"
    config.write_text("model:\n  params:\n    parameterization: v\n")
    files["safetensors"].append(config)
    beside = models / "text_encoders" / "a.tokenizer.json"
    beside.write_text('{"version": "1.0"}')
    files["clip"].append(beside)
    save_file(weights(12), folder / "unet" / "diffusion_pytorch_model.safetensors")
    torch.save(weights(13), folder / "text_encoder" / "pytorch_model.bin")
    (folder / "model_index.json").write_text('{"_class_name": "StableDiffusionPipeline"}')
    (folder / "unet" / "config.json").write_text('{"sample_size": 16}')
    files["diffusers"] = [path for path in folder.rglob("*") if path.is_file()]
    return files


def graph_of_all() -> Graph:
    """A node for each, called as in `write_all`."""
    return Graph.of(*_nodes())


_NAMES = {
    "safetensors": "checkpoints/a.safetensors",
    "zip": "checkpoints/b.ckpt",
    "legacy": "checkpoints/c.ckpt",
    "diffusers": "checkpoints/folder",
    "gguf": "diffusion_models/a.gguf",
    "vae": "vae/a.safetensors",
    "lora": "loras/a.safetensors",
    "upscaler": "upscale_models/a.pth",
    "clip": "text_encoders/a.safetensors",
    "tokenizer": "tokenizers/spiece.model",
    "embedding pt": "embeddings/pony.pt",
    "picture": "input/a.png",
    "latent": "latents/a.latent",
}
_TYPES = {
    "gguf": "load_model",
    "vae": "load_vae",
    "lora": "apply_lora",
    "upscaler": "load_upscaler",
    "tokenizer": "set_tokenizer",
    "picture": "load_image",
    "latent": "load_latent",
}


def _nodes() -> Iterator[Node]:
    for node, name in _NAMES.items():
        file = name.partition("/")[2]
        if node == "clip":
            yield core(node, "load_clip", files=[{"file": file}], family="auraflow")
        elif node == "embedding pt":
            yield core(node, "encode_prompt", text="a embedding:pony on the moon")
        else:
            yield core(node, _TYPES.get(node, "load_checkpoint"), file=file)
