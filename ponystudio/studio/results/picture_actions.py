"""What may be done with pictures, wherever they are shown; what made one may be taken over into the
present graph: its seed, or all its values.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Sequence
from pathlib import Path

from PySide6.QtCore import QFile, QMimeData, QObject, QStandardPaths, QUrl, Signal
from PySide6.QtGui import QGuiApplication, QImage

from ponystudio.errors import PonyStudioError
from ponystudio.graph.editing.edits import Compound, Edit, SetParam
from ponystudio.graph.model import Graph
from ponystudio.qt.background_tasks import BackgroundTasks, in_background
from ponystudio.qt.file_manager import show_in_folder
from ponystudio.qt.i18n import tr
from ponystudio.qt.notification import Notification
from ponystudio.qt.picture_image import whole_image
from ponystudio.studio.documents.editable_graph import EditableGraph
from ponystudio.studio.results.graph_diff import paired, values_edit
from ponystudio.studio.results.picture_record import PictureRecord, read_graph
from ponystudio.studio.results.result_index import ResultIndex
from ponystudio.studio.results.thumbnail_cache import ThumbnailCache


class PictureActions(QObject):
    """One for the app. What it cannot do itself it asks for by signals.

    `open_graph_requested` (path), `use_seed_requested` (seed as a Python int, path, graph),
    `apply_values_requested` (path, graph): take the params of that picture's graph, None if it has
    none, into the present one; `verify_requested` (path): make it again and compare;
    `view_requested` (list of paths): show one, or compare two, in the gallery. `notice` carries a
    Notification of what was done.
    """

    open_graph_requested = Signal(object)
    use_seed_requested = Signal(object, object, object)
    apply_values_requested = Signal(object, object)
    verify_requested = Signal(object)
    view_requested = Signal(list)
    notice = Signal(object)

    def __init__(
        self,
        index: ResultIndex,
        thumbnails: ThumbnailCache,
        parent: QObject | None = None,
    ) -> None:
        super().__init__(parent)
        self._index, self._thumbnails = index, thumbnails
        self._work = BackgroundTasks("picture files")

    def close(self) -> None:
        self._work.close()

    def view(self, pictures: Iterable[PictureRecord]) -> None:
        self.view_requested.emit([picture.path for picture in pictures])

    def open_graph(self, picture: PictureRecord) -> None:
        self.open_graph_requested.emit(picture.path)

    def use_seed(self, picture: PictureRecord) -> None:
        if picture.seed is not None:
            self._work.start(self._use_seed(picture.seed, picture.path))

    async def _use_seed(self, seed: int, path: Path) -> None:
        self.use_seed_requested.emit(seed, path, await in_background(read_graph, path))

    def apply_values(self, picture: PictureRecord) -> None:
        self._work.start(self._apply_values(picture.path))

    async def _apply_values(self, path: Path) -> None:
        self.apply_values_requested.emit(path, await in_background(read_graph, path))

    def verify(self, picture: PictureRecord) -> None:
        self.verify_requested.emit(picture.path)

    def star(self, pictures: Iterable[PictureRecord], on: bool) -> None:
        self._index.star([picture.path for picture in pictures], on)

    def copy_image(self, picture: PictureRecord) -> None:
        """Pixels for painting programs, the file for file managers and chat programs."""
        self._work.start(self._copy_image(picture.path))

    async def _copy_image(self, path: Path) -> None:
        image = await in_background(_image, path)
        data = QMimeData()
        data.setUrls([QUrl.fromLocalFile(str(path))])
        if image is not None:
            data.setImageData(image)
        QGuiApplication.clipboard().setMimeData(data)
        self.notice.emit(Notification(self.tr("%s is on the clipboard") % path.name, kind="ok"))

    def copy_text(self, text: str) -> None:
        QGuiApplication.clipboard().setText(text)

    def show_in_folder(self, picture: PictureRecord) -> None:
        show_in_folder(picture.path)

    def move_to_trash(self, pictures: Sequence[PictureRecord]) -> None:
        """Only ever on the user's click. What cannot be moved there stays where it is."""
        moved: list[tuple[Path, Path]] = []
        stayed: list[str] = []
        for picture in pictures:
            done, place = _trashed(picture.path)
            if done:
                moved.append((picture.path, Path(place)))
            elif picture.path.exists():
                stayed.append(picture.name)
        gone = [picture.path for picture in pictures if picture.name not in stayed]
        self._index.forget(gone)
        for path in gone:
            self._thumbnails.forget(path)
        if stayed:
            title = self.tr("Not moved to the trash")
            text = self.tr("The system took no trash for %s; the file stays.") % ", ".join(stayed)
            self.notice.emit(Notification(title, text, kind="warn"))
        elif moved:
            self._show_moved(moved)

    def _show_moved(self, moved: list[tuple[Path, Path]]) -> None:
        one = moved[0][0].name
        title = (
            self.tr("%s is in the trash") % one
            if len(moved) == 1
            else self.tr("%d pictures are in the trash") % len(moved)
        )
        # Without a name in the trash the system alone can bring it back.
        known = all(str(place) not in ("", ".") for _, place in moved)
        undo = (self.tr("Undo"), lambda: self.restore(moved))
        self.notice.emit(Notification(title, "", (undo,) if known else (), "ok"))

    def restore(self, moved: Iterable[tuple[Path, Path]]) -> None:
        """Bring files back from the trash, as far as their old names are still free."""
        for path, place in moved:
            if path.exists() or not QFile.rename(str(place), str(path)):
                title = self.tr("%s is still in the trash") % path.name
                text = self.tr("Another file took its name, or the trash was emptied.")
                self.notice.emit(Notification(title, text, kind="warn"))
                continue
            # Trash folders of the desktop standard keep a note beside the file.
            note = place.parent.parent / "info" / f"{place.name}.trashinfo"
            note.unlink(missing_ok=True)
            self._thumbnails.forget(path)
            self._index.add(path)


