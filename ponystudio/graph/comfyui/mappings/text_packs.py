"""Texts of packs: written, put together, shown."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import Any

from ponystudio.graph.comfyui.core_nodes import Signature, signature
from ponystudio.graph.comfyui.mapping import Builder, Mapped, MappedOutput, NodeMapping, Outputs
from ponystudio.graph.comfyui.source_graph import SourceNode, Wire
from ponystudio.graph.model import Link

# What stands for letters that a field of one line cannot hold.
_ESCAPES = {"\\n": "\n", "\\t": "\t", "\\r": "\r"}
# Of a wildcard: {a|b}, __name__.
_WILD = re.compile(r"[{}]|__[^_\s]")


def written(name: str = "value") -> Mapped:
    return Mapped("core.text", {name: "value"}, ("text",))


def text(node: SourceNode, builder: Builder, value: Any, *, beside: str = "") -> MappedOutput:
    """A text of its own."""
    id = builder.add(node, "core.text", {"value": value}, beside=beside)
    return MappedOutput(Link(id, "text"))


def joined(
    node: SourceNode, builder: Builder, texts: Iterable[Any], separator: Any, *, skip_empty: bool
) -> MappedOutput | None:
    """Texts, written or wired, one after the other."""
    rest = [value for value in texts if value is not None and not (skip_empty and value == "")]
    if len(rest) < 2:
        value = rest[0] if rest else ""
        return builder.output(value) if isinstance(value, Wire) else text(node, builder, value)
    last: Any = rest[0]
    for number, value in enumerate(rest[1:]):
        values = {"a": last, "b": value, "separator": separator, "skip_empty": skip_empty}
        beside = str(number + 1) if number < len(rest) - 2 else ""
        last = MappedOutput(
            Link(builder.add(node, "core.join_texts", values, beside=beside), "text")
        )
    return last if isinstance(last, MappedOutput) else None


def show(node: SourceNode, builder: Builder) -> Outputs:
    """What it was shown passes on. Where no node of ours brings that, its field has what was there
    when the graph was saved."""
    said = node.inputs.get("text")
    listed = node.inputs.get("widgets_values")
    shown = [value for name, value in node.inputs.items() if name.startswith("text_")]
    if isinstance(said, Wire) and builder.is_known(said):
        builder.add(node, "core.show_value", {"value": said})
        return [builder.output(said)]
    last = _first_text([*(listed if isinstance(listed, list) else [listed]), *shown])
    if isinstance(said, Wire) and last:
        builder.tell(node, "it brings the text of its last run: what led to it is not known here")
        return [text(node, builder, last)]
    if isinstance(said, Wire):
        builder.add(node, "core.show_value", {"value": said})
        return [builder.output(said)]
    return [text(node, builder, said if isinstance(said, str) else last)]


def _first_text(values: Sequence[Any]) -> str:
    """The text that a field shows, which may be a list of them."""
    for value in values:
        found = "\n".join(map(str, value)) if isinstance(value, list) else value
        if isinstance(found, str) and found:
            return found
    return ""


def without_comments(node: SourceNode, builder: Builder) -> Outputs:
    """Lines that begin with # are notes."""
    said = node.inputs.get("text", "")
    if isinstance(said, str):
        lines = said.splitlines()
        said = "\n".join(line for line in lines if not line.strip().startswith("#"))
    return [text(node, builder, said)]


def constant_lines(node: SourceNode, builder: Builder) -> Outputs:
    """KJNodes' text of several lines, which newer versions make one line of."""
    said = node.inputs.get("string", "")
    if node.inputs.get("strip_newlines") is True and isinstance(said, str) and "\n" in said:
        builder.tell(node, "its lines are kept; newer versions of it make one of them")
    return [text(node, builder, said)]


def concatenated(node: SourceNode, builder: Builder) -> Outputs:
    """WAS's: texts that are not empty, by the order of their names."""
    separator = node.inputs.get("delimiter", ", ")
    strip = str(node.inputs.get("clean_whitespace", "true")).lower() == "true"
    names = sorted(name for name in node.inputs if name.startswith("text"))
    texts = [node.inputs[name] for name in names]
    if strip:
        texts = [value.strip() if isinstance(value, str) else value for value in texts]
        for value in texts:
            if isinstance(value, Wire):
                known = builder.constant(value)
                if not isinstance(known, str) or known != known.strip():
                    builder.tell(node, "spaces at the ends of texts that wires bring are kept")
                    break
    separator = _ESCAPES.get(str(separator), separator)
    return [joined(node, builder, texts, separator, skip_empty=True)]


def joined_strings(node: SourceNode, builder: Builder) -> Outputs:
    """KJNodes' two strings, or as many as are counted."""
    for name in ("inputcount", "return_list"):
        node.inputs.get(name)
    names = sorted(
        (name for name in node.inputs if re.fullmatch(r"string_?[0-9]{1,4}", name)),
        key=lambda name: int(name.removeprefix("string").strip("_")),
    )
    texts = [node.inputs[name] for name in names]
    separator = node.inputs.get("delimiter", " ")
    return [joined(node, builder, texts, separator, skip_empty=False)]


