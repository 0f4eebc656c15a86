"""The system's dialogs for files; none of them makes the rest of the studio wait."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from pathlib import Path

from PySide6.QtCore import QObject, QStandardPaths
from PySide6.QtWidgets import QFileDialog, QWidget

from ponystudio.studio.documents.document import Document
from ponystudio.studio.documents.documents import Documents

SUFFIX = "json"
_RESERVED = re.compile(r'[\\/:*?"<>|\x00-\x1f]')


class FileDialogs(QObject):
    """Open, Save and Save as for the documents, over `window`.

    Documents that need a file ask for one by `path_wanted`, which ends here.
    """

    def __init__(self, documents: Documents, window: QWidget) -> None:
        super().__init__(window)
        self._documents = documents
        self._window = window
        self._dialog: QFileDialog | None = None
        self._saving: Document | None = None
        self._waiting: list[Document] = []
        self._folder: Path | None = None
        documents.path_wanted.connect(self.save_as)

    @property
    def dialog(self) -> QFileDialog | None:
        """The one that is shown now."""
        return self._dialog

    def open(self) -> None:
        """Ask for graphs and pictures, and open each."""
        filters = [
            self.tr("Graphs and pictures (*.json *.png *.jpg *.jpeg *.webp *.avif *.info *.txt)"),
            self.tr("Graphs (*.json)"),
            self.tr("Pictures (*.png *.jpg *.jpeg *.webp *.avif)"),
            self.tr("All files (*)"),
        ]
        dialog = self._make_dialog(self.tr("Open"), filters)
        dialog.setFileMode(QFileDialog.FileMode.ExistingFiles)
        self._ask(dialog, self._open_all)

    def save(self) -> None:
        """Save the current document; one without a file is asked for one."""
        if (document := self._documents.current) is not None:
            self._documents.save(document)

    def save_as(self, document: Document | None = None) -> None:
        """Ask where to save a document (None: the current one), and save it there."""
        document = document or self._documents.current
        if document is None or document is self._saving or document in self._waiting:
            return
        if self._saving is not None:
            self._waiting.append(document)
            return
        self._ask_where(document)

    def copy_as(self, title: str, chosen: Callable[[Path], object]) -> None:
        """Ask where to put a graph that is not open, known by this title."""
        dialog = self._make_save_dialog(self.tr("Save a copy"), title)
        self._ask(dialog, lambda paths: chosen(paths[0]))

    def save_export(
        self,
        heading: str,
        title: str,
        filters: Sequence[str],
        suffix: str,
        chosen: Callable[[Path], object],
    ) -> None:
        """Ask where to write another kind of file than a graph; `suffix` is what its name ends in
        where none is typed."""
        dialog = self._make_dialog(heading, filters)
        dialog.setAcceptMode(QFileDialog.AcceptMode.AcceptSave)
        dialog.setFileMode(QFileDialog.FileMode.AnyFile)
        dialog.setDefaultSuffix(suffix)
        dialog.selectFile(f"{file_name(title)}.{suffix}")
        self._ask(dialog, lambda paths: chosen(paths[0]))

    def _make_save_dialog(self, heading: str, title: str) -> QFileDialog:
        dialog = self._make_dialog(heading, [self.tr("Graphs (*.json)")])
        dialog.setAcceptMode(QFileDialog.AcceptMode.AcceptSave)
        dialog.setFileMode(QFileDialog.FileMode.AnyFile)
        dialog.setDefaultSuffix(SUFFIX)
        dialog.selectFile(f"{file_name(title)}.{SUFFIX}")
        return dialog

    def _ask_where(self, document: Document) -> None:
        dialog = self._make_save_dialog(self.tr("Save as"), document.title)
        if document.path is not None:
            dialog.setDirectory(str(document.path.parent))
            dialog.selectFile(f"{file_name(document.title)}.{SUFFIX}")
        self._ask(dialog, lambda paths: self._save_at(document, paths[0]))
        self._saving = document
        self._documents.set_current(document)

    def folder(self, title: str, chosen: Callable[[Path], object]) -> None:
        """Ask for a folder, e.g. one of models."""
        dialog = self._make_dialog(title, [])
        dialog.setFileMode(QFileDialog.FileMode.Directory)
        dialog.setOption(QFileDialog.Option.ShowDirsOnly)
        self._ask(dialog, lambda paths: chosen(paths[0]))

    def file(self, title: str, filters: Sequence[str], chosen: Callable[[Path], object]) -> None:
        """Ask for one file, e.g. one for a param."""
        dialog = self._make_dialog(title, filters)
        dialog.setFileMode(QFileDialog.FileMode.ExistingFile)
        self._ask(dialog, lambda paths: chosen(paths[0]))

    def _open_all(self, paths: Sequence[Path]) -> None:
        for path in paths:
            self._documents.open(path)

    def _save_at(self, document: Document, path: Path) -> None:
        if document in tuple(self._documents):  # else it was closed meanwhile
            self._documents.save_as(document, path)

    def _make_dialog(self, title: str, filters: Sequence[str]) -> QFileDialog:
        dialog = QFileDialog(self._window, title, str(self._start_folder()))
        if filters:
            dialog.setNameFilters(list(filters))
        return dialog

    def _ask(self, dialog: QFileDialog, chosen: Callable[[list[Path]], object]) -> None:
        self._saving = None
        if self._dialog is not None:
            self._dialog.close()

        def finished(result: int) -> None:
            if self._dialog is dialog:
                self._dialog = self._saving = None
            paths = [Path(name) for name in dialog.selectedFiles()] if result else []
            dialog.deleteLater()
            if paths:
                self._folder = paths[0].parent
                chosen(paths)
            else:
                self._waiting.clear()  # enough
            if self._waiting and self._dialog is None:
                self._ask_where(self._waiting.pop(0))

        self._dialog = dialog
        dialog.finished.connect(finished)
        dialog.open()

    def _start_folder(self) -> Path:
        """Where the last file was, or the current document's, or where documents are kept."""
        current = self._documents.current
        if self._folder is not None:
            return self._folder
        if current is not None and current.folder is not None:
            return current.folder
        where = QStandardPaths.StandardLocation.DocumentsLocation
        return Path(QStandardPaths.writableLocation(where) or Path.home())


def file_name(title: str) -> str:
    """The title as a name that every system takes for a file."""
    return " ".join(_RESERVED.sub(" ", title).split()).strip(" .") or "graph"
