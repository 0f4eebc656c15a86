"""The studio's window: it puts the parts together and passes on what they ask for."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

from PySide6.QtCore import QByteArray, Qt, QTimer
from PySide6.QtGui import QCloseEvent
from PySide6.QtWidgets import QMainWindow

from ponystudio.app.actions.action_registry import ActionRegistry
from ponystudio.app.gallery.results_strip import ResultsStrip
from ponystudio.app.inspector.inspector import Inspector
from ponystudio.app.panels.node_panel import NodePanel
from ponystudio.app.queue.bottom_bar import BottomBar
from ponystudio.app.queue.run_actions import run_actions
from ponystudio.app.queue.run_bar import RunBar
from ponystudio.app.window import page_switcher
from ponystudio.app.window.canvas_requests import CanvasRequests
from ponystudio.app.window.document_page import DocumentPage
from ponystudio.app.window.document_tabs import DocumentTabs
from ponystudio.app.window.drop_handler import DropHandler
from ponystudio.app.window.file_dialogs import FileDialogs
from ponystudio.app.window.navigation_rail import NavigationRail
from ponystudio.app.window.notifications import Notifications
from ponystudio.app.window.page_switcher import PageSwitcher
from ponystudio.app.window.panel_registry import PanelRegistry
from ponystudio.app.window.picture_verifier import PictureVerifier
from ponystudio.app.window.services import Services
from ponystudio.app.window.window_actions import menu_entries, window_actions
from ponystudio.app.window.window_layout import TopBar, WindowLayout
from ponystudio.graph.catalog import Catalog
from ponystudio.library import user_folders
from ponystudio.library.model_folders import ModelFolders
from ponystudio.qt.notification import Notification
from ponystudio.studio.documents.document import Document
from ponystudio.studio.documents.documents import Documents
from ponystudio.studio.documents.templates import DEFAULT, template
from ponystudio.studio.models.field_services import FieldServices
from ponystudio.studio.results.file_name_pattern import with_prefix
from ponystudio.studio.results.result_library import ResultLibrary
from ponystudio.studio.settings import Settings
from ponystudio.widgets import metrics, theme
from ponystudio.widgets.action import ActionSpec
from ponystudio.widgets.toasts import Toasts

SIZE = (1600, 1000)


class MainWindow(QMainWindow):
    """One for the app. `start` it after the first paint; closing it ends everything.

    Closing asks nothing: what is not saved is kept, and is there again at the next start.
    """

    def __init__(self, settings: Settings) -> None:
        super().__init__()
        self.settings = settings
        self.setWindowTitle("PonyStudio")
        self.resize(*SIZE)
        self.services = Services(settings, self)
        self.runner = self.services.runner
        self.documents = Documents(user_folders.data(), self._catalog(), self.folders, self)
        self.field_services = FieldServices(
            self.folders, index_path=user_folders.cache() / "models.sqlite"
        )
        self.drop_handler = DropHandler(self.documents, self, user_folders.data() / "pasted")
        self.dialogs = FileDialogs(self.documents, self)
        self.results = ResultLibrary(
            user_folders.data(), user_folders.cache(), settings.output_folder(), None, self
        )
        self.canvases: dict[Document, DocumentPage] = {}
        self._make_parts()
        self.toasts = Toasts(self.shell.pages)
        self.canvas_requests = CanvasRequests(self)
        self.notifications = Notifications(self.toasts, self.runner, self.canvas_requests.go_to)
        self.verifier = PictureVerifier(self.runner, self)
        self.results.actions.set_toasts(self.toasts)
        self.panels = PanelRegistry(self, self.shell, self.nodes)
        self.page_switcher = PageSwitcher(self, self.shell)
        self.actions_ = ActionRegistry(self, settings)
        self._make_actions()
        self._connect_documents()
        self._connect_parts()
        self._restore_sizes()

    def folders(self) -> ModelFolders:
        """Where models are now: beside the document in front, too."""
        document = self.documents.current if hasattr(self, "documents") else None
        beside = document.folder if document else None
        return ModelFolders(self.services.models(), beside)

    def start(self) -> None:
        """What needs no hurry: the worker, earlier pictures."""
        self.services.start()
        self.results.start()
        if (page := self.page) and self.shell.pages.currentWidget() is page:
            page.view.setFocus()  # what Qt gave the keyboard to, with the window, is any field

    def welcome(self) -> None:
        """Greet who is here for the first time, unless there is work already."""
        document = self.documents.current
        if not self.settings.get("welcomed") and (document is None or document.pristine):
            self.page_switcher.welcome()

    @property
    def page(self) -> DocumentPage | None:
        """The canvas in front."""
        document = self.documents.current
        return self.canvases.get(document) if document else None

    # --- Parts ------------------------------------------------------------------------------------

    def _make_parts(self) -> None:
        self.tabs = DocumentTabs(self.documents)
        self.run_bar = RunBar(self.runner, lambda: self.documents.current)
        self.bottom = BottomBar(self.runner)
        self.rail = NavigationRail()
        self.nodes = NodePanel()
        self.nodes.set_catalog(self._catalog())
        self.inspector = Inspector(self.runner, self.field_services)
        self.strip = ResultsStrip(self.results)
        self.top = TopBar(self.tabs, self.run_bar)
        self.shell = WindowLayout(self.top, self.rail, self.inspector, self.strip, self.bottom)
        self.setCentralWidget(self.shell)

    def _make_actions(self) -> None:
        self.actions_.add(window_actions(self))
        self.actions_.add(run_actions(self.runner, lambda: self.documents.current, self._selected))
        self.actions_.add_source(self._canvas_actions)
        self.actions_.add_source(self.page_switcher.actions)
        self.inspector.problem_key = partial(self.actions_.shown_keys, "view.problems")

    def _canvas_actions(self) -> list[ActionSpec]:
        page = self.page
        return [*page.commands.actions(), *page.view.canvas_actions()] if page else []

    def _selected(self) -> list[str]:
        return self.page.selected() if self.page else []

    # --- Wires ------------------------------------------------------------------------------------

    def _connect_documents(self) -> None:
        documents, link = self.documents, self.services.link
        documents.opened.connect(self._opened)
        documents.closed.connect(self._closed)
        documents.current_changed.connect(self.show_document)
        documents.notice.connect(self.tell)
        documents.title_changed.connect(lambda _: self._retitle())
        self.tabs.close_requested.connect(documents.close)
        self.drop_handler.folder_dropped.connect(self.add_models)
        link.catalog_changed.connect(lambda _: self._have_catalog())
        self.runner.picture_made.connect(self.results.add)
        self.runner.queue.changed.connect(self._show_running)
        self.results.actions.view_requested.connect(self.page_switcher.show_pictures)
        self.results.actions.verify_requested.connect(self.verifier.verify)
        self.verifier.verified.connect(self.results.have_verdict)
        self.verifier.notice.connect(self.notifications.show)
        for document in documents:
            self._opened(document)
        self.show_document(documents.current)

    def _connect_parts(self) -> None:
        self.top.menu_button.clicked.connect(self.show_menu)
        self.top.new_button.clicked.connect(lambda: self.documents.new())
        self.rail.chosen.connect(self.toggle_panel)
        self.nodes.search.left.connect(lambda: self.show_document(self.documents.current))
        self.nodes.closed.connect(lambda: self.toggle_panel("nodes"))
        self.strip.gallery_requested.connect(lambda: self.page_switcher.show_pictures([]))
        self.page_switcher.changed.connect(self._show_open)
        self.page_switcher.left.connect(lambda: self.show_document(self.documents.current))
        self.page_switcher.status_changed.connect(self.bottom.progress.set_page_status)
        self.settings.changed.connect(self._setting_changed)

    def _opened(self, document: Document) -> None:
        self.toasts.withdraw(self.documents.closed_words(document))
        page = DocumentPage(document, self.runner, self.field_services, self.drop_handler)
        page.set_keys(self.actions_.keys_of)
        page.scene.set_shapes_on_wires(self.settings.get("shapes_on_wires"))
        page.selection_changed.connect(self._selection_changed)
        page.template_wanted.connect(self.new_default)
        page.scene.tokens_requested.connect(self.canvas_requests.show_tokens)
        page.scene.loras_requested.connect(self.canvas_requests.make_loras)
        page.picture_wanted.connect(partial(self.canvas_requests.show_picture_of, document))
        self.canvases[document] = page
        self.shell.pages.addWidget(page)
        self.runner.watch(document)

    def _closed(self, document: Document) -> None:
        self.runner.unwatch(document)
        page = self.canvases.pop(document)
        page.close_page()
        self.shell.pages.removeWidget(page)
        page.deleteLater()

    def show_document(self, document: Document | None) -> None:
        """Bring its canvas to the front, whatever page stood there."""
        page = self.canvases.get(document) if document else None
        if page is not None:
            self.shell.pages.setCurrentWidget(page)
            self.page_switcher.leave()
            page.view.setFocus()
        self.run_bar.refresh()
        self.inspector.show_document(document)
        self._selection_changed()
        self._retitle()
        if document is None:
            QTimer.singleShot(0, self, self._never_empty)

    def _never_empty(self) -> None:
        if not len(self.documents):
            self.documents.new()

    def _retitle(self) -> None:
        document = self.documents.current
        self.setWindowTitle(f"{document.title} — PonyStudio" if document else "PonyStudio")

    def _selection_changed(self) -> None:
        page = self.page
        nodes = page.scene.selected_nodes() if page else []
        self.inspector.show_node(nodes[0] if len(nodes) == 1 else "")

    def _catalog(self) -> Catalog:
        """What nodes there are, and how they are made new."""
        return with_prefix(self.services.link.catalog, self.settings.get("file_name_pattern"))

    def _have_catalog(self) -> None:
        catalog = self._catalog()
        self.documents.set_catalog(catalog)
        self.nodes.set_catalog(catalog)
        self.results.set_catalog(catalog)

    def _show_running(self) -> None:
        queue = self.runner.queue
        running = self.runner.document_of(queue.running) if queue.running else None
        self.tabs.set_running({running} if isinstance(running, Document) else set())
        self.rail.buttons["queue"].set_badge(len(queue.jobs))

    def _show_open(self) -> None:
        self.rail.show_open({self.shell.panel, self.page_switcher.in_front})

    def _setting_changed(self, name: str) -> None:
        value = self.settings.get(name)
        if name == "output_folder":
            self.results.index.set_folder(self.settings.output_folder())
        elif name == "model_folders":
            self.field_services.facts.forget()
        elif name == "file_name_pattern":
            self._have_catalog()
        elif name == "ui_scale":
            theme.set_scale(value)
            self.panels.rescale()
        elif name == "reduced_motion":
            theme.set_reduced_motion(value)
        elif name == "density":
            theme.set_density(metrics.DENSITIES[value])
        elif name == "shapes_on_wires":
            for page in self.canvases.values():
                page.scene.set_shapes_on_wires(value)

    # --- What is asked for ------------------------------------------------------------------------

    def tell(self, notice: Notification) -> None:
        self.notifications.show(notice)

    def show_menu(self) -> None:
        from PySide6.QtWidgets import QMenu

        menu = QMenu(self)
        for title, ids in menu_entries():
            self.actions_.fill(menu.addMenu(title) if title else menu, ids)
        menu.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        button = self.top.menu_button
        menu.popup(button.mapToGlobal(button.rect().bottomLeft()))

    def show_commands(self) -> None:
        from ponystudio.app.actions.command_palette import CommandPalette

        palette = CommandPalette(self, self.actions_)
        palette.open()

    def new_default(self) -> None:
        if found := template(DEFAULT):
            self.documents.new(found)

    def toggle_panel(self, name: str) -> None:
        """Open a panel of the left side, or a page in the canvas's place; close what is open."""
        if name in page_switcher.NAMES:
            self.page_switcher.toggle(name)
            return
        if name == "nodes" and self.page_switcher.in_front:
            self.show_document(self.documents.current)
            self.panels.open(name)
        else:
            self.panels.toggle(name)
        if self.shell.panel == "nodes":
            self.nodes.search.setFocus()
        self._show_open()

    def toggle_focus_mode(self) -> None:
        """Only the canvas, or everything again."""
        self.shell.set_alone(not self.shell.alone)

    def show_help(self, node_type: str = "") -> None:
        from ponystudio.app.panels.help_panel import HelpPanel

        panel = self.panels.open("help")
        if isinstance(panel, HelpPanel) and node_type:
            panel.show_node(node_type)
        self._show_open()

    def add_models(self, folder: Path) -> None:
        folders = [*self.settings.get("model_folders"), str(folder)]
        self.settings.set("model_folders", list(dict.fromkeys(folders)))
        title = self.tr("Models are read from there, too")
        self.toasts.show(title, str(folder), kind="ok")

    # --- The end ----------------------------------------------------------------------------------

    def closeEvent(self, event: QCloseEvent) -> None:
        """What must not be lost comes first; ending threads may take seconds, out of sight."""
        self._keep_sizes()
        self.page_switcher.close()
        for page in self.canvases.values():
            page.close_page()
        self.hide()
        self.drop_handler.stop()
        self.documents.shutdown()
        self.services.close()
        self.verifier.close()
        self.results.close()
        self.field_services.close()
        event.accept()

    def _keep_sizes(self) -> None:
        geometry = bytes(self.saveGeometry().toBase64().data()).decode("ascii")
        self.settings.set("window", {"geometry": geometry, **self.shell.sizes()})

    def _restore_sizes(self) -> None:
        kept: dict[str, Any] = self.settings.get("window")
        try:
            self.restoreGeometry(QByteArray.fromBase64(kept["geometry"].encode("ascii")))
            self.shell.set_sizes(kept)
            panel = kept["panel"]
        except (KeyError, TypeError, ValueError, AttributeError):
            panel = "nodes"
        if panel == "nodes":
            self.panels.open(panel)
        self._show_open()
