"""What the last run of each document left to be had again: its seeds, and the pictures on cards."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ponystudio.studio.json_store import PerDocumentStore
from ponystudio.studio.runs.seeds import Place


@dataclass(frozen=True)
class LastPicture:
    """`written` is when the file was; `key` what the result was known by: where it is still the
    same, so is the picture."""

    path: str
    written: int
    key: str


class LastPictures(PerDocumentStore[str, LastPicture]):
    """The pictures that nodes last saved or showed, by document and node."""

    def __init__(self, file: Path | None = None) -> None:
        super().__init__(file, _picture_row, _picture)


class LastSeeds(PerDocumentStore[Place, int]):
    """The seeds that runs last used, by document and place."""

    def __init__(self, file: Path | None = None) -> None:
        super().__init__(file, _seed_row, _seed)


def _picture_row(node: str, picture: LastPicture) -> list[Any]:
    return [node, picture.path, picture.written, picture.key]


def _picture(row: list[Any]) -> tuple[str, LastPicture]:
    node, path, written, key = row
    return str(node), LastPicture(str(path), int(written), str(key))


def _seed_row(place: Place, seed: int) -> list[Any]:
    return [*place, str(seed)]  # as text: JSON readers elsewhere have no 64 bits


def _seed(row: list[Any]) -> tuple[Place, int]:
    node, name, seed = row
    return (str(node), str(name)), int(seed)
