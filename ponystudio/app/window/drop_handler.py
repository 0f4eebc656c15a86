"""Drops on the canvas, from the mime data to the edit; files are looked into on a thread."""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable, Coroutine, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from PySide6.QtCore import QMimeData, QObject, QPoint, QPointF, Signal
from PySide6.QtGui import QImage
from PySide6.QtWidgets import QMenu, QWidget

from ponystudio.api.spec import NodeSpec
from ponystudio.errors import BadInput, GraphError, NotWritable, PonyStudioError
from ponystudio.graph.catalog import Catalog
from ponystudio.graph.editing.auto_layout import Point
from ponystudio.graph.formats.clipboard import MIME
from ponystudio.library.model_folders import ModelFolders, default_roots
from ponystudio.qt.background_tasks import BackgroundTasks, in_background
from ponystudio.qt.notification import Notification
from ponystudio.qt.picture_image import whole_image
from ponystudio.studio.documents import document_notices as notices
from ponystudio.studio.documents import saving
from ponystudio.studio.documents.document import Document
from ponystudio.studio.documents.documents import Documents

if TYPE_CHECKING:  # it knows all kinds of files, and is not needed before the first drop
    from ponystudio.app.window.drop_contents import DropChoice, DropJudge, Dropped

_BESIDE = 32
# As which other programs give a picture without a file, the best first.
_PICTURES = ("image/png", "image/webp", "image/jpeg", "image/tiff", "image/bmp", "image/gif")

# Says of a new node, and a place of the scene, where its card may stand near by.
Room = Callable[[NodeSpec, QPointF], Point]
Judge = Callable[[], "DropJudge"]


