"""Lists that open below a field, with a search."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any, TypeVar

from PySide6.QtCore import (
    QAbstractListModel,
    QEvent,
    QModelIndex,
    QObject,
    QPersistentModelIndex,
    QRectF,
    QSize,
    Qt,
    Signal,
)
from PySide6.QtGui import QKeyEvent, QPainter, QPaintEvent
from PySide6.QtWidgets import (
    QFrame,
    QLineEdit,
    QListView,
    QStyle,
    QStyledItemDelegate,
    QStyleOptionViewItem,
    QVBoxLayout,
    QWidget,
)

from ponystudio.canvas.fields import field_painting
from ponystudio.canvas.fields.inplace_editor import text_palette
from ponystudio.canvas.fields.popup_base import MARGIN, Popup
from ponystudio.qt.i18n import tr
from ponystudio.widgets import theme
from ponystudio.widgets.rich_text import PlainLabel

_Index = QModelIndex | QPersistentModelIndex
Entry = TypeVar("Entry")
_SCATTERED = 1000
_APART = str.maketrans(dict.fromkeys("_-./+()[] ", " "))


class PopupRows(QAbstractListModel):
    """What is left of a list's entries after a search; each entry is any object."""

    def __init__(self, entries: Sequence[Any], name: Callable[[Any], str]) -> None:
        super().__init__()
        self._all, self._name = list(entries), name
        self.shown: list[Any] = list(entries)
        self.query = ""

    def rowCount(self, parent: _Index = QModelIndex()) -> int:  # noqa: B008 - Qt's signature
        return 0 if parent.isValid() else len(self.shown)

    def data(self, index: _Index, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        if not index.isValid():
            return None
        entry = self.shown[index.row()]
        if role == Qt.ItemDataRole.UserRole:
            return entry
        if role in (Qt.ItemDataRole.DisplayRole, Qt.ItemDataRole.AccessibleTextRole):
            return self._name(entry)
        return None

    @property
    def entries(self) -> list[Any]:
        """All there are, found or not."""
        return self._all

    def set_entries(self, entries: Sequence[Any]) -> None:
        self._all = list(entries)
        self.search(self.query)

    def search(self, query: str) -> None:
        self.beginResetModel()
        self.query = query
        self.shown = matching(query, self._all, self._name)
        self.endResetModel()


class RowPainter(QStyledItemDelegate):
    """Paints a row's ground and leaves the rest to `paint_row(painter, rect, entry, current)`."""

    def __init__(
        self,
        parent: QWidget,
        height: int,
        paint_row: Callable[[QPainter, QRectF, Any, bool], None],
    ) -> None:
        super().__init__(parent)
        self._height, self._paint_row = height, paint_row

    def sizeHint(self, option: QStyleOptionViewItem, index: _Index) -> QSize:
        del option, index
        return QSize(100, self._height)

    def paint(self, painter: QPainter, option: QStyleOptionViewItem, index: _Index) -> None:
        look = theme.current()
        state: Any = option.state
        rect = QRectF(option.rect)
        current = bool(state & QStyle.StateFlag.State_Selected)
        painter.save()
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        if current or state & QStyle.StateFlag.State_MouseOver:
            painter.setPen(Qt.PenStyle.NoPen)
            painter.setBrush(look.color("tint" if current else "hover"))
            painter.drawRoundedRect(rect.adjusted(0, 0, 0, -1), 5, 5)
        factor = theme.scale()
        painter.translate(rect.topLeft())
        painter.scale(factor, factor)
        inside = QRectF(0, 0, rect.width() / factor, rect.height() / factor)
        self._paint_row(painter, inside, index.data(Qt.ItemDataRole.UserRole), current)
        painter.restore()


class SearchLine(QLineEdit):
    """A line with a magnifying glass before it."""

    def paintEvent(self, event: QPaintEvent) -> None:
        super().paintEvent(event)
        factor = theme.scale()
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.scale(factor, factor)
        place = QRectF(8, 0, 16, self.height() / factor)
        field_painting.icon(painter, place, "search", theme.current().color("text3"))
        painter.end()


class ListPopup(Popup):
    """A list with a search field; `chosen` carries the entry."""

    chosen = Signal(object)
    row_height = 0  # as dense as everything
    most_rows = 12
    fewest_rows = 2
    searched_from = 8
    width_hint = 180
    tab_chooses = True

    def __init__(self, entries: Sequence[Any], current: Any, placeholder: str = "") -> None:
        super().__init__()
        self.current = current
        self.rows = PopupRows(entries, self.name)
        self.search = SearchLine(self)
        self._set_up_search(placeholder or tr("Search"))
        self.list = QListView(self)
        self._set_up_list()
        self.nothing = PlainLabel(tr("Nothing found"), self)
        self.nothing.setAlignment(Qt.AlignmentFlag.AlignCenter)
        self.nothing.setStyleSheet(f"color: {self.look.color('text3').name()};")
        self.nothing.setFont(theme.font("body"))
        self.nothing.hide()
        layout = QVBoxLayout(self)
        layout.setContentsMargins(MARGIN, MARGIN, MARGIN, MARGIN)
        layout.setSpacing(MARGIN)
        layout.addWidget(self.search)
        layout.addWidget(self.list, 1)
        layout.addWidget(self.nothing, 1)
        self.search.setVisible(len(entries) >= self.searched_from)
        if not self.search.isHidden():  # what is hidden cannot have the keyboard
            self.setFocusProxy(self.search)
        self._select(self.rows.shown.index(current) if current in self.rows.shown else 0)

    # For others to override

    def name(self, entry: Any) -> str:
        """What is searched and read aloud."""
        return str(entry)

    def paint_row(self, painter: QPainter, rect: QRectF, entry: Any, current: bool) -> None:
        raise NotImplementedError

    # Inside

    def _set_up_search(self, placeholder: str) -> None:
        look = self.look
        self.search.setPalette(text_palette(look))
        self.search.setFont(theme.font("body"))
        self.search.setPlaceholderText(placeholder)
        self.search.setAccessibleName(placeholder)
        self.search.setFrame(False)
        self.search.setFixedHeight(self.scaled(28))
        self.search.setTextMargins(self.scaled(28), 0, self.scaled(6), 0)
        self.search.setStyleSheet(
            f"QLineEdit {{ background: {look.color('field').name()};"
            f" color: {look.color('text').name()}; padding: 0;"
            f" min-height: {self.scaled(28) - 2}px; max-height: {self.scaled(28) - 2}px;"
            f" border: 1px solid {look.color('line').name()}; border-radius: 5px; }}"
            f"QLineEdit:focus {{ border-color: {look.color('text3').name()}; }}"
        )
        self.search.textChanged.connect(self._searched)
        self.search.installEventFilter(self)

    def _set_up_list(self) -> None:
        view = self.list
        view.setModel(self.rows)
        view.setItemDelegate(RowPainter(view, self._row(), self.paint_row))
        view.setFrameShape(QFrame.Shape.NoFrame)
        view.setUniformItemSizes(True)
        view.setMouseTracking(True)
        view.setVerticalScrollMode(QListView.ScrollMode.ScrollPerPixel)
        view.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        view.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        view.setAccessibleName(tr("Choices"))
        handle = self.look.color("line2").name()
        view.setStyleSheet(
            "QListView { background: transparent; border: none; outline: none; }"
            "QScrollBar:vertical { background: transparent; width: 8px; margin: 0; }"
            f"QScrollBar::handle:vertical {{ background: {handle}; border-radius: 3px;"
            " min-height: 24px; margin: 0 1px; }"
            "QScrollBar::add-line, QScrollBar::sub-line { height: 0; }"
            "QScrollBar::add-page, QScrollBar::sub-page { background: transparent; }"
        )
        view.clicked.connect(lambda index: self._choose(index.row()))

    def sizeHint(self) -> QSize:
        rows = max(self.fewest_rows, min(self.most_rows, len(self.rows.shown)))
        height = rows * self._row() + 2 * MARGIN + self.extra_height()
        if not self.search.isHidden():
            height += self.scaled(28) + MARGIN
        return QSize(self.scaled(self.width_hint), height)

    def _row(self) -> int:
        return self.scaled(self.row_height or theme.density().list_row)

    def extra_height(self) -> int:
        return 0

    def type_in(self, text: str) -> None:
        """Begin the search with what was typed."""
        self.search.setVisible(True)
        self.setFocusProxy(self.search)
        self.search.setText(text)
        self.resize_to_rows()

    def _searched(self, text: str) -> None:
        self.rows.search(text)
        self.list.setVisible(bool(self.rows.shown))
        self.nothing.setVisible(not self.rows.shown)
        self._select(0)

    def _select(self, row: int) -> None:
        index = self.rows.index(max(0, min(row, len(self.rows.shown) - 1)))
        if index.isValid():
            self.list.setCurrentIndex(index)
            self.list.scrollTo(index)

    def _choose(self, row: int) -> None:
        if 0 <= row < len(self.rows.shown):
            entry = self.rows.shown[row]
            self.close_once()
            self.chosen.emit(entry)

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        # While the popup is shown this is also asked as the application's filter.
        if watched is self.search and isinstance(event, QKeyEvent):
            if event.type() == QEvent.Type.ShortcutOverride:
                event.accept()
                return True
            if event.type() == QEvent.Type.KeyPress:
                return self._key(event)
        return super().eventFilter(watched, event)

    def _key(self, event: QKeyEvent) -> bool:
        row, page = self.list.currentIndex().row(), self.most_rows - 1
        steps = {
            Qt.Key.Key_Down: 1,
            Qt.Key.Key_Up: -1,
            Qt.Key.Key_PageDown: page,
            Qt.Key.Key_PageUp: -page,
        }
        key = Qt.Key(event.key())
        if key in steps:
            to, last = row + steps[key], len(self.rows.shown) - 1
            single = abs(steps[key]) == 1 and last > 0
            self._select(to % (last + 1) if single else max(0, min(to, last)))
        elif key in (Qt.Key.Key_Return, Qt.Key.Key_Enter):
            self._choose(row)
        elif key == Qt.Key.Key_Escape:
            self.close_once()
        elif key == Qt.Key.Key_Tab and self.tab_chooses:
            self._choose(row)
        else:
            return False
        return True

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Without a search field keys come here; the first letter brings it."""
        if self._key(event):
            event.accept()
        elif event.text().isprintable() and event.text():
            self.type_in(event.text())
            self.search.setFocus()
        else:
            super().keyPressEvent(event)


def matching(query: str, entries: Iterable[Entry], name: Callable[[Entry], str]) -> list[Entry]:
    """The entries that a search finds, the best first; all, in their order, for an empty one.

    Every word of the search must occur; where one does not, its letters in their order will do.
    """
    words = query.lower().translate(_APART).split()
    if not words:
        return list(entries)
    found = []
    for order, entry in enumerate(entries):
        text = name(entry).lower()
        ranks = [_rank(word, text) for word in words]
        if all(rank is not None for rank in ranks):
            found.append((sum(rank or 0 for rank in ranks), order, entry))
    found.sort(key=lambda item: item[:2])
    if found and found[0][0] < _SCATTERED:
        found = [item for item in found if item[0] < _SCATTERED]
    return [entry for _, _, entry in found]


def _rank(word: str, text: str) -> int | None:
    """0 for a beginning, then a word's beginning, then any place, then scattered letters."""
    if text.startswith(word):
        return 0
    spaced = text.translate(_APART)
    if f" {word}" in spaced:
        return 1
    if word in spaced:
        return 2
    letters = iter(spaced)
    return _SCATTERED if all(letter in letters for letter in word) else None
