"""All commands with their keys, to be bound anew."""

from __future__ import annotations

from PySide6.QtCore import QEvent, Qt
from PySide6.QtGui import QKeyEvent, QKeySequence
from PySide6.QtWidgets import (
    QHBoxLayout,
    QLineEdit,
    QListWidget,
    QListWidgetItem,
    QPushButton,
    QVBoxLayout,
    QWidget,
)

from ponystudio.app.actions.action_registry import ActionRegistry
from ponystudio.app.actions.command_palette import CommandRow, set_command
from ponystudio.qt.plain_text import tip
from ponystudio.widgets.action import ActionSpec
from ponystudio.widgets.common import label
from ponystudio.widgets.primitives import px


class KeyEditor(QWidget):
    """Choose a command, press its keys, press the button. What had these keys before loses them,
    which is said beforehand."""

    def __init__(self, actions: ActionRegistry, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._actions = actions
        self.search = QLineEdit()
        self.search.setPlaceholderText(self.tr("Search commands"))
        self.search.setAccessibleName(self.tr("Search commands"))
        self.list = QListWidget()
        self.list.setProperty("boxed", True)
        self.list.setFixedHeight(px(280))
        self.list.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.list.setItemDelegate(CommandRow(self.list, with_icons=False))
        self.list.setAccessibleName(self.tr("Commands and their keys"))
        self.field = KeySequenceField()
        self.field.setPlaceholderText(self.tr("Click here and press the keys"))
        self.field.setAccessibleName(self.tr("New keys"))
        self.warning = label("", "caption")
        self.warning.setWordWrap(True)
        self.bind = QPushButton(self.tr("Use these keys"))
        self.reset = QPushButton(self.tr("Back to the preset"))
        row = QHBoxLayout()
        row.addWidget(self.bind)
        row.addWidget(self.reset)
        row.addStretch(1)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(px(4))
        for widget in (self.search, self.list, self.field, self.warning):
            column.addWidget(widget)
        column.addLayout(row)
        self.search.textChanged.connect(self.refresh)
        self.list.currentItemChanged.connect(lambda *_: self._warn())
        self.field.textChanged.connect(lambda _: self._warn())
        self.field.returnPressed.connect(self._bind)
        self.bind.clicked.connect(self._bind)
        self.reset.clicked.connect(self._reset)
        actions.changed.connect(self.refresh)
        self.refresh()

    def refresh(self) -> None:
        wanted = self.search.text().lower().split()
        chosen = self.chosen()
        self.list.clear()
        for spec in self._actions.specs():
            text = f"{spec.group} {spec.title} {' '.join(spec.keys)}".lower()
            if all(word in text for word in wanted):
                item = QListWidgetItem(spec.title)
                set_command(item, spec)
                item.setToolTip(tip(f"{spec.group}: {spec.title}\n{', '.join(spec.keys)}".strip()))
                self.list.addItem(item)
                if chosen is not None and spec.id == chosen.id:
                    self.list.setCurrentItem(item)

    def chosen(self) -> ActionSpec | None:
        item = self.list.currentItem()
        spec = item.data(Qt.ItemDataRole.UserRole) if item is not None else None
        return spec if isinstance(spec, ActionSpec) else None

    def _typed(self) -> str:
        """The keys in the field in Qt's words, "" if they are none."""
        return QKeySequence(self.field.text().strip()).toString()

    def _clashes(self) -> list[ActionSpec]:
        spec, keys = self.chosen(), self._typed()
        return self._actions.conflicts(spec.id, keys) if spec is not None and keys else []

    def _warn(self) -> None:
        clashes = ", ".join(spec.title for spec in self._clashes())
        text = self.tr("Now used for: %1").replace("%1", clashes)
        self.warning.setText(text if clashes else "")

    def _bind(self) -> None:
        spec, keys = self.chosen(), self._typed()
        if spec is None or not keys:
            self.warning.setText(self.tr("Choose a command, then press its keys."))
            return
        for other in self._clashes():
            left = [key for key in other.keys if QKeySequence(key) != QKeySequence(keys)]
            self._actions.rebind(other.id, left)
        self._actions.rebind(spec.id, [keys])
        self.field.clear()

    def _reset(self) -> None:
        if (spec := self.chosen()) is not None:
            self._actions.reset_keys(spec.id)


class KeySequenceField(QLineEdit):
    """Writes down the keys that are pressed in it. Enter, Tab and Esc do what they always do;
    Backspace empties it."""

    _OWN = (Qt.Key.Key_Return, Qt.Key.Key_Enter, Qt.Key.Key_Tab, Qt.Key.Key_Backtab)
    _HELD = (
        *(Qt.Key.Key_Control, Qt.Key.Key_Shift, Qt.Key.Key_Alt, Qt.Key.Key_AltGr),
        *(Qt.Key.Key_Meta, Qt.Key.Key_Super_L, Qt.Key.Key_Super_R, Qt.Key.Key_unknown),
    )

    def event(self, event: QEvent) -> bool:
        asked = event.type() == QEvent.Type.ShortcutOverride
        if asked and isinstance(event, QKeyEvent) and self._takes(event):
            event.accept()  # keys that are in use are written down, too
            return True
        return super().event(event)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        if event.key() in self._HELD:
            return
        if not self._takes(event):
            super().keyPressEvent(event)
        elif event.key() == Qt.Key.Key_Backspace and not event.modifiers():
            self.clear()
        else:
            self.setText(QKeySequence(event.keyCombination()).toString())

    def _takes(self, event: QKeyEvent) -> bool:
        bare = event.modifiers() in (
            Qt.KeyboardModifier.NoModifier,
            Qt.KeyboardModifier.ShiftModifier,
        )
        return event.key() not in (*self._HELD, Qt.Key.Key_Escape) and not (
            bare and event.key() in self._OWN
        )
