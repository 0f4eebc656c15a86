"""Prompts, and where and when they hold."""

from __future__ import annotations

import re
from typing import Any

from ponystudio.graph.comfyui.exporting.export_mapping import (
    ExportBuilder,
    Inverse,
    NodeExport,
    OurNode,
    Target,
    Targets,
)
from ponystudio.graph.comfyui.literal_texts import DRAWN_WORDS
from ponystudio.graph.comfyui.mapping import Builder, Mapped, MappedOutput, NodeMapping, Outputs
from ponystudio.graph.comfyui.source_graph import SourceNode, Wire
from ponystudio.graph.model import Link
from ponystudio.graph.plain_json import shown

_PASSED = {"conditioning": "conditioning"}


def encode(node: SourceNode, builder: Builder) -> Outputs:
    _tell_what_is_drawn(node, builder, "text")
    values = {
        "text": node.inputs.get("text", ""),
        "dialect": "comfyui",
        "empty": "encode",
        **_clip(node, builder),
    }
    return [MappedOutput(Link(builder.add(node, "core.encode_prompt", values), "conditioning"))]


def _tell_what_is_drawn(node: SourceNode, builder: Builder, *texts: str) -> None:
    for name in texts:
        said = node.inputs.get(name)
        if isinstance(said, str) and (found := DRAWN_WORDS.search(said)):
            builder.tell(node, f"{shown(found[0])} is plain text here: no word of it is drawn")


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
    _tell_what_is_drawn(node, builder, *_TEXTS)
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


# What A1111 writes in prompts, and ComfyUI does not read, or weighs otherwise.
_SYNTAX = re.compile(r"[()\[\]<>#]|\b(?:BREAK|AND)\b")


def _spoken(node: OurNode, builder: ExportBuilder, *texts: str) -> None:
    """Tell what ComfyUI reads in another way."""
    dialect, empty = node["dialect"], node["empty"]
    said = [str(node.value(name)) for name in texts if not node.is_wired(name)]
    if dialect == "a1111" and any(map(_SYNTAX.search, said)):
        builder.tell(node, "its weights are written for A1111, and weigh otherwise there")
    if empty == "auto" and not all(said) and not builder.family(node):
        builder.tell(node, "no words are encoded like others there; SDXL's are zeros here")


def _at_layer(node: OurNode, builder: ExportBuilder) -> Any:
    """The text encoder, with the layer chosen by a node of its own."""
    clip, skip = node["clip"], node["clip_skip"]
    if isinstance(skip, Wire):
        builder.tell(node, "clip_skip comes from a wire, and is left out")
    elif skip and clip is not None:
        said = {"clip": clip, "stop_at_clip_layer": -skip}
        return Wire(builder.add(node, "CLIPSetLastLayer", said, beside="layer"), 0)
    return clip


def _said_by_reader(node: OurNode, builder: ExportBuilder) -> bool:
    """Whether the node that it leads to says the words, too, as theirs does."""
    reader = builder.only_reader(node)
    if reader is None or reader.node.mode != "normal" or node.node.mode != "normal":
        return False
    match node.node.type, reader.node.type:
        case "core.encode_prompt", "core.refiner_sizes":
            return True
        case "core.encode_prompt" | "core.encode_texts", "core.set_sizes":
            return node.is_default("t5")
        case "core.encode_texts", "core.set_guidance":
            return node.is_default("clip_g") and reader.value("off") is not True
    return False


def _later(node: OurNode) -> Targets:
    node.seen.update(node)
    return {"conditioning": Target(Wire("", 0), words=node)}


def export_prompt(node: OurNode, builder: ExportBuilder) -> Targets:
    if _said_by_reader(node, builder):
        return _later(node)
    _spoken(node, builder, "text")
    said = {"text": node["text"], "clip": _at_layer(node, builder)}
    found = Wire(builder.add(node, "CLIPTextEncode", said), 0)
    zeros = node["empty"] == "zeros" or (node["empty"] == "auto" and builder.family(node) == "sdxl")
    if zeros and not node.is_wired("text") and not node.value("text"):
        nothing = {"conditioning": found}
        found = Wire(builder.add(node, "ConditioningZeroOut", nothing, beside="zeros"), 0)
    return {"conditioning": Target(found)}


