"""The graph that a picture carries, and how the picture was made, out of its file."""

from __future__ import annotations

from pathlib import Path

from ponystudio.errors import DamagedFile, GraphFileError, MissingFile
from ponystudio.graph.formats import embedded_metadata, receipt
from ponystudio.graph.formats.receipt import Receipt
from ponystudio.pictures.picture_reader import read_fields


def graph_text(path: Path) -> str:
    """The graph that a picture carries, as the text of a graph file. Raises GraphFileError."""
    return embedded_metadata.graph_text(picture_fields(path), str(path))


def read_receipt(path: Path) -> Receipt:
    """Raises GraphFileError for a picture that does not say how it was made."""
    return receipt.receipt_of(picture_fields(path), str(path))


def picture_fields(path: Path) -> dict[str, str]:
    """What a picture carries, by name. Raises GraphFileError."""
    try:
        return read_fields(path)
    except (DamagedFile, MissingFile) as error:
        raise GraphFileError(error.what, where=error.where, remedy=error.remedy) from None
