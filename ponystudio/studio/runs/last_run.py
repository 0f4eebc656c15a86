"""The pictures that nodes last saved or showed, so that cards show them again after a restart."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ponystudio.studio.json_store import PerDocumentStore


@dataclass(frozen=True)
class LastPicture:
    """`written` is when the file was; `key` what the result was known by: where it is still the
    same, so is the picture."""

    path: str
    written: int
    key: str


class LastPictures(PerDocumentStore[str, LastPicture]):
    """Pictures by document and node."""

    def __init__(self, file: Path | None = None) -> None:
        super().__init__(file, _written, _read)


def _written(node: str, picture: LastPicture) -> list[Any]:
    return [node, picture.path, picture.written, picture.key]


def _read(row: list[Any]) -> tuple[str, LastPicture]:
    node, path, written, key = row
    return str(node), LastPicture(str(path), int(written), str(key))
