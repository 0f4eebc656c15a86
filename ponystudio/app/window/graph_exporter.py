"""The graph in front as a file that other programs read, or as a picture."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path

from PySide6.QtCore import QObject, Signal

from ponystudio.app.window.file_dialogs import FileDialogs
from ponystudio.errors import PonyStudioError
from ponystudio.graph.atomic_write import write_text
from ponystudio.graph.comfyui.importer import Remark
from ponystudio.graph.model import Graph
from ponystudio.pictures.graph_export import EXPORTS, PICTURE, TEXT_EXPORTS
from ponystudio.qt.background_tasks import BackgroundTasks, in_background
from ponystudio.qt.i18n import tr
from ponystudio.qt.notification import NoticeKind, Notification, Row, first_rows
from ponystudio.studio.documents.document import Document
from ponystudio.studio.documents.documents import Documents
from ponystudio.studio.documents.saving import folders_beside
from ponystudio.widgets.action import ActionSpec


class GraphExporter(QObject):
    """Asks where to, writes, and says what was left out: `notice` carries a Notification. `close`
    it before the application ends."""

    notice = Signal(object)

    def __init__(self, documents: Documents, dialogs: FileDialogs, parent: QObject) -> None:
        super().__init__(parent)
        self._documents, self._dialogs = documents, dialogs
        self._tasks = BackgroundTasks("export", parent=self)

    def actions(self) -> list[ActionSpec]:
        """A command for each kind of file."""
        titles = {
            "comfyui": tr("Export for ComfyUI…"),
            "comfyui-api": tr("Export for ComfyUI's server…"),
            "infotext": tr("Export as A1111's text…"),
            "python": tr("Export as a Python script…"),
            PICTURE: tr("Export as a picture…"),
        }
        return [
            ActionSpec(
                action_id(kind),
                title,
                partial(self.export, kind),
                (),
                tr("File"),
                "image" if kind == PICTURE else "save",
                lambda: self._documents.current is not None,
            )
            for kind, title in titles.items()
        ]

    def export(self, kind: str) -> None:
        """Ask where the document in front is to be written as that kind."""
        document = self._documents.current
        if document is None:
            return
        if kind == PICTURE:
            filters, suffix = [tr("PNG (*.png)"), tr("SVG (*.svg)")], ".png"
        else:
            suffix = TEXT_EXPORTS[kind].suffix
            filters = [f"{TEXT_EXPORTS[kind].title} (*{suffix})"]
        name = f"{document.title} {kind}" if suffix == ".json" else document.title
        chosen = partial(self._chosen, document, kind)
        self._dialogs.save_export(tr("Export"), name, filters, suffix.removeprefix("."), chosen)

    def close(self) -> None:
        self._tasks.close()

    def _chosen(self, document: Document, kind: str, path: Path) -> None:
        if kind != PICTURE:
            self._tasks.start(
                self._write(document, document.graph, kind, path), partial(self._cannot, path)
            )
            return
        # Loads what writes pictures.
        from ponystudio.canvas.painting.graph_picture import save_picture

        try:
            save_picture(document, path, document.title)
        except PonyStudioError as error:
            self._cannot(path, error)
        else:
            self._tell(path, ())

    async def _write(self, document: Document, graph: Graph, kind: str, path: Path) -> None:
        catalog, title = document.catalog, document.title
        of_documents = self._documents.folders
        folders = folders_beside(of_documents(), document.path) if of_documents else None

        def write() -> tuple[Remark, ...]:
            # Loads readers of all kinds of model files.
            from ponystudio.library.graph_families import graph_families

            families = graph_families(graph, catalog, folders) if folders else {}
            exported = TEXT_EXPORTS[kind].write(graph, catalog, title, families)
            write_text(path, exported.text)
            return exported.remarks

        self._tell(path, await in_background(write))

    def _tell(self, path: Path, remarks: Sequence[Remark]) -> None:
        rows: list[Row] = [("item", str(remark), "") for remark in remarks]
        kind: NoticeKind = "warn" if rows else "ok"
        title = tr("%1 was written").replace("%1", path.name)
        text = tr("What cannot be said there:") if rows else ""
        self.notice.emit(Notification(title, text, kind=kind, rows=first_rows(rows)))

    def _cannot(self, path: Path, error: PonyStudioError) -> None:
        title = tr("%1 was not written").replace("%1", path.name)
        self.notice.emit(Notification.of(title, error))


def action_id(kind: str) -> str:
    return f"file.export_{kind.replace('-', '_')}"


# Of the menu, in its order.
EXPORT_ACTIONS = tuple(map(action_id, EXPORTS))
