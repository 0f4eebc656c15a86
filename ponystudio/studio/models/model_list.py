"""The model files that are listed, as Qt's views ask for them: which a person wants to see, and in
which order.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from PySide6.QtCore import (
    QAbstractListModel,
    QMimeData,
    QModelIndex,
    QObject,
    QPersistentModelIndex,
    Qt,
    QUrl,
)

from ponystudio.qt.plain_text import tip
from ponystudio.studio.models.model_files import FileFacts
from ponystudio.studio.models.model_summary import ModelSummary, family_title, mismatch

ENTRY, FACT = Qt.ItemDataRole.UserRole, Qt.ItemDataRole.UserRole + 1
_Index = QModelIndex | QPersistentModelIndex


@dataclass(frozen=True)
class ModelListContext:
    """What cards show besides their files: the family of the model in front, the files that the
    graph in front names, and the stars."""

    family: str = ""
    in_use: frozenset[str] = frozenset()
    stars: frozenset[str] = frozenset()


class ModelList(QAbstractListModel):
    def __init__(self, facts: FileFacts, parent: QObject) -> None:
        super().__init__(parent)
        self._facts = facts
        self._entries: list[ModelEntry] = []
        self.context = ModelListContext()

    def show(self, entries: list[ModelEntry], context: ModelListContext) -> None:
        self.context = context
        if entries == self._entries:
            if entries:  # what is known of them may have changed
                self.dataChanged.emit(self.index(0), self.index(len(entries) - 1))
            return
        self.beginResetModel()
        self._entries = entries
        self.endResetModel()

    def row_of(self, entry: ModelEntry | None) -> int:
        """Where it stands, -1 if it does not."""
        return self._entries.index(entry) if entry in self._entries else -1

    def rowCount(self, parent: _Index = QModelIndex()) -> int:  # noqa: B008
        return 0 if parent.isValid() else len(self._entries)

    def data(self, index: _Index, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        if not index.isValid():
            return None
        entry = self._entries[index.row()]
        if role == ENTRY:
            return entry
        if role == FACT:
            return self._facts.get(entry.kind, entry.name)
        if role == Qt.ItemDataRole.DisplayRole:
            return entry.name
        if role == Qt.ItemDataRole.ToolTipRole:
            return tip(self._described(entry))
        if role == Qt.ItemDataRole.AccessibleTextRole:
            return self._described(entry)
        return None

    def _described(self, entry: ModelEntry) -> str:
        fact = self._facts.get(entry.kind, entry.name)
        starred = self.tr("Starred") if entry.key in self.context.stars else ""
        return "\n".join(filter(None, (entry.name, fact.line if fact else "", starred)))

    def flags(self, index: _Index) -> Qt.ItemFlag:
        return super().flags(index) | Qt.ItemFlag.ItemIsDragEnabled

    def mimeData(self, indexes: Any) -> QMimeData:
        """The file itself, so that the canvas makes its loader."""
        mime = QMimeData()
        facts = [index.data(FACT) for index in indexes]
        paths = [fact.path for fact in facts if fact is not None and fact.path is not None]
        mime.setUrls([QUrl.fromLocalFile(str(path)) for path in paths])
        return mime


AUTOV2 = 10


@dataclass(frozen=True)
class ModelEntry:
    """One file: the kind of folder it lies in, and its name there."""

    kind: str
    name: str

    @property
    def key(self) -> str:
        """By which its star is kept."""
        return f"{self.kind}/{self.name}"


@dataclass(frozen=True)
class ModelFilter:
    """Empty words and families narrow nothing. `fits` is the family that the files must fit; with
    `starred`, only those in `stars` are wanted. `order` is name, newest, largest or family."""

    words: tuple[str, ...] = ()
    kind: str = ""
    family: str = ""
    fits: str = ""
    starred: bool = False
    stars: frozenset[str] = frozenset()
    order: str = "name"

    def of(
        self, entries: Iterable[ModelEntry], fact: Callable[[ModelEntry], ModelSummary | None]
    ) -> list[tuple[ModelEntry, ModelSummary | None]]:
        """What is wanted of these, in order. What is not known yet comes by its name, at the end
        where the order is another."""
        known = [(entry, fact(entry)) for entry in entries]
        return sorted((pair for pair in known if self._wants(*pair)), key=self._rank)

    def _wants(self, entry: ModelEntry, fact: ModelSummary | None) -> bool:
        return (
            self.kind in ("", entry.kind)
            and (not self.family or (fact is not None and fact.family == self.family))
            and (not self.fits or (fact is not None and not mismatch(entry.kind, fact, self.fits)))
            and (not self.starred or entry.key in self.stars)
            and (not self.words or self._is_meant(entry, fact))
        )

    def _is_meant(self, entry: ModelEntry, fact: ModelSummary | None) -> bool:
        """Every word stands in its name or what triggers it, or is how its hash begins."""
        text = " ".join((entry.name, *(fact.words if fact else ()))).lower()
        sha256 = fact.sha256 if fact else ""
        return all(
            word in text or (len(word) >= 4 and sha256.startswith(word)) for word in self.words
        )

    def _rank(self, pair: tuple[ModelEntry, ModelSummary | None]) -> tuple[object, ...]:
        entry, fact = pair
        name = entry.name.rpartition("/")[2].lower()
        if self.order == "newest":
            return (-fact.modified if fact else 0.0, name)
        if self.order == "largest":
            return (-fact.size if fact else 0, name)
        if self.order == "family":
            title = family_title(fact.family) if fact else ""
            return (not title, title, name)
        return (name, entry.kind)
