"""Where model files lie that graphs name by other names: searched in the background, for which
files are read to their end once, the small ones first."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from PySide6.QtCore import QObject

from ponystudio.errors import Cancelled, PonyStudioError
from ponystudio.graph.catalog import Catalog
from ponystudio.graph.model import Graph
from ponystudio.library.model_folders import ModelFolders
from ponystudio.qt.background_tasks import BackgroundTasks

if TYPE_CHECKING:  # with the readers that they take, imported when the first file is missing
    from ponystudio.library.model_index import ModelIndex
    from ponystudio.library.model_search import NamedModel

Named = list["NamedModel"]


@dataclass(frozen=True)
class _Question:
    graph: Graph
    catalog: Catalog
    folders: ModelFolders


class ModelLocator(QObject):
    """Answers, for each who asks, the last question alone: at once what is known, and again when
    all files are read that could be what is missing."""

    def __init__(self, index_path: Path | None, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._index_path = index_path
        # Reading may take minutes, and nobody else is to wait for it.
        self._looking = BackgroundTasks("model search", newest_first=True, parent=self)
        self._reading = BackgroundTasks("model search, reading", newest_first=True, parent=self)
        self._asked: dict[Hashable, _Question] = {}

    def look(
        self,
        who: Hashable,
        graph: Graph,
        catalog: Catalog,
        folders: ModelFolders,
        answer: Callable[[Named], object],
    ) -> None:
        """Look for the model files that a graph names; a search of the same asker's that goes on
        is given up."""
        question = self._asked[who] = _Question(graph, catalog, folders)
        self._looking.do(
            partial(self._look, who, question, False),
            partial(self._looked, who, question, answer),
            key=who,
        )

    def forget(self, who: Hashable) -> None:
        """Answer no more."""
        self._asked.pop(who, None)

    def close(self) -> None:
        self._asked.clear()
        self._looking.close()
        self._reading.close()

    def _looked(
        self, who: Hashable, question: _Question, answer: Callable[[Named], object],
        found: Named | None,
    ) -> None:  # fmt: skip
        if found is None or self._asked.get(who) is not question:
            return
        answer(found)
        if any(one.wanted and one.found is None for one in found):
            self._reading.do(
                partial(self._look, who, question, True),
                partial(self._answer, who, question, answer),
                key=who,
            )

    def _answer(
        self, who: Hashable, question: _Question, answer: Callable[[Named], object],
        found: Named | None,
    ) -> None:  # fmt: skip
        if found is not None and self._asked.get(who) is question:
            answer(found)

    # In a thread

    def _look(self, who: Hashable, question: _Question, everything: bool) -> Named | None:
        from ponystudio.library.model_search import ModelSearch

        def progress(_done: int, _all: int) -> None:
            if self._asked.get(who) is not question:
                raise Cancelled

        index = self._index()
        try:
            search = ModelSearch(question.folders, index)
            return search.look(
                question.graph, question.catalog, everything=everything, progress=progress
            )
        except Cancelled:
            return None
        finally:
            if index is not None:
                index.close()

    def _index(self) -> ModelIndex | None:
        from ponystudio.library.model_index import ModelIndex

        try:
            return ModelIndex(self._index_path) if self._index_path is not None else None
        except PonyStudioError:
            return None
