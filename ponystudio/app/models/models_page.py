"""The model files there are: what each is, whether it fits, and a way onto the canvas."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

from PySide6.QtCore import QModelIndex, QPoint, Qt, QTimer, Signal
from PySide6.QtGui import QKeyEvent, QKeySequence, QResizeEvent, QShowEvent
from PySide6.QtWidgets import QFrame, QHBoxLayout, QMenu, QVBoxLayout, QWidget

from ponystudio.app.models.filter_bar import FilterBar
from ponystudio.app.models.model_actions import ModelActions
from ponystudio.app.models.model_cards import KINDS, RING, ModelCard, ModelCardList
from ponystudio.app.models.model_details import ModelDetails
from ponystudio.studio.models.hashing import Hasher
from ponystudio.studio.models.model_files import FileFacts, PreviewPictureCache
from ponystudio.studio.models.model_list import ENTRY, FACT, ModelEntry, ModelList, ModelListContext
from ponystudio.studio.models.model_summary import ModelSummary, title_of
from ponystudio.studio.results.result_table import made_with
from ponystudio.studio.settings import Settings
from ponystudio.widgets import theme
from ponystudio.widgets.common import EmptyState, Hairline, Spacing, label
from ponystudio.widgets.primitives import PaintedButton, px

# Milliseconds in which more of the files may become known before the page follows.
SETTLE = 200
# Lines of other tools' settings that are told.
NOTICES = 3
# Below this width the list has all the room.
PANE_FROM = 860


class ModelsPage(QFrame):
    """`folders_requested` when another folder is to be read; `show_requested` carries a file to be
    shown where it lies, `results_requested` what to search for the results of a file,
    `copied` what went to the clipboard, `said` what a letter did; `left`: Esc, or the way back."""

    folders_requested = Signal()
    show_requested = Signal(object)
    results_requested = Signal(str)
    copied = Signal(str)
    said = Signal(str)
    left = Signal()

    def __init__(
        self,
        facts: FileFacts,
        actions: ModelActions,
        settings: Settings,
        index_path: Path | None = None,
        parent: QWidget | None = None,
    ) -> None:
        super().__init__(parent)
        self._facts, self._actions, self._settings = facts, actions, settings
        self.setProperty("surface", "canvas")
        self.setAccessibleName(self.tr("Models"))
        self.hasher = Hasher(index_path, self)
        self.model = ModelList(facts, self)
        self._pictures = PreviewPictureCache(facts, self)
        self.list = ModelCardList()
        self.list.setModel(self.model)
        self.list.setItemDelegate(ModelCard(self._pictures, self))
        self.filters = FilterBar(settings)
        self.search = self.filters.search
        self.pane = ModelDetails(self._pictures, self.hasher)
        self._menu: QMenu | None = None
        self._examined: tuple[ModelEntry | None, Path | None, float] | None = None
        self._count = label("", "mono_caption", "text3")
        self.notice = label("", "caption", "warn")
        self.notice.setWordWrap(True)
        self.empty = EmptyState()
        self.back = PaintedButton("plain", self.tr("Back"), "left")
        self.back.setToolTip(self.tr("Back to the canvas (Esc)"))
        self.folders = PaintedButton("plain", self.tr("Folders"), "folder")
        self._soon = QTimer(self, singleShot=True, interval=SETTLE)
        self._soon.timeout.connect(self.refresh)
        self._lay_out()
        self._connect()

    def showEvent(self, event: QShowEvent) -> None:
        super().showEvent(event)
        for kind in KINDS:
            self._facts.refresh(kind)
        self.refresh()

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self._beside.setVisible(self.width() >= px(PANE_FROM))

    def close_page(self) -> None:
        """Before the window goes."""
        self.hasher.close()

    def refresh(self) -> None:
        """List what is wanted, in order; what was chosen stays so while it is there."""
        family = self._actions.family()
        entries = [ModelEntry(k, name) for k in KINDS for name in self._facts.names(k) or ()]
        # What is asked for last is looked into first: the beginning of the list.
        facts = {entry: self._facts.get(entry.kind, entry.name) for entry in reversed(entries)}
        self.filters.offer(facts.items(), family)
        wish = self.filters.model_filter()
        shown = [entry for entry, _ in wish.of(entries, facts.__getitem__)]
        context = ModelListContext(family, frozenset(self._in_use()), wish.stars)
        entry, place = self._entry(), self.list.verticalScrollBar().value()
        self.model.show(shown, context)
        if (row := self.model.row_of(entry)) >= 0 and self._entry() != entry:
            self.list.setCurrentIndex(self.model.index(row))
            self.list.verticalScrollBar().setValue(place)
        known = any(self._facts.names(kind) is not None for kind in KINDS)
        self._count.setText(self._count_text(len(shown), len(entries)))
        self._show_notice(self._facts.unused_lines)
        self._show_empty(known, len(entries), len(shown))
        self._show_chosen()

    def chosen(self) -> ModelSummary | None:
        """What is known of the file that is selected."""
        fact: ModelSummary | None = self.list.currentIndex().data(FACT)
        return fact

    # What is shown

    def _entry(self) -> ModelEntry | None:
        entry: ModelEntry | None = self.list.currentIndex().data(ENTRY)
        return entry

    def _in_use(self) -> set[str]:
        return {ModelEntry(kind, name).key for kind, name in self._actions.in_use()}

    def _count_text(self, shown: int, total: int) -> str:
        if shown != total:
            return self.tr("%1 of %2 files").replace("%1", str(shown)).replace("%2", str(total))
        return self.tr("1 file") if total == 1 else self.tr("%1 files").replace("%1", str(total))

    def _show_notice(self, lines: Sequence[str]) -> None:
        """What other tools' settings say in vain: why files may be missing here."""
        more = len(lines) - NOTICES
        shown = [*lines[:NOTICES]]
        if more > 0:
            shown.append(self.tr("And %1 more.").replace("%1", str(more)))
        self.notice.setText("\n".join(shown))
        self.notice.setVisible(bool(lines))

    def _show_empty(self, known: bool, total: int, shown: int) -> None:
        self.list.setVisible(bool(shown) or not known)
        self.empty.setVisible(known and not shown)
        if total:
            nothing = self.tr("No file is so.")
            self.empty.show_message(nothing, self.tr("Show all"), self.filters.clear)
        else:
            none = self.tr("No model folder yet. Add one, or use the starter model.")
            self.empty.show_message(none, self.tr("Add a folder"), self.folders_requested.emit)

    def _show_chosen(self) -> None:
        entry, fact = self._entry(), self.chosen()
        starred = entry is not None and entry.key in self.model.context.stars
        self.pane.show_entry(entry, fact, self.model.context.family, starred)
        if entry is not None:
            self.pane.offer(self._actions.has_loader(entry.kind), self._actions.taker(entry.kind))
        self._examine(entry, fact)

    def _examine(self, entry: ModelEntry | None, fact: ModelSummary | None) -> None:
        """Look into the chosen file as soon as it is known where it lies, and when it changed."""
        place = (entry, fact.path, fact.modified) if fact is not None else None
        if place == self._examined:
            return
        self._examined = place
        if entry is not None and fact is not None and fact.path is not None:
            self._facts.examine(fact.path, partial(self.pane.show_model, entry))

    def _facts_changed(self) -> None:
        if self.isVisible() and not self._soon.isActive():
            self._soon.start()  # file after file becomes known

    # What is done

    def _add(self) -> None:
        entry, fact = self._entry(), self.chosen()
        if entry and fact and fact.path and self._actions.has_loader(entry.kind):
            self._actions.add(fact.path)

    def _use(self) -> None:
        if (entry := self._entry()) is not None:
            self._actions.use(entry.kind, entry.name)

    def _star(self) -> None:
        if (entry := self._entry()) is not None:
            stars = [key for key in self._settings.get("starred_models") if key != entry.key]
            if entry.key not in self.model.context.stars:
                stars.append(entry.key)
            self._settings.set("starred_models", stars)

    def _star_by_key(self) -> None:
        if (entry := self._entry()) is not None:
            starred = entry.key in self.model.context.stars
            self._star()
            text = self.tr("%1 has no star any more") if starred else self.tr("%1 has a star")
            self.said.emit(text.replace("%1", title_of(entry.name)))

    def _show_file(self) -> None:
        if (fact := self.chosen()) is not None and fact.path is not None:
            self.show_requested.emit(fact.path)

    def _show_results(self) -> None:
        if (entry := self._entry()) is not None:
            title, named = title_of(entry.name), entry.kind == "embeddings"  # by prompts alone
            self.results_requested.emit(title if named else made_with(title))

    def _hashed(self, path: Path, sha256: str) -> None:
        for row in range(self.model.rowCount()):
            index = self.model.index(row)
            if sha256 and (fact := index.data(FACT)) is not None and fact.path == path:
                entry = index.data(ENTRY)
                self._facts.refresh_file(entry.kind, entry.name)

    def _show_menu(self, place: QPoint) -> None:
        if self._menu is not None:
            self._menu.deleteLater()
        self._menu = menu = QMenu(self)
        pane = self.pane

        def entry(title: str, icon: str, run: Callable[[], object], on: bool = True) -> None:
            action = menu.addAction(theme.icon(icon), title)
            action.triggered.connect(lambda: run())
            action.setEnabled(on)

        entry(pane.add.text(), "add", self._add, pane.add.isEnabled())
        if not pane.use.isHidden():
            entry(pane.use.text(), "check", self._use)
        menu.addSeparator()
        entry(pane.star.accessibleName(), "star", self._star)
        entry(self.tr("Copy name"), "copy", pane.copy_name)
        entry(self.tr("Show in folder"), "folder", self._show_file)
        menu.popup(place)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        if event.key() == Qt.Key.Key_Escape:
            self.left.emit()
        elif event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter) and self.list.hasFocus():
            self._add()
        elif event.key() == Qt.Key.Key_S and self.list.hasFocus():
            self._star_by_key()
        elif event.matches(QKeySequence.StandardKey.Copy):
            self.pane.copy_name()
        elif event.matches(QKeySequence.StandardKey.Find):
            self.search.setFocus()
        else:
            super().keyPressEvent(event)

    def _enter_list(self) -> None:
        self.list.setFocus(Qt.FocusReason.TabFocusReason)
        if not self.list.currentIndex().isValid():
            self.list.setCurrentIndex(self.model.index(0))

    # How it is put together

    def _lay_out(self) -> None:
        head = QHBoxLayout()
        Spacing(head, (RING, 0, 20, 0), 10)
        head.addWidget(self.back)
        head.addWidget(label(self.tr("Models"), "page"))
        head.addWidget(self._count)
        head.addStretch(1)
        head.addWidget(self.folders)
        column = QVBoxLayout()
        Spacing(column, (20 - RING, 16, 0, 0), 12)
        column.addLayout(head)
        column.addWidget(self.filters)
        column.addWidget(self.notice)
        column.addWidget(self.list, 1)
        column.addWidget(self.empty, 1)
        self._beside = QWidget()
        beside = QHBoxLayout(self._beside)
        Spacing(beside)
        beside.addWidget(Hairline(vertical=True))
        beside.addWidget(self.pane)
        row = QHBoxLayout(self)
        Spacing(row)
        row.addLayout(column, 1)
        row.addWidget(self._beside)

    def _connect(self) -> None:
        self.filters.changed.connect(self.refresh)
        self.search.left.connect(self.left)
        self.back.clicked.connect(self.left)
        self.search.entered.connect(self._enter_list)
        self._facts.changed.connect(self._facts_changed)
        self._pictures.changed.connect(self.list.viewport().update)
        self.folders.clicked.connect(self.folders_requested)
        self.list.doubleClicked.connect(lambda _: self._add())
        self.list.menu_requested.connect(self._show_menu)
        self.list.selectionModel().currentChanged.connect(self._current_changed)
        self.hasher.done.connect(self._hashed)
        pane = self.pane
        pane.add_requested.connect(self._add)
        pane.use_requested.connect(self._use)
        pane.folder_requested.connect(self._show_file)
        pane.results_requested.connect(self._show_results)
        pane.star_requested.connect(self._star)
        pane.copied.connect(self.copied)

    def _current_changed(self, now: QModelIndex, before: QModelIndex) -> None:
        del before
        if now.isValid():
            self._show_chosen()
