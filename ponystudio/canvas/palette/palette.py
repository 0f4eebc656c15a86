"""The palette: a search field and what it finds, at the pointer, for mouse and keyboard alike."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from PySide6.QtCore import QEvent, QObject, QPoint, Qt, Signal
from PySide6.QtGui import QFocusEvent, QKeyEvent, QPainter, QPaintEvent
from PySide6.QtWidgets import (
    QApplication,
    QFrame,
    QHBoxLayout,
    QLineEdit,
    QVBoxLayout,
    QWidget,
)

from ponystudio.api.spec import NodeSpec
from ponystudio.canvas.palette.palette_entries import PaletteEntry, SocketFilter, rows
from ponystudio.canvas.palette.palette_list import ROW, Chip, Foot, RowList
from ponystudio.widgets import theme
from ponystudio.widgets.common import Hairline, fade_in
from ponystudio.widgets.primitives import paint_ground
from ponystudio.widgets.rich_text import PlainLabel

WIDTH, HIGHEST = 380, 360


class Palette(QFrame):
    """Chooses one of many entries. `chosen` carries the entry's value, then it is closed.

    `closed` comes at the end of each showing, chosen or not (True, False). Esc, a click elsewhere
    and losing the keyboard close it; Tab drops the filter.
    """

    chosen = Signal(object)
    closed = Signal(bool)

    def __init__(self, parent: QWidget) -> None:
        super().__init__(parent)
        self.setObjectName("palette")
        self.setProperty("surface", "popup")
        self.setAccessibleName(self.tr("Palette"))
        self._entries: Sequence[PaletteEntry] = ()
        self._recent: list[Any] = []
        self._filter: SocketFilter | None = None
        self._at, self._gap = QPoint(), 0
        self._verb = ""
        self.search = QLineEdit(self)
        self.search.setFrame(False)
        self.search.setAccessibleName(self.tr("Search"))
        self.chip = Chip(self)
        self.list = RowList(self)
        self.empty = PlainLabel(parent=self)
        self.empty.setAlignment(Qt.AlignmentFlag.AlignCenter)
        self.empty.setWordWrap(True)
        self.foot = Foot(self)
        self._lay_out()
        self.search.textChanged.connect(self._find)
        self.search.installEventFilter(self)
        self.chip.clicked.connect(self.drop_filter)
        self.list.clicked.connect(lambda _: self._choose())
        theme.hub.changed.connect(self._restyle)
        self._restyle()
        self.hide()

    # For those who open it

    def open(
        self,
        at: QPoint,
        entries: Sequence[PaletteEntry],
        *,
        filter: SocketFilter | None = None,
        recent: Iterable[Any] = (),
        hint: str = "",
        verb: str = "",
        gap: int = 0,
    ) -> None:
        """Show it so much below this point of the parent; where it would not fit there, above.

        `hint` stands in the empty field, `verb` says in the foot what Enter does.
        """
        self._entries, self._filter, self._recent = entries, filter, list(recent)
        self._at, self._gap = at, gap
        self._verb = verb or (self.tr("add and connect") if filter else self.tr("add"))
        self.search.setPlaceholderText(hint or self.tr("Search nodes"))
        blocked = self.search.blockSignals(True)
        self.search.clear()
        self.search.blockSignals(blocked)
        self._show_filter()
        self._find()
        self.show()
        self.raise_()
        fade_in(self)
        self.search.setFocus(Qt.FocusReason.PopupFocusReason)
        QApplication.instance().installEventFilter(self)  # type: ignore[union-attr]

    def close_palette(self, done: bool = False) -> None:
        if self.isHidden():
            return
        QApplication.instance().removeEventFilter(self)  # type: ignore[union-attr]
        self.hide()
        parent = self.parentWidget()
        if parent:
            parent.setFocus(Qt.FocusReason.PopupFocusReason)
        self.closed.emit(done)

    def drop_filter(self) -> None:
        if self._filter:
            self._filter = None
            self._show_filter()
            self._find()
        self.search.setFocus()

    @property
    def filter(self) -> SocketFilter | None:
        return self._filter

    # What it shows

    def _find(self) -> None:
        found = rows(self.search.text(), self._entries, self._recent, self._passes)
        self.list.show_rows(found)
        self.list.setVisible(bool(found))
        self.empty.setVisible(not found)
        if not found:
            self.empty.setText(
                self.tr("Nothing that {0} is called so. Tab shows all.").format(self._filter.text)
                if self._filter
                else self.tr("Nothing is called so.")
            )
        self._place()

    def _passes(self, entry: PaletteEntry) -> bool:
        if self._filter is None:
            return True
        return isinstance(entry.value, NodeSpec) and self._filter.passes(entry.value)

    def _show_filter(self) -> None:
        self.chip.show_filter(self._filter)
        self.foot.show_keys(self._verb, len(self._entries) if self._filter else 0)

    def _place(self) -> None:
        unit, edge = theme.scale(), 8
        rows_high = max(round(2 * ROW * unit), self.list.height_of_rows())
        tallest = round(HIGHEST * unit)
        high = min(tallest, rows_high + round((44 + 34) * unit))
        width = round(WIDTH * unit)
        x, y = self._at.x(), self._at.y() + self._gap
        if parent := self.parentWidget():
            x = max(edge, min(x, parent.width() - width - edge))
            # The tallest it can get counts, so that it does not jump while one types.
            if y + tallest > parent.height() - edge:
                high = min(tallest, parent.height() - 2 * edge)
                y = max(edge, self._at.y() - self._gap - high)
        self.setGeometry(x, y, width, high)

    # Keys and clicks

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        if watched is self.search and isinstance(event, QKeyEvent):
            if event.type() == QEvent.Type.KeyPress:
                return self._key(event)
            if event.type() == QEvent.Type.ShortcutOverride:
                event.accept()
                return True
        if watched is self.search and isinstance(event, QFocusEvent):
            elsewhere = event.type() == QEvent.Type.FocusOut and QApplication.focusWidget()
            if elsewhere and not self.isAncestorOf(elsewhere):
                self.close_palette()
        if event.type() == QEvent.Type.MouseButtonPress and isinstance(watched, QWidget):
            inside = watched is self or self.isAncestorOf(watched)
            if not inside and watched.window() is self.window():
                self.close_palette()
                return True
        return False

    def _key(self, event: QKeyEvent) -> bool:
        key = event.key()
        page = max(1, self.list.height() // round(ROW * theme.scale()) - 1)
        steps = {
            Qt.Key.Key_Down: 1,
            Qt.Key.Key_Up: -1,
            Qt.Key.Key_PageDown: page,
            Qt.Key.Key_PageUp: -page,
        }
        if key in steps:
            self.list.step(steps[Qt.Key(key)])
        elif key in (Qt.Key.Key_Return, Qt.Key.Key_Enter):
            self._choose()
        elif key == Qt.Key.Key_Escape:
            self.close_palette()
        elif key in (Qt.Key.Key_Tab, Qt.Key.Key_Backtab):
            self.drop_filter()
        else:
            return False
        return True

    def _choose(self) -> None:
        entry = self.list.current()
        if entry is None:
            return
        self.close_palette(done=True)
        self.chosen.emit(entry.value)

    # Looks

    def _lay_out(self) -> None:
        self._head = QHBoxLayout()
        self._icon = PlainLabel(parent=self)
        for widget, stretch in ((self._icon, 0), (self.search, 1), (self.chip, 0)):
            self._head.addWidget(widget, stretch)
        column = QVBoxLayout(self)
        column.setContentsMargins(1, 1, 1, 1)
        column.setSpacing(0)
        column.addLayout(self._head)
        column.addWidget(Hairline(self))
        column.addWidget(self.list, 1)
        column.addWidget(self.empty, 1)
        column.addWidget(Hairline(self))
        column.addWidget(self.foot)

    def _restyle(self) -> None:
        look, unit = theme.current(), theme.scale()
        self._head.setContentsMargins(*(round(v * unit) for v in (12, 6, 8, 6)))
        self._head.setSpacing(round(8 * unit))
        self._icon.setPixmap(look.icon("search", "text3").pixmap(round(16 * unit)))
        self.search.setFont(theme.font("body"))
        self.search.setFixedHeight(round(30 * unit))
        self.empty.setFont(theme.font("body"))
        self.setStyleSheet(
            f"""
            #palette QLineEdit {{ background: transparent; border: none; padding: 0;
                color: {look.color("text").name()};
                selection-background-color: {look.color("fill").name()}; }}
            #palette QListView {{ background: transparent; border: none; outline: none; }}
            #palette QScrollBar:vertical {{ background: transparent; border: none;
                width: {round(8 * unit)}px; margin: 0; }}
            #palette QScrollBar::handle:vertical {{ background: {look.color("line2").name()};
                border-radius: {round(3 * unit)}px; margin: 1px; min-height: 24px; }}
            #palette QScrollBar::add-line, #palette QScrollBar::sub-line {{ height: 0; }}
            #palette QScrollBar::add-page, #palette QScrollBar::sub-page {{
                background: transparent; }}
            #palette QLabel {{ color: {look.color("text3").name()}; background: transparent; }}
            """
        )
        self.foot.setFixedHeight(round(34 * unit))
        self.update()

    def paintEvent(self, event: QPaintEvent) -> None:
        del event
        painter = QPainter(self)
        paint_ground(painter, self, line="line2", radius=8)
        painter.end()
