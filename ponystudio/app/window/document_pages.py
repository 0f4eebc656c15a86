"""The canvases of the open documents, in the middle of the window."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from PySide6.QtCore import QObject, Signal
from PySide6.QtWidgets import QStackedWidget

from ponystudio.app.window.document_page import DocumentPage
from ponystudio.studio.documents.document import Document
from ponystudio.studio.documents.documents import Documents


class DocumentPages(QObject):
    """A page for each document that is open, as `make` makes it; they stand in `stack`.

    `shown` carries the document whose canvas was brought to the front, None where there is none.
    """

    shown = Signal(object)

    def __init__(
        self,
        documents: Documents,
        stack: QStackedWidget,
        make: Callable[[Document], DocumentPage],
    ) -> None:
        super().__init__(stack)
        self._documents, self._stack, self._make = documents, stack, make
        self._pages: dict[Document, DocumentPage] = {}
        documents.opened.connect(self._opened)
        documents.closed.connect(self._closed)
        documents.current_changed.connect(self.show)

    def __iter__(self) -> Iterator[DocumentPage]:
        return iter(tuple(self._pages.values()))

    def __len__(self) -> int:
        return len(self._pages)

    def of(self, document: object) -> DocumentPage | None:
        """The page of a document; None if that is not open."""
        return self._pages.get(document) if isinstance(document, Document) else None

    @property
    def current(self) -> DocumentPage | None:
        """The page of the document that is worked on, even while another page is in front."""
        return self.of(self._documents.current)

    def show(self, document: Document | None) -> None:
        """Bring its canvas to the front, whatever stood there, and give it the keyboard."""
        if (page := self.of(document)) is not None:
            self._stack.setCurrentWidget(page)
        self.shown.emit(document)
        if page is not None:
            page.view.setFocus()

    def show_current(self) -> None:
        self.show(self._documents.current)

    def _opened(self, document: Document) -> None:
        page = self._pages[document] = self._make(document)
        self._stack.addWidget(page)

    def _closed(self, document: Document) -> None:
        page = self._pages.pop(document)
        page.close_page()
        self._stack.removeWidget(page)
        page.deleteLater()
