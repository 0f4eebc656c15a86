"""The settings, each in its own words; what is changed holds at once. Model folders are a list of
their own.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import (
    QCheckBox,
    QHBoxLayout,
    QLabel,
    QLineEdit,
    QListWidget,
    QVBoxLayout,
    QWidget,
)

from ponystudio.app.actions.action_registry import ActionRegistry
from ponystudio.app.settings.key_editor import KeyEditor
from ponystudio.errors import GraphError
from ponystudio.graph.output_names import checked_prefix
from ponystudio.library import user_folders
from ponystudio.qt.file_manager import show_in_folder
from ponystudio.qt.i18n import tr
from ponystudio.qt.plain_text import tip
from ponystudio.studio.settings import Setting, Settings, section_titles, value_text
from ponystudio.studio.worker.worker_session import WorkerSession
from ponystudio.widgets.common import (
    ChoiceBox,
    Hairline,
    IconButton,
    NumberBox,
    ScrollColumn,
    TextButton,
    label,
)
from ponystudio.widgets.primitives import px

AskFolder = Callable[[str, Callable[[Path], object]], object]
# Where a tick's words begin.
_TICK = 20


class SettingsPanel(QWidget):
    """Every setting that has a section, then the editor of keys. `add_models` takes a folder of
    models more."""

    def __init__(
        self,
        settings: Settings,
        actions: ActionRegistry,
        worker: WorkerSession,
        ask_folder: AskFolder,
        add_models: Callable[[Path], object],
    ) -> None:
        super().__init__()
        self.setAccessibleName(self.tr("Settings"))
        area = ScrollColumn()
        area.box.addWidget(label(self.tr("Settings"), "title"))
        for number, (section, heading) in enumerate(section_titles().items()):
            if number:
                area.box.addSpacing(px(8))
                area.box.addWidget(Hairline())
            area.box.addSpacing(px(4))
            area.box.addWidget(label(heading, "group"))
            for setting in settings.rows:
                if setting.section == section:
                    row = SettingRow(settings, setting, worker, ask_folder)
                    row.folder_added.connect(add_models)
                    area.box.addWidget(row)
        self.keys = KeyEditor(actions)
        area.box.addWidget(self.keys)
        area.box.addStretch(1)
        outer = QVBoxLayout(self)
        outer.setContentsMargins(0, 0, 0, 0)
        outer.addWidget(area)


class SettingRow(QWidget):
    """One setting: its title, what sets it, and its help. `folder_added` carries a folder that is
    to be one more of a list."""

    folder_added = Signal(object)

    def __init__(
        self,
        settings: Settings,
        setting: Setting,
        worker: WorkerSession,
        ask_folder: AskFolder,
    ) -> None:
        super().__init__()
        self._settings, self._setting, self._ask_folder = settings, setting, ask_folder
        self._worker = worker
        self._show_value: Callable[[Any], object] = id
        box = QVBoxLayout(self)
        box.setContentsMargins(0, 0, 0, 0)
        box.setSpacing(px(3))
        editor = self._editor()
        editor.setAccessibleName(setting.title())
        ticked = isinstance(editor, QCheckBox)
        if not ticked:
            box.addWidget(label(setting.title(), "body"))
        box.addWidget(editor)
        if help := setting.help():
            line = _caption(help)
            line.setContentsMargins(px(_TICK) if ticked else 0, 0, 0, 0)
            box.addWidget(line)
        settings.on(setting.name, self._changed, now=True)

    def _changed(self, value: Any) -> None:
        self._show_value(value)

    def _set(self, value: Any) -> None:
        self._settings.set(self._setting.name, value)

    def _editor(self) -> QWidget:
        setting = self._setting
        if setting.kind == "folders":
            return self._folders()
        if setting.kind == "folder":
            return self._folder()
        if setting.kind == "device":
            return self._devices()
        if setting.kind == "file_prefix":
            return self._text(_wrong_prefix)
        if isinstance(setting.default, bool):
            return self._switch()
        if isinstance(setting.default, float) and not setting.choices:
            return self._number()
        return self._choice()

    def _switch(self) -> QCheckBox:
        box = QCheckBox(self._setting.title())
        self._show_value = box.setChecked
        box.toggled.connect(self._set)
        return box

    def _number(self) -> NumberBox:
        box = NumberBox()
        box.setRange(0.0, 1000.0)
        box.setDecimals(1)
        box.lineEdit().setTextMargins(px(6), 0, px(6), 0)  # a style sheet's padding misses it
        self._show_value = box.setValue
        box.editingFinished.connect(lambda: self._set(box.value()))
        return box

    def _choice(self) -> ChoiceBox:
        box = ChoiceBox()
        for value in self._setting.choices:
            box.addItem(value_text(value), value)
        self._show_value = lambda value: box.setCurrentIndex(box.findData(value))
        box.activated.connect(lambda _: self._set(box.currentData()))
        return box

    def _devices(self) -> ChoiceBox:
        """What the engine has found here, and what was chosen, though it may be elsewhere."""
        box = ChoiceBox()

        def show(chosen: str) -> None:
            titles = {"auto": value_text("auto"), **self._worker.devices}
            missing = self.tr("%1, which is not here").replace("%1", chosen)
            titles.setdefault(chosen, missing if self._worker.devices else chosen)
            box.clear()
            for name, title in titles.items():
                box.addItem(title, name)
            box.setCurrentIndex(box.findData(chosen))

        self._show_value = show
        self._worker.hello.connect(self._shown_again)
        box.activated.connect(lambda _: self._set(box.currentData()))
        return box

    def _shown_again(self) -> None:
        self._changed(self._settings.get(self._setting.name))

    def _text(self, wrong: Callable[[str], str], *beside: QWidget) -> QWidget:
        """A field, what stands beside it, and below it why a text was refused."""
        row = QWidget()
        column, line = QVBoxLayout(row), QHBoxLayout()
        for layout in (column, line):
            layout.setContentsMargins(0, 0, 0, 0)
            layout.setSpacing(px(3))
        field, why = QLineEdit(), _caption("", "err")
        field.setAccessibleName(self._setting.title())
        field.setPlaceholderText(str(self._setting.default))
        row.setFocusProxy(field)

        def take() -> None:
            reason = wrong(field.text())
            why.setText(reason)
            why.setVisible(bool(reason))
            if not reason:
                self._set(field.text().strip())

        def show(text: str) -> None:
            field.setText(text)
            why.hide()

        self._show_value = show
        field.editingFinished.connect(take)
        line.addWidget(field, 1)
        for widget in beside:
            line.addWidget(widget)
        column.addLayout(line)
        column.addWidget(why)
        return row

    def _folder(self) -> QWidget:
        browse = IconButton("folder", self.tr("Choose a folder"))
        browse.clicked.connect(
            lambda: self._ask_folder(self._setting.title(), lambda path: self._set(str(path)))
        )
        row = self._text(_wrong_folder, browse)
        field = row.findChild(QLineEdit)
        assert isinstance(field, QLineEdit)
        field.setPlaceholderText(str(self._settings.output_folder()))
        return row

    def _folders(self) -> QWidget:
        folders = FolderList(self._setting.title())
        self._show_value = folders.show_folders
        folders.folders_changed.connect(self._set)
        folders.add.clicked.connect(
            lambda: self._ask_folder(self.tr("A folder of models"), self.folder_added.emit)
        )
        return folders


def _wrong_prefix(text: str) -> str:
    try:
        checked_prefix(text.strip())
    except GraphError as error:
        return f"{error.what} {error.remedy}"
    return ""


def _wrong_folder(text: str) -> str:
    path = Path(text.strip()).expanduser()
    if text.strip() and not path.is_absolute():
        return tr("Write the whole path of a folder, or choose one.")
    return tr("There is a file of that name: choose a folder.") if path.is_file() else ""


def _caption(text: str, tone: str = "") -> QLabel:
    line = label(text, "caption", tone)
    line.setWordWrap(True)
    return line


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
            self.list.item(number).setToolTip(tip(folder))
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