def comfyroll_joined(node: SourceNode, builder: Builder) -> Outputs:
    texts = (node.inputs.get("text1", ""), node.inputs.get("text2", ""))
    return [joined(node, builder, texts, node.inputs.get("separator", ""), skip_empty=False), None]


def function(node: SourceNode, builder: Builder) -> Outputs | None:
    """pysssss's: three texts put together, or a word in one replaced."""
    names = ("text_a", "text_b", "text_c")
    said = [node.inputs.get(name) for name in names]
    known = [builder.constant(value) for value in said]
    tidy = str(node.inputs.get("tidy_tags", "yes")) in ("yes", "True")
    node.inputs.get("result")
    if node.inputs.get("action", "append") == "append":
        separator = ", " if tidy else ""
        if all(value is not None for value in known):
            whole = separator.join(str(value) for value in known if value)
            return [text(node, builder, _tidied(whole) if tidy else whole)]
        if tidy:
            builder.tell(node, "spaces and commas that are there twice are not tidied up")
        return [joined(node, builder, said, separator, skip_empty=True)]
    find = known[1]
    if isinstance(find, str) and len(find) > 1 and find.startswith("/") and find.endswith("/"):
        builder.tell(node, "it replaces by a pattern, which is not done here")
        return None
    values = {"text": said[0], "find": said[1], "replace": said[2] or ""}
    return [MappedOutput(Link(builder.add(node, "core.replace_text", values), "text"))]


def _tidied(words: str) -> str:
    """Words between commas, with one space behind each and none before."""
    words = " ".join(words.split(" "))
    while "  " in words:
        words = words.replace("  ", " ")
    words = words.replace(" ,", ",")
    while ",," in words:
        words = words.replace(",,", ",")
    return words.strip()


def populated(node: SourceNode, builder: Builder) -> Outputs:
    """A text with wildcards, as they came out when the graph ran."""
    for name in ("mode", "seed", "Select to add Wildcard"):
        node.inputs.get(name)
    wild, found = node.inputs.get("wildcard_text", ""), node.inputs.get("populated_text", "")
    if isinstance(found, str) and not found.strip():
        found = wild
        if isinstance(wild, str) and _WILD.search(wild):
            builder.tell(node, "its wildcards were not filled in when the graph was saved")
    return [text(node, builder, found)]


_TEXT = ("text", "STRING")

MAPPINGS: dict[str, NodeMapping] = {
    "ShowText|pysssss": show,
    "StringFunction|pysssss": function,
    "Text Multiline": without_comments,
    "Text Multiline (Code Compatible)": written("text"),
    "Text Concatenate": concatenated,
    "JoinStrings": joined_strings,
    "JoinStringMulti": joined_strings,
    "StringConstant": written("string"),
    "StringConstantMultiline": constant_lines,
    "CR Prompt Text": Mapped("core.text", {"prompt": "value"}, _TEXT[:1]),
    "CR Text": Mapped("core.text", {"text": "value"}, _TEXT[:1]),
    "CR Text Concatenate": comfyroll_joined,
    "String Literal": written("string"),
    "String Literal (Image Saver)": written("string"),
    "easy string": written(),
    "easy positive": written("positive"),
    "easy negative": written("negative"),
    "ImpactWildcardProcessor": populated,
}

_OUT = "STRING"
_WITH_HELP = "text, show_help"
SIGNATURES: dict[str, Signature] = {
    "ShowText|pysssss": signature("text", "", _OUT),
    "StringFunction|pysssss": signature(
        "", "action, tidy_tags, text_a, text_b, text_c, result", _OUT
    ),
    "Text Multiline": signature("", "text", _OUT),
    "Text Multiline (Code Compatible)": signature("", "text", _OUT),
    "Text Concatenate": signature(
        "", "delimiter, clean_whitespace, text_a, text_b, text_c, text_d", _OUT
    ),
    "JoinStrings": signature("", "string1, string2, delimiter", _OUT),
    "JoinStringMulti": signature("string_1, string_2", "inputcount, delimiter, return_list", _OUT),
    "StringConstant": signature("", "string", _OUT),
    "StringConstantMultiline": signature("", "string, strip_newlines", _OUT),
    "CR Prompt Text": signature("", "prompt", "prompt, show_help"),
    "CR Text": signature("", "text", _WITH_HELP),
    "CR Text Concatenate": signature("", "text1, text2, separator", "STRING, show_help"),
    "String Literal": signature("", "string", _OUT),
    "String Literal (Image Saver)": signature("", "string", _OUT),
    "easy string": signature("", "value", _OUT),
    "easy positive": signature("", "positive", "positive"),
    "easy negative": signature("", "negative", "negative"),
    "ImpactWildcardProcessor": signature(
        "",
        "wildcard_text, populated_text, mode, seed+, Select to add Wildcard",
        "processed text",
    ),
}
