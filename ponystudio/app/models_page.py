"""The model files there are: what each is, whether it fits, and a way onto the canvas."""

from __future__ import annotations

from collections.abc import Callable

from PySide6.QtCore import Qt, QTimer, Signal
from PySide6.QtGui import QKeyEvent, QKeySequence, QShowEvent
from PySide6.QtWidgets import (
    QButtonGroup,
    QFrame,
    QHBoxLayout,
    QPushButton,
    QVBoxLayout,
    QWidget,
)

from ponystudio.app.model_cards import KINDS, Entry, ModelCard, ModelFiles, ModelList
from ponystudio.app.painted import PaintedButton, px
from ponystudio.app.results.strip import SearchField
from ponystudio.app.results.widgets import label
from ponystudio.canvas.params.file_facts import Fact, FileFacts, family_title

# Milliseconds in which more of the files may become known before the page follows.
SETTLE = 80


class ModelsPage(QFrame):
    """`add_requested` carries a path: put its loader on the canvas; `folders_requested` when
    another folder is to be read; `left`: Esc."""

    add_requested = Signal(object)
    folders_requested = Signal()
    left = Signal()

    def __init__(
        self, facts: FileFacts, family: Callable[[], str], parent: QWidget | None = None
    ) -> None:
        """`family` tells that of the model in front, "" if none is known."""
        super().__init__(parent)
        self._facts, self._family = facts, family
        self.setProperty("surface", "canvas")
        self.setAccessibleName(self.tr("Models"))
        self.model = ModelFiles(facts, self)
        self.list = ModelList()
        self.list.setModel(self.model)
        self.list.setItemDelegate(ModelCard(self))
        self.search = SearchField(self.tr("Name"))
        self.search.setAccessibleName(self.tr("Search models"))
        self._count = label("", "mono_caption", "text3")
        self._said = label("", "caption")
        self._empty = label("", "body", "text2")
        self.add = PaintedButton("primary", self.tr("Add to the canvas"), "add")
        self.folders = PaintedButton("plain", self.tr("Folders"), "folder")
        self._soon = QTimer(self, singleShot=True, interval=SETTLE)
        self._soon.timeout.connect(self.refresh)
        self._lay_out()
        self._connect()

    def showEvent(self, event: QShowEvent) -> None:
        super().showEvent(event)
        for kind in KINDS:
            self._facts.look_again(kind)
        self.refresh()

    def refresh(self) -> None:
        """List what fits the search and the kinds chosen."""
        chosen = self._kinds.checkedButton()
        kind = chosen.property("kind_name") if chosen else ""
        entries = [
            Entry(each, name)
            for each in KINDS
            if kind in ("", each)
            for name in self._facts.names(each) or ()
        ]
        wanted = self.search.text().lower().split()
        shown = [e for e in entries if all(word in e.name.lower() for word in wanted)]
        self.model.show(shown, self._family())
        total = sum(len(self._facts.names(each) or ()) for each in KINDS)
        self._count.setText(self.tr("%1 files").replace("%1", str(total)))
        self._tell_empty(total, len(shown))
        self._show_add()
        family = self._family()
        fits = self.tr("What does not fit %1 is grey and says why.")
        self._said.setText(fits.replace("%1", family_title(family)) if family else "")

    def _tell_empty(self, total: int, shown: int) -> None:
        none = self.tr("No model folder yet. Add one, or use the starter model.")
        nothing = self.tr("No file is called that.")
        self._empty.setText(none if not total else nothing)
        self._empty.setVisible(not shown)

    def chosen(self) -> Fact | None:
        """The file that is selected, once it is known."""
        entry = self.list.currentIndex().data(Qt.ItemDataRole.UserRole)
        return self._facts.get(entry.kind, entry.name) if entry is not None else None

    def _lay_out(self) -> None:
        head = QHBoxLayout()
        head.setSpacing(px(10))
        head.addWidget(label(self.tr("Models"), "page"))
        head.addWidget(self._count)
        head.addStretch(1)
        head.addWidget(self.add)
        head.addWidget(self.folders)
        row = QHBoxLayout()
        row.setSpacing(px(12))
        self.search.setFixedWidth(px(300))
        row.addWidget(self.search)
        row.addWidget(self._said)
        row.addStretch(1)
        box = QVBoxLayout(self)
        box.setContentsMargins(px(20), px(16), px(20), 0)
        box.setSpacing(px(12))
        box.addLayout(head)
        box.addLayout(row)
        box.addLayout(self._filters())
        box.addWidget(self._empty)
        box.addWidget(self.list, 1)

    def _filters(self) -> QHBoxLayout:
        row = QHBoxLayout()
        row.setSpacing(px(8))
        self._kinds = QButtonGroup(self)
        for kind, title in [("", self.tr("All")), *((k, self.tr(v[0])) for k, v in KINDS.items())]:
            button = QPushButton(title)
            button.setCheckable(True)
            button.setProperty("chip", True)
            button.setProperty("kind_name", kind)
            button.setChecked(not kind)
            self._kinds.addButton(button)
            row.addWidget(button)
        row.addStretch(1)
        return row

    def _connect(self) -> None:
        self._kinds.buttonClicked.connect(lambda _: self.refresh())
        self.search.textChanged.connect(lambda _: self.refresh())
        self.search.left.connect(self.left)
        self.search.entered.connect(self._enter_list)
        self._facts.changed.connect(self._facts_changed)
        self.add.clicked.connect(self._add)
        self.folders.clicked.connect(self.folders_requested)
        self.list.doubleClicked.connect(lambda _: self._add())
        self.list.selectionModel().currentChanged.connect(lambda *_: self._show_add())
        self._show_add()

    def keyPressEvent(self, event: QKeyEvent) -> None:
        if event.key() == Qt.Key.Key_Escape:
            self.left.emit()
        elif event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter) and self.list.hasFocus():
            self._add()
        elif event.matches(QKeySequence.StandardKey.Find):
            self.search.setFocus()
        else:
            super().keyPressEvent(event)

    def _enter_list(self) -> None:
        self.list.setFocus(Qt.FocusReason.TabFocusReason)
        if not self.list.currentIndex().isValid():
            self.list.setCurrentIndex(self.model.index(0))

    def _facts_changed(self) -> None:
        if self.isVisible() and not self._soon.isActive():
            self._soon.start()  # file after file becomes known

    def _show_add(self) -> None:
        self.add.setEnabled(self.chosen() is not None)

    def _add(self) -> None:
        fact = self.chosen()
        if fact is not None and fact.path is not None:
            self.add_requested.emit(fact.path)
