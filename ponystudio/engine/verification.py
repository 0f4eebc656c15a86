"""Whether a picture that was made again is the one that it was made from. Importing this loads no
torch: the studio asks, too.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ponystudio.diffusion.images.picture_levels import read_levels
from ponystudio.errors import Differs, GraphFileError
from ponystudio.graph.formats.embedded_metadata import RECEIPT, graph_text, read_fields

# What the environment of a receipt is called in a sentence.
_TITLES = {"device": "device", "dtype": "precision", "torch": "torch", "attention": "attention"}


@dataclass(frozen=True)
class Receipt:
    """How a picture was made: by which `node`, as the picture of which `index` of its batch."""

    said: Mapping[str, Any]

    @property
    def node(self) -> str:
        return str(self.said.get("node", ""))

    @property
    def environment(self) -> Mapping[str, Any]:
        return _part(self.said, "environment")

    def own(self, made: Sequence[Path]) -> Path:
        """Which of the files that the node has made again is the picture's. Raises Differs."""
        index = _part(self.said, "batch").get("index", 0)
        if not isinstance(index, int) or not 0 <= index < len(made):
            raise Differs(f"Made again, there are {len(made)} pictures, and it is number {index}.")
        return made[index]


@dataclass(frozen=True)
class Verdict:
    """`unlike` says how far both pictures are from each other, "" if they are the same in every
    pixel; `causes` what else was different when the first was made."""

    unlike: str
    causes: tuple[str, ...]

    @property
    def why(self) -> str:
        """What explains the difference."""
        if self.causes:
            return f"What else is different: {'; '.join(self.causes)}."
        return "Models and versions are the same: it was edited, or a node never repeats itself."


def receipt_of(picture: Path) -> Receipt:
    """Raises GraphFileError for a picture that does not say how it was made."""
    graph_text(picture)  # which says what is wrong with one without a graph
    try:
        receipt = json.loads(read_fields(picture).get(RECEIPT, ""))
        if isinstance(receipt, dict):
            return Receipt(receipt)
    except ValueError:
        pass
    raise GraphFileError(
        "The picture carries a graph and no receipt of how it was made.",
        where=str(picture),
        remedy="`ponystudio run` makes one like it, with a receipt.",
    )


def compare(picture: Path, again: Path) -> Verdict:
    """Of a picture and the one that was made again from its graph. Raises DamagedFile."""
    causes = _causes(receipt_of(picture).said, receipt_of(again).said)
    return Verdict(_difference(picture, again), tuple(causes))


def _difference(one: Path, other: Path) -> str:
    old, new = read_levels(one), read_levels(other)
    if old.shape != new.shape:
        (height, width), (now_height, now_width) = old.shape[:2], new.shape[:2]
        return f"{now_width} × {now_height} pixels instead of {width} × {height}"
    apart = np.abs(old - new).max(axis=2)
    count = int((apart > 0).sum())
    if not count:
        return ""
    share, most = 100 * count / apart.size, 255 * float(apart.max())
    return f"{share:.3g} % of its pixels differ, by {most:.3g} of 255 at most"


def _causes(then: Mapping[str, Any], now: Mapping[str, Any]) -> Iterator[str]:
    """What was different when the picture was made."""
    if then.get("ponystudio") != now.get("ponystudio"):
        yield f"PonyStudio was {then.get('ponystudio')}, is {now.get('ponystudio')}"
    before, after = _part(then, "environment"), _part(now, "environment")
    for name, title in _TITLES.items():
        if before.get(name) != after.get(name):
            yield f"{title} was {before.get(name)}, is {after.get(name)}"
    if before.get("code") != after.get("code"):
        yield "the code of nodes has changed"
    models = _part(now, "models")
    for name, model in _part(then, "models").items():
        if isinstance(model, dict) and model.get("content") != models.get(name, {}).get("content"):
            yield f"{name} is another file"


def _part(receipt: Mapping[str, Any], name: str) -> dict[str, Any]:
    """What a file says is anybody's."""
    part = receipt.get(name)
    return part if isinstance(part, dict) else {}
