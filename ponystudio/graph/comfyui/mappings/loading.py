"""Loaders of models, and LoRAs."""

from __future__ import annotations

from dataclasses import replace

from ponystudio.graph.comfyui.mapping import (
    Builder,
    Mapped,
    MappedOutput,
    NodeMapping,
    Outputs,
    file_name,
)
from ponystudio.graph.comfyui.source_graph import SourceNode
from ponystudio.graph.model import Link

CHECKPOINT = Mapped(
    "core.load_checkpoint", {"ckpt_name": ("file", file_name)}, ("model", "clip", "vae")
)
LORA = Mapped(
    "core.apply_lora",
    {
        "model": "model",
        "clip": "clip",
        "lora_name": ("file", file_name),
        "strength_model": "strength",
        "strength_clip": "clip_strength",
    },
    ("model", "clip"),
)
# What CLIPLoader and its kin call the families of models.
FAMILIES = {
    "stable_diffusion": "sd1",
    "sdxl": "sdxl",
    "sd3": "sd3",
    "flux": "flux",
}


def clip(node: SourceNode, builder: Builder) -> Outputs | None:
    """One to three files, and whose they are."""
    said = node.inputs.get("type", "sd3" if node.type == "TripleCLIPLoader" else "")
    node.inputs.get("device")
    if not isinstance(said, str) or said not in FAMILIES:
        builder.tell(node, f"text encoders of the type {said!r} are not known here")
        return None
    names = (f"clip_name{i}" for i in ("", 1, 2, 3))
    rows = [
        {"file": file_name(node.inputs[name]), "on": True} for name in names if name in node.inputs
    ]
    id = builder.add(node, "core.load_clip", {"files": rows, "family": FAMILIES[said]})
    return [MappedOutput(Link(id, "clip"))]


def configured(node: SourceNode, builder: Builder) -> Outputs:
    """A checkpoint whose configuration says what it predicts, and which layer it reads."""
    config = str(node.inputs.get("config_name", ""))
    values = {"file": file_name(node.inputs.get("ckpt_name", ""))}
    if config.startswith("v2-inference-v"):
        values["prediction"] = "v"
    id = builder.add(node, "core.load_checkpoint", values)
    outputs = [MappedOutput(Link(id, name)) for name in ("model", "clip", "vae")]
    if "clip_skip_2" in config:
        outputs[1] = replace(outputs[1], clip_skip=2)
    return outputs


def unet(node: SourceNode, builder: Builder) -> Outputs:
    """Numbers narrower than those of the file are chosen for all of a run here."""
    if (dtype := node.inputs.get("weight_dtype", "default")) != "default":
        builder.tell(node, f"weight_dtype {dtype} is for the settings of the run")
    id = builder.add(node, "core.load_model", {"file": file_name(node.inputs.get("unet_name", ""))})
    return [MappedOutput(Link(id, "model"))]


def last_layer(node: SourceNode, builder: Builder) -> Outputs:
    """Which layer of a text encoder is read is said by our prompts."""
    found = builder.output(node.inputs.get("clip"))
    layer = node.inputs.get("stop_at_clip_layer", -1)
    if not isinstance(layer, int):
        builder.tell(node, "its layer comes from a wire, and is left out")
        return [found]
    return [found and MappedOutput(found.link, -layer)]


MAPPINGS: dict[str, NodeMapping] = {
    "CheckpointLoaderSimple": CHECKPOINT,
    "CheckpointLoader": configured,
    "ImageOnlyCheckpointLoader": Mapped(
        "core.load_checkpoint", {"ckpt_name": ("file", file_name)}, ("model", "vision", "vae")
    ),
    "unCLIPCheckpointLoader": Mapped(
        "core.load_checkpoint",
        {"ckpt_name": ("file", file_name)},
        ("model", "clip", "vae", "vision"),
    ),
    "VAELoader": Mapped("core.load_vae", {"vae_name": ("file", file_name)}, ("vae",)),
    "UNETLoader": unet,
    "CLIPLoader": clip,
    "DualCLIPLoader": clip,
    "TripleCLIPLoader": clip,
    "CLIPSetLastLayer": last_layer,
    "LoraLoader": LORA,
    "LoraLoaderModelOnly": Mapped(
        "core.apply_lora",
        {"model": "model", "lora_name": ("file", file_name), "strength_model": "strength"},
        ("model",),
    ),
    "HypernetworkLoader": Mapped(
        "core.apply_hypernetwork",
        {
            "model": "model",
            "hypernetwork_name": ("file", file_name),
            "strength": "strength",
        },
        ("model",),
    ),
    "UpscaleModelLoader": Mapped(
        "core.load_upscaler", {"model_name": ("file", file_name)}, ("upscaler",)
    ),
}
