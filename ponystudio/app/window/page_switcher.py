"""What stands in the place of the canvas for a while: gallery, models, the first welcome."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from PySide6.QtCore import QObject, Signal
from PySide6.QtWidgets import QWidget

from ponystudio.app.window.window_layout import WindowLayout
from ponystudio.studio.documents.document import Document
from ponystudio.studio.results.result_library import ResultLibrary
from ponystudio.widgets.action import ActionSpec

if TYPE_CHECKING:  # each is imported when it is first shown
    from ponystudio.app.gallery.gallery import GalleryPage, GalleryWindow
    from ponystudio.app.models.models_page import ModelsPage
    from ponystudio.app.window.welcome_page import WelcomePage


class PageSwitcher(QObject):
    """Makes the pages when they are first shown, that of models by `make_models`. `changed` when
    another page, or the canvas again, is in front; `left` when the canvas is to be.
    `status_changed` (fact, hint): for the bottom bar; `said`: what a letter did."""

    changed = Signal()
    left = Signal()
    status_changed = Signal(str, str)
    said = Signal(str)

    def __init__(
        self,
        layout: WindowLayout,
        results: ResultLibrary,
        make_models: Callable[[], ModelsPage],
    ) -> None:
        super().__init__(layout)
        self._layout, self._results, self._make_models = layout, results, make_models
        self._gallery: GalleryPage | None = None
        self._models: ModelsPage | None = None
        self._detached: GalleryWindow | None = None
        self._status = ("", "")

    @property
    def in_front(self) -> str:
        """Its name; "" while the canvas is there."""
        shown = self._layout.pages.currentWidget()
        pages = {"gallery": self._gallery, "models": self._models}
        return next((name for name, page in pages.items() if page is shown and page), "")

    def toggle(self, name: str) -> None:
        if self.in_front == name:
            self.left.emit()
        else:
            self.show(name)

    def show(self, name: str) -> None:
        """Bring a page to the front, as it was left."""
        if name == "gallery":
            self.show_pictures([])
        else:
            self.show_models()

    def leave(self) -> None:
        """The canvas takes the place again."""
        self._layout.show_right(True)
        self.status_changed.emit("", "")
        self.changed.emit()

    def actions(self) -> list[ActionSpec]:
        gallery = self._gallery
        return gallery.gallery_actions() if gallery and self.in_front == "gallery" else []

    def close(self) -> None:
        if self._detached is not None:
            self._detached.close()
        if self._models is not None:
            self._models.close_page()

    # --- The gallery ------------------------------------------------------------------------------

    def show_pictures(self, paths: list[Path]) -> None:
        """The gallery with these pictures; it compares two. Without any: as it was."""
        page = self._gallery or self._make_gallery()
        self._show(page)
        if paths:
            page.show_paths(paths)
        self.status_changed.emit(*self._status)

    def show_picture_of(self, document: Document, node: str) -> None:
        """The gallery with what a node last saved."""
        path = self._results.picture_of(document, node)
        self.show_pictures([path] if path is not None else [])

    def compare_latest(self) -> None:
        """The gallery with the last two: the one before as A, the last one as B."""
        latest = self._results.index.latest(2)
        self.show_pictures([picture.path for picture in reversed(latest)])

    def show_found(self, search: str) -> None:
        """All results that a search finds."""
        self.show_pictures([])
        if self._gallery is not None:
            self._gallery.show_all(search)

    def detach_gallery(self) -> None:
        """The gallery in a window of its own, and the canvas in this one."""
        from ponystudio.app.gallery.gallery import GalleryWindow

        if self._detached is None:
            self._detached = GalleryWindow(self._results)
        self._detached.show()
        self._detached.raise_()
        self.left.emit()

    def _make_gallery(self) -> GalleryPage:
        from ponystudio.app.gallery.gallery import GalleryPage

        page = self._gallery = GalleryPage(self._results)
        page.detach_requested.connect(self.detach_gallery)
        page.left.connect(self.left)
        page.status_changed.connect(self._status_changed)
        page.said.connect(self.said)
        self._layout.pages.addWidget(page)
        return page

    def _status_changed(self, fact: str, hint: str) -> None:
        self._status = (fact, hint if fact else "")
        if self.in_front == "gallery":
            self.status_changed.emit(*self._status)

    # --- Models -----------------------------------------------------------------------------------

    def show_models(self) -> None:
        page = self._models or self._add_models()
        self._show(page)
        page.search.setFocus()
        hint = self.tr("Drag a card over a tab and onto its canvas to make its loader")
        self.status_changed.emit("", hint)

    def _add_models(self) -> ModelsPage:
        page = self._models = self._make_models()
        page.results_requested.connect(self.show_found)
        page.said.connect(self.said)
        page.left.connect(self.left)
        page.list.drag_began.connect(self.left)
        page.list.drag_ended.connect(lambda taken: None if taken else self.show_models())
        self._layout.pages.addWidget(page)
        return page

    # --- What is there once -----------------------------------------------------------------------

    def show_welcome(self) -> WelcomePage:
        """Until something is chosen there; before what is chosen is done, it is gone."""
        from ponystudio.app.window.welcome_page import WelcomePage

        page = WelcomePage()
        for chosen in (page.left, page.picture_requested, page.models_requested):
            chosen.connect(partial(self.dismiss, page))
        self.show_for_now(page)
        page.make.setFocus()
        return page

    def show_for_now(self, page: QWidget) -> None:
        """A page that is there once, until it is dismissed."""
        self._show(page)

    def dismiss(self, page: QWidget) -> None:
        """It is gone for good, and the canvas there again."""
        self._layout.pages.removeWidget(page)
        page.deleteLater()
        self.left.emit()

    def _show(self, page: QWidget) -> None:
        if self._layout.pages.indexOf(page) < 0:
            self._layout.pages.addWidget(page)
        self._layout.pages.setCurrentWidget(page)
        self._layout.show_right(False)
        page.setFocus()
        self.changed.emit()
