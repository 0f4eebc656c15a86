"""Quiet messages at the lower right of the canvas: at most two, gone after a while, never errors
that stop something (those stand on their node)."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import QEvent, QObject, Qt, QTimer
from PySide6.QtGui import QEnterEvent, QPainter, QPaintEvent
from PySide6.QtWidgets import (
    QGridLayout,
    QHBoxLayout,
    QLabel,
    QLayout,
    QPushButton,
    QSizePolicy,
    QStackedWidget,
    QVBoxLayout,
    QWidget,
)

from ponystudio.qt.notification import Action, NoticeKind, Row
from ponystudio.qt.plain_text import breakable, cut
from ponystudio.widgets import theme
from ponystudio.widgets.common import TOAST_MS, fade_in
from ponystudio.widgets.primitives import PaintedButton, draw_box, draw_icon, px
from ponystudio.widgets.rich_text import PlainLabel

Margins = tuple[float, float, float, float]

WIDTH = 344
MOST = 2
STAYS = 8000
LONGEST = 1000  # letters
_ICONS = {"info": "info", "ok": "check", "warn": "alert"}
_SIGNS = {"done": "✓", "spare": "…", "item": "•"}
_TONES = {"info": "text2", "ok": "ok", "warn": "warn"}


class Toasts(QObject):
    """Shows them over `host`, in its lower right corner."""

    def __init__(self, host: QWidget) -> None:
        super().__init__(host)
        self._host = host
        self._shown: list[Toast] = []
        host.installEventFilter(self)
        if isinstance(host, QStackedWidget):  # which raises the page that it shows
            host.currentChanged.connect(lambda _: self._lay_out())
        theme.hub.changed.connect(self._restyle)

    def show(
        self,
        title: str,
        text: str = "",
        actions: Sequence[Action] = (),
        kind: NoticeKind = "info",
        rows: Sequence[Row] = (),
        *,
        lasting: bool = False,
        ends: str = "",
    ) -> Toast:
        """Say something; what says the same is replaced. Those with a warning stay until closed,
        a lasting one until another one that `ends` it, by its title, says so."""
        self.withdraw(title)
        self.withdraw(ends)
        passing = [toast for toast in self._shown if not toast.lasting]
        for toast in passing[: max(0, len(self._shown) - MOST + 1)]:
            self._remove(toast)
        toast = Toast(self._host, title, text, actions, kind, rows, lasting=lasting)
        toast.closed.clicked.connect(lambda: self._remove(toast))
        toast.gone.timeout.connect(lambda: self._remove(toast))
        self._shown.append(toast)
        self._lay_out()
        toast.appear()
        return toast

    @property
    def shown(self) -> tuple[Toast, ...]:
        return tuple(self._shown)

    def withdraw(self, title: str) -> None:
        """What this says is so no more."""
        for toast in [t for t in self._shown if t.title == title]:
            self._remove(toast)

    def clear(self) -> None:
        for toast in self.shown:
            self._remove(toast)

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        if watched is self._host and event.type() == QEvent.Type.Resize:
            self._lay_out()
        return False

    def _remove(self, toast: Toast) -> None:
        if toast in self._shown:
            self._shown.remove(toast)
            toast.gone.stop()
            toast.hide()
            toast.deleteLater()
            self._lay_out()

    def _restyle(self) -> None:
        for toast in self._shown:
            toast.space()
        self._lay_out()

    def _lay_out(self) -> None:
        bottom = self._host.height() - px(16)
        for toast in reversed(self._shown):
            width = min(px(WIDTH), self._host.width() - px(32))
            toast.setFixedWidth(max(width, px(160)))
            height = toast.height_at(toast.width())
            bottom -= height
            toast.setGeometry(
                self._host.width() - toast.width() - px(16), bottom, toast.width(), height
            )
            toast.raise_()
            bottom -= px(8)


class Toast(QWidget):
    """One of them. Hovering keeps it."""

    def __init__(
        self,
        host: QWidget,
        title: str,
        text: str,
        actions: Sequence[Action],
        kind: NoticeKind,
        rows: Sequence[Row],
        *,
        lasting: bool = False,
    ) -> None:
        super().__init__(host)
        self.title, self.text, self.lasting, self._kind = title, text, lasting, kind
        self.setAccessibleName(title)
        self.setAccessibleDescription(text)
        self.gone = QTimer(self, singleShot=True, interval=STAYS)
        self.closed = PaintedButton("icon", icon="close", name=self.tr("Close"))
        self._spaced: list[tuple[QLayout, Margins, float]] = []
        self._lay_out(text, actions, rows)
        self.space()
        self.closed.setVisible(not lasting)
        if kind != "warn":
            self.gone.start()

    def height_at(self, width: int) -> int:
        """What its texts need, wrapped at this width."""
        for label in self.findChildren(QLabel):
            label.ensurePolished()  # with the fonts that they will have
        box = self.layout()
        return box.totalHeightForWidth(width) if box else 0

    def space(self) -> None:
        """Margins and gaps at the present scale."""
        for layout, margins, gap in self._spaced:
            layout.setContentsMargins(*(px(margin) for margin in margins))
            layout.setSpacing(px(gap))
            if isinstance(layout, QGridLayout):
                layout.setVerticalSpacing(px(2))

    def appear(self) -> None:
        self.show()
        fade_in(self, TOAST_MS)

    def paintEvent(self, _event: QPaintEvent) -> None:
        painter, look = QPainter(self), theme.current()
        rect = self.rect().toRectF()
        draw_box(painter, rect.adjusted(0, 3, 0, 0), px(8), look.color("shadow"), None)
        draw_box(
            painter, rect.adjusted(0, 0, 0, -3), px(8), look.color("card"), look.color("line2")
        )
        at = self.rect().toRectF().topLeft()
        at.setX(at.x() + px(20))
        at.setY(at.y() + px(22))
        draw_icon(painter, _ICONS[self._kind], at, look.color(_TONES[self._kind]))

    def enterEvent(self, event: QEnterEvent) -> None:
        self.gone.stop()
        super().enterEvent(event)

    def leaveEvent(self, event: QEvent) -> None:
        if self._kind != "warn":
            self.gone.start()
        super().leaveEvent(event)

    def _lay_out(self, text: str, actions: Sequence[Action], rows: Sequence[Row]) -> None:
        box = QVBoxLayout(self)
        self._spaced.append((box, (40, 8, 12, 15), 4))
        head = QHBoxLayout()
        self._spaced.append((head, (0, 0, 0, 0), 4))
        head.addWidget(_label(self.title, "group", tone="text"), 1)
        head.addWidget(self.closed, 0, Qt.AlignmentFlag.AlignTop)
        box.addLayout(head)
        if text:
            box.addWidget(_label(text, "body", tone="text2"))
        if rows:
            box.addLayout(self._rows(rows))
        if actions:
            row = QHBoxLayout()
            self._spaced.append((row, (0, 6, 0, 0), 8))
            for index, (label, run) in enumerate(actions):
                button = QPushButton(label)
                button.setProperty("kind", "plain" if index == 0 else "link")
                button.clicked.connect(lambda _=False, run=run: run())
                button.clicked.connect(self.closed.click)
                row.addWidget(button)
            row.addStretch(1)
            box.addLayout(row)

    def _rows(self, rows: Sequence[Row]) -> QGridLayout:
        grid = QGridLayout()
        self._spaced.append((grid, (0, 6, 0, 0), 8))
        grid.setColumnStretch(1, 1)
        for index, (sign, text, number) in enumerate(rows):
            tone = "text3" if sign == "spare" else "text"
            mark = _label(_SIGNS[sign], "body", "ok" if sign == "done" else "text3")
            grid.addWidget(mark, index, 0, Qt.AlignmentFlag.AlignTop)
            grid.addWidget(_label(text, "body", tone), index, 1)
            grid.addWidget(_label(number, "mono_caption", tone), index, 2)
        return grid


def _label(text: str, role: str, tone: str) -> QLabel:
    label = PlainLabel(breakable(cut(text, LONGEST)))
    label.setWordWrap(True)
    label.setProperty("role", role)
    label.setProperty("tone", tone)
    label.setSizePolicy(QSizePolicy.Policy.Preferred, QSizePolicy.Policy.Minimum)
    return label
