"""Turns the reference graphs of data/parity, in ComfyUI's API format, into graphs of ours.

Knows the node types that occur there and nothing else; importing other people's files is the
application's business, not this helper's.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from ponystudio.graph.model import Graph, Link, Node

OUTPUTS = {
    "CheckpointLoaderSimple": ("model", "clip", "vae"),
    "LoraLoader": ("model", "clip"),
    "CLIPTextEncode": ("conditioning",),
    "EmptyLatentImage": ("latent",),
    "KSampler": ("latent",),
    "VAEEncode": ("latent",),
    "VAEDecode": ("image",),
    "LatentUpscaleBy": ("latent",),
    "LoadImage": ("image", "mask"),
}


def read_reference(path: Path, files: dict[str, str]) -> Graph:
    """The graph of one reference, saving its latent as "out"; `files` renames model files."""
    nodes = json.loads(path.read_text())
    clip_skip = {
        key: (-item["inputs"]["stop_at_clip_layer"], item["inputs"]["clip"])
        for key, item in nodes.items()
        if item["class_type"] == "CLIPSetLastLayer"
    }

    def link(value: list[Any]) -> Link:
        source, slot = value
        if source in clip_skip:
            source, slot = clip_skip[source][1]
        return Link(f"n{source}", OUTPUTS[nodes[source]["class_type"]][slot])

    result = []
    for key, item in nodes.items():
        inputs = item["inputs"]
        params: dict[str, Any]
        match item["class_type"]:
            case "CheckpointLoaderSimple":
                kind, params = "core.load_checkpoint", {"file": files[inputs["ckpt_name"]]}
            case "LoraLoader":
                kind = "core.apply_lora"
                params = {
                    "file": files[inputs["lora_name"]],
                    "strength": inputs["strength_model"],
                    "clip_strength": inputs["strength_clip"],
                }
            case "CLIPTextEncode":
                kind = "core.encode_prompt"
                skip = clip_skip[inputs["clip"][0]][0] if inputs["clip"][0] in clip_skip else 0
                params = {"text": inputs["text"], "dialect": "comfyui", "clip_skip": skip}
            case "EmptyLatentImage":
                kind = "core.empty_latent"
                params = {
                    "width": inputs["width"],
                    "height": inputs["height"],
                    "batch": inputs["batch_size"],
                }
            case "KSampler":
                kind = "core.sample"
                params = {
                    name: inputs[name] for name in ("seed", "steps", "cfg", "scheduler", "denoise")
                }
                params["sampler"] = inputs["sampler_name"]
            case "LatentUpscaleBy":
                kind = "core.scale_latent_by"
                params = {"method": inputs["upscale_method"], "factor": inputs["scale_by"]}
            case "SaveLatent":
                kind, params = "core.save_latent", {"prefix": "out"}
            case _:
                continue  # pictures and clip skip: the references are the latents
        names = {"samples": "latent", "latent_image": "latent"}
        result.append(
            Node(
                f"n{key}",
                kind,
                params=params,
                inputs={
                    names.get(name, name): link(value)
                    for name, value in inputs.items()
                    if isinstance(value, list)
                },
            )
        )
    return Graph.of(*result)
