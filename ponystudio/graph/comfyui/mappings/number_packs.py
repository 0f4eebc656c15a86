"""Numbers, choices and sizes of packs, and what is computed of them."""

from __future__ import annotations

import re
from typing import Any

from ponystudio.graph.comfyui.core_nodes import Signature, signature
from ponystudio.graph.comfyui.expressions import ExpressionError, evaluate
from ponystudio.graph.comfyui.mapping import (
    Builder,
    Mapped,
    MappedOutput,
    NodeMapping,
    Outputs,
    file_name,
)
from ponystudio.graph.comfyui.mappings.sampling import sampler_name
from ponystudio.graph.comfyui.source_graph import SourceNode
from ponystudio.graph.model import Link

# "SDXL - 3:4 portrait 896x1152", "1024 x 1024  (square)"
_PRESET_SIZE = re.compile(r"(?<![0-9])([0-9]{1,5}) ?x ?([0-9]{1,5})(?![0-9])")


def constant(type: str, name: str = "value") -> Mapped:
    return Mapped(f"core.{type}", {name: "value"}, (type,))


def size_in(text: Any) -> tuple[int, int] | None:
    """The size that the name of a preset ends with."""
    found = _PRESET_SIZE.findall(text) if isinstance(text, str) else []
    return (int(found[-1][0]), int(found[-1][1])) if found else None


def aspect_ratio(node: SourceNode, builder: Builder) -> Outputs | None:
    """A size by the name of its preset, turned and scaled; an empty latent of it."""
    preset = builder.constant(node.inputs.get("aspect_ratio", "custom"))
    said = [builder.constant(node.inputs.get(name, 512)) for name in ("width", "height")]
    size = list(size_in(preset) or said)
    prescale = builder.constant(node.inputs.get("prescale_factor", 1.0))
    if None in size or prescale is None:
        builder.tell(node, "its size is computed from what only a run says")
        return None
    if node.inputs.get("swap_dimensions", "Off") == "On":
        size.reverse()
    width, height = (int(side * prescale) for side in size)
    batch = node.inputs.get("batch_size", 1)
    factors = ("upscale_factor", "prescale_factor")
    first = 2 + sum(name in node.inputs for name in factors)
    values = {
        "width": ("int", width),
        "height": ("int", height),
        **{name: ("float", node.inputs[name]) for name in factors if name in node.inputs},
        "batch_size": ("int", batch),
    }
    outputs: list[MappedOutput | None] = []
    sides: dict[str, Any] = {"width": width, "height": height, "batch_size": batch}
    for slot, (name, (type, value)) in enumerate(values.items()):
        if builder.is_used(node, slot):
            id = builder.add(node, f"core.{type}", {"value": value}, beside=name)
            outputs.append(MappedOutput(Link(id, type)))
            sides[name] = outputs[-1]
        else:
            outputs.append(None)
    if builder.is_used(node, first + 1):
        latent = {"width": sides["width"], "height": sides["height"], "batch": sides["batch_size"]}
        id = builder.add(node, "core.empty_latent", latent)
        return [*outputs, MappedOutput(Link(id, "latent")), None]
    return [*outputs, None, None]


def empty_latent(node: SourceNode, builder: Builder) -> Outputs | None:
    """rgthree's: a size by its name, and that of what the text encoders are told."""
    size = size_in(builder.constant(node.inputs.get("dimensions")))
    scale = builder.constant(node.inputs.get("clip_scale", 2.0))
    if size is None or scale is None:
        builder.tell(node, "its size is in none of its values")
        return None
    values = {"width": size[0], "height": size[1], "batch": node.inputs.get("batch_size", 1)}
    outputs = [MappedOutput(Link(builder.add(node, "core.empty_latent", values), "latent"))]
    for slot, side in enumerate(("width", "height"), start=1):
        if builder.is_used(node, slot):
            told = {"value": int(size[slot - 1] * scale)}
            id = builder.add(node, "core.int", told, beside=f"clip_{side}")
            outputs.append(MappedOutput(Link(id, "int")))
        else:
            outputs.append(outputs[0])
    return outputs


