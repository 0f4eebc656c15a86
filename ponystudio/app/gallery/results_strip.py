"""The results beside the canvas: today's pictures and earlier ones, with search and stars."""

from __future__ import annotations

from PySide6.QtCore import QPoint, QSize, Qt, QUrl, Signal
from PySide6.QtGui import QDesktopServices
from PySide6.QtWidgets import (
    QFrame,
    QHBoxLayout,
    QMenu,
    QStackedLayout,
    QVBoxLayout,
    QWidget,
)

from ponystudio.app.gallery.thumbnail_grid import ThumbnailGrid
from ponystudio.studio.results.picture_record import PictureRecord
from ponystudio.studio.results.result_library import ResultLibrary, ResultList
from ponystudio.studio.results.result_texts import number
from ponystudio.widgets import theme
from ponystudio.widgets.common import EmptyState, IconButton, label
from ponystudio.widgets.primitives import px
from ponystudio.widgets.search_field import SearchField


class ResultsStrip(QFrame):
    """`gallery_requested`: show all of it large. `opened` (list of paths): a double click or Enter,
    which also goes through `results.actions.view_requested` unless `inside` a gallery.

    `side` is the least width of a picture.
    """

    gallery_requested = Signal()
    opened = Signal(list)

    def __init__(
        self,
        results: ResultLibrary,
        parent: QWidget | None = None,
        side: int = 72,
        inside: bool = False,
    ) -> None:
        super().__init__(parent)
        self._inside = inside
        self._results = results
        self.setProperty("surface", "panel")
        self.listing = ResultList(results, self)
        self.grid = ThumbnailGrid(self.listing, results.thumbnails, side, parent=self)
        self._menu: QMenu | None = None
        self._title = label(self.tr("Results"), "title")
        self.count_label = label("", "mono_caption", "text3")
        self.star_button = IconButton("star", self.tr("Only starred"), on_icon_color="warn")
        self.star_button.setCheckable(True)
        self.search_button = IconButton("search", self.tr("Search results"))
        self.search_button.setCheckable(True)
        self.gallery_button = (
            IconButton("close", self.tr("Back to the viewer"), self.tr("Esc"))
            if inside
            else IconButton("detach", self.tr("Show in the gallery"))
        )
        self.search = SearchField(self.tr("Prompt, seed or model"), self)
        self.search.hide()
        self.empty = EmptyState(self)
        self._lay_out()
        self._connect()
        self._show_state()

    def _lay_out(self) -> None:
        self._head = QHBoxLayout()
        self._head.addWidget(self._title)
        self._head.addWidget(self.count_label)
        self._head.addStretch(1)
        for button in (self.star_button, self.search_button, self.gallery_button):
            self._head.addWidget(button)
        self._search_row = QHBoxLayout()
        self._search_row.addWidget(self.search)
        if self._inside:
            self.search.setMaximumWidth(px(420))
            self._search_row.addStretch(1)
        self._pages = QStackedLayout()
        self._pages.addWidget(self.grid)
        self._pages.addWidget(self.empty)
        self._box = QVBoxLayout(self)
        self._box.addLayout(self._head)
        self._box.addLayout(self._search_row)
        self._box.addLayout(self._pages, 1)
        self._restyle()

    def _restyle(self) -> None:
        self._head.setContentsMargins(px(12), px(8), px(6), px(4))
        self._head.setSpacing(px(2))
        self.count_label.setContentsMargins(px(6), 0, 0, 0)
        side = px(12) if self.search_button.isChecked() else 0
        self._search_row.setContentsMargins(side, side // 4, side, side // 2)
        self._box.setContentsMargins(0, 0, 0, 0)
        self._box.setSpacing(0)
        # The grid has a margin of its own, in which rings are painted.
        self.grid.setContentsMargins(0, 0, 0, 0)
        self.grid.setViewportMargins(px(6), 0, px(2), 0)

    def _connect(self) -> None:
        actions, grid = self._results.actions, self.grid
        self.listing.changed.connect(self._show_state)
        self.star_button.toggled.connect(self.listing.show_starred)
        self.search_button.toggled.connect(self._show_search)
        self.gallery_button.clicked.connect(self.gallery_requested)
        self.search.searched.connect(self.listing.search)
        self.search.left.connect(self._leave_search)
        self.search.entered.connect(self._enter_grid)
        grid.activated.connect(self._open)
        grid.menu_requested.connect(self._show_menu)
        grid.delete_requested.connect(actions.move_to_trash)
        grid.copy_requested.connect(actions.copy_image)
        theme.hub.changed.connect(self._restyle)

    def sizeHint(self) -> QSize:
        return QSize(px(264), px(420))

    def minimumSizeHint(self) -> QSize:
        return QSize(px(200), px(160))

    def selected(self) -> list[PictureRecord]:
        return self.grid.selected()

    def _open(self, picture: PictureRecord) -> None:
        chosen = self.grid.selected()
        pictures = chosen if len(chosen) == 2 and picture in chosen else [picture]
        self.opened.emit([picture.path for picture in pictures])
        if not self._inside:
            self._results.actions.view(pictures)

    def start_search(self) -> None:
        """Put the cursor into the search field."""
        self.search_button.setChecked(True)
        self.search.setFocus(Qt.FocusReason.ShortcutFocusReason)

    def _show_state(self) -> None:
        listing, query = self.listing, self.listing.query
        filtered = bool(query.text or query.starred)
        count = f"{number(listing.total)} / {number(listing.all)}" if filtered else ""
        self.count_label.setText(count or (number(listing.all) if listing.all else ""))
        self._pages.setCurrentIndex(0 if listing.pictures or not listing.ready else 1)
        if query.text:
            self.empty.show_message(
                self.tr("No result matches."), self.tr("Clear search"), self._clear
            )
        elif query.starred:
            self.empty.show_message(
                self.tr("Nothing is starred yet."), self.tr("Show all"), self.star_button.click
            )
        else:
            self.empty.show_message(
                self.tr("Results appear here as you run."),
                self.tr("Output folder"),
                self._open_folder,
            )

    def _show_search(self, on: bool) -> None:
        self.search.setVisible(on)
        self._restyle()
        if on:
            self.search.setFocus(Qt.FocusReason.OtherFocusReason)
        else:
            self.search.clear_now()

    def _leave_search(self) -> None:
        self.search_button.setChecked(False)
        self.grid.setFocus(Qt.FocusReason.OtherFocusReason)

    def _enter_grid(self) -> None:
        self.grid.setFocus(Qt.FocusReason.TabFocusReason)
        if self.grid.current is None and self.listing.pictures:
            self.grid.select([self.listing.pictures[0].path])

    def _clear(self) -> None:
        self.search.clear_now()

    def _open_folder(self) -> None:
        folder = self.listing.index.folder
        while not folder.is_dir() and folder != folder.parent:
            folder = folder.parent
        QDesktopServices.openUrl(QUrl.fromLocalFile(str(folder)))

    def _show_menu(self, pictures: list[PictureRecord], place: QPoint) -> None:
        from ponystudio.app.gallery.picture_view import picture_menu  # with all of the gallery

        if self._menu is not None:
            self._menu.deleteLater()
        self._menu = picture_menu(pictures, self._results.actions, self)
        self._menu.popup(place)
