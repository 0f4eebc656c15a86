"""Every command by its name: Ctrl+Shift+P, a few letters, Enter."""

from __future__ import annotations

from typing import Any

from PySide6.QtCore import QEvent, QObject, QPointF, QRectF, QSize, Qt
from PySide6.QtGui import QFontMetricsF, QKeyEvent, QPainter
from PySide6.QtWidgets import (
    QFrame,
    QListWidget,
    QListWidgetItem,
    QStyle,
    QStyledItemDelegate,
    QVBoxLayout,
    QWidget,
)

from ponystudio.app.actions.action_registry import ActionRegistry, shown_keys
from ponystudio.canvas.palette.palette_list import paint_title
from ponystudio.widgets import theme
from ponystudio.widgets.action import ActionSpec
from ponystudio.widgets.common import label
from ponystudio.widgets.fuzzy_match import Match, match
from ponystudio.widgets.primitives import draw_box, draw_icon, px
from ponystudio.widgets.search_field import SearchField

WIDTH = 520
ROWS = 12
_SPEC = Qt.ItemDataRole.UserRole
_PLACES = Qt.ItemDataRole.UserRole + 1
_STEPS = {
    Qt.Key.Key_Down: 1,
    Qt.Key.Key_Up: -1,
    Qt.Key.Key_PageDown: ROWS - 1,
    Qt.Key.Key_PageUp: 1 - ROWS,
}


class CommandPalette(QFrame):
    """Opens over its window, once; Esc or a click elsewhere closes it."""

    def __init__(self, window: QWidget, actions: ActionRegistry) -> None:
        super().__init__(window, Qt.WindowType.Popup)
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        self._actions = actions
        self._window = window
        self.setProperty("surface", "popup")
        self.setAccessibleName(self.tr("Commands"))
        self.search = SearchField(self.tr("What do you want to do?"))
        self.search.setAccessibleName(self.tr("Search commands"))
        self.list = QListWidget()
        self.list.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self.list.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.list.setVerticalScrollMode(QListWidget.ScrollMode.ScrollPerPixel)
        self.list.setUniformItemSizes(True)
        self.list.setMouseTracking(True)
        self.list.setAccessibleName(self.tr("Found"))
        self.list.setItemDelegate(CommandRow(self.list))
        self.nothing_found = label(self.tr("No command is called that."), "body", "text2")
        self.nothing_found.setContentsMargins(px(8), px(4), px(8), px(4))
        box = QVBoxLayout(self)
        box.setContentsMargins(px(8), px(8), px(8), px(8))
        box.setSpacing(px(6))
        for widget in (self.search, self.nothing_found, self.list):
            box.addWidget(widget)
        self.search.textChanged.connect(self._fill)
        self.search.installEventFilter(self)
        self.list.itemClicked.connect(self._choose)

    def open(self) -> None:
        self._fill()
        self.setFixedWidth(px(WIDTH))
        corner = self._window.mapToGlobal(self._window.rect().topLeft())
        self.move(corner.x() + (self._window.width() - px(WIDTH)) // 2, corner.y() + px(52))
        self.show()
        self.search.setFocus()

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        if isinstance(event, QKeyEvent) and event.type() == QEvent.Type.KeyPress:
            key = Qt.Key(event.key())
            if key in _STEPS:
                self._step(_STEPS[key])
                return True
            if key in (Qt.Key.Key_Return, Qt.Key.Key_Enter):
                self._choose(self.list.currentItem())
                return True
            if key == Qt.Key.Key_Escape:
                self.close()
                return True
        return super().eventFilter(watched, event)

    def _step(self, by: int) -> None:
        """By one around the ends, by pages up to them."""
        if count := self.list.count():
            row = self.list.currentRow() + by
            self.list.setCurrentRow(row % count if abs(by) == 1 else max(0, min(row, count - 1)))

    def _fill(self) -> None:
        self.list.clear()
        for spec, found in self._matches(self.search.text().strip()):
            item = QListWidgetItem(_name(spec))
            set_command(item, spec, found.places)
            if spec.enabled is not None and not spec.enabled():
                item.setFlags(Qt.ItemFlag.NoItemFlags)
            self.list.addItem(item)
        self.list.setCurrentRow(0)
        self.nothing_found.setVisible(not self.list.count())
        self.list.setVisible(bool(self.list.count()))
        self.list.setFixedHeight(min(ROWS, self.list.count()) * px(theme.density().list_row))
        self.setFixedHeight(self.sizeHint().height())

    def _matches(self, wanted: str) -> list[tuple[ActionSpec, Match]]:
        """What can be done now comes before what cannot."""
        specs = [spec for spec in self._actions.specs() if spec.id != "app.commands"]
        found = [(spec, met) for spec in specs if (met := match(wanted, _name(spec))) is not None]
        return sorted(found, key=lambda pair: (not _enabled(pair[0]), -pair[1].score))

    def _choose(self, item: QListWidgetItem | None) -> None:
        if item is not None and item.flags() & Qt.ItemFlag.ItemIsEnabled:
            id = item.data(_SPEC).id
            self.close()
            self._actions.run(id)


def set_command(item: QListWidgetItem, spec: ActionSpec, places: tuple[int, ...] = ()) -> None:
    """Make it an item that a CommandRow paints; the letters at `places` are marked."""
    item.setData(_SPEC, spec)
    item.setData(_PLACES, places)
    item.setData(Qt.ItemDataRole.AccessibleDescriptionRole, shown_keys(spec))


class CommandRow(QStyledItemDelegate):
    """Icon, text with the met letters marked, keys."""

    def __init__(self, parent: QWidget, with_icons: bool = True) -> None:
        super().__init__(parent)
        self._icons = with_icons

    def sizeHint(self, _option: Any, _index: Any) -> QSize:
        return QSize(px(200), px(theme.density().list_row))

    def paint(self, painter: QPainter, option: Any, index: Any) -> None:
        look, rect = theme.current(), QRectF(option.rect)
        spec: ActionSpec = index.data(_SPEC)
        painter.save()
        chosen = bool(option.state & QStyle.StateFlag.State_Selected)
        if chosen or option.state & QStyle.StateFlag.State_MouseOver:
            draw_box(painter, rect, px(5), look.color("tint" if chosen else "hover"), None)
        able = bool(option.state & QStyle.StateFlag.State_Enabled)
        painter.setOpacity(1.0 if able else 0.5)
        if spec.icon and self._icons:
            at = QPointF(rect.left() + px(18), rect.center().y())
            draw_icon(painter, spec.icon, at, look.color("text2"))
        font, keys = theme.font("mono_caption"), shown_keys(spec)
        wide = QFontMetricsF(font).horizontalAdvance(keys)
        painter.setFont(font)
        painter.setPen(look.color("text2"))
        place = QRectF(rect.right() - px(10) - wide, rect.top(), wide + 1, rect.height())
        painter.drawText(place, Qt.AlignmentFlag.AlignVCenter, keys)
        left = rect.left() + px(36 if self._icons else 8)
        words = QRectF(left, rect.top(), place.left() - px(12) - left, rect.height())
        paint_title(painter, words, index.data(), index.data(_PLACES))
        painter.restore()


def _enabled(spec: ActionSpec) -> bool:
    return spec.enabled is None or spec.enabled()


def _name(spec: ActionSpec) -> str:
    return f"{spec.group}: {spec.title}" if spec.group else spec.title
