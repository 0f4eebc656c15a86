"""What is done with that which the guard holds back, as somebody says on its page."""

from __future__ import annotations

from functools import partial
from pathlib import Path

from PySide6.QtCore import QObject, Signal

from ponystudio.app.window.file_dialogs import FileDialogs
from ponystudio.app.window.held_back_page import HeldBackPage
from ponystudio.app.window.page_switcher import PageSwitcher
from ponystudio.app.window.services import Services
from ponystudio.errors import PonyStudioError
from ponystudio.qt.background_tasks import BackgroundTasks
from ponystudio.qt.notification import Notification
from ponystudio.studio.documents import opening
from ponystudio.studio.documents.documents import Documents
from ponystudio.studio.restore_guard import Restored, RestoreGuard
from ponystudio.studio.settings import Settings


class RestoreOffers(QObject):
    """`show` the page where there is something to offer. `notice` carries a Notification,
    `layout_released` comes when the window is to be laid out as it was kept."""

    notice = Signal(object)
    layout_released = Signal()

    def __init__(
        self,
        guard: RestoreGuard,
        documents: Documents,
        services: Services,
        settings: Settings,
        pages: PageSwitcher,
        dialogs: FileDialogs,
        parent: QObject | None = None,
    ) -> None:
        super().__init__(parent)
        self._guard, self._documents, self._services = guard, documents, services
        self._settings, self._pages, self._dialogs = settings, pages, dialogs
        self._tasks = BackgroundTasks("held back", parent=self)
        self._page: HeldBackPage | None = None
        guard.changed.connect(self._refresh)

    @property
    def page(self) -> HeldBackPage | None:
        return self._page

    @property
    def held(self) -> tuple[Restored, ...]:
        queues = (Restored("queue", folder.name) for folder in self._services.held_queues())
        return (*self._guard.suspects, *queues)

    def show(self) -> None:
        """The page of all that is held back, if anything is."""
        if not self.held:
            return
        if self._page is not None:
            self._pages.show_for_now(self._page)
            return
        page = self._page = HeldBackPage()
        page.show_held(self.held)
        page.open_wanted.connect(self._open)
        page.text_wanted.connect(self._read)
        page.copy_wanted.connect(self._ask_for_copy)
        page.discarded.connect(self._discard)
        page.left.connect(self.leave)
        self._pages.show_for_now(page)
        page.leave.setFocus()

    def close(self) -> None:
        self._tasks.close()

    def leave(self) -> None:
        """Something else is in front, or is to be: what is still held back can be shown again."""
        page, self._page = self._page, None
        if page is None:
            return
        self._pages.dismiss(page)
        if self.held:
            text = self.tr("They are kept as they are, graphs under the recent files too.")
            show = (self.tr("Show them"), self.show)
            self.notice.emit(Notification(self.tr("Some things are not opened"), text, (show,)))

    def _refresh(self) -> None:
        if self._page is None:
            return
        self._page.show_held(self.held)
        if not self.held:
            self.leave()

    def _open(self, item: Restored) -> None:
        match item.kind:
            case "settings":
                self._guard.begin(item.kind, item.id)
                self._settings.release()
                self.layout_released.emit()
            case "queue":
                self._services.take_held_queues()
            case "document":
                self._documents.reopen_held(item)
                self.leave()
            case _:
                self.leave()
                self._documents.open(Path(item.path))
        self._refresh()

    def _discard(self, item: Restored) -> None:
        match item.kind:
            case "settings":
                self._settings.reset()
            case "queue":
                if not self._services.discard_held_queues():
                    return
            case "document":
                self._documents.discard_held(item)
        self._guard.forgive(item)
        self._refresh()

    def _read(self, item: Restored) -> None:
        """As letters: whatever it is that freezes, these do not."""
        journal = self._documents.journal_path(item.id) if item.kind == "document" else None
        file = Path(item.path) if item.path else None

        def read() -> str:
            return "\n\n".join(opening.as_letters(path) for path in (file, journal) if path)

        def show(text: str) -> None:
            if self._page is not None:
                self._page.show_text(item.title or item.path, text)

        self._tasks.do(read, show)

    def _ask_for_copy(self, item: Restored) -> None:
        self._dialogs.copy_as(item.title, partial(self._copy, item))

    def _copy(self, item: Restored, path: Path) -> None:
        journal = self._documents.journal_path(item.id)
        saved = Notification(self.tr("A copy is saved"), str(path), kind="ok")

        def failed(error: PonyStudioError) -> None:
            title = self.tr("%1 is not saved").replace("%1", path.name)
            self.notice.emit(Notification.of(title, error))

        job = partial(opening.copy_graph, journal, path)
        self._tasks.do(job, lambda _: self.notice.emit(saved), failed)
