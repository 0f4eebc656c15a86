"""ControlNets and their kin, and models that are shown a picture."""

from __future__ import annotations

from dataclasses import replace

from ponystudio.graph.comfyui.exporting.export_mapping import (
    ExportBuilder,
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

# What a union is told of the picture.
KINDS = {"hed/pidi/scribble/ted": "scribble", "canny/lineart/anime_lineart/mlsd": "canny"}
_BOTH = {
    "conditioning": "positive",
    "positive": "positive",
    "negative": "negative",
    "control_net": "controlnet",
    "image": "image",
    "vae": "vae",
    "mask": "mask",
    "strength": "strength",
    "start_percent": "start",
    "end_percent": "end",
}


def apply(node: SourceNode, builder: Builder) -> Outputs:
    """A kind that was chosen for the network is said where it is applied."""
    values = {ours: node.inputs[name] for name, ours in _BOTH.items() if name in node.inputs}
    network = builder.output(node.inputs.get("control_net"))
    if network and network.control_kind:
        values["kind"] = network.control_kind
    id = builder.add(node, "core.apply_controlnet", values)
    return [MappedOutput(Link(id, name)) for name in ("positive", "negative")]


def set_kind(node: SourceNode, builder: Builder) -> Outputs:
    found, said = builder.output(node.inputs.get("control_net")), node.inputs.get("type", "auto")
    if not isinstance(said, str):
        builder.tell(node, "its type comes from a wire, and is left out")
        return [found]
    return [found and replace(found, control_kind=KINDS.get(said, said))]


LOADED = Mapped(
    "core.load_controlnet",
    {"model": "model", "control_net_name": ("file", file_name)},
    ("controlnet",),
)

_SHOWN = {"positive": "positive", "negative": "negative", "vae": "vae", "pixels": "image"}

MAPPINGS: dict[str, NodeMapping] = {
    "InstructPixToPixConditioning": Mapped(
        "core.edit_picture", _SHOWN, ("positive", "negative", "latent")
    ),
    "InpaintModelConditioning": Mapped(
        "core.inpaint_model",
        {**_SHOWN, "mask": "mask", "noise_mask": "keep"},
        ("positive", "negative", "latent"),
    ),
    "ReferenceLatent": Mapped(
        "core.reference_latent",
        {"conditioning": "conditioning", "latent": "latent"},
        ("conditioning",),
    ),
    "FluxKontextImageScale": Mapped("core.scale_for_kontext", {"image": "image"}, ("image",)),
    "ControlNetLoader": LOADED,
    "DiffControlNetLoader": LOADED,
    "SetUnionControlNetType": set_kind,
    "ControlNetApply": apply,
    "ControlNetApplyAdvanced": apply,
    "ControlNetApplySD3": apply,
    "ControlNetInpaintingAliMamaApply": apply,
}


_THEIR_KINDS = {ours: theirs for theirs, ours in KINDS.items()}


def export_apply(node: OurNode, builder: ExportBuilder) -> Targets:
    """By what it is given; the kind of its picture is told to the network before."""
    network = node["controlnet"]
    if (kind := node["kind"]) != "auto":
        type = _THEIR_KINDS.get(kind, kind)
        said = {"control_net": network, "type": type}
        network = Wire(builder.add(node, "SetUnionControlNetType", said, beside="kind"), 0)
    inputs = {"control_net": network, "image": node["image"], "strength": node["strength"]}
    always = node.is_default("start") and node.is_default("end")
    if not node.is_wired("negative") and always and not node.is_wired("vae"):
        node.seen |= {"start", "end"}
        inputs["conditioning"] = node["positive"]
        id = builder.add(node, "ControlNetApply", inputs)
        return {"positive": Target(Wire(id, 0))}
    positive = node["positive"]
    inputs |= {"positive": positive, "negative": node["negative"] or positive, "vae": node["vae"]}
    inputs |= {"start_percent": node["start"], "end_percent": node["end"]}
    type = "ControlNetApplyAdvanced"
    if node.is_wired("mask"):
        type = "ControlNetInpaintingAliMamaApply"
        inputs["mask"] = node["mask"]
    elif node.was == "ControlNetApplySD3" and node.is_wired("vae"):
        type = node.was
    id = builder.add(node, type, inputs)
    return {name: Target(Wire(id, i)) for i, name in enumerate(("positive", "negative"))}


EXPORTS: dict[str, NodeExport] = {"core.apply_controlnet": export_apply}