def export_texts(node: OurNode, builder: ExportBuilder) -> Targets:
    """Without sizes and guidance SD3's says them; SDXL's and FLUX's have those in them."""
    if _said_by_reader(node, builder):
        return _later(node)
    if node.was == "CLIPTextEncodeSD3" or not (node.is_default("t5") or node.is_default("clip_g")):
        _spoken(node, builder)
        padding = "none" if node["empty"] == "zeros" else "empty_prompt"
        said = {theirs: node[ours] for theirs, ours in _OF_SD3.items()}
        said |= {"clip": _at_layer(node, builder), "empty_padding": padding}
        return {"conditioning": Target(Wire(builder.add(node, "CLIPTextEncodeSD3", said), 0))}
    if node.is_default("t5"):
        builder.tell(node, "it says sizes there, too: of a picture of 1024 × 1024")
        return _with_sizes(node, builder, {})
    builder.tell(node, "it says guidance there, too: 3.5")
    return _with_guidance(node, builder, 3.5)


_OF_SD3 = {"clip_l": "clip_l", "clip_g": "clip_g", "t5xxl": "t5"}


def _with_sizes(words: OurNode, builder: ExportBuilder, sizes: dict[str, Any]) -> Targets:
    both = words.node.type == "core.encode_prompt"
    names = (
        {"text_l": "text", "text_g": "text"} if both else {"text_l": "clip_l", "text_g": "clip_g"}
    )
    _spoken(words, builder, *names.values())
    said = {theirs: words[ours] for theirs, ours in names.items()}
    said |= {"clip": _at_layer(words, builder), **sizes}
    return {"conditioning": Target(Wire(builder.add(words, "CLIPTextEncodeSDXL", said), 0))}


def _with_guidance(words: OurNode, builder: ExportBuilder, guidance: Any) -> Targets:
    _spoken(words, builder, "clip_l", "t5")
    said = {"clip_l": words["clip_l"], "t5xxl": words["t5"], "guidance": guidance}
    said["clip"] = _at_layer(words, builder)
    return {"conditioning": Target(Wire(builder.add(words, "CLIPTextEncodeFlux", said), 0))}


def export_sizes(node: OurNode, builder: ExportBuilder) -> Targets:
    target = node.target("conditioning")
    if target and target.words:
        sizes = {theirs: node[ours] for theirs, ours in _SIZES.items()}
        return _with_sizes(target.words, builder, sizes)
    builder.tell(node, "sizes are said with the words there, and are left out")
    node.seen.update(_SIZES.values())
    return {"conditioning": target} if target else {}


def export_refiner_sizes(node: OurNode, builder: ExportBuilder) -> Targets:
    target = node.target("conditioning")
    said = {"ascore": node["score"], "width": node["width"], "height": node["height"]}
    if target and target.words:
        words = target.words
        _spoken(words, builder, "text")
        said |= {"text": words["text"], "clip": _at_layer(words, builder)}
        id = builder.add(words, "CLIPTextEncodeSDXLRefiner", said)
        return {"conditioning": Target(Wire(id, 0))}
    builder.tell(node, "sizes are said with the words there, and are left out")
    return {"conditioning": target} if target else {}


def export_guidance(node: OurNode, builder: ExportBuilder) -> Targets:
    target = node.target("conditioning")
    if target and target.words:
        return _with_guidance(target.words, builder, node["guidance"])
    if node["off"] is True:
        node.seen.add("guidance")
    return Inverse.of(node.node.type, MAPPINGS)(node, builder)


def export_mask(node: OurNode, builder: ExportBuilder) -> Targets:
    around = node["seen"] == "around the mask"
    said = {name: node[name] for name in ("conditioning", "mask", "strength")}
    said["set_cond_area"] = "mask bounds" if around else "default"
    return {"conditioning": Target(Wire(builder.add(node, "ConditioningSetMask", said), 0))}


EXPORTS: dict[str, NodeExport] = {
    "core.encode_prompt": export_prompt,
    "core.encode_texts": export_texts,
    "core.set_sizes": export_sizes,
    "core.refiner_sizes": export_refiner_sizes,
    "core.set_guidance": export_guidance,
    "core.set_region_mask": export_mask,
}
