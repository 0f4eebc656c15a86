"""The seeds that the last run of each document used, so that they can be had again."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ponystudio.studio.json_store import PerDocumentStore
from ponystudio.studio.runs.seeds import Place


class LastSeeds(PerDocumentStore[Place, int]):
    """Seeds by document and place."""

    def __init__(self, file: Path | None = None) -> None:
        super().__init__(file, _written, _read)


def _written(place: Place, seed: int) -> list[Any]:
    return [*place, str(seed)]  # as text: JSON readers elsewhere have no 64 bits


def _read(row: list[Any]) -> tuple[Place, int]:
    node, name, seed = row
    return (str(node), str(name)), int(seed)
