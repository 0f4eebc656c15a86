"""Nodes of ComfyUI's editor alone: they wire others or say something, and never run.

One more of a pack is a name here.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ponystudio.graph.comfyui.source_graph import listed, text
from ponystudio.graph.comfyui.widget_values import first_value

# What comes in goes out.
REROUTES = frozenset(("Reroute", "Reroute (rgthree)", "ReroutePrimitive|pysssss"))
# What comes in under a name goes out under it elsewhere.
SETTERS = frozenset(("SetNode", "easy setNode"))
GETTERS = frozenset(("GetNode", "easy getNode"))
# Texts on the canvas.
_NOTES = frozenset(("Note", "MarkdownNote", "Note Plus (mtb)"))
# What is theirs is their title.
_LABELS = frozenset(("Label (rgthree)",))
# They switch others on and off, or lead somewhere.
_HANDLES = frozenset(
    (
        *("Fast Groups Muter (rgthree)", "Fast Groups Bypasser (rgthree)"),
        *("Fast Muter (rgthree)", "Fast Bypasser (rgthree)", "Fast Actions Button (rgthree)"),
        *("Mute / Bypass Repeater (rgthree)", "Mute / Bypass Relay (rgthree)"),
        *("Random Unmuter (rgthree)", "Node Collector (rgthree)", "Bookmark (rgthree)"),
    )
)
TITLES = _LABELS | _HANDLES
NOTES = _NOTES | TITLES
VIRTUAL = frozenset(("PrimitiveNode", *REROUTES, *SETTERS, *GETTERS, *NOTES))


def note_text(node: Mapping[str, Any]) -> str:
    """What a node that is nothing but a note says; of one that was more than that its name."""
    type, title = text(node.get("type")), text(node.get("title"))
    if type in _HANDLES:
        return f"{title} ({type})" if title and title != type else type
    if type in _LABELS:
        return title or type
    said = [value for value in listed(node, "widgets_values") if isinstance(value, str)]
    return said[0] if said else text(first_value(node))
