"""Prompts, and where and when they hold."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from ponystudio.graph.comfyui.mapping import Builder, Mapped, MappedOutput, NodeMapping, Outputs
from ponystudio.graph.comfyui.source_graph import SourceNode
from ponystudio.graph.model import Link

_PASSED = {"conditioning": "conditioning"}


def encode(node: SourceNode, builder: Builder) -> Outputs:
    clip = builder.output(node.inputs.get("clip"))
    params: dict[str, Any] = {"dialect": "comfyui", "empty": "encode"}
    if clip:
        params["clip_skip"] = clip.clip_skip
    links = {"clip": clip.link if clip else None, "text": builder.link(node.inputs.get("text"))}
    if not links["text"]:
        params["text"] = node.inputs.get("text", "")
    id = builder.add(node, "core.encode_prompt", params, links)
    return [MappedOutput(Link(id, "conditioning"))]


def encode_texts(node: SourceNode, builder: Builder) -> Outputs:
    """Texts for each text encoder; sizes and guidance are nodes of their own."""
    inputs, clip = node.inputs, builder.output(node.inputs.get("clip"))
    params: dict[str, Any] = {"dialect": "comfyui"}
    nothing = inputs.get("empty_padding") == "none"
    params["empty"] = "zeros" if nothing else "encode"
    links = {"clip": clip.link if clip else None}
    if clip:
        params["clip_skip"] = clip.clip_skip
    for theirs, ours in (
        *(("clip_l", "clip_l"), ("text_l", "clip_l")),
        *(("clip_g", "clip_g"), ("text_g", "clip_g"), ("t5xxl", "t5")),
    ):
        if theirs in inputs:
            link = builder.link(inputs[theirs])
            if link:
                links[ours] = link
            else:
                params[ours] = inputs[theirs]
    last = Link(builder.add(node, "core.encode_texts", params, links), "conditioning")
    further: list[tuple[str, dict[str, str]]] = [
        ("core.set_guidance", {"guidance": "guidance"}),
        (
            "core.set_sizes",
            {
                "width": "width",
                "height": "height",
                "crop_w": "crop_left",
                "crop_h": "crop_top",
                "target_width": "target_width",
                "target_height": "target_height",
            },
        ),
    ]
    for type, names in further:
        if not names.keys() & inputs.keys():
            continue
        values = {ours: inputs[theirs] for theirs, ours in names.items() if theirs in inputs}
        wired = {ours: link for ours, value in values.items() if (link := builder.link(value))}
        plain = {ours: value for ours, value in values.items() if ours not in wired}
        wired["conditioning"] = last
        last = Link(builder.add(node, type, plain, wired, beside="sizes"), "conditioning")
    return [MappedOutput(last)]


def encode_for_refiner(node: SourceNode, builder: Builder) -> Outputs:
    """A prompt, and what the refiner is told of the picture."""
    words = {name: node.inputs[name] for name in ("text", "clip") if name in node.inputs}
    (prompt,) = encode(replace(node, inputs=words), builder)
    assert prompt is not None
    params, links = {}, {"conditioning": prompt.link}
    for theirs, ours in (("ascore", "score"), ("width", "width"), ("height", "height")):
        if link := builder.link(node.inputs.get(theirs)):
            links[ours] = link
        elif theirs in node.inputs:
            params[ours] = node.inputs[theirs]
    id = builder.add(node, "core.refiner_sizes", params, links, beside="sizes")
    return [MappedOutput(Link(id, "conditioning"))]


def mask(node: SourceNode, builder: Builder) -> Outputs:
    around = node.inputs.get("set_cond_area", "default") != "default"
    id = builder.add(
        node,
        "core.set_region_mask",
        {
            "strength": node.inputs.get("strength", 1.0),
            "seen": "around the mask" if around else "everywhere",
        },
        {name: builder.link(node.inputs.get(name)) for name in ("conditioning", "mask")},
    )
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
            **{name: (name, float) for name in ("x", "y", "width", "height", "strength")},
        },
        ("conditioning",),
        fixed={"unit": "pixels"},
    ),
    "ConditioningSetAreaPercentage": Mapped(
        "core.set_area",
        {
            **_PASSED,
            **{name: (name, float) for name in ("x", "y", "width", "height", "strength")},
        },
        ("conditioning",),
        fixed={"unit": "share"},
    ),
    "ConditioningSetAreaStrength": Mapped(
        "core.set_strength", {**_PASSED, "strength": "strength"}, ("conditioning",)
    ),
    "ConditioningSetMask": mask,
    "ConditioningSetTimestepRange": Mapped(
        "core.set_range", {**_PASSED, "start": "start", "end": "end"}, ("conditioning",)
    ),
    "ConditioningZeroOut": Mapped("core.zero_prompt", _PASSED, ("conditioning",)),
    "FluxGuidance": Mapped(
        "core.set_guidance", {**_PASSED, "guidance": "guidance"}, ("conditioning",)
    ),
}
