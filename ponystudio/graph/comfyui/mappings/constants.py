"""Numbers and texts."""

from __future__ import annotations

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
