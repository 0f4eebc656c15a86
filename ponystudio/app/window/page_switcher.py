"""What stands in the place of the canvas for a while: gallery, models, the first welcome."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from PySide6.QtCore import QObject, Signal
from PySide6.QtWidgets import QWidget

from ponystudio.app.window.window_layout import WindowLayout
from ponystudio.qt.file_manager import show_in_folder
from ponystudio.widgets.action import ActionSpec

if TYPE_CHECKING:
    from ponystudio.app.gallery.gallery import GalleryPage, GalleryWindow
    from ponystudio.app.models.models_page import ModelsPage
    from ponystudio.app.window.main_window import MainWindow

NAMES = ("gallery", "models")


class PageSwitcher(QObject):
    """`changed` when another page, or the canvas again, is in front; `left` when the canvas is to
    be. `status_changed` (fact, hint): for the bottom bar."""

    changed = Signal()
    left = Signal()
    status_changed = Signal(str, str)

    def __init__(self, window: MainWindow, shell: WindowLayout) -> None:
        super().__init__(window)
        self._window, self._shell = window, shell
        self._gallery: GalleryPage | None = None
        self._models: ModelsPage | None = None
        self._detached: GalleryWindow | None = None
        self._status = ("", "")

    @property
    def in_front(self) -> str:
        """Its name; "" while the canvas is there."""
        shown = self._shell.pages.currentWidget()
        pages = {"gallery": self._gallery, "models": self._models}
        return next((name for name, page in pages.items() if page is shown and page), "")

    def toggle(self, name: str) -> None:
        if self.in_front == name:
            self.left.emit()
        elif name == "gallery":
            self.show_pictures([])
        else:
            self.show_models()

    def leave(self) -> None:
        """The canvas takes the place again."""
        self._shell.show_beside(True)
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

    def show_found(self, search: str) -> None:
        """All results that a search finds."""
        self.show_pictures([])
        if self._gallery is not None:
            self._gallery.show_all(search)

    def detach_gallery(self) -> None:
        """The gallery in a window of its own, and the canvas in this one."""
        from ponystudio.app.gallery.gallery import GalleryWindow

        if self._detached is None:
            self._detached = GalleryWindow(self._window.results)
        self._detached.show()
        self._detached.raise_()
        self.left.emit()

    def _make_gallery(self) -> GalleryPage:
        from ponystudio.app.gallery.gallery import GalleryPage

        page = self._gallery = GalleryPage(self._window.results)
        page.detach_requested.connect(self.detach_gallery)
        page.left.connect(self.left)
        page.status_changed.connect(self._tell)
        self._shell.pages.addWidget(page)
        return page

    def _tell(self, fact: str, hint: str) -> None:
        self._status = (fact, hint if fact else "")
        if self.in_front == "gallery":
            self.status_changed.emit(*self._status)

    # --- Models -----------------------------------------------------------------------------------

    def show_models(self) -> None:
        page = self._models or self._make_models()
        self._show(page)
        page.search.setFocus()
        self.status_changed.emit(
            "", self.tr("Drag a card over a tab and onto its canvas to make its loader")
        )

    def _make_models(self) -> ModelsPage:
        from ponystudio.app.models.model_actions import ModelActions
        from ponystudio.app.models.models_page import ModelsPage

        window = self._window
        services = window.field_services
        uses = ModelActions(window)
        page = ModelsPage(services.facts, uses, window.settings, services.index_path)
        self._models = page
        page.folders_requested.connect(lambda: window.panels.open("settings"))
        page.show_requested.connect(show_in_folder)
        page.results_requested.connect(self.show_found)
        page.copied.connect(lambda text: window.toasts.show(self.tr("Copied"), text, kind="ok"))
        page.left.connect(self.left)
        page.list.drag_began.connect(self.left)
        page.list.drag_ended.connect(lambda taken: None if taken else self.show_models())
        self._shell.pages.addWidget(page)
        return page

    # --- The first start --------------------------------------------------------------------------

    def welcome(self) -> None:
        from ponystudio.app.window.welcome_page import WelcomePage

        window, greeting = self._window, WelcomePage()
        self._show(greeting)

        def leave() -> None:
            window.settings.set("welcomed", True)
            self._shell.pages.removeWidget(greeting)
            greeting.deleteLater()
            self.left.emit()

        def make() -> None:
            leave()
            window.new_default()
            window.actions_.run("run.run")

        def models() -> None:
            leave()
            window.dialogs.folder(self.tr("The folder of ComfyUI or A1111"), window.add_models)

        greeting.left.connect(leave)
        greeting.picture_wanted.connect(make)
        greeting.models_wanted.connect(models)
        greeting.make.setFocus()

    def _show(self, page: QWidget) -> None:
        if self._shell.pages.indexOf(page) < 0:
            self._shell.pages.addWidget(page)
        self._shell.pages.setCurrentWidget(page)
        self._shell.show_beside(False)
        page.setFocus()
        self.changed.emit()
