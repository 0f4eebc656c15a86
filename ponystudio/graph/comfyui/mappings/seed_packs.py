"""Seeds that several samplers share, and other values of a run that stand by themselves."""

from __future__ import annotations

from typing import Any

from ponystudio.graph.comfyui.core_nodes import Signature, signature
from ponystudio.graph.comfyui.mapping import Builder, MappedOutput, NodeMapping, Outputs
from ponystudio.graph.comfyui.source_graph import SourceNode
from ponystudio.graph.model import Link

# What they draw themselves where a seed is below 0.
_DRAWN = {-1: "at random", -2: "one more than the last", -3: "one less than the last"}


def seed_value(node: SourceNode, builder: Builder, value: Any) -> Any:
    """A seed that one of ours can have: each run rolls it where it is not locked."""
    if isinstance(value, int) and value < 0:
        builder.tell(node, f"its seed is {_DRAWN.get(value, value)}; here it begins at 0")
        return 0
    return value


def seed(node: SourceNode, builder: Builder) -> Outputs:
    values = {"value": seed_value(node, builder, node.inputs.get("seed", 0))}
    for name in ("group_regex", "group_restricted", "color_restricted"):
        node.inputs.get(name)
    return [MappedOutput(Link(builder.add(node, "core.seed", values), "int")), None]


# The values of a run, in the order of Image Saver's outputs: each name, and what it is here.
_PARAMETERS = (
    ("seed", "seed", "int"),
    ("steps", "int", "int"),
    ("cfg", "float", "float"),
    ("sampler", "text", "text"),
    ("scheduler", "text", "text"),
    ("denoise", "float", "float"),
)


def parameters(node: SourceNode, builder: Builder) -> Outputs:
    """A node for each value that is used."""
    outputs: list[MappedOutput | None] = []
    for slot, (name, type, output) in enumerate(_PARAMETERS):
        value = node.inputs.get(name, node.inputs.get(f"{name}_name"))
        if not builder.is_used(node, slot):
            outputs.append(None)
            continue
        if type == "seed":
            value = seed_value(node, builder, value)
        id = builder.add(node, f"core.{type}", {"value": value}, beside=name)
        outputs.append(MappedOutput(Link(id, output)))
    return outputs


_PARAMETER_VALUES = "seed+, steps, cfg, sampler, scheduler, denoise"

MAPPINGS: dict[str, NodeMapping] = {
    **dict.fromkeys(
        (
            "Seed (rgthree)",
            "Seed Everywhere",
            "easy seed",
            "CR Seed",
            "Seed Generator",
            "Seed Generator (Image Saver)",
        ),
        seed,
    ),
    "Input Parameters (Image Saver)": parameters,
}

SIGNATURES: dict[str, Signature] = {
    "Seed (rgthree)": signature("", "seed", "SEED"),  # its other values are buttons
    "Seed Everywhere": signature("", "seed+, group_regex", "INT"),
    "easy seed": signature("", "seed+", "seed"),
    "CR Seed": signature("", "seed+", "seed, show_help"),
    "Seed Generator": signature("", "seed+", "INT"),
    "Seed Generator (Image Saver)": signature("", "seed+", "INT"),
    "Input Parameters (Image Saver)": signature(
        "", _PARAMETER_VALUES, "seed, steps, cfg, sampler, scheduler, denoise"
    ),
}
