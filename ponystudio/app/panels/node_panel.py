"""The nodes there are, by group: searched, dragged onto the canvas, or added by a double click."""

from __future__ import annotations

from typing import Any

from PySide6.QtCore import QMimeData, QModelIndex, QPointF, QRect, QRectF, QSize, Qt, Signal
from PySide6.QtGui import (
    QDrag,
    QFontMetricsF,
    QKeyEvent,
    QPainter,
    QStandardItem,
    QStandardItemModel,
)
from PySide6.QtWidgets import (
    QAbstractItemView,
    QHBoxLayout,
    QStyle,
    QStyledItemDelegate,
    QStyleOptionViewItem,
    QTreeView,
    QVBoxLayout,
    QWidget,
)

from ponystudio.api.spec import NodeSpec
from ponystudio.canvas.gestures.controller import NODE_MIME
from ponystudio.graph.catalog import Catalog
from ponystudio.qt.plain_text import tip
from ponystudio.widgets import theme
from ponystudio.widgets.common import label
from ponystudio.widgets.fuzzy_match import ranked
from ponystudio.widgets.primitives import PaintedButton, draw_box, draw_icon, px
from ponystudio.widgets.search_field import SearchField

SPEC = Qt.ItemDataRole.UserRole


class NodePanel(QWidget):
    """`chosen` carries the NodeSpec that is to be added where there is room."""

    chosen = Signal(object)
    closed = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._catalog = Catalog(())
        self._folded: set[str] = set()
        self.setProperty("surface", "panel")
        self.setAccessibleName(self.tr("Nodes"))
        title = label(self.tr("Nodes"), "title")
        self._close = PaintedButton("icon", icon="close", name=self.tr("Close this panel"))
        self._close.setToolTip(self.tr("Close this panel (N)"))
        self._close.clicked.connect(self.closed)
        self.search = _Search("")
        self.search.setAccessibleName(self.tr("Search nodes"))
        self.tree = _Tree()
        self.model = QStandardItemModel(self)
        self.tree.setModel(self.model)
        self.tree.setItemDelegate(_Delegate(self.tree))
        self.nothing_found = label(self.tr("No node is called that."), "caption")
        self.nothing_found.hide()
        head = QHBoxLayout()
        head.addWidget(title, 1)
        head.addWidget(self._close)
        self._box = QVBoxLayout(self)
        self._box.addLayout(head)
        self._box.addWidget(self.search)
        self._box.addWidget(self.nothing_found)
        self._box.addWidget(self.tree, 1)
        self.search.textChanged.connect(self._fill)
        self.search.returnPressed.connect(self._first)
        self.search.entered.connect(self._enter)
        self.tree.activated.connect(self._activated)
        self.tree.expanded.connect(lambda index: self._note_fold(index, False))
        self.tree.collapsed.connect(lambda index: self._note_fold(index, True))
        theme.hub.changed.connect(self._restyle)
        self._restyle()

    def set_catalog(self, catalog: Catalog) -> None:
        self._catalog = catalog
        self.search.setPlaceholderText(self.tr("Search {0} nodes").format(len(catalog)))
        self._fill()

    def _fill(self) -> None:
        self.model.clear()
        wanted = self.search.text().strip()
        if wanted:
            specs = [spec for spec, _ in ranked(wanted, self._catalog.values(), _words)]
            for spec in specs:
                self.model.appendRow(_item(spec))
            self.tree.setCurrentIndex(self.model.index(0, 0))
        else:
            for group, specs in self._groups():
                row = QStandardItem(group)
                row.setFlags(Qt.ItemFlag.ItemIsEnabled)
                row.setData(len(specs), Qt.ItemDataRole.UserRole + 1)
                for spec in specs:
                    row.appendRow(_item(spec))
                self.model.appendRow(row)
                self.tree.setExpanded(row.index(), group not in self._folded)
        self.nothing_found.setVisible(bool(wanted) and not self.model.rowCount())

    def _groups(self) -> list[tuple[str, list[NodeSpec]]]:
        """In the order of the look, then those of packs."""
        groups: dict[str, list[NodeSpec]] = {}
        for spec in self._catalog.values():
            groups.setdefault(spec.group or self.tr("Other"), []).append(spec)
        order = theme.group_keys()
        return sorted(groups.items(), key=lambda item: order.index(theme.group_key(item[0])))

    def _note_fold(self, index: QModelIndex, folded: bool) -> None:
        group = index.data()
        (self._folded.add if folded else self._folded.discard)(group)

    def _activated(self, index: QModelIndex) -> None:
        if (spec := index.data(SPEC)) is not None:
            self.chosen.emit(spec)
        else:
            self.tree.setExpanded(index, not self.tree.isExpanded(index))

    def _first(self) -> None:
        if (spec := self.model.index(0, 0).data(SPEC)) is not None:
            self.chosen.emit(spec)

    def _enter(self) -> None:
        """From the search into the list."""
        self.tree.setFocus(Qt.FocusReason.TabFocusReason)
        if not self.tree.currentIndex().isValid():
            self.tree.setCurrentIndex(self.model.index(0, 0))

    def _restyle(self) -> None:
        self._box.setContentsMargins(px(12), px(8), px(8), 0)
        self._box.setSpacing(px(8))
        self.tree.scheduleDelayedItemsLayout()  # the rows may be taller now


