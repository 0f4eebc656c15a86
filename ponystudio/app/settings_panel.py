"""The settings, each in its own words; what is changed holds at once."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any

from PySide6.QtCore import Qt
from PySide6.QtWidgets import (
    QCheckBox,
    QComboBox,
    QDoubleSpinBox,
    QHBoxLayout,
    QLabel,
    QLineEdit,
    QListWidget,
    QPushButton,
    QScrollArea,
    QVBoxLayout,
    QWidget,
)

from ponystudio.app.keys_editor import KeysEditor
from ponystudio.app.painted import px
from ponystudio.app.settings import BY_NAME, Setting
from ponystudio.canvas import theme

if TYPE_CHECKING:
    from ponystudio.app.window import Window

SECTIONS = (
    ("Look", ("theme", "ui_scale", "density", "reduced_motion", "shapes_on_wires")),
    ("Files", ("output_folder", "file_name_pattern", "model_folders", "disk_cache_gb")),
    ("Engine", ("device", "dtype", "previews", "keep_awake", "notify")),
    ("Shortcuts", ("key_preset",)),
)
DEVICES = ("auto", "cpu", "cuda", "cuda:1", "rocm", "mps")
WORDS = {
    "system": "Like the system",
    "dark": "Dark",
    "light": "Light",
    "comfortable": "Comfortable",
    "compact": "Compact",
    "touch": "Touch",
    "auto": "Choose what fits",
    "cpu": "Processor (CPU)",
    "cuda": "NVIDIA card (CUDA)",
    "cuda:1": "Second NVIDIA card (CUDA 1)",
    "rocm": "AMD card (ROCm)",
    "mps": "Apple chip (MPS)",
    "fp32": "32 bits (fp32)",
    "fp16": "16 bits (fp16)",
    "bf16": "16 bits (bf16)",
    "ponystudio": "PonyStudio",
    "comfyui": "ComfyUI",
    "blender": "Blender",
    "nuke": "Nuke",
}


class SettingsPanel(QWidget):
    def __init__(self, window: Window) -> None:
        super().__init__()
        self._window, self._settings = window, window.settings
        self._shown: dict[str, Callable[[], None]] = {}
        self._icons: list[tuple[QPushButton, str]] = []
        self.setAccessibleName(self.tr("Settings"))
        page = QWidget()
        page.setProperty("surface", "panel")
        box = QVBoxLayout(page)
        box.setContentsMargins(px(12), px(12), px(12), px(12))
        box.setSpacing(px(8))
        box.addWidget(_label(self.tr("Settings"), "title"))
        for title, names in SECTIONS:
            box.addSpacing(px(4))
            box.addWidget(_label(self.tr(title), "group"))
            for name in names:
                box.addWidget(self._row(BY_NAME[name]))
        self.keys = KeysEditor(window.actions_)
        box.addWidget(self.keys)
        box.addStretch(1)
        area = QScrollArea()
        area.setWidget(page)
        area.setWidgetResizable(True)
        area.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        outer = QVBoxLayout(self)
        outer.setContentsMargins(0, 0, 0, 0)
        outer.addWidget(area)
        self._paint_icons()
        theme.hub.changed.connect(self._paint_icons)
        self._settings.changed.connect(self._changed)

    def _changed(self, name: str) -> None:
        if show := self._shown.get(name):
            show()

    def _paint_icons(self) -> None:
        for button, name in self._icons:
            button.setIcon(theme.icon(name))

    # One setting

    def _row(self, setting: Setting) -> QWidget:
        row = QWidget()
        box = QVBoxLayout(row)
        box.setContentsMargins(0, 0, 0, 0)
        box.setSpacing(px(2))
        if setting.name == "model_folders":
            editor: QWidget = self._folders(setting)
        elif setting.name == "output_folder":
            editor = self._folder(setting)
        elif isinstance(setting.default, bool):
            editor = self._switch(setting)
        elif isinstance(setting.default, float) and not setting.choices:
            editor = self._number(setting)
        elif setting.name == "file_name_pattern":
            editor = self._text(setting)
        else:
            editor = self._choice(setting)
        editor.setAccessibleName(self.tr(setting.title))
        if not isinstance(editor, QCheckBox):
            box.addWidget(_label(self.tr(setting.title), "body"))
        box.addWidget(editor)
        if setting.help:
            box.addWidget(_label(self.tr(setting.help), "caption"))
        return row

    def _show(self, setting: Setting, show: Callable[[Any], object]) -> None:
        """Keep an editor up to date with its setting."""
        self._shown[setting.name] = lambda: (show(self._settings.get(setting.name)), None)[1]
        self._shown[setting.name]()

    def _switch(self, setting: Setting) -> QCheckBox:
        box = QCheckBox(self.tr(setting.title))
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

    def _text(self, setting: Setting) -> QLineEdit:
        field = QLineEdit()
        field.setPlaceholderText(str(setting.default))
        self._show(setting, field.setText)
        field.editingFinished.connect(lambda: self._settings.set(setting.name, field.text()))
        return field

    def _choice(self, setting: Setting) -> QComboBox:
        box = QComboBox()
        choices = setting.choices or DEVICES
        for value in choices:
            box.addItem(self._words(value), value)

        def show(value: Any) -> None:
            if box.findData(value) < 0:
                box.addItem(self._words(value), value)
            box.setCurrentIndex(box.findData(value))

        self._show(setting, show)
        box.activated.connect(lambda _: self._settings.set(setting.name, box.currentData()))
        return box

    def _words(self, value: Any) -> str:
        """A value as people say it; what has no words stands as it is."""
        if isinstance(value, float):
            return f"{value:.0%}"
        return self.tr(WORDS[value]) if value in WORDS else str(value)

    def _folder(self, setting: Setting) -> QWidget:
        row = QWidget()
        line = QHBoxLayout(row)
        line.setContentsMargins(0, 0, 0, 0)
        field = QLineEdit()
        field.setPlaceholderText(str(self._settings.output_folder()))
        field.setAccessibleName(self.tr(setting.title))
        self._show(setting, field.setText)
        field.editingFinished.connect(lambda: self._settings.set(setting.name, field.text()))
        browse = QPushButton()
        self._icons.append((browse, "folder"))
        browse.setProperty("kind", "icon")
        browse.setAccessibleName(self.tr("Choose a folder"))
        browse.setToolTip(self.tr("Choose a folder"))
        browse.clicked.connect(
            lambda: self._window.dialogs.folder(
                self.tr(setting.title), lambda path: self._settings.set(setting.name, str(path))
            )
        )
        line.addWidget(field, 1)
        line.addWidget(browse)
        return row

    def _folders(self, setting: Setting) -> QWidget:
        box = QWidget()
        column = QVBoxLayout(box)
        column.setContentsMargins(0, 0, 0, 0)
        listed = QListWidget()
        listed.setProperty("boxed", True)
        listed.setMaximumHeight(px(96))
        listed.setAccessibleName(self.tr(setting.title))

        def show(folders: list[str]) -> None:
            listed.clear()
            listed.addItems(folders)

        def remove() -> None:
            chosen = {item.text() for item in listed.selectedItems()}
            folders = [f for f in self._settings.get(setting.name) if f not in chosen]
            self._settings.set(setting.name, folders)

        self._show(setting, show)
        row = QHBoxLayout()
        add = QPushButton(self.tr("Add"))
        self._icons.append((add, "add"))
        add.clicked.connect(
            lambda: self._window.dialogs.folder(
                self.tr("A folder of models"), self._window.add_models
            )
        )
        drop = QPushButton(self.tr("Remove"))
        drop.clicked.connect(remove)
        row.addWidget(add)
        row.addWidget(drop)
        row.addStretch(1)
        column.addWidget(listed)
        column.addLayout(row)
        return box


def _label(text: str, role: str) -> QLabel:
    label = QLabel(text)
    label.setProperty("role", role)
    label.setWordWrap(role == "caption")
    return label
