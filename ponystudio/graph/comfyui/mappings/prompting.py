"""Prompts, and where and when they hold."""

from __future__ import annotations

from typing import Any

from ponystudio.graph.comfyui.mapping import Builder, Mapped, MappedOutput, NodeMapping, Outputs
from ponystudio.graph.comfyui.source_graph import SourceNode
from ponystudio.graph.model import Link

_PASSED = {"conditioning": "conditioning"}


def encode(node: SourceNode, builder: Builder) -> Outputs:
    values = {
        "text": node.inputs.get("text", ""),
        "dialect": "comfyui",
        "empty": "encode",
        **_clip(node, builder),
    }
    return [MappedOutput(Link(builder.add(node, "core.encode_prompt", values), "conditioning"))]


def _clip(node: SourceNode, builder: Builder) -> dict[str, Any]:
    """The text encoder, and which of its layers was chosen before."""
    clip = builder.output(node.inputs.get("clip"))
    return {"clip": clip, "clip_skip": clip.clip_skip} if clip else {}


_SIZES = {
    "width": "width",
    "height": "height",
    "crop_w": "crop_left",
    "crop_h": "crop_top",
    "target_width": "target_width",
    "target_height": "target_height",
}
_TEXTS = {
    "clip_l": "clip_l",
    "text_l": "clip_l",
    "clip_g": "clip_g",
    "text_g": "clip_g",
    "t5xxl": "t5",
}


def encode_texts(node: SourceNode, builder: Builder) -> Outputs:
    """Texts for each text encoder; sizes and guidance are nodes of their own."""
    nothing = node.inputs.get("empty_padding") == "none"
    values = {
        **{ours: node.inputs[theirs] for theirs, ours in _TEXTS.items() if theirs in node.inputs},
        "dialect": "comfyui",
        "empty": "zeros" if nothing else "encode",
        **_clip(node, builder),
    }
    last = Link(builder.add(node, "core.encode_texts", values), "conditioning")
    for type, names in (
        ("core.set_guidance", {"guidance": "guidance"}),
        ("core.set_sizes", _SIZES),
    ):
        told = {
            ours: node.inputs[theirs] for theirs, ours in names.items() if theirs in node.inputs
        }
        if told:
            told["conditioning"] = last
            last = Link(builder.add(node, type, told, beside="told"), "conditioning")
    return [MappedOutput(last)]


def encode_for_refiner(node: SourceNode, builder: Builder) -> Outputs:
    """A prompt, and what the refiner is told of the picture."""
    (prompt,) = encode(node, builder)
    values = {
        "conditioning": prompt,
        "score": node.inputs.get("ascore"),
        "width": node.inputs.get("width"),
        "height": node.inputs.get("height"),
    }
    id = builder.add(node, "core.refiner_sizes", values, beside="told")
    return [MappedOutput(Link(id, "conditioning"))]


def mask(node: SourceNode, builder: Builder) -> Outputs:
    around = node.inputs.get("set_cond_area", "default") != "default"
    values = {
        "conditioning": node.inputs.get("conditioning"),
        "mask": node.inputs.get("mask"),
        "strength": node.inputs.get("strength", 1.0),
        "seen": "around the mask" if around else "everywhere",
    }
    id = builder.add(node, "core.set_region_mask", values)
    return [MappedOutput(Link(id, "conditioning"))]


MAPPINGS: dict[str, NodeMapping] = {
    "CLIPTextEncode": encode,
    "CLIPTextEncodeSDXL": encode_texts,
    "CLIPTextEncodeSDXLRefiner": encode_for_refiner,
    "CLIPTextEncodeFlux": encode_texts,
    "CLIPTextEncodeSD3": encode_texts,
    "ConditioningCombine": Mapped(
        "core.combine_prompts",
        {"conditioning_1": "first", "conditioning_2": "second"},
        ("conditioning",),
    ),
    "ConditioningConcat": Mapped(
        "core.concat_prompts",
        {"conditioning_to": "first", "conditioning_from": "second"},
        ("conditioning",),
    ),
    "ConditioningAverage": Mapped(
        "core.average_prompts",
        {
            "conditioning_to": "first",
            "conditioning_from": "second",
            "conditioning_to_strength": "strength",
        },
        ("conditioning",),
    ),
    "ConditioningSetArea": Mapped(
        "core.set_area",
        {
            **_PASSED,
            **{name: (name, int) for name in ("x", "y", "width", "height")},
            "strength": ("strength", float),
        },
        ("conditioning",),
    ),
    "ConditioningSetAreaPercentage": Mapped(
        "core.set_area_share",
        {
            **_PASSED,
            **{name: (name, float) for name in ("x", "y", "width", "height", "strength")},
        },
        ("conditioning",),
    ),
    "ConditioningSetAreaStrength": Mapped(
        "core.set_strength", {**_PASSED, "strength": "strength"}, ("conditioning",)
    ),
    "ConditioningSetMask": mask,
    "ConditioningSetTimestepRange": Mapped(
        "core.set_range", {**_PASSED, "start": "start", "end": "end"}, ("conditioning",)
    ),
    "ConditioningZeroOut": Mapped("core.zero_prompt", _PASSED, ("conditioning",)),
    "FluxDisableGuidance": Mapped(
        "core.set_guidance", _PASSED, ("conditioning",), fixed={"off": True}
    ),
    "FluxGuidance": Mapped(
        "core.set_guidance", {**_PASSED, "guidance": "guidance"}, ("conditioning",)
    ),
}