class _Search(SearchField):
    """Enter takes the first that was found; down goes to the list."""

    def keyPressEvent(self, event: QKeyEvent) -> None:
        if event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter):
            self.returnPressed.emit()
        else:
            super().keyPressEvent(event)


class _Tree(QTreeView):
    def __init__(self) -> None:
        super().__init__()
        self.setHeaderHidden(True)
        self.setIndentation(0)
        self.setRootIsDecorated(False)
        self.setDragEnabled(True)
        self.setDragDropMode(QAbstractItemView.DragDropMode.DragOnly)
        self.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setMouseTracking(True)
        self.setAccessibleName(self.tr("Nodes by group"))
        self.setUniformRowHeights(True)

    def startDrag(self, _actions: Qt.DropAction) -> None:
        spec = self.currentIndex().data(SPEC)
        if spec is not None:
            mime = QMimeData()
            mime.setData(NODE_MIME, spec.id.encode())
            drag = QDrag(self)
            drag.setMimeData(mime)
            drag.exec(Qt.DropAction.CopyAction)

    def mouseReleaseEvent(self, event: Any) -> None:
        super().mouseReleaseEvent(event)
        index = self.indexAt(event.position().toPoint())
        if index.isValid() and index.data(SPEC) is None:
            self.setExpanded(index, not self.isExpanded(index))


class _Delegate(QStyledItemDelegate):
    """A group's title with its number, or a node with the shapes of what it gives."""

    def sizeHint(self, _option: QStyleOptionViewItem, _index: QModelIndex) -> QSize:  # type: ignore[override]
        return QSize(px(160), px(theme.density().list_row))

    def paint(self, painter: QPainter, option: QStyleOptionViewItem, index: Any) -> None:
        look = theme.current()
        rect = QRectF(option.rect)
        state = option.state
        spec: NodeSpec | None = index.data(SPEC)
        painter.save()
        selected = bool(state & QStyle.StateFlag.State_Selected)
        if spec is not None and (selected or state & QStyle.StateFlag.State_MouseOver):
            draw_box(painter, rect, px(5), look.color("tint" if selected else "hover"), None)
        if spec is None:
            self._paint_group(painter, rect, option, index)
        else:
            self._paint_node(painter, rect, spec)
        painter.restore()

    def _paint_group(self, painter: QPainter, rect: QRectF, option: Any, index: Any) -> None:
        look = theme.current()
        tree = option.widget
        open_ = isinstance(tree, QTreeView) and tree.isExpanded(index)
        at = QPointF(rect.left() + px(8), rect.center().y())
        draw_icon(painter, "down" if open_ else "right", at, look.color("text3"), 12)
        painter.setFont(theme.font("node"))
        painter.setPen(look.color("text"))
        place = rect.adjusted(px(20), 0, -px(8), 0)
        painter.drawText(place, Qt.AlignmentFlag.AlignVCenter, index.data())
        painter.setFont(theme.font("mono_caption"))
        painter.setPen(look.color("text3"))
        right = Qt.AlignmentFlag.AlignVCenter | Qt.AlignmentFlag.AlignRight
        painter.drawText(place, right, str(index.data(Qt.ItemDataRole.UserRole + 1)))

    def _paint_node(self, painter: QPainter, rect: QRectF, spec: NodeSpec) -> None:
        look = theme.current()
        right = rect.right() - px(12)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        for output in reversed(spec.outputs):
            socket = look.socket(output.type)
            painter.save()
            painter.translate(right, rect.center().y())
            painter.scale(0.6 * theme.scale(), 0.6 * theme.scale())
            painter.fillPath(socket.path, socket.color)
            painter.restore()
            right -= px(14)
        font = theme.font("body")
        painter.setFont(font)
        painter.setPen(look.color("text2"))
        place = QRectF(
            rect.left() + px(20), rect.top(), right - rect.left() - px(20), rect.height()
        )
        text = QFontMetricsF(font).elidedText(
            spec.title, Qt.TextElideMode.ElideRight, place.width()
        )
        painter.drawText(place, Qt.AlignmentFlag.AlignVCenter, text)

    def helpEvent(self, event: Any, view: Any, option: Any, index: Any) -> bool:
        del option
        from PySide6.QtWidgets import QToolTip

        spec: NodeSpec | None = index.data(SPEC)
        if spec is not None:
            QToolTip.showText(event.globalPos(), tip(spec.help.split("\n\n")[0]), view, QRect())
        return True


def _item(spec: NodeSpec) -> QStandardItem:
    item = QStandardItem(spec.title)
    item.setData(spec, SPEC)
    item.setEditable(False)
    item.setData(spec.help.split("\n")[0], Qt.ItemDataRole.AccessibleDescriptionRole)
    return item


def _words(spec: NodeSpec) -> tuple[str, ...]:
    return spec.title, spec.id, spec.group, spec.help
