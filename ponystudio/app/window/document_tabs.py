"""The tabs of the open documents, and of the pages that stand in the canvas's place."""

from __future__ import annotations

from PySide6.QtCore import QEvent, QPoint, QPointF, QRect, QRectF, QSize, Qt, Signal
from PySide6.QtGui import QFontMetricsF, QMouseEvent, QPainter, QPaintEvent, QWheelEvent
from PySide6.QtWidgets import QSizePolicy, QTabBar, QWidget

from ponystudio.qt.plain_text import tip
from ponystudio.studio.documents.document import Document
from ponystudio.studio.documents.documents import Documents
from ponystudio.widgets import theme
from ponystudio.widgets.primitives import draw_box, draw_icon, px

HEIGHT = 44
MOST_TITLE = 180


class DocumentTabs(QTabBar):
    """Mirrors `Documents`, and has the pages that were told.

    `close_requested` carries a document; `returned`: the canvas of the present one is wanted, while
    a page may be in front of it; `page_chosen` and `page_close_requested` carry a page's name.
    """

    close_requested = Signal(object)
    returned = Signal()
    page_chosen = Signal(str)
    page_close_requested = Signal(str)

    def __init__(self, documents: Documents, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._documents = documents
        self._running: set[Document] = set()
        self._page_icons: dict[str, str] = {}
        self._pointer = QPoint(-1, -1)
        self.setMovable(True)
        self.setExpanding(False)
        self.setDrawBase(False)
        self.setUsesScrollButtons(True)
        self.setMouseTracking(True)
        self.setElideMode(Qt.TextElideMode.ElideRight)
        self.setAccessibleName(self.tr("Open graphs"))
        self.setSizePolicy(QSizePolicy.Policy.Preferred, QSizePolicy.Policy.Fixed)
        self.currentChanged.connect(self._chosen)
        self.tabBarClicked.connect(self._clicked)
        self.tabMoved.connect(self._moved)
        self._mirroring = False
        documents.opened.connect(self._opened)
        documents.closed.connect(self._closed)
        documents.current_changed.connect(self.show_document)
        documents.title_changed.connect(self._refresh)
        documents.dirty_changed.connect(self._refresh)
        theme.hub.changed.connect(self._restyle)
        for document in documents:
            self._opened(document)

    def document(self, index: int) -> Document | None:
        data = self.tabData(index)
        return data if isinstance(data, Document) else None

    def index_of(self, what: object) -> int:
        """Of a document, or of the name of a page; -1 where it has no tab."""
        return next((i for i in range(self.count()) if self.tabData(i) == what), -1)

    def show_page(self, name: str, title: str, icon: str) -> None:
        """A page stands in front: its tab, made if need be, is the current one."""
        self._mirroring = True
        if (index := self.index_of(name)) < 0:
            self._page_icons[name] = icon
            index = self.addTab(title)
            self.setTabData(index, name)
        self.setCurrentIndex(index)
        self._mirroring = False

    def show_document(self, document: Document | None) -> None:
        """The canvas of a document stands in front."""
        self._mirroring = True
        if (index := self.index_of(document)) >= 0:
            self.setCurrentIndex(index)
        self._mirroring = False

    def close_page(self, name: str) -> None:
        """Take the tab of a page away."""
        self._mirroring = True
        if (index := self.index_of(name)) >= 0:
            self.removeTab(index)
        self._mirroring = False

    def step(self, by: int) -> None:
        """The next tab or the one before, round and round."""
        if self.count():
            self.setCurrentIndex((self.currentIndex() + by) % self.count())

    def set_running(self, documents: set[Document]) -> None:
        """Whose graphs are being made, so that their tabs show it."""
        if documents != self._running:
            self._running = documents
            self.update()

    # Mirroring

    def _opened(self, document: Document) -> None:
        self._mirroring = True
        index = self.insertTab(self._place(document), document.title)
        self.setTabData(index, document)
        self.setTabToolTip(index, tip(str(document.path or document.title)))
        self._mirroring = False

    def _closed(self, document: Document) -> None:
        in_front = self.tabData(self.currentIndex())
        self._mirroring = True
        if (index := self.index_of(document)) >= 0:
            self.removeTab(index)
        self._mirroring = False
        if in_front is document:
            self.show_document(self._documents.current)

    def _place(self, document: Document) -> int:
        """Where its tab belongs: behind that of the document before it."""
        order = list(self._documents)
        number = order.index(document)
        return self.index_of(order[number - 1]) + 1 if number else 0

    def _refresh(self, document: Document) -> None:
        if (index := self.index_of(document)) >= 0:
            self.setTabText(index, document.title)
            self.setTabToolTip(index, tip(str(document.path or document.title)))
            self.update()

    def _chosen(self, index: int) -> None:
        if self._mirroring:
            return
        document = self.document(index)
        if document is None:
            self.page_chosen.emit(str(self.tabData(index)))
        elif document is self._documents.current:
            self.returned.emit()
        else:
            self._documents.set_current(document)

    def _clicked(self, index: int) -> None:
        if index == self.currentIndex():  # else it changes in a moment, and that is heard
            self._chosen(index)

    def _moved(self, _from: int, _to: int) -> None:
        if not self._mirroring:
            shown = [document for i in range(self.count()) if (document := self.document(i))]
            for number, document in enumerate(shown):
                if list(self._documents)[number] is not document:
                    self._documents.move(document, number)

    def _restyle(self) -> None:
        self.setTabsClosable(True)  # has the sizes asked for anew
        self.setTabsClosable(False)
        self.updateGeometry()

    # Looks

    def minimumSizeHint(self) -> QSize:
        """One tab may be narrower than Qt thinks a bar must be."""
        return QSize(min(self.sizeHint().width(), px(120)), px(HEIGHT))

    def tabSizeHint(self, index: int) -> QSize:
        font = theme.font("node")
        width = min(QFontMetricsF(font).horizontalAdvance(self.tabText(index)), px(MOST_TITLE))
        return QSize(round(width) + px(12 + 16 + 8 + 8 + 8 + 20 + 8), px(HEIGHT))

    def minimumTabSizeHint(self, index: int) -> QSize:  # noqa: ARG002
        return QSize(px(80), px(HEIGHT))

    def paintEvent(self, _event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        for index in range(self.count()):
            self._paint_tab(painter, index)

    def _paint_tab(self, painter: QPainter, index: int) -> None:
        look, rect = theme.current(), QRectF(self.tabRect(index))
        current = index == self.currentIndex()
        hovered = self.tabRect(index).contains(self._pointer)
        if current:
            painter.fillRect(rect, look.color("canvas"))
            painter.fillRect(QRectF(rect.left(), 0, rect.width(), px(2)), look.color("accent"))
        elif hovered:
            painter.fillRect(rect, look.color("hover"))
        painter.setPen(look.color("line"))
        painter.drawLine(
            QPointF(rect.right() + 0.5, rect.top()), QPointF(rect.right() + 0.5, rect.bottom())
        )
        document = self.document(index)
        running = document in self._running
        middle = rect.center().y()
        ink = look.color("text" if current else "text2")
        draw_icon(
            painter,
            "run" if running else self._page_icons.get(str(self.tabData(index)), "graph"),
            QPointF(rect.left() + px(20), middle),
            look.color("accent") if running else ink,
        )
        font = theme.font("node")
        painter.setFont(font)
        painter.setPen(ink)
        room = rect.width() - px(12 + 16 + 8 + 8 + 28)
        place = QRectF(rect.left() + px(36), rect.top(), room, rect.height())
        text = QFontMetricsF(font).elidedText(
            self.tabText(index), Qt.TextElideMode.ElideRight, room
        )
        painter.drawText(place, Qt.AlignmentFlag.AlignVCenter, text)
        close = QRectF(self.close_rect(index))
        if close.contains(QPointF(self._pointer)):
            draw_box(painter, close, px(5), look.color("hover"), None)
        if document is not None and document.dirty and not hovered:
            painter.setPen(Qt.PenStyle.NoPen)
            painter.setBrush(look.color("text3"))
            painter.drawEllipse(close.center(), px(4), px(4))
        elif current or hovered:
            draw_icon(painter, "close", close.center(), look.color("text2"), 12)

    def close_rect(self, index: int) -> QRect:
        rect, size = self.tabRect(index), px(20)
        return QRect(rect.right() - size - px(8), rect.center().y() - size // 2, size, size)

    # Hands

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        self._pointer = event.position().toPoint()
        self.update()
        super().mouseMoveEvent(event)

    def leaveEvent(self, event: QEvent) -> None:
        self._pointer = QPoint(-1, -1)
        self.update()
        super().leaveEvent(event)

    def mousePressEvent(self, event: QMouseEvent) -> None:
        at = event.position().toPoint()
        index = self.tabAt(at)
        middle = event.button() == Qt.MouseButton.MiddleButton
        if index < 0 or not (middle or self.close_rect(index).contains(at)):
            super().mousePressEvent(event)
        elif (document := self.document(index)) is not None:
            self.close_requested.emit(document)
        else:
            self.page_close_requested.emit(str(self.tabData(index)))

    def wheelEvent(self, event: QWheelEvent) -> None:
        """Who scrolls past does not want another graph."""
        if self.hasFocus():
            super().wheelEvent(event)
        else:
            event.ignore()