class DropHandler(QObject):
    """Looks into what is dropped, and does what is to be done with it. `folder_dropped` carries a
    folder of models, for the settings; `added` a document and the nodes that came into it;
    `notice` a Notification that says why something cannot be used, or what became of another
    tool's nodes.

    `pictures` is where a picture goes that is dropped or pasted without a file.
    """

    folder_dropped = Signal(object)
    added = Signal(object, list)
    notice = Signal(object)

    def __init__(self, documents: Documents, window: QWidget, pictures: Path | None = None) -> None:
        super().__init__(window)
        self._documents = documents
        self._window = window
        self._pictures = pictures
        self._files = BackgroundTasks("dropped", parent=self)
        self._menu: QMenu | None = None

    @property
    def menu(self) -> QMenu | None:
        """The one that asks what to do with what was dropped last."""
        return self._menu

    @staticmethod
    def accepts(mime: QMimeData) -> bool:
        """Whether it is worth a look."""
        return mime.hasUrls() or mime.hasText() or mime.hasImage()

    def drop(self, mime: QMimeData, document: Document, at: QPointF, pointer: QPoint) -> None:
        """Do what is to be done with it, at a place of the scene; where there is a choice, ask at
        the pointer (in pixels of the screen)."""
        jobs = self._jobs(mime, document)  # now: the mime data does not last
        self._start(self._use(jobs, document, at, pointer))

    def take(
        self,
        paths: Sequence[Path],
        document: Document,
        at: QPointF,
        room: Room | None = None,
    ) -> None:
        """As if these were dropped there, or where there is room, but nothing is asked: the usual
        thing is done."""
        judge = self._judge(document)
        jobs = [partial(_of_file, judge, path) for path in paths]
        self._start(self._use(jobs, document, at, room=room))

    def wait(self) -> None:
        self._files.wait()

    def stop(self) -> None:
        """End the thread; before the window goes."""
        self._files.finish()

    def title(self, choice: DropChoice) -> str:
        """The choice in words."""
        if choice.action == "open":
            return self.tr("Open its graph")
        if choice.action == "models":
            return self.tr("Use as a folder of models")
        if choice.action == "nodes":
            return self.tr("Add its nodes here")
        if choice.action == "note":
            return self.tr("Add as a note")
        if choice.spec is not None and choice.spec.id == "core.load_image":
            return self.tr("Use as input")
        return self._step(choice)

    def _step(self, choice: DropChoice) -> str:
        if choice.action == "note":
            return self.tr("Add note")
        if choice.spec is not None:
            return self.tr("Add %1").replace("%1", choice.spec.title)
        return self.tr("Paste")

    def _start(self, flow: Coroutine[Any, Any, None]) -> None:
        self._files.start(flow, partial(self._refused, ""))

    async def _use(
        self,
        jobs: Sequence[Callable[[], Dropped]],
        document: Document,
        at: QPointF,
        pointer: QPoint | None = None,
        room: Room | None = None,
    ) -> None:
        found = await in_background(lambda: [job() for job in jobs])
        from ponystudio.app.window.drop_contents import GRIP  # imported by then

        for number, dropped in enumerate(found):
            place = at + QPointF(_BESIDE, _BESIDE) * number
            if dropped.refusal is not None:
                self._refused(dropped.name, dropped.refusal)
            elif pointer is not None and len(found) == 1 and len(dropped.choices) > 1:
                self._ask(dropped.choices, document, place, pointer)
            elif dropped.choices:
                choice = dropped.choices[0]
                if room is not None and choice.spec is not None:
                    place = QPointF(*room(choice.spec, place)) + QPointF(*GRIP)
                await self._choose(choice, document, place)

    async def _choose(self, choice: DropChoice, document: Document, at: QPointF) -> None:
        """Do what was chosen."""
        if choice.action == "open" and choice.path is not None:
            self._documents.open(choice.path)
        elif choice.action == "models":
            self.folder_dropped.emit(choice.path)
        else:
            await self._add(choice, document, at)

    async def _add(self, choice: DropChoice, document: Document, at: QPointF) -> None:
        """Bring it into the graph, unless the document is closed meanwhile."""
        from ponystudio.app.window.drop_contents import as_added, edits

        while document in tuple(self._documents):
            graph = document.graph
            try:
                made = await in_background(edits, choice, graph, (at.x(), at.y()))
                if document.graph is not graph or document not in tuple(self._documents):
                    continue  # they are for a graph that is none any more
                document.do_all(made, self._step(choice))
            except GraphError as error:
                self._refused(choice.path.name if choice.path else "", error)
                return
            self.added.emit(document, [id for id in document.graph.nodes if id not in graph.nodes])
            if choice.imported is not None:
                title = choice.path.name if choice.path else self.tr("The pasted text")
                added = as_added(choice.imported, graph)
                document.add_remarks(added.remarks)
                self.notice.emit(notices.imported(title, added))
            return

    def _folders(self) -> ModelFolders:
        known = self._documents.folders
        return known() if known else ModelFolders(default_roots())

    def _judge(self, document: Document) -> Judge:
        folders = saving.folders_beside(self._folders(), document.path)
        return partial(_new_judge, document.catalog, folders)

    def _jobs(self, mime: QMimeData, document: Document) -> list[Callable[[], Dropped]]:
        """What to look at, taken out of the mime data."""
        judge = self._judge(document)
        if mime.hasFormat(MIME):
            text = bytes(mime.data(MIME).data()).decode("utf-8", "replace")
            return [partial(_of_text, judge, text)]
        local = [Path(url.toLocalFile()) for url in mime.urls() if url.isLocalFile()]
        if local:
            return [partial(_of_file, judge, path) for path in local]
        for kind in filter(mime.hasFormat, _PICTURES):
            content = bytes(mime.data(kind).data())
            return [partial(_saved_picture, content, self._folder(), judge)]
        # What another program gives in formats of its own is not for Qt to decode; without any it
        # is plain pixels, of the system's clipboard or our own.
        if mime.hasImage() and not any(kind.startswith("image/") for kind in mime.formats()):
            image = mime.imageData()
            if isinstance(image, QImage) and not image.isNull():
                return [partial(_saved_picture, image.copy(), self._folder(), judge)]
        if mime.hasUrls():
            return [_web_address]
        text = mime.text()
        return [] if not text or text.isspace() else [partial(_of_text, judge, text)]

    def _folder(self) -> Path:
        return self._pictures or Path(self._folders().roots[0]) / "input"

    def _ask(
        self, choices: Sequence[DropChoice], document: Document, at: QPointF, pointer: QPoint
    ) -> None:
        if self._menu is not None:
            self._menu.deleteLater()
        self._menu = QMenu(self._window)
        for choice in choices:
            action = self._menu.addAction(self.title(choice))
            action.triggered.connect(partial(self._chosen, choice, document, at))
        self._menu.setActiveAction(self._menu.actions()[0])
        self._menu.popup(pointer)

    def _chosen(
        self, choice: DropChoice, document: Document, at: QPointF, _checked: bool = False
    ) -> None:
        self._start(self._choose(choice, document, at))

    def _refused(self, name: str, error: PonyStudioError) -> None:
        title = self.tr("%1 cannot be used here").replace("%1", name or self.tr("This"))
        self.notice.emit(Notification.of(title, error))


def _new_judge(catalog: Catalog, folders: ModelFolders) -> DropJudge:
    """What it knows of files is imported on the thread: it takes a while."""
    from ponystudio.app.window.drop_contents import DropJudge

    return DropJudge(catalog, folders)


def _of_file(judge: Judge, path: Path) -> Dropped:
    return judge().file(path)


def _of_text(judge: Judge, text: str) -> Dropped:
    return judge().text(text)


def _web_address() -> Dropped:
    from ponystudio.app.window.drop_contents import Dropped

    return Dropped("", (), BadInput("It lies on the web.", remedy="Save it first, then drop it."))


def _saved_picture(picture: QImage | bytes, folder: Path, judge: Judge) -> Dropped:
    """A picture without a file gets one, since graphs name their inputs."""
    image = whole_image(picture) if isinstance(picture, bytes) else picture
    path = folder / f"dropped-{time.strftime('%Y%m%d-%H%M%S')}-{secrets.token_hex(2)}.png"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        if not image.save(str(path)):
            raise OSError("the picture cannot be written")
    except OSError as error:
        raise NotWritable(f"The picture cannot be kept: {error}.", where=str(path)) from None
    return judge().file(path)
