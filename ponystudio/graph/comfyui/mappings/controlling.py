"""ControlNets and their kin, and models that are shown a picture."""

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
