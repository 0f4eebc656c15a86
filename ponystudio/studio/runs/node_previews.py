"""The pictures on cards of nodes that save or show: of this run, and again after a restart."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path

from PySide6.QtCore import QObject
from PySide6.QtGui import QImage
from shiboken6 import isValid

from ponystudio.errors import PonyStudioError
from ponystudio.qt.background_tasks import BackgroundTasks
from ponystudio.qt.picture_image import small_image
from ponystudio.studio.documents.editable_graph import EditableGraph
from ponystudio.studio.runs.last_run import LastPicture, LastPictures
from ponystudio.studio.runs.node_state_writer import PreviewPictures

# Cards are at most 480 px wide, and may be looked at closely.
LONGEST = 512


class NodePreviews(QObject):
    """`known` has what results look like, by what they are known by; `last` what nodes made last.
    Files are read by `work`, off the GUI thread."""

    def __init__(self, last: LastPictures | None = None, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self.known, self.last = PreviewPictures(), last or LastPictures()
        self.work = BackgroundTasks("card pictures", parent=self)
        self._closing = False

    def load(
        self, scope: str, node: str, path: str, key: str, then: Callable[[QImage], object]
    ) -> None:
        """A picture was made; `then` has it small."""

        def have(read: tuple[QImage, int]) -> None:
            picture, written = read
            if not picture.isNull():
                self.last.note(scope, {node: LastPicture(path, written, self.known.key(key))})
                if not self._closing:
                    then(picture)

        self.work.do(lambda: small_copy(path), have)

    def rename(self, scope: str, keys: Mapping[str, str]) -> None:
        """Results of a document are known by other keys now: each that was, and what it is."""
        self.known.rename(keys)
        self.last.note(
            scope,
            {
                node: replace(last, key=keys[last.key])
                for node, last in self.last.of(scope).items()
                if last.key in keys
            },
        )

    def show_last(self, document: EditableGraph, scope: str, shown: Callable[[], object]) -> None:
        """What nodes of a document made before it was opened, as of an earlier run; `shown` is
        called for each."""
        for node, last in self.last.of(scope).items():
            if node in document.graph.nodes:
                have = partial(self._have_last, document, node, last, shown)
                self.work.do(partial(small_copy, last.path), have)

    def _have_last(
        self,
        document: EditableGraph,
        node: str,
        last: LastPicture,
        shown: Callable[[], object],
        read: tuple[QImage, int],
    ) -> None:
        picture, written = read
        if self._closing or not isValid(document):  # closed meanwhile
            return
        if picture.isNull() or written != last.written:
            return  # it is gone, or another picture has that name now
        if last.key:
            self.known.keep(last.key, picture)
        if node in document.graph.nodes and document.states[node].picture is None:
            document.states.update(node, picture=picture, stale=True)
            shown()

    def close(self) -> None:
        self._closing = True  # what is read is noted, and shown no more
        self.work.finish()
        self.last.save()


def small_copy(path: str) -> tuple[QImage, int]:
    """The picture, no longer than 512 px a side, and the time that its file was written at; a null
    one where it is gone or none."""
    try:
        written = Path(path).stat().st_mtime_ns
    except OSError:
        return QImage(), 0
    try:
        return small_image(Path(path), LONGEST).image, written
    except PonyStudioError:
        return QImage(), written