def _image(path: Path) -> QImage | None:
    try:
        return whole_image(path)
    except PonyStudioError:
        return None


def _trashed(path: Path) -> tuple[bool, str]:
    # Qt makes the trash itself, but not the folder in which a desktop would have put it.
    place = QStandardPaths.writableLocation(QStandardPaths.StandardLocation.GenericDataLocation)
    with contextlib.suppress(OSError):
        Path(place).mkdir(parents=True, exist_ok=True)
    # Not the static function: in PySide6 6.11 it crashes.
    file = QFile(str(path))
    done = file.moveToTrash()
    return done, file.fileName() if done else ""


def use_seed(document: EditableGraph, seed: int, path: Path, source: Graph | None) -> int:
    """Give a picture's seeds to the nodes that they belong to, in one step to undo.

    Nodes that correspond to one of the picture's graph, `source`, take its seed. Where there is
    none, the only seed of the document takes `seed`. How many seeds were set; 0 also where all were
    so.
    """
    edits = _seeds_of(document, source) if source is not None else None
    if edits is None:
        places = seed_places(document)
        edits = [SetParam(*places[0], seed)] if len(places) == 1 else []
    edits = [edit for edit in edits if edit.apply(document.graph)[0] != document.graph]
    document.do_all(edits, tr("Use the seed of %s") % path.name)
    return len(edits)


def apply_values(document: EditableGraph, path: Path, source: Graph | None) -> int:
    """Give the params of a picture's graph to the same nodes of the document, in one step to undo.
    How many params were set."""
    edit = values_edit(document.graph, source) if source is not None else None
    if edit is None:
        return 0
    document.do(edit, tr("Use the values of %s") % path.name)
    return len(edit.edits) if isinstance(edit, Compound) else 1


def seed_places(document: EditableGraph) -> list[tuple[str, str]]:
    """(node, param) of the seeds that may be set: those that no wire feeds."""
    return [
        (id, param.name)
        for id, node in document.graph.nodes.items()
        if (spec := document.catalog.get(node.type)) is not None
        for param in spec.params
        if param.type == "seed" and param.name not in node.inputs
    ]


def _seeds_of(document: EditableGraph, source: Graph) -> list[Edit] | None:
    """None where no node of the picture's graph with a seed is in the document."""
    partners = {node.id: other for node, other in paired(document.graph, source) if node and other}
    found: list[Edit] = []
    for id, name in seed_places(document):
        other = partners.get(id)
        if other is not None and isinstance(other.params.get(name), int):
            found.append(SetParam(id, name, other.params[name]))
    return found or None
