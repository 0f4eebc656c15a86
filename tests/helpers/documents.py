"""Documents of which nothing is written, and what is done to some."""

from __future__ import annotations

from itertools import count
from pathlib import Path

from ponystudio.graph.catalog import Catalog
from ponystudio.graph.editing.edits import SetParam
from ponystudio.graph.model import Graph
from ponystudio.studio.documents.document import Document
from ponystudio.studio.documents.documents import Documents
from ponystudio.studio.documents.journal import Journal
from ponystudio.studio.documents.journal_writer import JournalWriter

_numbers = count(1)


class IdleWriter(JournalWriter):
    """Writes nothing, and has no threads."""

    def __init__(self) -> None:
        pass

    def do(self, job: object, *, hurry: bool = False) -> None:
        pass


def document_of_graph(graph: Graph, catalog: Catalog) -> Document:
    """A document without file and title that begins with this graph."""
    id = f"document-{next(_numbers)}"
    document = Document(id, Journal(IdleWriter(), Path(f"{id}.journal")), catalog)
    document.start(graph, "")
    return document


def titles(documents: Documents) -> list[str]:
    return [document.title for document in documents]


def seed(document) -> object:
    return document.graph.nodes["sample"].params["seed"]


def change(document, value: int) -> None:
    document.do(SetParam("sample", "seed", value), "Change seed")
