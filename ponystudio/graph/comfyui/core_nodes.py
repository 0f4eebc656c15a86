"""The core nodes of ComfyUI: what goes in and comes out, in their order."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache

from ponystudio_resources import path as resource


@dataclass(frozen=True)
class Signature:
    """A core node: its inputs in order, each with its type and how many values it owns, and its
    outputs, each with its type."""

    inputs: tuple[tuple[str, str, int], ...]
    outputs: tuple[tuple[str, str], ...]


@cache
def signatures() -> Mapping[str, Signature]:
    said = json.loads(resource("comfyui_nodes.json").read_text("utf-8"))
    return {
        name: Signature(
            tuple((str(i), str(type), int(values)) for i, type, values in node["inputs"]),
            tuple((str(o), str(type)) for o, type in node["outputs"]),
        )
        for name, node in said.items()
    }
