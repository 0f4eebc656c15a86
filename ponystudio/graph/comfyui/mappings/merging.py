"""Models and text encoders put together."""

from __future__ import annotations

from ponystudio.graph.comfyui.mapping import Builder, Mapped, NodeMapping, Outputs
from ponystudio.graph.comfyui.source_graph import SourceNode

_MODELS = {"model1": "model", "model2": "other"}
_CLIPS = {"clip1": "clip", "clip2": "other"}


def save(node: SourceNode, builder: Builder) -> Outputs:
    """A whole checkpoint, or a part of one."""
    links = {name: builder.link(node.inputs.get(name)) for name in ("model", "clip", "vae")}
    prefix = builder.link(node.inputs.get("filename_prefix"))
    params = {} if prefix else {"prefix": node.inputs.get("filename_prefix", "checkpoints/merged")}
    builder.add(node, "core.save_checkpoint", params, {**links, "prefix": prefix})
    return []


MAPPINGS: dict[str, NodeMapping] = {
    **dict.fromkeys(("CheckpointSave", "ModelSave", "CLIPSave", "VAESave"), save),
    "ModelMergeSimple": Mapped(
        "core.merge_models",
        {**_MODELS, "ratio": "ratio"},
        ("model",),
        fixed={"share": "first", "curve": "flat", "blocks": ""},
    ),
    "ModelMergeAdd": Mapped("core.add_models", _MODELS, ("model",), fixed={"multiplier": 1.0}),
    "ModelMergeSubtract": Mapped(
        "core.subtract_models", {**_MODELS, "multiplier": "multiplier"}, ("model",)
    ),
    "CLIPMergeSimple": Mapped(
        "core.merge_clips", {**_CLIPS, "ratio": "ratio"}, ("clip",), fixed={"how": "weighted"}
    ),
    "CLIPMergeAdd": Mapped(
        "core.merge_clips", _CLIPS, ("clip",), fixed={"how": "add", "ratio": 1.0}
    ),
    "CLIPMergeSubtract": Mapped(
        "core.merge_clips", {**_CLIPS, "multiplier": "ratio"}, ("clip",), fixed={"how": "subtract"}
    ),
}
