"""The pictures that a strip or a gallery shows, as they change."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from PySide6.QtCore import QObject, Signal

from ponystudio.studio.results.picture_record import PictureRecord
from ponystudio.studio.results.result_index import Answer, Query, ResultIndex
from ponystudio.studio.results.result_library import ResultLibrary


class ResultList(QObject):
    """The latest answer to a query. `changed` when there is another."""

    changed = Signal()

    def __init__(self, results: ResultLibrary, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._results = results
        self._query, self._answer = Query(), Answer(Query())
        self._rows: dict[Path, int] = {}
        self.ready = False
        """Whether any answer has come: before that, an empty list says nothing."""
        results.index.changed.connect(self._ask)
        results.index.answered.connect(self._take)
        self._ask()

    @property
    def index(self) -> ResultIndex:
        return self._results.index

    @property
    def query(self) -> Query:
        return self._query

    @property
    def pictures(self) -> tuple[PictureRecord, ...]:
        return self._answer.pictures

    @property
    def total(self) -> int:
        """How many match, also beyond those listed."""
        return self._answer.total

    @property
    def all(self) -> int:
        """How many there are at all."""
        return self._answer.all

    def search(self, text: str) -> None:
        self.show(Query(text.strip(), self._query.starred))

    def show_starred(self, on: bool) -> None:
        self.show(Query(self._query.text, on))

    def more(self) -> None:
        """The end of the list is in sight: make it longer, if there is more."""
        if self.total > len(self.pictures) and self._query.limit <= len(self.pictures):
            self.show(replace(self._query, limit=self._query.limit * 4))

    def row(self, path: Path | None) -> int:
        """Where a picture stands, or -1."""
        return -1 if path is None else self._rows.get(path, -1)

    def at(self, path: Path | None) -> PictureRecord | None:
        row = self.row(path)
        return self.pictures[row] if row >= 0 else None

    def show(self, query: Query) -> None:
        if query != self._query:
            self._query = query
            self._ask()

    def _ask(self) -> None:
        self._results.index.ask(self._query)

    def _take(self, answer: Answer) -> None:
        if answer.query != self._query or (self.ready and answer == self._answer):
            return
        before = self._answer.pictures
        self._answer, self.ready = answer, True
        rows = {picture.path: row for row, picture in enumerate(answer.pictures)}
        for old in before:
            row = rows.get(old.path)
            if row is not None and answer.pictures[row].mtime != old.mtime:
                self._results.changed_on_disk(old.path)
        self._rows = rows
        self.changed.emit()
