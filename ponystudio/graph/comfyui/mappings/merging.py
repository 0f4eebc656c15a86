"""Models and text encoders put together, and saved."""

from __future__ import annotations

from typing import Any

from ponystudio.graph.comfyui.core_nodes import signatures
from ponystudio.graph.comfyui.exporting.export_mapping import (
    ExportBuilder,
    NodeExport,
    OurNode,
    Target,
    Targets,
)
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


_BY_BLOCKS = (
    *("ModelMergeBlocks", "ModelMergeSD1", "ModelMergeSD2", "ModelMergeSDXL"),
    "ModelMergeSD3_2B",
    *("ModelMergeSD35_Large", "ModelMergeFlux1", "ModelMergeAuraflow"),
)

MAPPINGS: dict[str, NodeMapping] = {
    "LoraSave": save_lora,
    **dict.fromkeys(("CheckpointSave", "ModelSave", "CLIPSave", "VAESave"), save),
    "ModelMergeSimple": Mapped(
        "core.merge_models",
        {**_MODELS, "ratio": "ratio"},
        ("model",),
        fixed={"share": "first", "curve": "flat", "blocks": ""},
    ),
    **dict.fromkeys(_BY_BLOCKS, by_blocks),
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


def export_save(node: OurNode, builder: ExportBuilder) -> Targets:
    """By what is saved."""
    parts = {name: node[name] for name in ("model", "clip", "vae") if node.is_wired(name)}
    single = {"model": "ModelSave", "clip": "CLIPSave", "vae": "VAESave"}
    type = single[next(iter(parts))] if len(parts) == 1 else "CheckpointSave"
    builder.add(node, type, {**parts, "filename_prefix": node["prefix"]})
    return {}


def _ratios(text: str) -> dict[str, float]:
    """Those of blocks, a line each."""
    pairs = (line.rpartition(":") for line in text.splitlines() if line.strip())
    return {name.strip(): float(value) for name, _, value in pairs}


def _block_class(node: OurNode, names: set[str]) -> str:
    """The class that has a ratio for each of these blocks; "" for none."""
    known = [node.was, *_BY_BLOCKS] if node.was in _BY_BLOCKS else [*_BY_BLOCKS]
    return next(
        (type for type in known if names <= {name for name, _, _ in signatures()[type].inputs}), ""
    )


def export_merge(node: OurNode, builder: ExportBuilder) -> Targets:
    said: dict[str, Any] = {theirs: node[ours] for theirs, ours in _MODELS.items()}
    ratio, text = node["ratio"], node["blocks"]
    second = node["share"] == "second"
    if isinstance(ratio, Wire) and (second or text):
        builder.tell(node, "its ratio comes from a wire: 0.5 stands there")
        ratio = 0.5
    try:
        blocks = {} if isinstance(text, Wire) else _ratios(text)
    except ValueError:
        builder.tell(node, "its ratios of blocks cannot be read, and are left out")
        blocks = {}
    if second:  # theirs is the share of the first
        ratio, blocks = 1 - ratio, {name: 1 - value for name, value in blocks.items()}
    type = _block_class(node, set(blocks)) if blocks or node.was in _BY_BLOCKS else ""
    if blocks and not type:
        builder.tell(node, "no node there has ratios for these blocks: the whole ratio is taken")
    if not type or isinstance(ratio, Wire):
        id = builder.add(node, "ModelMergeSimple", {**said, "ratio": ratio})
        return {"model": Target(Wire(id, 0))}
    names = [name for name, _, _ in signatures()[type].inputs if name not in _MODELS]
    said |= {name: blocks.get(name, ratio) for name in names}
    return {"model": Target(Wire(builder.add(node, type, said), 0))}


def export_lora(node: OurNode, builder: ExportBuilder) -> Targets:
    said = {"model_diff": node["model"], "text_encoder_diff": node["clip"], "rank": node["rank"]}
    said |= {"bias_diff": node["biases"], "filename_prefix": node["prefix"]}
    said["lora_type"] = "full_diff" if node["whole"] is True else "standard"
    builder.add(node, "LoraSave", said)
    return {}


def export_difference(node: OurNode, builder: ExportBuilder) -> Targets:
    """What two models differ by, added to a third."""
    parts = {"model1": node["tuned"], "model2": node["base"], "multiplier": node["ratio"]}
    difference = Wire(builder.add(node, "ModelMergeSubtract", parts, beside="difference"), 0)
    said = {"model1": node["model"], "model2": difference}
    return {"model": Target(Wire(builder.add(node, "ModelMergeAdd", said), 0))}


EXPORTS: dict[str, NodeExport] = {
    "core.save_checkpoint": export_save,
    "core.save_lora": export_lora,
    "core.merge_models": export_merge,
    "core.add_difference": export_difference,
}
