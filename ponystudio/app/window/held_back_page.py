"""What is not restored, since PonyStudio ended while it was: offered, never opened by itself."""

from __future__ import annotations

import time
from collections.abc import Sequence

from PySide6.QtCore import Qt, Signal
from PySide6.QtGui import QKeyEvent
from PySide6.QtWidgets import (
    QFrame,
    QHBoxLayout,
    QPlainTextEdit,
    QScrollArea,
    QStackedLayout,
    QVBoxLayout,
    QWidget,
)

from ponystudio.qt.i18n import tr
from ponystudio.studio.restore_guard import Restored
from ponystudio.widgets import theme
from ponystudio.widgets.common import ElidedLabel, label
from ponystudio.widgets.primitives import PaintedButton, px

WIDTH = 640
_LOOK_AT = {"document": "graph", "file": "graph", "queue": "queue", "settings": "settings"}


class HeldBackPage(QFrame):
    """Stands in the place of the canvas. Each signal carries the Restored that a button is of:
    `open_wanted` all the same, `text_wanted` as letters, `copy_wanted` as a file elsewhere,
    `discarded` for good, after a second look. `left`: it stays as it is."""

    open_wanted = Signal(object)
    text_wanted = Signal(object)
    copy_wanted = Signal(object)
    discarded = Signal(object)
    left = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setProperty("surface", "canvas")
        self.setAccessibleName(self.tr("Not opened"))
        self._cards: dict[Restored, HeldBackCard] = {}
        self._list = _Column()
        heading = self.tr("Not opened: it stopped PonyStudio last time")
        self._list.box.addWidget(label(heading, "page"))
        text = self.tr(
            "PonyStudio ended before it had shown this. It is kept: say what to do with it."
        )
        self._list.box.addWidget(_text(text))
        self._list.box.addSpacing(px(16))
        self.leave = PaintedButton("primary", self.tr("Go on without it"), "right")
        self.leave.clicked.connect(self.left)
        self._list.box.addSpacing(px(8))
        self._list.box.addWidget(_row(self.leave))
        self._text = _TextView()
        self._text.back.clicked.connect(self.show_list)
        self._pages = QStackedLayout(self)
        self._pages.addWidget(self._list)
        self._pages.addWidget(self._text)

    @property
    def cards(self) -> tuple[HeldBackCard, ...]:
        return tuple(self._cards.values())

    @property
    def text(self) -> QPlainTextEdit | None:
        """The letters that are shown, if some are."""
        return self._text.text if self._pages.currentWidget() is self._text else None

    def show_held(self, held: Sequence[Restored]) -> None:
        for gone in [item for item in self._cards if item not in held]:
            card = self._cards.pop(gone)
            card.hide()
            card.deleteLater()
        for item in held:
            if item not in self._cards:
                card = self._cards[item] = HeldBackCard(item)
                card.open.clicked.connect(lambda _=False, item=item: self.open_wanted.emit(item))
                card.text.clicked.connect(lambda _=False, item=item: self.text_wanted.emit(item))
                card.copy.clicked.connect(lambda _=False, item=item: self.copy_wanted.emit(item))
                card.discarded.connect(lambda item=item: self.discarded.emit(item))
                self._list.box.insertWidget(self._list.box.count() - 2, card)

    def show_text(self, title: str, text: str) -> None:
        """Letters to read and to copy, instead of the list."""
        self._text.show_text(title, text)
        self._pages.setCurrentWidget(self._text)
        self._text.text.setFocus()

    def show_list(self) -> None:
        self._pages.setCurrentWidget(self._list)
        self.leave.setFocus()

    def keyPressEvent(self, event: QKeyEvent) -> None:
        if event.key() != Qt.Key.Key_Escape:
            super().keyPressEvent(event)
        elif self.text is not None:
            self.show_list()
        else:
            self.left.emit()


