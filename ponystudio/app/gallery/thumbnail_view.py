"""Thumbnails by mouse and keys: choosing, dragging out, opening."""

from __future__ import annotations

from pathlib import Path

from PySide6.QtCore import QEvent, QMimeData, QPoint, QSize, Qt, QUrl, Signal
from PySide6.QtGui import (
    QContextMenuEvent,
    QDrag,
    QFocusEvent,
    QHelpEvent,
    QKeyEvent,
    QMouseEvent,
    QResizeEvent,
)
from PySide6.QtWidgets import QApplication, QToolTip, QWidget

from ponystudio.app.gallery.thumbnail_base import ThumbnailBase
from ponystudio.qt.plain_text import tip
from ponystudio.studio.results.result_library import ResultList
from ponystudio.studio.results.result_texts import described
from ponystudio.studio.results.thumbnail_cache import ThumbnailCache
from ponystudio.widgets.primitives import px

_MOVES = {
    Qt.Key.Key_Left: "left",
    Qt.Key.Key_Right: "right",
    Qt.Key.Key_Up: "up",
    Qt.Key.Key_Down: "down",
    Qt.Key.Key_Home: "home",
    Qt.Key.Key_End: "end",
    Qt.Key.Key_PageUp: "page_up",
    Qt.Key.Key_PageDown: "page_down",
}


class ThumbnailView(ThumbnailBase):
    """`activated` (picture): double click or Enter. `menu_requested` (pictures, global position).
    `delete_requested` (pictures), by a key while the last click was on one of them;
    `copy_requested` (picture)."""

    activated = Signal(object)
    menu_requested = Signal(list, QPoint)
    delete_requested = Signal(list)
    copy_requested = Signal(object)

    def __init__(
        self, listing: ResultList, thumbnails: ThumbnailCache, parent: QWidget | None = None
    ) -> None:
        super().__init__(listing, thumbnails, parent)
        self._pressed: QPoint | None = None
        self._narrowing: Path | None = None
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self.arrange()

    def mousePressEvent(self, event: QMouseEvent) -> None:
        row = self.row_at(event.position().toPoint())
        self._pressed = self._narrowing = None
        self.last_clicked.set_on(row >= 0)
        if row < 0:
            if event.button() == Qt.MouseButton.LeftButton:
                self.select([])
            return
        path = self.pictures[row].path
        plain = event.modifiers() == Qt.KeyboardModifier.NoModifier
        if event.button() == Qt.MouseButton.RightButton:
            if path not in self._selected:
                self.choose(row, Qt.KeyboardModifier.NoModifier)
        elif event.button() == Qt.MouseButton.LeftButton:
            self._pressed = event.position().toPoint()
            if plain and path in self._selected and len(self._selected) > 1:
                self._narrowing = path  # several may be about to be dragged
            else:
                self.choose(row, event.modifiers())

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        point = event.position().toPoint()
        if self._pressed is not None and event.buttons() & Qt.MouseButton.LeftButton:
            if (point - self._pressed).manhattanLength() >= QApplication.startDragDistance():
                self._pressed = self._narrowing = None
                self._drag()
            return
        self._hover(self.row_at(point))

    def mouseReleaseEvent(self, _event: QMouseEvent) -> None:
        if self._narrowing is not None and (row := self.listing.row(self._narrowing)) >= 0:
            self.choose(row, Qt.KeyboardModifier.NoModifier)
        self._pressed = self._narrowing = None

    def mouseDoubleClickEvent(self, event: QMouseEvent) -> None:
        row = self.row_at(event.position().toPoint())
        if row >= 0 and event.button() == Qt.MouseButton.LeftButton:
            self._pressed = None
            self.activated.emit(self.pictures[row])

    def contextMenuEvent(self, event: QContextMenuEvent) -> None:
        place = event.globalPos()
        if event.reason() == QContextMenuEvent.Reason.Keyboard and self.current is not None:
            cell = self.cell(self.listing.row(self._current))
            place = self.viewport().mapToGlobal(cell.center())
        if chosen := self.selected():
            self.menu_requested.emit(chosen, place)

    def leaveEvent(self, _event: QEvent) -> None:
        self._hover(-1)

    def focusInEvent(self, event: QFocusEvent) -> None:
        reasons = (Qt.FocusReason.TabFocusReason, Qt.FocusReason.BacktabFocusReason)
        if event.reason() in reasons:
            self.last_clicked.set_on()
            if self._current is None and self.pictures:
                self.select([self.pictures[0].path])
        self.viewport().update()

    def focusOutEvent(self, _event: QFocusEvent) -> None:
        self.viewport().update()

    def event(self, event: QEvent) -> bool:
        # The window's keys (Del deletes nodes) must not act while pictures have the focus.
        if event.type() == QEvent.Type.ShortcutOverride and isinstance(event, QKeyEvent):
            if self._command(event) or event.key() in _MOVES:
                event.accept()
                return True
        elif event.type() == QEvent.Type.DevicePixelRatioChange:
            self._cells.clear()
        return super().event(event)

    def viewportEvent(self, event: QEvent) -> bool:
        if event.type() == QEvent.Type.ToolTip and isinstance(event, QHelpEvent):
            row = self.row_at(event.pos())
            text = described(self.pictures[row]) if row >= 0 else ""
            QToolTip.showText(event.globalPos(), tip(text), self.viewport())
            return True
        return super().viewportEvent(event)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        plain = event.modifiers() & ~(
            Qt.KeyboardModifier.KeypadModifier | Qt.KeyboardModifier.ShiftModifier
        )
        way = _MOVES.get(Qt.Key(event.key()))
        if way and not plain and self.pictures:
            self.last_clicked.set_on()
            row = self.listing.row(self._current)
            self.choose(self.neighbour(row, way) if row >= 0 else 0, event.modifiers())
        elif command := self._command(event):
            self._do(command)
        else:
            event.ignore()

    def _command(self, event: QKeyEvent) -> str:
        key, control = event.key(), event.modifiers() == Qt.KeyboardModifier.ControlModifier
        if control:
            return {Qt.Key.Key_C: "copy", Qt.Key.Key_A: "all"}.get(Qt.Key(key), "")
        if event.modifiers() & ~Qt.KeyboardModifier.KeypadModifier:
            return ""
        return {
            Qt.Key.Key_Return: "open",
            Qt.Key.Key_Enter: "open",
            Qt.Key.Key_Delete: "delete" if self.last_clicked else "",
        }.get(Qt.Key(key), "")

    def _do(self, command: str) -> None:
        chosen, current = self.selected(), self.current
        if command == "all":
            self.select_all()
        elif command == "delete" and chosen:
            self.delete_requested.emit(chosen)
        elif command == "open" and current:
            self.activated.emit(current)
        elif command == "copy" and current:
            self.copy_requested.emit(current)

    def _hover(self, row: int) -> None:
        if row != self._hovered:
            self._hovered = row
            self.viewport().update()

    def _drag(self) -> None:
        """Files, for the canvas, for file managers and for other programs."""
        self.last_clicked.set_on(False)  # keys belong to where they are taken
        chosen = self.selected()
        if not chosen:
            return
        data = QMimeData()
        data.setUrls([QUrl.fromLocalFile(str(picture.path)) for picture in chosen])
        drag = QDrag(self)
        drag.setMimeData(data)
        pixmap = self._cell_pixmap(chosen[0].path, QSize(px(72), px(72)))
        if pixmap is not None:
            drag.setPixmap(pixmap)
            drag.setHotSpot(QPoint(px(36), px(36)))
        drag.exec(Qt.DropAction.CopyAction)
