"""The canvases of the open documents, in the middle of the window: one page each, with all that
hangs on it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from PySide6.QtCore import QMimeData, QObject, QPointF, QSizeF, Qt, QTimer, Signal
from PySide6.QtGui import QShowEvent
from PySide6.QtWidgets import QPushButton, QStackedWidget, QVBoxLayout, QWidget

from ponystudio.app.window.drop_handler import DropHandler
from ponystudio.app.window.few_step_offers import FewStepOffers
from ponystudio.app.window.model_offers import ModelOffers
from ponystudio.canvas.commands.canvas_commands import CanvasCommands
from ponystudio.canvas.scene.scene import GraphScene
from ponystudio.canvas.view import camera_view
from ponystudio.canvas.view.camera_view import Camera
from ponystudio.canvas.view.view import GraphView
from ponystudio.graph.editing.edits import SetMode
from ponystudio.studio.documents.document import Document
from ponystudio.studio.documents.documents import Documents
from ponystudio.studio.documents.editable_graph import Problem
from ponystudio.studio.models.field_services import FieldServices
from ponystudio.studio.runs.runner import Runner
from ponystudio.widgets import theme
from ponystudio.widgets.action import ActionSpec
from ponystudio.widgets.common import FirstPaint, label
from ponystudio.widgets.primitives import px

_CENTRE = Qt.AlignmentFlag.AlignHCenter


class DocumentPage(QWidget):
    """The canvas of one document. `selection_changed` when other nodes are selected or have the
    focus; `template_requested` when the empty canvas's button is pressed; `picture_requested`
    carries a node whose picture was activated; `drawn` comes once, after the first paint."""

    selection_changed = Signal()
    drawn = Signal()
    template_requested = Signal()
    picture_requested = Signal(str)

    def __init__(
        self,
        document: Document,
        runner: Runner,
        services: FieldServices,
        drops: DropHandler,
        keys_of: Callable[[ActionSpec], tuple[str, ...]] = lambda spec: spec.keys,
        parent: QWidget | None = None,
    ) -> None:
        super().__init__(parent)
        self.document, self._runner, self._drops = document, runner, drops
        self.services = services.for_document(
            lambda node, param: runner.last_seed(document, node, param)
        )
        self.scene = GraphScene(document, self.services, self)
        self.view = GraphView(self.scene)
        self.commands = CanvasCommands(self.view, keys_of)
        self.offers = FewStepOffers(document, self.services, self)
        self.models = ModelOffers(document, self.services, self)
        self._fitted = False
        self.is_drawn = False
        FirstPaint(self.view.viewport()).seen.connect(self._note_drawn)
        box = QVBoxLayout(self)
        box.setContentsMargins(0, 0, 0, 0)
        box.addWidget(self.view)
        self._hint = _EmptyHint(self.view.viewport())
        self._hint.button.clicked.connect(self.template_requested)
        self._connect()
        self._graph_changed()

    def selected(self) -> list[str]:
        return self.commands.ops.targets()

    def add_files(self, paths: Sequence[Path]) -> None:
        """Their loaders, in the middle of what is seen or where there is room."""
        at = self.view.visible_rect().center()
        self._drops.take(paths, self.document, at, self.commands.ops.room_for)

    def fit_first(self) -> None:
        """When it is first shown: the whole graph, or where its camera was saved."""
        if self._fitted or not self.view.isVisible():
            return
        saved, sync = Camera.from_json(self.document.camera), self.scene.sync
        if saved is None and not sync.is_whole:
            sync.when_whole("fit", self.fit_first)
            return
        self._fitted = True
        if saved is not None:
            self.view.set_camera(saved)
        elif not (bounds := self.scene.store.bounds()).isNull():
            size = QSizeF(self.view.viewport().size()) / theme.scale()
            self.view.set_camera(camera_view.fitting(bounds, size))
        self.document.set_camera_source(lambda: self.view.camera().to_json())

    def showEvent(self, event: QShowEvent) -> None:
        super().showEvent(event)
        self.services.recheck()  # what lies beside this graph is not what lies beside another
        QTimer.singleShot(0, self, self.fit_first)  # when the layout has given it its size

    def _note_drawn(self) -> None:
        self.is_drawn = True
        self.drawn.emit()

    def close_page(self) -> None:
        """Before the document goes."""
        self.models.close()
        self.view.editors.close()

    # Wires

    def _connect(self) -> None:
        self.scene.store.selection_changed.connect(self.selection_changed)
        self.scene.focus_changed.connect(lambda _: self.selection_changed.emit())
        self.scene.run_to_requested.connect(lambda node: self._runner.run_to(self.document, node))
        self.scene.remedy_requested.connect(self._remedy)
        self.scene.offer_answered.connect(self.answer)
        self.scene.picture_activated.connect(self.picture_requested)
        self.commands.gestures.dropped.connect(self._dropped)
        self.document.changed.connect(lambda _: self._graph_changed())

    def _dropped(self, mime: QMimeData, at: QPointF) -> None:
        """Files and pictures that no field takes."""
        if self._drops.accepts(mime):
            self.view.setFocus()  # what is made here has the keyboard, not where it came from
            pointer = self.view.viewport().mapToGlobal(self.view.from_scene(at).toPoint())
            self._drops.drop(mime, self.document, at, pointer)

    def answer(self, node: str, taken: bool) -> None:
        """What the card of a node offers is to be, or not."""
        offers = self.models if self.models.is_of(node) else self.offers
        offers.accept(node) if taken else offers.dismiss(node)

    def _remedy(self, node: str, problem: Problem, which: str) -> None:
        socket = problem.socket.split("[")[0].split(".")[0]
        if which == "run":
            self._runner.run(self.document)
        elif which == "bypass":
            self.document.do(SetMode(node, "bypassed"), self.tr("Bypass"))
        elif which == "turn_on":
            source = self.document.graph.nodes[node].inputs[socket].source
            self.document.do(SetMode(source, "normal"), self.tr("Use again"))
        elif which in ("choose", "focus"):
            spec = self.document.spec(node)
            names = [param.name for param in spec.params] if spec else []
            files = [param.name for param in spec.params if param.type == "file"] if spec else []
            name = socket if socket in names else (files or names or [""])[0]
            self.view.show_node(node)
            self.view.field_host.edit(node, name)

    def _graph_changed(self) -> None:
        view = self.document.graph.view
        empty = not (self.document.graph.nodes or view.get("frames") or view.get("notes"))
        self._hint.setVisible(empty)


class _EmptyHint(QWidget):
    """What an empty canvas says; drops go through it."""

    def __init__(self, host: QWidget) -> None:
        super().__init__(host)
        self._host = host
        host.installEventFilter(self)
        said = self.tr("Start with a template, drop a picture, or press Tab.")
        text = label(said, "body", "text2")
        self.button = QPushButton(self.tr("Text to picture"))
        self.button.setProperty("kind", "primary")
        box = QVBoxLayout(self)
        box.setSpacing(px(12))
        box.addWidget(text)
        box.addWidget(self.button)
        box.setAlignment(self.button, _CENTRE)
        box.setAlignment(text, _CENTRE)

    def eventFilter(self, watched: Any, event: Any) -> bool:
        if event.type() in (event.Type.Resize, event.Type.Show):
            size = self.sizeHint()
            self.setGeometry(
                (self._host.width() - size.width()) // 2,
                (self._host.height() - size.height()) // 2,
                size.width(),
                size.height(),
            )
        return super().eventFilter(watched, event)


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
        documents.about_to_close.connect(self._about_to_close)
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

    def _about_to_close(self, document: Document) -> None:
        self._pages[document].close_page()

    def _closed(self, document: Document) -> None:
        page = self._pages.pop(document)
        self._stack.removeWidget(page)
        page.deleteLater()
