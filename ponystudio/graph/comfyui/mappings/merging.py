"""Models and text encoders put together, and saved."""

from __future__ import annotations

from ponystudio.graph.comfyui.mapping import Builder, Mapped, MappedOutput, NodeMapping, Outputs
from ponystudio.graph.comfyui.source_graph import SourceNode, Wire
from ponystudio.graph.model import Link

_MODELS = {"model1": "model", "model2": "other"}
_CLIPS = {"clip1": "clip", "clip2": "other"}
# Ratios of what is not merged, or not there: tables of positions, and of Stable Diffusion 1 the
# embedding of labels.
_NOTHING = ("pos_embed.", "label_emb.")


def save(node: SourceNode, builder: Builder) -> Outputs:
    """A whole checkpoint, or a part of one."""
    values = {name: node.inputs.get(name) for name in ("model", "clip", "vae")}
    values["prefix"] = node.inputs.get("filename_prefix", "checkpoints/merged")
    builder.add(node, "core.save_checkpoint", values)
    return []


def by_blocks(node: SourceNode, builder: Builder) -> Outputs | None:
    """A merge with a ratio for each beginning of names; what has none takes the first ratio."""
    ratios = {name: value for name, value in node.inputs.items() if name not in _MODELS}
    if any(isinstance(value, Wire) for value in ratios.values()):
        builder.tell(node, "its ratios come from wires, and cannot be told")
        return None
    first = next(iter(ratios.values()), 1.0)
    kept = [name for name in ratios if ratios[name] != first]
    # Of these families SDXL alone has labels.
    skipped = _NOTHING[:1] if node.type == "ModelMergeSDXL" else _NOTHING
    values = {
        **{ours: node.inputs.get(theirs) for theirs, ours in _MODELS.items()},
        "ratio": first,
        "share": "first",
        "curve": "flat",
        "blocks": "\n".join(f"{name}: {ratios[name]:g}" for name in kept if name not in skipped),
    }
    return [MappedOutput(Link(builder.add(node, "core.merge_models", values), "model"))]


def save_lora(node: SourceNode, builder: Builder) -> Outputs:
    """Its differences have no bases: they were taken before."""
    inputs = node.inputs
    values = {
        "model": inputs.get("model_diff"),
        "clip": inputs.get("text_encoder_diff"),
        "rank": inputs.get("rank", 8),
        "whole": inputs.get("lora_type", "standard") == "full_diff",
        "biases": inputs.get("bias_diff", True),
        "prefix": inputs.get("filename_prefix", "loras/ComfyUI_extracted_lora"),
    }
    builder.add(node, "core.save_lora", values)
    return []


MAPPINGS: dict[str, NodeMapping] = {
    "LoraSave": save_lora,
    **dict.fromkeys(("CheckpointSave", "ModelSave", "CLIPSave", "VAESave"), save),
    "ModelMergeSimple": Mapped(
        "core.merge_models",
        {**_MODELS, "ratio": "ratio"},
        ("model",),
        fixed={"share": "first", "curve": "flat", "blocks": ""},
    ),
    **dict.fromkeys(
        (
            *("ModelMergeBlocks", "ModelMergeSD1", "ModelMergeSD2", "ModelMergeSDXL"),
            "ModelMergeSD3_2B",
            *("ModelMergeSD35_Large", "ModelMergeFlux1", "ModelMergeAuraflow"),
        ),
        by_blocks,
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
