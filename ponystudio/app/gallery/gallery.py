"""The gallery: the viewer over a line of all results, with the details of what is looked at."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from PySide6.QtCore import QEvent, QPoint, Qt, Signal
from PySide6.QtGui import QKeyEvent, QShowEvent
from PySide6.QtWidgets import QFrame, QHBoxLayout, QMenu, QStackedLayout, QVBoxLayout, QWidget

from ponystudio.app.gallery.filmstrip import Filmstrip
from ponystudio.app.gallery.picture_view import PictureView, picture_menu
from ponystudio.app.gallery.results_strip import ResultsStrip
from ponystudio.app.gallery.side_panel import SidePanel
from ponystudio.app.gallery.toolbar import GalleryToolbar
from ponystudio.studio.results.comparison import ComparedPair, Mode
from ponystudio.studio.results.picture_record import PictureRecord
from ponystudio.studio.results.result_library import ResultLibrary, ResultList
from ponystudio.studio.results.result_texts import number
from ponystudio.widgets import theme
from ponystudio.widgets.action import ActionSpec
from ponystudio.widgets.common import EmptyState, Hairline, Spacing, TextButton, label
from ponystudio.widgets.primitives import px

_MODES: tuple[Mode, ...] = ("one", "slide", "flicker", "side")


class GalleryPage(QFrame):
    """`detach_requested`: open this in a window of its own. `status_changed` (fact, hint): for the
    bottom bar; `said`: what a letter did. `left`: Esc, or the way back. It shows the latest picture
    until it is told otherwise."""

    detach_requested = Signal()
    left = Signal()
    status_changed = Signal(str, str)
    said = Signal(str)

    def __init__(self, results: ResultLibrary, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._results = results
        self.listing = ResultList(results, self)
        self._pairing = ComparedPair()
        self._awaited = list(results.shown)
        self._latest: Path | None = None
        self.toolbar = GalleryToolbar(self)
        self.view = PictureView(results, self)
        self.film = Filmstrip(self.listing, results.thumbnails, self)
        self.comparer = results.comparer(self)
        self.side = SidePanel(results, self.comparer, self)
        self.overview = ResultsStrip(results, self, side=148, inside=True)
        self._empty = EmptyState(self)
        self.back_button = TextButton(self.tr("Back"), "left", run=self.left.emit)
        self.back_button.setToolTip(self.tr("Back to the canvas (Esc)"))
        self._menu: QMenu | None = None
        self._lay_out()
        self._connect()
        self._listed()

    def _lay_out(self) -> None:
        self.setProperty("surface", "canvas")
        self.setFocusProxy(self.view)
        left = QWidget()
        column = QVBoxLayout(left)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(0)
        column.addWidget(self.toolbar)
        column.addWidget(self.view, 1)
        column.addWidget(Hairline())
        column.addWidget(self.film)
        whole = QWidget()
        row = QHBoxLayout(whole)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(0)
        row.addWidget(left, 1)
        row.addWidget(Hairline(vertical=True))
        row.addWidget(self.side)
        self._pages = QStackedLayout(self)
        empty = QWidget()
        column = QVBoxLayout(empty)
        Spacing(column, (16, 12, 16, 12))
        column.addWidget(self.back_button, 0, Qt.AlignmentFlag.AlignLeft)
        column.addWidget(self._empty, 1)
        self._pages.addWidget(whole)
        self._pages.addWidget(empty)
        self._pages.addWidget(self.overview)
        sentence = self.tr("Results appear here as you run.")
        self._empty.show_message(sentence, self.tr("Look again"), self.listing.index.scan)

    def _connect(self) -> None:
        toolbar, view, film = self.toolbar, self.view, self.film
        self.listing.changed.connect(self._listed)
        film.clicked.connect(self._clicked)
        film.activated.connect(lambda _picture: self.set_mode("one"))
        film.menu_requested.connect(self._show_menu)
        film.delete_requested.connect(self._trash)
        film.copy_requested.connect(self._results.actions.copy_image)
        view.menu_requested.connect(self._show_view_menu)
        view.zoom_changed.connect(self._show_zoom)
        toolbar.mode_chosen.connect(self.set_mode)
        toolbar.all_requested.connect(lambda: self.show_all())
        toolbar.left.connect(self.left)
        self.overview.opened.connect(self.show_paths)
        self.overview.gallery_requested.connect(self._leave_all)
        self.side.heat_toggled.connect(view.show_heat)
        toolbar.fit_requested.connect(view.fit)
        toolbar.zoom_requested.connect(view.zoom_to)
        toolbar.swap_requested.connect(self.swap)
        toolbar.detach_requested.connect(self.detach_requested)
        self.side.trash_requested.connect(lambda picture: self._trash([picture]))
        theme.hub.changed.connect(self.update)

    # --- What is shown ----------------------------------------------------------------------------

    @property
    def pairing(self) -> ComparedPair:
        return self._pairing

    def current(self) -> PictureRecord | None:
        """B."""
        return self.listing.at(self._pairing.b)

    def show_paths(self, paths: Sequence[Path]) -> None:
        """One picture, or two compared; what the index does not know yet is shown once it does."""
        known = [path for path in paths if self.listing.row(path) >= 0]
        self._awaited = [] if len(known) == len(paths) else list(paths)
        self._leave_all()
        if known:
            self._set(self._pairing.shown(known))

    def show_all(self, searched: str = "") -> None:
        """All results at once, or those found, to choose from; Esc goes back."""
        self._pages.setCurrentWidget(self.overview)
        self.overview.start_search()
        if searched:
            self.overview.search.setText(searched)

    def _leave_all(self) -> None:
        if self._pages.currentWidget() is self.overview:
            self._pages.setCurrentIndex(0)
            self.view.setFocus(Qt.FocusReason.OtherFocusReason)

    def set_mode(self, mode: str) -> None:
        if mode in _MODES:
            self._set(self._pairing.with_mode(_MODES[_MODES.index(mode)], self._order()))

    def swap(self) -> None:
        self._set(self._pairing.swapped())

    def go(self, step: int) -> None:
        self._set(self._pairing.moved(self._order(), step))

    def _order(self) -> list[Path]:
        return [picture.path for picture in self.listing.pictures]

    def _set(self, pairing: ComparedPair) -> None:
        self._pairing = pairing
        a, b = self.listing.at(pairing.a), self.listing.at(pairing.b)
        compared = pairing.mode != "one" and a is not None
        self.view.show_pictures(a if compared else None, b, pairing.mode)
        self.film.mark(pairing.a if compared else None, pairing.b, compared)
        self.side.show_picture(b, compared)
        self.toolbar.show_state(pairing.mode, compared, len(self.listing.pictures) > 1)
        paths = (pairing.a, pairing.b) if compared else (None, None)
        self.comparer.compare(*paths)
        chosen = (pairing.a if compared else None, pairing.b)
        self._results.set_shown([path for path in chosen if path is not None])
        self._emit_status()

    def _listed(self) -> None:
        if not self.listing.ready:
            return
        if self._pages.currentWidget() is not self.overview:
            there = bool(self.listing.pictures)
            self._pages.setCurrentIndex(0 if there else 1)
            self.setFocusProxy(self.view if there else self._empty.button)
        order = self._order()
        before, self._latest = self._latest, order[0] if order else None
        if self._awaited and all(self.listing.row(path) >= 0 for path in self._awaited):
            self.show_paths(self._awaited)
        elif self._pairing.mode == "one" and self._pairing.b == before and order:
            # Who looks at the latest wants to see the next one as it is made.
            self._set(self._pairing.shown(order[:1]))
        else:
            self._set(self._pairing.existing(order))

    def _emit_status(self) -> None:
        chosen = 2 if self._pairing.a is not None and self._pairing.mode != "one" else 1
        fact = self.tr("%d of %s results selected") % (chosen, number(self.listing.total))
        keys = (
            self.tr("Ctrl+click adds; left and right arrows move B")
            if chosen == 2
            else self.tr("Ctrl+click adds one to compare")
        )
        self.status_changed.emit(fact if self.listing.pictures else "", keys)

    def _show_zoom(self) -> None:
        self.toolbar.show_zoom(self.view.percent, self.view.fits)

    # --- What is done -----------------------------------------------------------------------------

    def _clicked(self, picture: PictureRecord, modifiers: Qt.KeyboardModifier) -> None:
        if modifiers & Qt.KeyboardModifier.AltModifier:
            self._set(self._pairing.marked(picture.path))
        else:
            adding = bool(modifiers & Qt.KeyboardModifier.ControlModifier)
            self._set(self._pairing.clicked(picture.path, adding))

    def _trash(self, pictures: list[PictureRecord]) -> None:
        """The neighbour takes the place of what goes."""
        gone = {picture.path for picture in pictures}
        order = self._order()
        if self._pairing.b in gone:
            row = order.index(self._pairing.b)
            later = [path for path in order[row:] if path not in gone]
            earlier = [path for path in order[:row] if path not in gone]
            left = later[:1] or earlier[-1:]
            if left:
                self._set(self._pairing.shown(left))
        self._results.actions.move_to_trash(pictures)

    def _show_menu(self, pictures: list[PictureRecord], place: QPoint) -> None:
        if self._menu is not None:
            self._menu.deleteLater()
        self._menu = picture_menu(pictures, self._results.actions, self)
        self._menu.popup(place)

    def _show_view_menu(self, place: QPoint) -> None:
        if (picture := self.current()) is not None:
            self._show_menu([picture], place)

    def event(self, event: QEvent) -> bool:
        # The window's keys (Del deletes nodes) must not act while pictures have the focus.
        if (
            event.type() == QEvent.Type.ShortcutOverride
            and isinstance(event, QKeyEvent)
            and self._command(event) is not None
        ):
            event.accept()
            return True
        return super().event(event)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        command = self._command(event)
        if command is not None:
            command()
        else:
            event.ignore()

    def _command(self, event: QKeyEvent) -> Callable[[], object] | None:
        key = Qt.Key(event.key())
        modifiers = event.modifiers() & ~Qt.KeyboardModifier.KeypadModifier
        if self._pages.currentWidget() is self.overview:
            return self._leave_all if key == Qt.Key.Key_Escape and not modifiers else None
        if key == Qt.Key.Key_Escape and not modifiers:
            return self.left.emit
        if modifiers == Qt.KeyboardModifier.ControlModifier and key == Qt.Key.Key_F:
            return self.show_all
        picture = self.current()
        if picture is None:
            return None
        actions = self._results.actions
        if modifiers == Qt.KeyboardModifier.ControlModifier and key == Qt.Key.Key_C:
            return lambda: actions.copy_image(picture)
        plain: dict[Qt.Key, Callable[[], object]] = {
            Qt.Key.Key_Left: lambda: self._walk(-1),
            Qt.Key.Key_Right: lambda: self._walk(1),
            Qt.Key.Key_F5: lambda: self.set_mode("one"),
            Qt.Key.Key_F6: lambda: self.set_mode("slide"),
            Qt.Key.Key_F7: lambda: self.set_mode("flicker"),
            Qt.Key.Key_F8: lambda: self.set_mode("side"),
        }
        if self.view.hasFocus() or self.film.hasFocus():  # letters are for what has the keyboard
            plain[Qt.Key.Key_X] = self._swap_by_key
            plain[Qt.Key.Key_S] = lambda: self._star_by_key(picture)
        if self.view.last_clicked:
            plain[Qt.Key.Key_Delete] = lambda: self._trash([picture])
        return None if modifiers else plain.get(key)

    def _walk(self, step: int) -> None:
        if self.view.hasFocus():
            self.view.last_clicked.set_on()
        self.go(step)

    def _swap_by_key(self) -> None:
        if self._pairing.mode != "one" and self._pairing.a is not None:
            self.swap()
            self.said.emit(self.tr("A and B have changed places"))

    def _star_by_key(self, picture: PictureRecord) -> None:
        self._results.actions.star([picture], not picture.starred)
        text = self.tr("%s has no star any more") if picture.starred else self.tr("%s has a star")
        self.said.emit(text % picture.name)

    def gallery_actions(self) -> list[ActionSpec]:
        """For the command palette; the keys work where the gallery has the focus."""

        def mode(name: Mode, title: str, icon: str) -> ActionSpec:
            return ActionSpec(
                f"gallery.{name}",
                title,
                lambda: self.set_mode(name),
                group=self.tr("Gallery"),
                icon=icon,
                enabled=self.isVisible,
                checked=lambda: self._pairing.mode == name,
            )

        return [
            mode("one", self.tr("Show one picture"), "image"),
            mode("slide", self.tr("Compare with a slider"), "compare"),
            mode("flicker", self.tr("Compare by turns"), "flicker"),
            mode("side", self.tr("Compare side by side"), "grid"),
            ActionSpec(
                "gallery.swap",
                self.tr("Swap A and B"),
                self.swap,
                group=self.tr("Gallery"),
                icon="swap",
                enabled=self.isVisible,
            ),
        ]


class GalleryWindow(QWidget):
    """The gallery in a window of its own."""

    def __init__(self, results: ResultLibrary, parent: QWidget | None = None) -> None:
        super().__init__(parent, Qt.WindowType.Window)
        self._results = results
        self.page = GalleryPage(results, self)
        for button in (
            self.page.toolbar.detach_button,
            self.page.toolbar.back_button,
            self.page.back_button,
        ):
            button.hide()
        self._said = label("", "caption", "text2")
        self._said.setContentsMargins(px(16), px(4), px(16), px(4))
        self.page.said.connect(self._said.setText)
        self.page.status_changed.connect(lambda fact, _hint: self._said.setText(fact))
        box = QVBoxLayout(self)
        box.setContentsMargins(0, 0, 0, 0)
        box.setSpacing(0)
        box.addWidget(self.page)
        box.addWidget(self._said)
        self.setWindowTitle(self.tr("Gallery"))
        self.resize(px(1280), px(860))

    def showEvent(self, event: QShowEvent) -> None:
        self.page.show_paths(self._results.shown)
        super().showEvent(event)
