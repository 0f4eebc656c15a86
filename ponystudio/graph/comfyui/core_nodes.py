"""The core nodes of ComfyUI: what goes in and comes out, in their order."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import Any

from ponystudio_resources import path as resource


@dataclass(frozen=True)
class Signature:
    """A core node: its inputs in order, each with its type and how many values it owns, and its
    outputs, each with its type.

    Of those that we write: `defaults` of values, the `choices` that there are for some, and the
    inputs that are `optional`."""

    inputs: tuple[tuple[str, str, int], ...]
    outputs: tuple[tuple[str, str], ...]
    defaults: Mapping[str, Any] = field(default_factory=dict)
    choices: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    optional: tuple[str, ...] = ()


# Names of choices that many nodes share begin with it, in place of those choices.
_SHARED = "@"


def signature(wired: str = "", values: str = "", outputs: str = "") -> Signature:
    """That of a node of a pack, whose names are written one after the other with commas between:
    inputs that are wired, those with values in the order of the editor's fields, and outputs. A +
    stands behind a seed, which owns two: what is done to it after a run stands behind it."""

    def names(said: str) -> list[str]:
        return [name for part in said.split(",") if (name := part.strip())]

    inputs = [(name, "*", 0) for name in names(wired)]
    for name in names(values):
        seed = name.endswith("+")
        inputs.append((name.removesuffix("+"), "INT" if seed else "*", 2 if seed else 1))
    return Signature(tuple(inputs), tuple((name, "*") for name in names(outputs)))


@cache
def signatures() -> Mapping[str, Signature]:
    said = json.loads(resource("comfyui_nodes.json").read_text("utf-8"))
    return {
        name: Signature(
            tuple((str(i), str(type), int(values)) for i, type, values in node["inputs"]),
            tuple((str(o), str(type)) for o, type in node["outputs"]),
            node.get("defaults", {}),
            {
                i: tuple(said[choices] if isinstance(choices, str) else choices)
                for i, choices in node.get("choices", {}).items()
            },
            tuple(node.get("optional", ())),
        )
        for name, node in said.items()
        if not name.startswith(_SHARED)
    }
