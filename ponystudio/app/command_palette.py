"""Every command by its name: Ctrl+Shift+P, a few letters, Enter."""

from __future__ import annotations

from PySide6.QtCore import QEvent, QObject, Qt
from PySide6.QtGui import QKeyEvent
from PySide6.QtWidgets import (
    QFrame,
    QLabel,
    QLineEdit,
    QListWidget,
    QListWidgetItem,
    QVBoxLayout,
    QWidget,
)

from ponystudio.app.actions import Actions, shown_keys
from ponystudio.app.painted import px
from ponystudio.canvas import theme
from ponystudio.canvas.action import ActionSpec
from ponystudio.canvas.fuzzy import match

WIDTH = 520
ROWS = 12


class CommandPalette(QFrame):
    """Opens over its window; Esc or a click elsewhere closes it."""

    def __init__(self, window: QWidget, actions: Actions) -> None:
        super().__init__(window, Qt.WindowType.Popup)
        self._actions = actions
        self._window = window
        self.setProperty("surface", "popup")
        self.setAccessibleName(self.tr("Commands"))
        self.search = QLineEdit()
        self.search.setPlaceholderText(self.tr("What do you want to do?"))
        self.search.setAccessibleName(self.tr("Search commands"))
        self.list = QListWidget()
        self.list.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self.list.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self._none = QLabel(self.tr("No command is called that."))
        self._none.setProperty("role", "caption")
        box = QVBoxLayout(self)
        box.setContentsMargins(px(8), px(8), px(8), px(8))
        box.setSpacing(px(6))
        for widget in (self.search, self._none, self.list):
            box.addWidget(widget)
        self.search.textChanged.connect(self._fill)
        self.search.installEventFilter(self)
        self.list.itemClicked.connect(self._choose)

    def open(self) -> None:
        self.search.clear()
        self._fill()
        width = px(WIDTH)
        self.resize(width, px(8 + 28 + 6 + 8) + ROWS * px(28))
        corner = self._window.mapToGlobal(self._window.rect().topLeft())
        self.move(corner.x() + (self._window.width() - width) // 2, corner.y() + px(52))
        self.show()
        self.search.setFocus()

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        if isinstance(event, QKeyEvent) and event.type() == QEvent.Type.KeyPress:
            step = {Qt.Key.Key_Down: 1, Qt.Key.Key_Up: -1}.get(Qt.Key(event.key()))
            if step and self.list.count():
                row = (self.list.currentRow() + step) % self.list.count()
                self.list.setCurrentRow(row)
                return True
            if event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter):
                self._choose(self.list.currentItem())
                return True
        return super().eventFilter(watched, event)

    def _fill(self) -> None:
        wanted = self.search.text().strip()
        self.list.clear()
        for spec in self._found(wanted):
            item = QListWidgetItem(self._text(spec))
            item.setData(Qt.ItemDataRole.UserRole, spec.id)
            if spec.icon:
                item.setIcon(theme.icon(spec.icon))
            if spec.enabled is not None and not spec.enabled():
                item.setFlags(Qt.ItemFlag.NoItemFlags)
            self.list.addItem(item)
        self.list.setCurrentRow(0)
        self._none.setVisible(not self.list.count())

    def _found(self, wanted: str) -> list[ActionSpec]:
        specs = [spec for spec in self._actions.specs() if spec.id != "app.commands"]
        if not wanted:
            return specs
        scored = [(found.score, spec) for spec in specs if (found := match(wanted, _name(spec)))]
        return [spec for _, spec in sorted(scored, key=lambda pair: -pair[0])]

    @staticmethod
    def _text(spec: ActionSpec) -> str:
        keys = shown_keys(spec)
        return f"{_name(spec)}    {keys}" if keys else _name(spec)

    def _choose(self, item: QListWidgetItem | None) -> None:
        if item is not None and item.flags() & Qt.ItemFlag.ItemIsEnabled:
            self.hide()
            self._actions.run(item.data(Qt.ItemDataRole.UserRole))


def _name(spec: ActionSpec) -> str:
    return f"{spec.group}: {spec.title}" if spec.group else spec.title
