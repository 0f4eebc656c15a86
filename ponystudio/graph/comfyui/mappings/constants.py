"""Numbers and texts."""

from __future__ import annotations

from dataclasses import replace

from ponystudio.graph.comfyui.exporting.export_mapping import (
    ExportBuilder,
    Inverse,
    NodeExport,
    OurNode,
    Targets,
    say,
)
from ponystudio.graph.comfyui.mapping import Mapped, NodeMapping


def _constant(type: str) -> Mapped:
    return Mapped(f"core.{type}", {"value": "value"}, (type,))


MAPPINGS: dict[str, NodeMapping] = {
    "PrimitiveInt": _constant("int"),
    "PrimitiveFloat": _constant("float"),
    "PrimitiveBoolean": _constant("bool"),
    "PrimitiveString": _constant("text"),
    "PrimitiveStringMultiline": _constant("text"),
    "PreviewAny": Mapped("core.show_value", {"source": "value"}),
    "StringConcatenate": Mapped(
        "core.join_texts",
        {"string_a": "a", "string_b": "b", "delimiter": "separator"},
        ("text",),
        fixed={"skip_empty": False},
    ),
    "StringReplace": Mapped(
        "core.replace_text", {"string": "text", "find": "find", "replace": "replace"}, ("text",)
    ),
}


def text_constant(node: OurNode, builder: ExportBuilder) -> Targets:
    """In a field of several lines where there are several."""
    several = "\n" in str(node.value("value"))
    type = "PrimitiveStringMultiline" if several else "PrimitiveString"
    return say(node, builder, type, _constant("text"))


def seed_constant(node: OurNode, builder: ExportBuilder) -> Targets:
    return say(node, builder, "PrimitiveInt", _constant("int"))


def joined(node: OurNode, builder: ExportBuilder) -> Targets:
    """Theirs puts the delimiter between empty texts, too."""
    known = {name: node.value(name) for name in ("a", "b") if not node.is_wired(name)}
    how = Inverse.of(node.node.type, MAPPINGS)
    if node.value("skip_empty") and all(known.values()) and len(known) == 2:
        ((type, row),) = how.rows
        node.seen.add("skip_empty")
        return say(node, builder, type, replace(row, fixed={}))
    return how(node, builder)


EXPORTS: dict[str, NodeExport] = {
    "core.text": text_constant,
    "core.seed": seed_constant,
    "core.join_texts": joined,
}
