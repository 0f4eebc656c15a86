"""A studio's documents in a data folder that can end, crash and start again."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from helpers.graphs import CATALOG, picture
from helpers.journals import start
from ponystudio.graph.catalog import Catalog
from ponystudio.graph.formats import graph_file
from ponystudio.studio.documents.document import Document
from ponystudio.studio.documents.documents import Documents
from ponystudio.studio.documents.journal import Journal
from ponystudio.studio.documents.journal_writer import JournalWriter


class Studio:
    """Documents in a data folder that can end and start again."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.documents: Documents
        self.notices: list[str] = []
        self.actions: dict[str, object] = {}
        self.start()

    def start(self) -> None:
        self.documents = Documents(self.folder, CATALOG)
        self.documents.notice.connect(self._told)
        self.notices.clear()
        self.documents.restore()
        self.documents.wait()

    def end(self) -> None:
        assert self.documents.shutdown()

    def again(self) -> Documents:
        self.end()
        self.start()
        return self.documents

    def crash(self) -> Documents:
        """Go on with the files as they were in the midst of it."""
        self.documents.flush()
        crashed = self.folder.with_name("crashed")
        shutil.copytree(self.folder, crashed, ignore=shutil.ignore_patterns("*.tmp"))
        self.end()
        self.folder = crashed
        self.start()
        return self.documents

    def _told(self, notice) -> None:
        self.notices.append(notice.title)
        self.actions.update(notice.actions)


@pytest.fixture
def studio(qapp, tmp_path):
    studio = Studio(tmp_path / "data")
    yield studio
    studio.end()


@pytest.fixture
def file(tmp_path) -> Path:
    path = tmp_path / "graph.json"
    graph_file.write(picture(), path)
    return path


@pytest.fixture
def writer():
    writer = JournalWriter()
    yield writer
    writer.stop()


@pytest.fixture
def document(qapp, writer, tmp_path):
    document = Document("one", Journal(writer, tmp_path / "one.journal"), Catalog(()))
    document.start(start(), "Mine")
    return document
