"""The model files that are listed, as Qt's views ask for them."""

from __future__ import annotations

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

from ponystudio.studio.models.model_files import FileFacts
from ponystudio.studio.models.model_filter import ModelEntry

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
        if role in (Qt.ItemDataRole.ToolTipRole, Qt.ItemDataRole.AccessibleTextRole):
            fact = self._facts.get(entry.kind, entry.name)
            starred = self.tr("Starred") if entry.key in self.context.stars else ""
            return "\n".join(filter(None, (entry.name, fact.line if fact else "", starred)))
        return None

    def flags(self, index: _Index) -> Qt.ItemFlag:
        return super().flags(index) | Qt.ItemFlag.ItemIsDragEnabled

    def mimeData(self, indexes: Any) -> QMimeData:
        """The file itself, so that the canvas makes its loader."""
        mime = QMimeData()
        facts = [index.data(FACT) for index in indexes]
        paths = [fact.path for fact in facts if fact is not None and fact.path is not None]
        mime.setUrls([QUrl.fromLocalFile(str(path)) for path in paths])
        return mime
