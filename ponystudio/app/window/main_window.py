"""The studio's window: it makes the parts, in their order, and connects them."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

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
from ponystudio.app.window.canvas_requests import CanvasRequests
from ponystudio.app.window.document_pages import DocumentPage, DocumentPages
from ponystudio.app.window.document_tabs import DocumentTabs
from ponystudio.app.window.drop_handler import DropHandler
from ponystudio.app.window.file_dialogs import FileDialogs
from ponystudio.app.window.graph_exporter import GraphExporter
from ponystudio.app.window.navigation_rail import NavigationRail
from ponystudio.app.window.notifications import Notifications
from ponystudio.app.window.page_switcher import PageSwitcher
from ponystudio.app.window.panel_registry import (
    PanelParts,
    PanelRegistry,
    panel_actions,
    panel_specs,
)
from ponystudio.app.window.picture_verifier import PictureVerifier
from ponystudio.app.window.restore_offers import RestoreOffers
from ponystudio.app.window.services import Services
from ponystudio.app.window.window_actions import (
    app_actions,
    file_actions,
    menu_entries,
    view_actions,
)
from ponystudio.app.window.window_layout import TopBar, WindowLayout
from ponystudio.graph.catalog import Catalog
from ponystudio.library import user_folders
from ponystudio.library.model_folders import ModelFolders
from ponystudio.qt.file_manager import show_in_folder
from ponystudio.studio.documents.document import Document
from ponystudio.studio.documents.document_notices import closed_title
from ponystudio.studio.documents.documents import Documents
from ponystudio.studio.documents.saving import folders_beside
from ponystudio.studio.documents.templates import DEFAULT, template
from ponystudio.studio.models.field_services import FieldServices
from ponystudio.studio.restore_guard import RestoreGuard
from ponystudio.studio.results.result_library import ResultLibrary
from ponystudio.studio.results.result_texts import with_prefix
from ponystudio.studio.settings import LOOK_RESTORED, Settings
from ponystudio.widgets import metrics, theme
from ponystudio.widgets.action import ActionSpec
from ponystudio.widgets.common import FirstPaint
from ponystudio.widgets.toasts import Toasts

if TYPE_CHECKING:  # imported when it is first shown
    from ponystudio.app.models.models_page import ModelsPage

SIZE = (1600, 1000)


class MainWindow(QMainWindow):
    """One for the app. `start` it after the first paint; closing it ends everything.

    Closing asks nothing: what is not saved is kept, and is there again at the next start.
    """

    def __init__(self, settings: Settings, guard: RestoreGuard | None = None) -> None:
        super().__init__()
        self.settings = settings
        self.guard = guard or RestoreGuard(None, self)
        self.setWindowTitle("PonyStudio")
        self.resize(*SIZE)
        self._make_services()
        self._make_widgets()
        self._make_controllers()
        self._add_actions()
        self._connect_studio()
        self._connect_widgets()
        self._connect_settings()
        self._document_shown(None)
        self._restore_sizes()
        FirstPaint(self.shell).seen.connect(partial(self.guard.drawn, *LOOK_RESTORED))

    def start(self) -> None:
        """What needs no hurry: the worker, earlier pictures."""
        self.services.start()
        self.results.start()
        if (page := self.page) and self.shell.pages.currentWidget() is page:
            page.view.setFocus()  # what Qt gave the keyboard to, with the window, is any field

    @property
    def page(self) -> DocumentPage | None:
        """The canvas in front."""
        return self.canvases.current

    # --- Parts ------------------------------------------------------------------------------------

    def _make_services(self) -> None:
        """What has no widget."""
        data, cache = user_folders.data(), user_folders.cache()
        self.services = Services(self.settings, self, guard=self.guard)
        self.runner = self.services.runner
        models = self.services.model_folders
        self.documents = Documents(data, self._catalog(), models, self, guard=self.guard)
        self.field_services = FieldServices(self._folders, index_path=user_folders.model_index())
        self.results = ResultLibrary(data, cache, self.settings.output_folder(), self)
        self.drop_handler = DropHandler(self.documents, self, data / "pasted")
        self.dialogs = FileDialogs(self.documents, self)
        self.actions_ = ActionRegistry(self, self.settings)

    def _make_widgets(self) -> None:
        self._panel_specs = panel_specs()
        self.tabs = DocumentTabs(self.documents)
        self.run_bar = RunBar(self.runner, lambda: self.documents.current)
        self.bottom = BottomBar(self.runner)
        self.rail = NavigationRail(self._panel_specs)
        self.nodes = NodePanel()
        problem_key = partial(self.actions_.shown_keys, "view.problems")
        self.inspector = Inspector(self.runner, self.field_services, problem_key)
        self.strip = ResultsStrip(self.results)
        self.top = TopBar(self.tabs, self.run_bar)
        self.shell = WindowLayout(self.top, self.rail, self.inspector, self.strip, self.bottom)
        self.setCentralWidget(self.shell)
        self.toasts = Toasts(self.shell.pages)

    def _make_controllers(self) -> None:
        """What does things with the parts."""
        self.notifications = Notifications(self.toasts, self.runner)
        self.verifier = PictureVerifier(self.runner, self)
        self.exporter = GraphExporter(self.documents, self.dialogs, self)
        self.canvases = DocumentPages(self.documents, self.shell.pages, self._make_page)
        self.canvas_requests = CanvasRequests(self.documents, self.canvases, self.runner, self)
        self.page_switcher = PageSwitcher(self.shell, self.results, self._make_models)
        self.offers = RestoreOffers(
            self.guard,
            self.documents,
            self.services,
            self.settings,
            self.page_switcher,
            self.dialogs,
            self,
        )
        parts = PanelParts(
            self.documents,
            self.runner,
            self.settings,
            self.actions_,
            self.nodes,
            self.notifications.show,
            self.dialogs.folder,
            self.add_models,
        )
        self.panels = PanelRegistry(self.shell, self._panel_specs, parts)

    def _add_actions(self) -> None:
        specs, requests = self._panel_specs, self.canvas_requests
        self.actions_.set_middle(self.shell.pages)
        self.actions_.add(
            [
                *file_actions(
                    self.documents,
                    self.dialogs,
                    self.new_default,
                    self._close_front,
                    self.tabs.step,
                ),
                *self.exporter.actions(),
                *panel_actions(specs, "panel", self.toggle_panel),
                *view_actions(
                    self.settings,
                    self.results,
                    self.page_switcher,
                    self.shell.toggle_focus_mode,
                    requests.walk_problems,
                ),
                *app_actions(
                    panel_actions(specs, "app", self.toggle_panel),
                    self.show_commands,
                    self.show_menu,
                    self.close,
                    self.offers,
                ),
            ]
        )
        self.actions_.add(run_actions(self.runner, lambda: self.documents.current, self._selected))
        self.actions_.add_source(self._canvas_actions)
        self.actions_.add_source(self.page_switcher.actions)

    def _canvas_actions(self) -> list[ActionSpec]:
        page = self.page
        return [*page.commands.actions(), *page.view.canvas_actions()] if page else []

    def _selected(self) -> list[str]:
        return self.page.selected() if self.page else []

    def _make_page(self, document: Document) -> DocumentPage:
        requests, keys_of = self.canvas_requests, self.actions_.keys_of
        services, drops = self.field_services, self.drop_handler
        page = DocumentPage(document, self.runner, services, drops, keys_of)
        self.settings.on("shapes_on_wires", page.scene.set_shapes_on_wires, now=True)
        page.selection_changed.connect(self._selection_changed)
        page.drawn.connect(partial(self.guard.drawn, "document", document.id))
        page.template_requested.connect(self.new_default)
        page.scene.tokens_requested.connect(requests.show_tokens)
        page.scene.loras_requested.connect(requests.make_loras)
        page.picture_requested.connect(partial(self.page_switcher.show_picture_of, document))
        return page

    def _make_models(self) -> ModelsPage:
        from ponystudio.app.models.model_actions import ModelActions
        from ponystudio.app.models.models_page import ModelsPage

        facts, requests = self.field_services.facts, self.canvas_requests
        actions = ModelActions(self.documents, facts, self._selected, self)
        actions.open_requested.connect(lambda path: requests.open_files([path]))
        actions.use_requested.connect(requests.go_to_node)
        page = ModelsPage(facts, actions, self.settings, self.field_services.index_path)
        page.folders_requested.connect(lambda: self.panels.open("settings"))
        page.show_requested.connect(show_in_folder)
        page.copied.connect(lambda text: self.toasts.show(self.tr("Copied"), text, kind="ok"))
        return page

    # --- Wires ------------------------------------------------------------------------------------

    def _connect_studio(self) -> None:
        documents, results, requests = self.documents, self.results, self.canvas_requests
        documents.opened.connect(self._opened)
        documents.closed.connect(self.runner.unwatch)
        documents.title_changed.connect(lambda _: self._retitle())
        self.services.worker.catalog_changed.connect(lambda _: self._catalog_changed())
        self.runner.picture_made.connect(results.add)
        self.runner.queue.changed.connect(self._show_queue)
        self.drop_handler.folder_dropped.connect(self.add_models)
        self.drop_handler.added.connect(requests.show_added)
        results.actions.view_requested.connect(self.page_switcher.show_pictures)
        results.actions.verify_requested.connect(self.verifier.verify)
        results.actions.open_graph_requested.connect(documents.open)
        results.actions.use_seed_requested.connect(requests.use_seed)
        results.actions.apply_values_requested.connect(requests.apply_values)
        self.verifier.verified.connect(results.have_verdict)
        documents.restored.connect(self.offers.show)
        self.offers.layout_released.connect(self._restore_sizes)
        sources = (
            documents,
            self.services,
            self.drop_handler,
            self.verifier,
            self.exporter,
            requests,
        )
        for source in (*sources, results.actions, self.offers):
            source.notice.connect(self.notifications.show)
        self.notifications.node_requested.connect(requests.go_to)
        requests.help_requested.connect(self.show_help)
        requests.tokens_requested.connect(self._show_tokens)

    def _connect_widgets(self) -> None:
        canvases, requests, inspector = self.canvases, self.canvas_requests, self.inspector
        canvases.shown.connect(self._document_shown)
        canvases.shown.connect(lambda _: self.offers.leave())
        self.tabs.close_requested.connect(self.documents.close)
        self.tabs.returned.connect(canvases.show_current)
        self.tabs.page_chosen.connect(self.page_switcher.show)
        self.tabs.page_close_requested.connect(self._close_page)
        self.top.menu_button.clicked.connect(self.show_menu)
        self.top.new_button.clicked.connect(lambda: self.documents.new())
        self.rail.chosen.connect(self.toggle_panel)
        self.nodes.set_catalog(self._catalog())
        self.nodes.chosen.connect(requests.add_node)
        self.nodes.search.left.connect(canvases.show_current)
        self.nodes.closed.connect(lambda: self.toggle_panel("nodes"))
        self.strip.gallery_requested.connect(lambda: self.page_switcher.show_pictures([]))
        self.panels.changed.connect(self._show_open)
        self.page_switcher.changed.connect(self._show_open)
        self.page_switcher.left.connect(canvases.show_current)
        self.page_switcher.status_changed.connect(self.bottom.progress.set_page_status)
        for typed in (self.page_switcher.said, self.actions_.typed):
            typed.connect(self.bottom.progress.say)
        inspector.run_requested.connect(requests.run_to)
        inspector.bypass_requested.connect(requests.bypass)
        inspector.node_requested.connect(requests.go_to_node)
        inspector.help_requested.connect(requests.help_on)
        inspector.words_chosen.connect(requests.select_words)
        inspector.loras_requested.connect(requests.make_loras)
        inspector.offer_taken.connect(requests.take_offer)
        inspector.models_taken.connect(requests.take_all_models)
        inspector.folder_requested.connect(requests.open_folder)

    def _connect_settings(self) -> None:
        settings = self.settings
        settings.on("output_folder", self._output_folder_changed)
        settings.on("model_folders", lambda _: self.field_services.facts.forget())
        settings.on("file_name_pattern", lambda _: self._catalog_changed())
        settings.on("ui_scale", self._rescale)
        settings.on("reduced_motion", theme.set_reduced_motion)
        settings.on("density", lambda name: theme.set_density(metrics.DENSITIES[name]))

    def _folders(self) -> ModelFolders:
        """Where models are now: beside the document in front, too."""
        document = self.documents.current
        return folders_beside(self.services.model_folders(), document.path if document else None)

    def _catalog(self) -> Catalog:
        """What nodes there are, and how they are made new."""
        return with_prefix(self.services.worker.catalog, self.settings.get("file_name_pattern"))

    def _catalog_changed(self) -> None:
        catalog = self._catalog()
        self.documents.set_catalog(catalog)
        self.nodes.set_catalog(catalog)
        self.results.set_catalog(catalog)

    def _output_folder_changed(self, _value: str) -> None:
        self.results.index.set_folder(self.settings.output_folder())

    def _rescale(self, scale: float) -> None:
        theme.set_scale(scale)
        self.panels.rescale()

    def _opened(self, document: Document) -> None:
        self.toasts.withdraw(closed_title(document))
        self.runner.watch(document)

    def _document_shown(self, document: Document | None) -> None:
        if document is not None:
            self.page_switcher.leave()
        if (page := self.canvases.of(document)) is not None and not page.is_drawn:
            self.documents.begin_showing(page.document)
        self.run_bar.refresh()
        self.inspector.show_document(document, self._selected_node())
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
        self.inspector.show_node(self._selected_node())

    def _selected_node(self) -> str:
        nodes = self.page.scene.store.selected_nodes() if self.page else []
        return nodes[0] if len(nodes) == 1 else ""

    def _show_queue(self) -> None:
        queue = self.runner.queue
        running = self.runner.document_of(queue.running) if queue.running else None
        self.tabs.set_running({running} if isinstance(running, Document) else set())
        self.rail.buttons["queue"].set_badge(len(queue.jobs))

    def _show_open(self) -> None:
        page = self.page_switcher.in_front
        self.rail.show_open({self.shell.panel, page})
        if page:
            spec = self.panels.spec(page)
            self.tabs.show_page(page, spec.title, spec.icon)
        else:
            self.tabs.show_document(self.documents.current)

    def _close_page(self, name: str) -> None:
        if self.page_switcher.in_front == name:
            self.canvases.show_current()
        self.tabs.close_page(name)

    def _close_front(self) -> None:
        if page := self.page_switcher.in_front:
            self._close_page(page)
        elif self.page is not None and not self.page.isVisible():
            self.canvases.show_current()  # a page without a tab stands before the graph
        elif self.documents.current is not None:
            self.documents.close(self.documents.current)

    def _show_tokens(self) -> None:
        self.shell.set_focus_mode(False)
        self.inspector.show_tokens()

    # --- What is asked for ------------------------------------------------------------------------

    def welcome(self) -> None:
        """Greet who is here for the first time, unless there is work already."""
        document = self.documents.current
        if self.offers.page is not None:
            return
        if self.settings.get("welcomed") or not (document is None or document.pristine):
            return
        page = self.page_switcher.show_welcome()
        for chosen in (page.left, page.picture_requested, page.models_requested):
            chosen.connect(lambda: self.settings.set("welcomed", True))
        page.picture_requested.connect(self.new_default)
        page.picture_requested.connect(lambda: self.actions_.run("run.run"))
        title = self.tr("The folder of ComfyUI or A1111")
        page.models_requested.connect(lambda: self.dialogs.folder(title, self.add_models))

    def show_menu(self) -> None:
        from PySide6.QtWidgets import QMenu

        menu = QMenu(self)
        for title, ids in menu_entries(self._panel_specs):
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

    def toggle_panel(self, id: str) -> None:
        """Open a panel of the left side, or a page in the canvas's place; close what is open."""
        if self.panels.is_page(id):
            self.page_switcher.toggle(id)
            return
        if id == "nodes" and self.page_switcher.in_front:
            self.canvases.show_current()
            self.panels.open(id)
        else:
            self.panels.toggle(id)
        if self.shell.panel == "nodes":
            self.nodes.search.setFocus()

    def show_help(self, node_type: str) -> None:
        from ponystudio.app.panels.help_panel import HelpPanel

        panel = self.panels.open("help")
        if isinstance(panel, HelpPanel):
            panel.show_node(node_type)

    def add_models(self, folder: Path) -> None:
        folders = [*self.settings.get("model_folders"), str(folder)]
        self.settings.set("model_folders", list(dict.fromkeys(folders)))
        title = self.tr("Models are read from there, too")
        self.toasts.show(title, str(folder), kind="ok")

    # --- The end ----------------------------------------------------------------------------------

    def closeEvent(self, event: QCloseEvent) -> None:
        """What must not be lost comes first; ending threads may take seconds, out of sight."""
        self._store_sizes()
        self.page_switcher.close()
        for page in self.canvases:
            page.close_page()
        self.hide()
        self.guard.close()
        self.drop_handler.stop()
        self.offers.close()
        self.documents.shutdown()
        self.services.close()
        self.verifier.close()
        self.exporter.close()
        self.results.close()
        self.field_services.close()
        event.accept()

    def _store_sizes(self) -> None:
        geometry = bytes(self.saveGeometry().toBase64().data()).decode("ascii")
        if self.settings.is_held_back("window"):
            return
        self.settings.set("window", {"geometry": geometry, **self.shell.sizes()})

    def _restore_sizes(self) -> None:
        sizes: dict[str, Any] = self.settings.get("window")
        try:
            self.restoreGeometry(QByteArray.fromBase64(sizes["geometry"].encode("ascii")))
            self.shell.set_sizes(sizes)
            panel = sizes["panel"]
        except (KeyError, TypeError, ValueError, AttributeError):
            panel = "nodes"
        if panel == "nodes":
            self.panels.open(panel)
        self._show_open()
