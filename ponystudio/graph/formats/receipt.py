"""The receipt that a picture carries, and the verdict on one that was made again by it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ponystudio.errors import Differs, GraphFileError
from ponystudio.graph.formats.embedded_metadata import RECEIPT, graph_text
from ponystudio.system.json_reader import read_json


@dataclass(frozen=True)
class Receipt:
    """How a picture was made: by which `node`, as the picture of which `index` of its batch."""

    data: Mapping[str, Any]

    @property
    def node(self) -> str:
        return str(self.data.get("node", ""))

    @property
    def environment(self) -> Mapping[str, Any]:
        return self.part("environment")

    def part(self, name: str) -> Mapping[str, Any]:
        """One of its objects; empty where it is none, for what a file says is anybody's."""
        part = self.data.get(name)
        return part if isinstance(part, dict) else {}

    def own(self, made: Sequence[Path]) -> Path:
        """Which of the files that the node has made again is the picture's. Raises Differs."""
        index = self.part("batch").get("index", 0)
        if not isinstance(index, int) or not 0 <= index < len(made):
            raise Differs(f"Made again, there are {len(made)} pictures, and it is number {index}.")
        return made[index]


@dataclass(frozen=True)
class Verdict:
    """`unlike` says how far both pictures are from each other, "" if they are the same in every
    pixel; `close`: no further than rounding takes them. `causes`: what else was different when the
    first was made."""

    unlike: str
    causes: tuple[str, ...]
    close: bool = False

    @property
    def why(self) -> str:
        """What explains the difference."""
        if self.causes:
            return f"What else is different: {'; '.join(self.causes)}."
        return "Models and versions are the same: it was edited, or a node never repeats itself."


def receipt_of(fields: Mapping[str, str], where: str) -> Receipt:
    """That among the fields of a picture, which `where` names.

    Raises GraphFileError for a picture that does not say how it was made.
    """
    graph_text(fields, where)  # which says what is wrong with one without a graph
    try:
        receipt = read_json(fields.get(RECEIPT, ""))
    except ValueError:
        receipt = None
    if isinstance(receipt, dict):
        if "left_out" not in receipt:
            return Receipt(receipt)
        raise GraphFileError(
            "The picture was saved without its prompts, so it cannot be made again.",
            where=where,
            remedy="Its maker chose so; open its graph and write prompts of your own.",
        )
    raise GraphFileError(
        "The picture carries a graph and no receipt of how it was made.",
        where=where,
        remedy="`ponystudio run` makes one like it, with a receipt.",
    )
