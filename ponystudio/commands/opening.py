"""What several commands open first: the catalog, a graph, the model folders."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from ponystudio.errors import GraphFileError, UsageError
from ponystudio.graph import format as graph_file
from ponystudio.graph.carrier import graph_text
from ponystudio.graph.model import Graph
from ponystudio.library.folders import Folders, default_roots

# How files begin that may carry a graph in their metadata; anything else is read as JSON.
PICTURES = (b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff", b"RIFF")


def read_graph(path: Path) -> Graph:
    """The graph in a JSON file or a picture. Raises GraphFileError."""
    try:
        with path.open("rb") as file:
            is_picture = file.read(8).startswith(PICTURES)
    except OSError as error:
        raise GraphFileError(
            f"The file cannot be read: {error.strerror}.",
            where=str(path),
            remedy="Check the path.",
        ) from None
    if is_picture:
        return graph_file.loads(graph_text(path), where=str(path))
    return graph_file.read(path)


def folders_for(graph: Path, models: Sequence[Path]) -> Folders:
    """The model folders given, then the user's own, then the shipped ones.

    Raises UsageError for one that is not there.
    """
    for folder in models:
        if not folder.is_dir():
            raise UsageError("There is no such folder.", where=f"--models {folder}")
    return Folders([*models, *default_roots()], graph.absolute().parent)
