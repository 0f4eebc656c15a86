"""What to begin with: templates, what was open before, what was not saved."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path

from PySide6.QtCore import QSize, Qt
from PySide6.QtWidgets import QLabel, QPushButton, QScrollArea, QVBoxLayout, QWidget

from ponystudio.errors import PonyStudioError
from ponystudio.qt.notification import Notification
from ponystudio.qt.plain_text import tip
from ponystudio.studio.documents.documents import Documents
from ponystudio.studio.documents.templates import Template, templates
from ponystudio.widgets import theme
from ponystudio.widgets.common import label
from ponystudio.widgets.primitives import px

SHOWN = 20


class TemplatesPanel(QWidget):
    """Begins, opens and opens again at a click. `notify` says why something cannot be."""

    def __init__(self, documents: Documents, notify: Callable[[Notification], object]) -> None:
        super().__init__()
        self._documents, self._notify = documents, notify
        self.setAccessibleName(self.tr("Templates and recent files"))
        self._area = QScrollArea()
        self._area.setWidgetResizable(True)
        self._area.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        box = QVBoxLayout(self)
        box.setContentsMargins(0, 0, 0, 0)
        box.addWidget(self._area)
        documents.recent.changed.connect(self.refresh)
        theme.hub.changed.connect(self.refresh)
        self.refresh()

    def refresh(self) -> None:
        page = QWidget()
        page.setProperty("surface", "panel")
        box = QVBoxLayout(page)
        box.setContentsMargins(px(12), px(12), px(12), px(12))
        box.setSpacing(px(4))
        box.addWidget(_label(self.tr("Templates"), "title"))
        for found in templates():
            box.addWidget(_row(found.title, found.help, partial(self._begin, found)))
        entries = self._documents.recent.entries()[:SHOWN]
        unsaved = [entry for entry in entries if entry.unsaved]
        saved = [entry for entry in entries if not entry.unsaved]
        if unsaved:
            box.addSpacing(px(12))
            box.addWidget(_label(self.tr("Not saved"), "title"))
            kept = self.tr("Kept as it was when it was closed")
            for entry in unsaved:
                box.addWidget(_row(entry.title, kept, partial(self._documents.reopen, entry)))
        box.addSpacing(px(12))
        box.addWidget(_label(self.tr("Recent files"), "title"))
        for entry in saved:
            path = Path(entry.path)
            box.addWidget(_row(entry.title, str(path.parent), partial(self._documents.open, path)))
        if not saved:
            box.addWidget(_label(self.tr("Graphs that you save stand here."), "caption"))
        box.addStretch(1)
        if before := self._area.takeWidget():
            before.deleteLater()  # later: it may be one of its buttons that led here
        self._area.setWidget(page)

    def _begin(self, template: Template) -> None:
        try:
            self._documents.new(template)
        except PonyStudioError as error:
            self._notify(Notification.of(self.tr("This template cannot be read"), error))


def _row(title: str, text: str, run: Callable[[], object]) -> QWidget:
    row = QWidget()
    box = QVBoxLayout(row)
    box.setContentsMargins(0, 0, 0, px(4))
    box.setSpacing(0)
    button = QPushButton(theme.icon("graph", "accent"), title)
    button.setProperty("kind", "link")
    button.setIconSize(QSize(px(16), px(16)))
    button.setToolTip(tip(text))
    button.clicked.connect(lambda: run())
    box.addWidget(button, 0, Qt.AlignmentFlag.AlignLeft)
    if text:
        below = _label(text, "caption")
        below.setContentsMargins(px(27), 0, 0, 0)  # under the title, not under its icon
        box.addWidget(below)
    return row


def _label(text: str, role: str) -> QLabel:
    made = label(text, role)
    made.setWordWrap(True)
    return made
