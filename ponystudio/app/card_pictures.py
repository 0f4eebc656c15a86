"""The pictures on cards of nodes that save or show: of this run, and again after a restart."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from PySide6.QtCore import QObject
from PySide6.QtGui import QImage

from ponystudio.app.last_pictures import LastPicture, LastPictures
from ponystudio.app.run_states import Pictures
from ponystudio.app.small_copies import SmallCopies
from ponystudio.canvas.document import Document


class CardPictures(QObject):
    """`known` has what results look like, by what they are known by; `last` what nodes made last;
    `copies` reads and writes off the GUI thread."""

    def __init__(self, last: LastPictures | None = None, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self.known, self.last = Pictures(), last or LastPictures()
        self.copies = SmallCopies(self)

    def load(
        self, scope: str, node: str, path: str, key: str, then: Callable[[QImage], object]
    ) -> None:
        """A picture was made; `then` has it small."""

        def have(picture: QImage, written: int) -> None:
            self.last.note(scope, {node: LastPicture(path, written, key)})
            then(picture)

        self.copies.load(path, have)

    def show_last(self, document: Document, scope: str, shown: Callable[[], object]) -> None:
        """What nodes of a document made before it was opened, as of an earlier run; `shown` is
        called for each."""
        for node, last in self.last.of(scope).items():
            if node in document.graph.nodes:
                self.copies.load(last.path, partial(self._have_last, document, node, last, shown))

    def _have_last(
        self,
        document: Document,
        node: str,
        last: LastPicture,
        shown: Callable[[], object],
        picture: QImage,
        written: int,
    ) -> None:
        if written != last.written:
            return  # another picture has that name now
        if last.key:
            self.known.keep(last.key, picture)
        if node in document.graph.nodes and document.states[node].picture is None:
            document.states.update(node, picture=picture, stale=True)
            shown()

    def close(self) -> None:
        self.copies.close()
        self.last.save()