def expression(order: tuple[str, ...]) -> NodeMapping:
    """What is written there, where all that it is made of is known before a run."""

    def mapped(node: SourceNode, builder: Builder) -> Outputs | None:
        text = builder.constant(node.inputs.get("expression", node.inputs.get("value")))
        names: dict[str, int | float] = {}
        for name, value in node.inputs.items():
            if name in ("expression", "value"):
                continue
            number = builder.constant(value)
            if isinstance(number, int | float):
                names[name.rpartition(".")[2]] = number
            elif number is None:
                builder.tell(node, f"{name} is known in a run alone")
                return None
        try:
            result = evaluate(str(text), names)
        except ExpressionError as error:
            builder.tell(node, f"it cannot be computed: {error}")
            return None
        builder.tell(node, f"{text} was computed, and is {result}")
        outputs: list[MappedOutput | None] = []
        for slot, type in enumerate(order):
            if builder.is_used(node, slot):
                value = int(result) if type == "int" else float(result)
                id = builder.add(node, f"core.{type}", {"value": value}, beside=type)
                outputs.append(MappedOutput(Link(id, type)))
            else:
                outputs.append(None)
        return outputs

    return mapped


_CHOICE = ("text",)
# Those of Image Saver were called without its name once.
_IMAGE_SAVER: dict[str, Mapped] = {
    "Int Literal": constant("int", "int"),
    "Float Literal": constant("float", "float"),
    "Width/Height Literal": constant("int", "int"),
    "Cfg Literal": constant("float", "float"),
    "Sampler Selector": Mapped(
        "core.text", {"sampler_name": ("value", sampler_name)}, ("text", "text")
    ),
    "Scheduler Selector": Mapped("core.text", {"scheduler": "value"}, ("text", "text")),
    "Checkpoint Selector": Mapped("core.text", {"ckpt_name": ("value", file_name)}, _CHOICE),
}
_SAVER_VALUES = {
    "Int Literal": ("int", "INT"),
    "Float Literal": ("float", "FLOAT"),
    "Width/Height Literal": ("int", "INT"),
    "Cfg Literal": ("float", "FLOAT"),
    "Sampler Selector": ("sampler_name", "sampler, sampler_name"),
    "Scheduler Selector": ("scheduler", "scheduler, scheduler_name"),
    "Checkpoint Selector": ("ckpt_name", "ckpt_name"),
}
_RATIOS = ("CR Aspect Ratio", "CR SDXL Aspect Ratio", "CR SD1.5 Aspect Ratio")
_SIDES = "width, height, aspect_ratio, swap_dimensions, upscale_factor"
_MATH = "a, b, c"

MAPPINGS: dict[str, NodeMapping] = {
    **dict.fromkeys(("INTConstant", "easy int", "ImpactInt"), constant("int")),
    **dict.fromkeys(("FloatConstant", "easy float", "ImpactFloat"), constant("float")),
    **dict.fromkeys(("BOOLConstant", "easy boolean", "ImpactBoolean"), constant("bool")),
    **_IMAGE_SAVER,
    **{f"{name} (Image Saver)": how for name, how in _IMAGE_SAVER.items()},
    **dict.fromkeys(_RATIOS, aspect_ratio),
    "SDXL Empty Latent Image (rgthree)": empty_latent,
    "MathExpression|pysssss": expression(("int", "float")),
    "SimpleMath+": expression(("int", "float")),
    "ComfyMathExpression": expression(("float", "int")),
}

SIGNATURES: dict[str, Signature] = {
    **dict.fromkeys(
        ("INTConstant", "FloatConstant", "BOOLConstant"), signature("", "value", "value")
    ),
    **dict.fromkeys(("easy int", "easy float", "easy boolean"), signature("", "value", "value")),
    **dict.fromkeys(("ImpactInt", "ImpactFloat", "ImpactBoolean"), signature("", "value", "value")),
    **{
        f"{name}{suffix}": signature("", values, outputs)
        for name, (values, outputs) in _SAVER_VALUES.items()
        for suffix in ("", " (Image Saver)")
    },
    "CR Aspect Ratio": signature(
        "",
        f"{_SIDES}, prescale_factor, batch_size",
        "width, height, upscale_factor, prescale_factor, batch_size, empty_latent, show_help",
    ),
    **dict.fromkeys(
        _RATIOS[1:],
        signature(
            "",
            f"{_SIDES}, batch_size",
            "width, height, upscale_factor, batch_size, empty_latent, show_help",
        ),
    ),
    "SDXL Empty Latent Image (rgthree)": signature(
        "", "dimensions, clip_scale, batch_size", "LATENT, CLIP_WIDTH, CLIP_HEIGHT"
    ),
    "MathExpression|pysssss": signature(_MATH, "expression", "INT, FLOAT"),
    "SimpleMath+": signature(_MATH, "value", "INT, FLOAT"),
    "ComfyMathExpression": signature("", "expression", "FLOAT, INT"),
}
