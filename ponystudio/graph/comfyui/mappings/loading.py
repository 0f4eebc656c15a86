"""Loaders of models, and LoRAs."""

from __future__ import annotations

from dataclasses import replace

from ponystudio.graph.comfyui.exporting.export_mapping import (
    ExportBuilder,
    Inverse,
    NodeExport,
    OurNode,
    Target,
    Targets,
)
from ponystudio.graph.comfyui.mapping import (
    Builder,
    Mapped,
    MappedOutput,
    NodeMapping,
    Outputs,
    file_name,
)
from ponystudio.graph.comfyui.source_graph import SourceNode, Wire
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


# Its configuration reads the last layer but one, though it does not say so.
_ANYTHING = "anything_v3"


def configured(node: SourceNode, builder: Builder) -> Outputs:
    """A checkpoint whose configuration says what it predicts, and which layer it reads."""
    config = str(file_name(node.inputs.get("config_name", ""))).rpartition("/")[2]
    values = {"file": file_name(node.inputs.get("ckpt_name", ""))}
    if config.startswith("v2-inference-v"):
        values["prediction"] = "v"
    id = builder.add(node, "core.load_checkpoint", values)
    outputs = [MappedOutput(Link(id, name)) for name in ("model", "clip", "vae")]
    if not config.startswith(("v1-", "v2-", _ANYTHING)):
        builder.tell(node, f"its configuration {config!r} is not known: the file's own is taken")
    if "clip_skip_2" in config or config.startswith(_ANYTHING):
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
    if layer == -1 and "stop_at_clip_layer" in node.inputs:
        builder.tell(node, "of SDXL and SD3 the last layer but one is read all the same")
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

_THEIR_FAMILIES = {ours: theirs for theirs, ours in FAMILIES.items()}
_CLIP_LOADERS = ("CLIPLoader", "DualCLIPLoader", "TripleCLIPLoader")


def export_clip(node: OurNode, builder: ExportBuilder) -> Targets:
    """By the number of files; one alone is told by what is in it."""
    rows = [row for row in node["files"] or [] if row.get("on", True)]
    files, family = [row.get("file", "") for row in rows] or [""], node["family"]
    if len(files) > len(_CLIP_LOADERS):
        builder.tell(node, f"there are three text encoders at most: {files.pop()} is left out")
    said = {f"clip_name{i if len(files) > 1 else ''}": name for i, name in enumerate(files, 1)}
    if len(files) < 3:
        alone = len(files) < 2 and family not in FAMILIES.values()
        said["type"] = "stable_diffusion" if alone else _THEIR_FAMILIES.get(family, family)
    id = builder.add(node, _CLIP_LOADERS[len(files) - 1], said)
    return {"clip": Target(Wire(id, 0))}


def _predicting(node: OurNode, builder: ExportBuilder, targets: Targets) -> Targets:
    """With a node behind the model where it is said what that predicts."""
    said = node["prediction"]
    if said == "auto":
        return targets
    sampling = {
        "model": targets["model"].wire,
        "sampling": "v_prediction" if said.startswith("v") else "eps",
        "zsnr": said.endswith("zero SNR"),
    }
    id = builder.add(node, "ModelSamplingDiscrete", sampling, beside="prediction")
    return {**targets, "model": Target(Wire(id, 0))}


def export_checkpoint(node: OurNode, builder: ExportBuilder) -> Targets:
    found = Inverse.of(node.node.type, MAPPINGS)(node, builder)
    return _predicting(node, builder, found)


def export_model(node: OurNode, builder: ExportBuilder) -> Targets:
    said = {"unet_name": node["file"], "weight_dtype": "default"}
    found = {"model": Target(Wire(builder.add(node, "UNETLoader", said), 0))}
    return _predicting(node, builder, found)


def export_loras(node: OurNode, builder: ExportBuilder) -> Targets:
    """A node for each that is switched on, one after the other."""
    wires = {name: node[name] for name in ("model", "clip") if node.is_wired(name)}
    off = 0
    for place, row in enumerate(node["loras"] or []):
        if not row.get("on", True):
            off += 1
            continue
        strength = row.get("strength", 1.0)
        said = {"lora_name": row.get("file", ""), "strength_model": strength, **wires}
        type = "LoraLoaderModelOnly"
        if "clip" in wires:
            type, said["strength_clip"] = "LoraLoader", row.get("clip_strength", 1.0)
        beside = f"LoRA {place + 1}" if place else ""
        id = builder.add(node, type, said, beside=beside)
        wires = {name: Wire(id, slot) for slot, name in enumerate(wires)}
    if off:
        what = "a LoRA that is" if off == 1 else f"{off} LoRAs that are"
        builder.tell(node, f"{what} switched off cannot stand there")
    return {name: Target(wire) for name, wire in wires.items() if wire}


def export_tokenizer(node: OurNode, builder: ExportBuilder) -> Targets:
    builder.tell(node, "ComfyUI has the tokenizer of a model by itself: this one is left out")
    node.seen.update(node)
    target = node.target("clip")
    return {"clip": target} if target else {}


EXPORTS: dict[str, NodeExport] = {
    "core.load_clip": export_clip,
    "core.load_checkpoint": export_checkpoint,
    "core.load_model": export_model,
    "core.apply_loras": export_loras,
    "core.set_tokenizer": export_tokenizer,
}