class HeldBackCard(QFrame):
    """One of them: what it is, and what can be done with it. `discarded` comes when that was
    confirmed."""

    discarded = Signal()

    def __init__(self, item: Restored) -> None:
        super().__init__()
        self.setProperty("surface", "popup")
        title, where, loss = _words(item)
        self.setAccessibleName(title)
        is_graph = item.kind in ("document", "file")
        self.open = _button(tr("Open anyway") if is_graph else tr("Use it anyway"))
        self.text = _button(tr("Open as text"), "text")
        self.copy = _button(tr("Save a copy…"), "save")
        self.discard = _button(tr("Leave it") if item.kind == "file" else tr("Discard…"), "delete")
        self.confirm = PaintedButton("danger", tr("Discard for good"))
        self.keep = _button(tr("Keep it"))
        self.text.setVisible(is_graph)
        self.copy.setVisible(item.kind == "document")
        self._actions = _row(self.open, self.text, self.copy, self.discard)
        self._question = _row(_text(loss), self.confirm, self.keep)
        self._question.hide()
        if item.kind == "file":  # nothing of it is lost
            self.discard.clicked.connect(self.discarded)
        else:
            self.discard.clicked.connect(lambda: self._ask(True))
        self.keep.clicked.connect(lambda: self._ask(False))
        self.confirm.clicked.connect(self.discarded)
        box = QVBoxLayout(self)
        box.setContentsMargins(px(16), px(12), px(16), px(12))
        box.setSpacing(px(8))
        head = QHBoxLayout()
        head.setSpacing(px(8))
        sign = label("")
        sign.setPixmap(theme.icon(_LOOK_AT[item.kind], "text2").pixmap(px(16), px(16)))
        head.addWidget(sign)
        head.addWidget(ElidedLabel(title, "title", Qt.TextElideMode.ElideMiddle), 1)
        box.addLayout(head)
        place = ElidedLabel(where, "caption", Qt.TextElideMode.ElideMiddle)
        place.setProperty("tone", "text3")
        box.addWidget(place)
        box.addWidget(self._actions)
        box.addWidget(self._question)

    def _ask(self, on: bool) -> None:
        self._actions.setVisible(not on)
        self._question.setVisible(on)
        (self.keep if on else self.discard).setFocus()


class _TextView(QWidget):
    """Letters, and the way back."""

    def __init__(self) -> None:
        super().__init__()
        self.back = PaintedButton("plain", tr("Back"))
        self._title = ElidedLabel("", "title", Qt.TextElideMode.ElideMiddle)
        self.text = QPlainTextEdit()
        self.text.setReadOnly(True)
        self.text.setFont(theme.font("mono_caption"))
        self.text.setLineWrapMode(QPlainTextEdit.LineWrapMode.NoWrap)
        head = QHBoxLayout()
        head.setSpacing(px(12))
        head.addWidget(self.back)
        head.addWidget(self._title, 1)
        box = QVBoxLayout(self)
        box.setContentsMargins(px(20), px(16), px(20), px(20))
        box.setSpacing(px(12))
        box.addLayout(head)
        box.addWidget(self.text, 1)

    def show_text(self, title: str, text: str) -> None:
        self._title.setText(title)
        self.text.setAccessibleName(title)
        self.text.setPlainText(text)


class _Column(QWidget):
    """What stands in the middle of the page, as wide as reads well; it scrolls."""

    def __init__(self) -> None:
        super().__init__()
        inner = QWidget()
        inner.setFixedWidth(px(WIDTH))
        self.box = QVBoxLayout(inner)
        self.box.setContentsMargins(0, 0, 0, 0)
        self.box.setSpacing(px(8))
        row = QHBoxLayout()  # an alignment would take no notice of heights for widths
        row.addStretch(1)
        row.addWidget(inner)
        row.addStretch(1)
        area = QScrollArea()
        area.setFrameShape(QFrame.Shape.NoFrame)
        area.setWidgetResizable(True)
        page = QFrame()
        page.setProperty("surface", "canvas")
        outer = QVBoxLayout(page)
        outer.addStretch(2)
        outer.addLayout(row)
        outer.addStretch(3)
        area.setWidget(page)
        whole = QVBoxLayout(self)
        whole.setContentsMargins(0, 0, 0, 0)
        whole.addWidget(area)


def _words(item: Restored) -> tuple[str, str, str]:
    """(title, where it is, what discarding it loses)."""
    if item.kind == "settings":
        where = tr("Theme, sizes, shortcuts and the layout of the window")
        return tr("Look and layout"), where, tr("They are as in a new PonyStudio then.")
    if item.kind == "queue":
        return tr("The queue"), tr("Jobs that waited"), tr("Its jobs are not made then.")
    loss = tr("What is in no file is lost then.")
    return item.title or _by_date(item.id), item.path or tr("In no file yet"), loss


def _by_date(id: str) -> str:
    """A document that nothing is known of but when it was begun."""
    try:
        begun = time.strptime(id[:15], "%Y%m%d-%H%M%S")
    except ValueError:
        return tr("A graph")
    return tr("A graph of %1").replace("%1", time.strftime("%Y-%m-%d %H:%M", begun))


def _button(text: str, icon: str = "") -> PaintedButton:
    return PaintedButton("plain", text, icon)


def _row(*parts: QWidget) -> QWidget:
    made = QWidget()
    row = QHBoxLayout(made)
    row.setContentsMargins(0, 0, 0, 0)
    row.setSpacing(px(8))
    for part in parts:
        row.addWidget(part)
    row.addStretch(1)
    return made


def _text(text: str) -> QWidget:
    made = label(text, "body", "text2")
    made.setWordWrap(True)
    return made
