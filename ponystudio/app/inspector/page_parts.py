"""What the inspector's pages are made of: words, sections of rows, cards."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from PySide6.QtCore import QModelIndex, QPersistentModelIndex, QSize, Qt
from PySide6.QtGui import (
    QContextMenuEvent,
    QFontMetrics,
    QGuiApplication,
    QKeyEvent,
    QKeySequence,
    QResizeEvent,
)
from PySide6.QtWidgets import (
    QFrame,
    QGridLayout,
    QHBoxLayout,
    QLabel,
    QListWidget,
    QListWidgetItem,
    QMenu,
    QPushButton,
    QSizePolicy,
    QStyle,
    QStyledItemDelegate,
    QStyleOptionViewItem,
    QVBoxLayout,
    QWidget,
)

from ponystudio.api.spec import NodeSpec
from ponystudio.canvas.scene.card_status import status
from ponystudio.graph.model import Node
from ponystudio.qt.i18n import tr
from ponystudio.qt.plain_text import BREAK, breakable, cut
from ponystudio.studio.documents.editable_graph import NodeState, Problem
from ponystudio.widgets import theme
from ponystudio.widgets.primitives import px
from ponystudio.widgets.rich_text import PlainLabel

_Index = QModelIndex | QPersistentModelIndex
SELECTABLE = Qt.TextInteractionFlag.TextSelectableByMouse
# How high a list of lines is at most, and of how many lines at its beginning that is worked out.
HIGHEST, MOST_AT_ONCE = 260, 40


def new_page() -> tuple[QWidget, QVBoxLayout]:
    widget = QWidget()
    widget.setProperty("surface", "panel")
    box = QVBoxLayout(widget)
    box.setContentsMargins(px(12), px(12), px(12), px(12))
    box.setSpacing(px(8))
    return widget, box


class Value(PlainLabel):
    """Text that fits any width: long words break after signs, or anywhere. Copies are whole."""

    def __init__(self, text: str) -> None:
        super().__init__(breakable(text))
        self.setWordWrap(True)
        self.setTextInteractionFlags(SELECTABLE)

    def copied(self) -> str:
        """What is selected, or all."""
        return (self.selectedText() or self.text()).replace(BREAK, "")

    def keyPressEvent(self, event: QKeyEvent) -> None:
        if event.matches(QKeySequence.StandardKey.Copy):
            QGuiApplication.clipboard().setText(self.copied())
        else:
            super().keyPressEvent(event)

    def contextMenuEvent(self, event: QContextMenuEvent) -> None:
        menu = QMenu(self)
        copy = menu.addAction(tr("Copy"))
        copy.triggered.connect(lambda: QGuiApplication.clipboard().setText(self.copied()))
        menu.aboutToHide.connect(menu.deleteLater)
        menu.popup(event.globalPos())


def label(text: str, role: str, tone: str = "") -> QLabel:
    made = Value(text) if role.startswith("mono") else PlainLabel(breakable(text))
    if role in ("body", "caption", "group", "title"):
        made.setWordWrap(True)
    made.setProperty("role", role)
    if tone:
        made.setProperty("tone", tone)
    made.setSizePolicy(QSizePolicy.Policy.Preferred, QSizePolicy.Policy.Minimum)
    return made


def section(box: QVBoxLayout, title: str, rows: Sequence[tuple[str, str]]) -> None:
    """Rows of names and values below a title; nothing where there are none."""
    if not rows:
        return
    box.addSpacing(px(4))
    box.addWidget(label(title, "group"))
    grid = QGridLayout()
    grid.setHorizontalSpacing(px(12))
    grid.setVerticalSpacing(px(4))
    grid.setColumnMinimumWidth(0, px(76))
    grid.setColumnStretch(1, 1)
    body, mono = (QFontMetrics(theme.font(role)).ascent() for role in ("body", "mono"))
    line = max(body, mono)  # on which both stand
    for index, (name, value) in enumerate(rows):
        said, given = label(name, "body", "text2"), label(value, "mono")
        said.setTextInteractionFlags(SELECTABLE)  # as the value, else it would stand higher
        said.setContentsMargins(0, line - body, 0, 0)
        given.setContentsMargins(0, line - mono, 0, 0)
        grid.addWidget(said, index, 0, Qt.AlignmentFlag.AlignTop)
        grid.addWidget(given, index, 1, Qt.AlignmentFlag.AlignTop)
    box.addLayout(grid)


def state_card(node: Node, spec: NodeSpec | None, state: NodeState) -> QWidget:
    """What its card says at its foot, and how far it is."""
    said = status(node, spec, state)
    card, box = _card("running" if state.phase == "running" else "card")
    row = _headed(said.icon, said.color, label(said.text, "body"))
    if state.phase == "running" and state.steps:
        row.addWidget(label(f"{state.step} / {state.steps}", "mono", "text2"))
    elif said.right:
        row.addWidget(label(said.right, "mono", "text2"))
    box.addLayout(row)
    if state.reason and state.reason != said.text:
        box.addWidget(label(state.reason, "body", "text2"))
    return card


def problem_card(
    problem: Problem,
    name: str = "",
    key: str = "",
    go: Callable[[], object] | None = None,
    links: Sequence[tuple[str, Callable[[], object]]] = (),
) -> QWidget:
    """What is wrong and what to do; with the `name` of its node, the `key` that leads there and
    the way to `go` there, where it is told of elsewhere. `links`: what may be done at once."""
    card, box = _card("problem")
    head = _headed("alert", "err", label(name or problem.what, "group" if name else "body", "text"))
    if key:
        badge = label(key, "mono_caption", "text2")
        badge.setProperty("badge", "true")
        badge.setWordWrap(False)
        head.addWidget(badge, 0, Qt.AlignmentFlag.AlignTop)
    box.addLayout(head)
    lines = (problem.what, problem.remedy) if name else (problem.remedy,)
    for line in filter(None, lines):
        box.addWidget(label(line, "body", "text2"))
    shown = [(tr("Show it"), go)] if go is not None else []
    for text, act in (*links, *shown):
        link = QPushButton(text)
        link.setProperty("kind", "link")
        link.clicked.connect(lambda _=False, act=act: act())
        box.addWidget(link, 0, Qt.AlignmentFlag.AlignLeft)
    return card


class WholeText(QStyledItemDelegate):
    """Makes rows as high as their texts are in the width that the style sheet leaves them, which
    Qt does not take into account."""

    def __init__(self, rows: QListWidget) -> None:
        super().__init__(rows)
        self._rows = rows

    def sizeHint(
        self, option: QStyleOptionViewItem, index: QModelIndex | QPersistentModelIndex
    ) -> QSize:
        found = super().sizeHint(option, index)
        margin = self._rows.style().pixelMetric(QStyle.PixelMetric.PM_FocusFrameHMargin) + 1
        width = self._rows.viewport().width() - 2 * (px(4) + margin)
        text = str(index.data() or "")
        wrap = Qt.TextFlag.TextWordWrap
        needed = self._rows.fontMetrics().boundingRect(0, 0, max(width, 1), 0, wrap, text).height()
        return QSize(found.width(), max(found.height(), needed + px(6)))


class RemarkList(QListWidget):
    """Lines of text, as high as they are up to a third of a page; choosing one calls `go` with what
    it is about."""

    def __init__(self, rows: Sequence[tuple[str, str]], go: Callable[[str], object]) -> None:
        """`rows`: the line, and what it is about ("" for none)."""
        super().__init__()
        self.setWordWrap(True)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setVerticalScrollMode(QListWidget.ScrollMode.ScrollPerPixel)
        self.setResizeMode(QListWidget.ResizeMode.Adjust)
        for line, about in rows:
            item = QListWidgetItem(cut(line))
            item.setData(Qt.ItemDataRole.UserRole, about)
            if not about:
                item.setFlags(Qt.ItemFlag.ItemIsEnabled)
            self.addItem(item)
        for chosen in (self.itemClicked, self.itemActivated):
            chosen.connect(lambda item: go(item.data(Qt.ItemDataRole.UserRole)))
        self.setItemDelegate(WholeText(self))

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self.updateGeometry()  # in another width the texts have another height

    def sizeHint(self) -> QSize:
        rows = sum(self.sizeHintForRow(row) for row in range(min(self.count(), MOST_AT_ONCE)))
        return QSize(px(160), min(rows + 2 * self.frameWidth(), px(HIGHEST)))


def _headed(icon: str, color: str, title: QLabel) -> QHBoxLayout:
    """The first row of a card."""
    row = QHBoxLayout()
    row.setSpacing(px(8))
    sign = PlainLabel()
    sign.setPixmap(theme.icon(icon, color).pixmap(px(16), px(16)))
    row.addWidget(sign, 0, Qt.AlignmentFlag.AlignTop)
    row.addWidget(title, 1)
    return row


def _card(surface: str) -> tuple[QFrame, QVBoxLayout]:
    card = QFrame()
    card.setProperty("surface", surface)
    box = QVBoxLayout(card)
    box.setContentsMargins(px(10), px(8), px(10), px(8))
    box.setSpacing(px(4))
    return card, box
