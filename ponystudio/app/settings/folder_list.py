"""The list of model folders in the settings."""

from __future__ import annotations

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QHBoxLayout, QListWidget, QVBoxLayout, QWidget

from ponystudio.library import user_folders
from ponystudio.qt.file_manager import show_in_folder
from ponystudio.widgets.common import IconButton, TextButton
from ponystudio.widgets.primitives import px

MOST_ROWS = 5


class FolderList(QWidget):
    """As high as its folders need. `folders_changed` carries those that are left."""

    folders_changed = Signal(list)

    def __init__(self, title: str, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.list = QListWidget()
        self.list.setProperty("boxed", True)
        self.list.setTextElideMode(Qt.TextElideMode.ElideMiddle)
        self.list.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.list.setAccessibleName(title)
        self.add = TextButton(self.tr("Add"), "add")
        self.remove = TextButton(self.tr("Remove"))
        self.own = IconButton("folder", self.tr("Show the studio's own model folder"))
        row = QHBoxLayout()
        row.setSpacing(px(8))
        for button in (self.add, self.remove, self.own):
            row.addWidget(button)
        row.addStretch(1)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(px(6))
        column.addWidget(self.list)
        column.addLayout(row)
        self.list.itemSelectionChanged.connect(self._refresh)
        self.remove.clicked.connect(self._remove)
        self.own.clicked.connect(_show_own)

    def show_folders(self, folders: list[str]) -> None:
        self.list.clear()
        self.list.addItems(folders)
        for number, folder in enumerate(folders):
            self.list.item(number).setToolTip(folder)
        self.list.setVisible(bool(folders))
        rows = min(len(folders), MOST_ROWS)
        self.list.setFixedHeight(rows * max(self.list.sizeHintForRow(0), px(26)) + px(8))
        self._refresh()

    def _refresh(self) -> None:
        self.remove.setEnabled(bool(self.list.selectedItems()))

    def _remove(self) -> None:
        chosen = {item.text() for item in self.list.selectedItems()}
        rows = (self.list.item(row).text() for row in range(self.list.count()))
        self.folders_changed.emit([folder for folder in rows if folder not in chosen])


def _show_own() -> None:
    folder = user_folders.models()
    folder.mkdir(parents=True, exist_ok=True)
    show_in_folder(folder / "checkpoints")
