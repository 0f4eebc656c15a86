"""All of looking at pictures, for the window to put together."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from PySide6.QtCore import QObject, Signal

from ponystudio.api.spec import NodeSpec
from ponystudio.graph.catalog import shipped_catalog
from ponystudio.graph.formats.receipt import Verdict
from ponystudio.qt.background_tasks import BackgroundTasks
from ponystudio.studio.documents.document import Document
from ponystudio.studio.results.image_loader import ImageLoader
from ponystudio.studio.results.picture_actions import PictureActions
from ponystudio.studio.results.picture_record import PictureRecord
from ponystudio.studio.results.result_index import Answer, Query, ResultIndex
from ponystudio.studio.results.thumbnail_cache import ThumbnailCache

if TYPE_CHECKING:
    from ponystudio.studio.results.comparison import Comparer


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


class ResultLibrary(QObject):
    """Index, thumbnails, decoder and actions of the app; strips and galleries are made from it.

    `verified` carries the path of a picture of which a verdict came.
    `start` looks through the output folder; `add` is told of every picture that is made. `close`
    ends the threads and must be called before the application ends.
    """

    verified = Signal(object)

    def __init__(
        self,
        data_folder: Path,
        cache_folder: Path,
        output_folder: Path,
        parent: QObject | None = None,
    ) -> None:
        super().__init__(parent)
        self.index = ResultIndex(data_folder / "results.sqlite", output_folder, self)
        self.thumbnails = ThumbnailCache(cache_folder / "thumbnails", self)
        self.loader = ImageLoader(self)
        self.actions = PictureActions(self.index, self.thumbnails, self)
        self.verdicts: dict[Path, Verdict] = {}
        """Of pictures that were made again since the app began."""
        self._shown: list[Path] = []
        self._made: dict[tuple[str, str], Path] = {}
        self._catalog: Mapping[str, NodeSpec] = {}
        self._comparing = BackgroundTasks("compare")
        self.thumbnails.failed.connect(self._failed)

    def start(self) -> None:
        self.index.scan()

    def set_catalog(self, catalog: Mapping[str, NodeSpec]) -> None:
        """By which differences call nodes by their titles."""
        self._catalog = catalog

    def add(self, document: Document | None, node: str, path: str | Path) -> None:
        """Takes the runner's `picture_made`; None: its document is closed."""
        if document is not None:
            self._made[document.id, node] = Path(path)
        self.changed_on_disk(Path(path))
        self.index.add(path)

    def comparer(self, parent: QObject) -> Comparer:
        """One for each view, for each compares a pair of its own."""
        from ponystudio.studio.results.comparison import Comparer

        return Comparer(
            self.loader, self._comparing, lambda: self._catalog or shipped_catalog(), parent
        )

    @property
    def shown(self) -> list[Path]:
        """What a gallery shows, or the last one showed: another one begins with it."""
        return self._shown

    def set_shown(self, paths: list[Path]) -> None:
        self._shown = paths

    def picture_of(self, document: Document, node: str) -> Path | None:
        """What this node last saved, since the app began."""
        return self._made.get((document.id, node))

    def changed_on_disk(self, path: Path) -> None:
        """What was read of this file no longer holds."""
        self.thumbnails.forget(path)
        self.loader.forget(path)
        self.verdicts.pop(path, None)

    def have_verdict(self, path: Path, verdict: Verdict) -> None:
        self.verdicts[path] = verdict
        self.verified.emit(path)

    def _failed(self, path: Path) -> None:
        if not path.exists():
            self.index.forget([path])

    def close(self) -> None:
        self.index.close()
        self.thumbnails.close()
        self.loader.close()
        self._comparing.close()
        self.actions.close()
