"""The settings, each in its own words; what is changed holds at once."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from PySide6.QtWidgets import (
    QCheckBox,
    QComboBox,
    QDoubleSpinBox,
    QHBoxLayout,
    QLabel,
    QLineEdit,
    QVBoxLayout,
    QWidget,
)

from ponystudio.app.settings import settings_texts as words
from ponystudio.app.settings.folder_list import FolderList
from ponystudio.app.settings.key_editor import KeyEditor
from ponystudio.errors import UnsafePath
from ponystudio.graph.file_prefix import checked_prefix
from ponystudio.studio.settings import BY_NAME, Setting
from ponystudio.widgets.common import Hairline, IconButton, label
from ponystudio.widgets.primitives import px
from ponystudio.widgets.scroll_column import ScrollColumn

if TYPE_CHECKING:
    from ponystudio.app.window.main_window import MainWindow

DEVICES = ("auto", "cpu", "cuda", "cuda:1", "rocm", "mps")
# Where a tick's words begin.
_TICK = 20


class SettingsPanel(QWidget):
    def __init__(self, window: MainWindow) -> None:
        super().__init__()
        self._window, self._settings = window, window.settings
        self._shown: dict[str, Callable[[], None]] = {}
        self.setAccessibleName(self.tr("Settings"))
        area = ScrollColumn()
        area.box.addWidget(label(self.tr("Settings"), "title"))
        for number, name in enumerate(words.SECTIONS):
            heading, settings = words.section(name)
            if number:
                area.box.addSpacing(px(8))
                area.box.addWidget(Hairline())
            area.box.addSpacing(px(4))
            area.box.addWidget(label(heading, "group"))
            for setting in settings:
                area.box.addWidget(self._row(BY_NAME[setting]))
        self.keys = KeyEditor(window.actions_)
        area.box.addWidget(self.keys)
        area.box.addStretch(1)
        outer = QVBoxLayout(self)
        outer.setContentsMargins(0, 0, 0, 0)
        outer.addWidget(area)
        self._settings.changed.connect(self._changed)

    def _changed(self, name: str) -> None:
        if show := self._shown.get(name):
            show()

    # One setting

    def _row(self, setting: Setting) -> QWidget:
        row = QWidget()
        box = QVBoxLayout(row)
        box.setContentsMargins(0, 0, 0, 0)
        box.setSpacing(px(3))
        editor = self._editor(setting)
        editor.setAccessibleName(words.title(setting.name))
        ticked = isinstance(editor, QCheckBox)
        if not ticked:
            box.addWidget(label(words.title(setting.name), "body"))
        box.addWidget(editor)
        if said := words.help_of(setting.name):
            line = _caption(said)
            line.setContentsMargins(px(_TICK) if ticked else 0, 0, 0, 0)
            box.addWidget(line)
        return row

    def _editor(self, setting: Setting) -> QWidget:
        if setting.name == "model_folders":
            return self._folders(setting)
        if setting.name == "output_folder":
            return self._folder(setting)
        if setting.name == "file_name_pattern":
            return self._text(setting, _refused_prefix)
        if isinstance(setting.default, bool):
            return self._switch(setting)
        if isinstance(setting.default, float) and not setting.choices:
            return self._number(setting)
        return self._choice(setting)

    def _show(self, setting: Setting, show: Callable[[Any], object]) -> None:
        """Keep an editor up to date with its setting."""
        self._shown[setting.name] = lambda: (show(self._settings.get(setting.name)), None)[1]
        self._shown[setting.name]()

    def _switch(self, setting: Setting) -> QCheckBox:
        box = QCheckBox(words.title(setting.name))
        self._show(setting, box.setChecked)
        box.toggled.connect(partial(self._settings.set, setting.name))
        return box

    def _number(self, setting: Setting) -> QDoubleSpinBox:
        box = QDoubleSpinBox()
        box.setRange(0.0, 1000.0)
        box.setDecimals(1)
        box.lineEdit().setTextMargins(px(6), 0, px(6), 0)  # a style sheet's padding misses it
        self._show(setting, box.setValue)
        box.editingFinished.connect(lambda: self._settings.set(setting.name, box.value()))
        return box

    def _choice(self, setting: Setting) -> QComboBox:
        box = QComboBox()
        for value in setting.choices or DEVICES:
            box.addItem(words.value(value), value)

        def show(value: Any) -> None:
            if box.findData(value) < 0:
                box.addItem(words.value(value), value)
            box.setCurrentIndex(box.findData(value))

        self._show(setting, show)
        box.activated.connect(lambda _: self._settings.set(setting.name, box.currentData()))
        return box

    def _text(self, setting: Setting, refused: Callable[[str], str], *beside: QWidget) -> QWidget:
        """A field, what stands beside it, and below it why a text was refused."""
        row = QWidget()
        column, line = QVBoxLayout(row), QHBoxLayout()
        for layout in (column, line):
            layout.setContentsMargins(0, 0, 0, 0)
            layout.setSpacing(px(3))
        field, why = QLineEdit(), _caption("", "err")
        field.setAccessibleName(words.title(setting.name))
        field.setPlaceholderText(str(setting.default))
        row.setFocusProxy(field)

        def take() -> None:
            reason = refused(field.text())
            why.setText(reason)
            why.setVisible(bool(reason))
            if not reason:
                self._settings.set(setting.name, field.text().strip())

        def show(text: str) -> None:
            field.setText(text)
            why.hide()

        self._show(setting, show)
        field.editingFinished.connect(take)
        line.addWidget(field, 1)
        for widget in beside:
            line.addWidget(widget)
        column.addLayout(line)
        column.addWidget(why)
        return row

    def _folder(self, setting: Setting) -> QWidget:
        browse = IconButton("folder", self.tr("Choose a folder"))
        browse.clicked.connect(
            lambda: self._window.dialogs.folder(
                words.title(setting.name),
                lambda path: self._settings.set(setting.name, str(path)),
            )
        )
        row = self._text(setting, _refused_folder, browse)
        field = row.findChild(QLineEdit)
        assert isinstance(field, QLineEdit)
        field.setPlaceholderText(str(self._settings.output_folder()))
        return row

    def _folders(self, setting: Setting) -> QWidget:
        folders = FolderList(words.title(setting.name))
        self._show(setting, folders.show_folders)
        folders.wanted.connect(partial(self._settings.set, setting.name))
        folders.add.clicked.connect(
            lambda: self._window.dialogs.folder(
                self.tr("A folder of models"), self._window.add_models
            )
        )
        return folders


def _refused_prefix(text: str) -> str:
    try:
        checked_prefix(text.strip())
    except UnsafePath as error:
        return f"{error.what} {error.remedy}"
    return ""


def _refused_folder(text: str) -> str:
    path = Path(text.strip()).expanduser()
    if not text.strip() or path.is_absolute():
        return "" if not path.is_file() else words.no_folder()
    return words.no_whole_path()


def _caption(text: str, tone: str = "") -> QLabel:
    line = label(text, "caption", tone)
    line.setWordWrap(True)
    return line
