"""Nodes that stand in the place of those of other tools that are not known here."""

from __future__ import annotations

from collections.abc import Mapping

from ponystudio.errors import shortened
from ponystudio.graph.model import Node

# What stands before the names of ComfyUI's classes, as types of nodes.
PLACEHOLDER = "comfyui."
# Where such a node keeps what its file says of it.
PROPERTIES = "comfyui"
# What an import found of it that is not known, where its class is.
REASON = "reason"
_LONGEST = 80


def stands_for(node: Node) -> str:
    """The class of the node that this one stands for; "" for one of our own."""
    return node.type.removeprefix(PLACEHOLDER) if node.type.startswith(PLACEHOLDER) else ""


def reason_of(node: Node) -> str:
    """What of a node is not known here, where others of its class are; "" for a class that is
    not."""
    said = node.extra.get(REASON)
    return shortened(" ".join(said.split())) if isinstance(said, str) else ""


def pack_of(node: Node) -> str:
    """The node pack that it comes from, with its version, as its file says; "" where it does not.

    Packs are said by their name in the registry, else by their repository.
    """
    said = node.extra.get(PROPERTIES)
    if not isinstance(said, Mapping):
        return ""
    name, version = said.get("cnr_id") or said.get("aux_id"), said.get("ver")
    if not isinstance(name, str) or name == "comfy-core":
        return ""
    # Versions of repositories are hashes of commits.
    is_said = isinstance(version, str) and version not in ("", "unknown")
    text = f"{name} {str(version)[:12]}" if is_said else name
    return " ".join(text.split())[:_LONGEST]
