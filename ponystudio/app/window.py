"""The studio's window: it puts the parts together and passes on what they ask for."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from PySide6.QtCore import QByteArray, QMimeData, Qt, QTimer, QUrl
from PySide6.QtGui import QCloseEvent
from PySide6.QtWidgets import (
    QFrame,
    QHBoxLayout,
    QMainWindow,
    QSplitter,
    QStackedWidget,
    QVBoxLayout,
    QWidget,
)

from ponystudio.app.actions import Actions
from ponystudio.app.bottombar import BottomBar
from ponystudio.app.documents import Documents
from ponystudio.app.dropper import Dropper
from ponystudio.app.file_dialogs import FileDialogs
from ponystudio.app.inspector import Inspector, next_problem
from ponystudio.app.node_panel import NodePanel
from ponystudio.app.notice import Notice
from ponystudio.app.page import Page
from ponystudio.app.painted import PaintedButton, px
from ponystudio.app.rail import Rail
from ponystudio.app.results.gallery import GalleryPage, GalleryWindow
from ponystudio.app.results.results import Results
from ponystudio.app.results.strip import ResultsStrip
from ponystudio.app.run_actions import run_actions
from ponystudio.app.runbar import RunBar
from ponystudio.app.running import Running
from ponystudio.app.settings import Settings
from ponystudio.app.studio_document import StudioDocument
from ponystudio.app.tabs import HEIGHT, Tabs
from ponystudio.app.templates import DEFAULT, template
from ponystudio.app.toasts import Toasts
from ponystudio.app.window_actions import MENU, window_actions
from ponystudio.canvas import theme
from ponystudio.canvas.document import Document
from ponystudio.canvas.params.services import ParamServices
from ponystudio.graph.edits import SetMode
from ponystudio.library import home
from ponystudio.library.folders import Folders

if TYPE_CHECKING:
    from ponystudio.app.models_page import ModelsPage

SIZE = (1600, 1000)
LEFT, RIGHT = 208, 264
PANEL_WIDTHS = {"settings": 320, "help": 320, "log": 420, "about": 320, "templates": 248}


class Window(QMainWindow):
    """One for the app. `start` it after the first paint; closing it ends everything."""

    def __init__(self, settings: Settings) -> None:
        super().__init__()
        self.settings = settings
        self.setWindowTitle("PonyStudio")
        self.resize(*SIZE)
        self.running = Running(settings, self)
        self.runner = self.running.runner
        self.documents = Documents(home.data(), self.running.link.catalog, self.folders, self)
        self.services = ParamServices(self.folders, index_path=home.cache() / "models.sqlite")
        self.dropper = Dropper(self.documents, self, home.data() / "pasted")
        self.dialogs = FileDialogs(self.documents, self)
        self.pages: dict[StudioDocument, Page] = {}
        self._make_parts()
        self._lay_out()
        self.toasts = Toasts(self.stack)
        self.results.actions.set_toasts(self.toasts)
        self.actions_ = Actions(self, settings)
        self._make_actions()
        self._connect()
        self._restore_sizes()

    def folders(self) -> Folders:
        """Where models are now: beside the document in front, too."""
        document = self.documents.current if hasattr(self, "documents") else None
        beside = document.folder if document else None
        return Folders(self.running.models(), beside)

    def start(self) -> None:
        """What needs no hurry: the worker, earlier pictures."""
        self.running.start()
        self.results.start()

    def welcome(self) -> None:
        """Greet who is here for the first time, unless there is work already."""
        document = self.documents.current
        if self.settings.get("welcomed") or (document is not None and not document.pristine):
            return
        from ponystudio.app.welcome import Welcome

        greeting = Welcome()
        self.stack.addWidget(greeting)
        self.stack.setCurrentWidget(greeting)

        def leave() -> None:
            self.settings.set("welcomed", True)
            self.stack.removeWidget(greeting)
            greeting.deleteLater()
            self._show_canvas()

        def make() -> None:
            leave()
            self.new_default()
            self.actions_.run("run.run")

        def models() -> None:
            leave()
            self.dialogs.folder(self.tr("The folder of ComfyUI or A1111"), self.add_models)

        greeting.left.connect(leave)
        greeting.picture_wanted.connect(make)
        greeting.models_wanted.connect(models)

    @property
    def page(self) -> Page | None:
        """The canvas in front."""
        document = self.documents.current
        return self.pages.get(document) if document else None

    # --- Parts ------------------------------------------------------------------------------------

    def _make_parts(self) -> None:
        self.results = Results(home.data(), home.cache(), self.settings.output_folder(), None, self)
        self.tabs = Tabs(self.documents)
        self.run_bar = RunBar(self.runner, lambda: self.documents.current)
        self.bottom = BottomBar(self.runner)
        self.rail = Rail()
        self.nodes = NodePanel()
        self.nodes.set_catalog(self.running.link.catalog)
        self.inspector = Inspector(self.runner)
        self.strip = ResultsStrip(self.results)
        self.stack = QStackedWidget()
        self.left = QStackedWidget()
        self.left.addWidget(self.nodes)
        self._gallery: GalleryPage | None = None
        self._models: ModelsPage | None = None
        self._gallery_window: GalleryWindow | None = None
        self._panels: dict[str, QWidget] = {"nodes": self.nodes}
        self._open_panel = ""

    def _lay_out(self) -> None:
        body = QWidget()
        body.setProperty("surface", "panel")
        column = QVBoxLayout(body)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(0)
        column.addWidget(self._top_bar())
        column.addWidget(_line("h"))
        self.right = QSplitter(Qt.Orientation.Vertical)
        self.right.addWidget(self.inspector)
        self.right.addWidget(self.strip)
        self.right.setChildrenCollapsible(False)
        self.right.setHandleWidth(1)
        self.middle = QSplitter(Qt.Orientation.Horizontal)
        for part in (self.left, self.stack, self.right):
            self.middle.addWidget(part)
        self.middle.setStretchFactor(1, 1)
        self.middle.setHandleWidth(1)
        self.middle.setCollapsible(1, False)
        row = QHBoxLayout()
        row.setSpacing(0)
        row.addWidget(self.rail)
        row.addWidget(self.middle, 1)
        column.addLayout(row, 1)
        self._bottom_line = _line("h")
        column.addWidget(self._bottom_line)
        column.addWidget(self.bottom)
        self.setCentralWidget(body)
        self.left.hide()

    def _top_bar(self) -> QWidget:
        bar = QWidget()
        bar.setProperty("surface", "bar")
        bar.setFixedHeight(px(HEIGHT))
        row = QHBoxLayout(bar)
        row.setContentsMargins(px(10), 0, px(12), 0)
        row.setSpacing(px(8))
        self.menu_button = PaintedButton("icon", icon="menu", name=self.tr("Menu"))
        self.menu_button.setToolTip(self.tr("Menu (F10)"))
        self.menu_button.clicked.connect(self.show_menu)
        self.new_button = PaintedButton("icon", icon="add", name=self.tr("New graph"))
        self.new_button.setToolTip(self.tr("New graph (Ctrl+N)"))
        self.new_button.clicked.connect(lambda: self.documents.new())
        row.addWidget(self.menu_button)
        row.addWidget(self.tabs)
        row.addWidget(self.new_button)
        row.addStretch(1)
        row.addWidget(self.run_bar)
        return bar

    def _make_actions(self) -> None:
        self.actions_.add(window_actions(self))
        self.actions_.add(run_actions(self.runner, lambda: self.documents.current, self._selected))
        self.actions_.add_source(self._canvas_actions)
        self.actions_.add_source(self._gallery_actions)

    def _canvas_actions(self) -> list[Any]:
        page = self.page
        return [*page.commands.actions(), *page.view.canvas_actions()] if page else []

    def _gallery_actions(self) -> list[Any]:
        gallery = self._gallery
        return gallery.gallery_actions() if gallery and self._page_in_front() == "gallery" else []

    def _selected(self) -> list[str]:
        return self.page.selected() if self.page else []

    # --- Wires ------------------------------------------------------------------------------------

    def _connect(self) -> None:
        documents, link = self.documents, self.running.link
        documents.opened.connect(self._opened)
        documents.closed.connect(self._closed)
        documents.current_changed.connect(self._show)
        documents.path_wanted.connect(self.dialogs.save_as)
        documents.notice.connect(self.tell)
        documents.title_changed.connect(lambda _: self._retitle())
        self.tabs.close_requested.connect(documents.close)
        link.catalog_changed.connect(self._have_catalog)
        link.died.connect(self._engine_died)
        link.failed.connect(lambda why: self.tell(Notice(self.tr("No engine"), why, kind="warn")))
        self.runner.picture_made.connect(self.results.add)
        self.runner.memory_short.connect(self._memory_short)
        self.runner.refused.connect(self._refused)
        self.runner.queue.changed.connect(self._show_running)
        self.rail.chosen.connect(self.toggle_panel)
        self.nodes.chosen.connect(self._add_node)
        self.nodes.closed.connect(lambda: self.toggle_panel("nodes"))
        self.inspector.run_to.connect(self._run_to)
        self.inspector.bypass.connect(self._bypass)
        self.inspector.go_to.connect(self._go_to)
        self.inspector.help_wanted.connect(self._help_on)
        self.dropper.folder_dropped.connect(self.add_models)
        acts = self.results.actions
        acts.open_graph_requested.connect(documents.open)
        acts.use_seed_requested.connect(self._use_seed)
        acts.apply_values_requested.connect(self._apply_values)
        acts.view_requested.connect(self.show_pictures)
        self.strip.gallery_requested.connect(lambda: self.show_pictures([]))
        self.settings.changed.connect(self._setting_changed)
        theme.hub.changed.connect(self.rail.refresh)
        for document in documents:
            self._opened(document)
        self._show(documents.current)

    def _opened(self, document: StudioDocument) -> None:
        page = Page(document, self.runner, self.services, self.dropper)
        page.set_keys(self.actions_.keys_of)
        page.selection_changed.connect(self._selection_changed)
        page.template_wanted.connect(self.new_default)
        page.picture_wanted.connect(lambda node: self._show_picture_of(document, node))
        self.pages[document] = page
        self.stack.addWidget(page)
        self.runner.watch(document)

    def _closed(self, document: StudioDocument) -> None:
        self.runner.unwatch(document)
        page = self.pages.pop(document)
        page.close_page()
        self.stack.removeWidget(page)
        page.deleteLater()

    def _show(self, document: StudioDocument | None) -> None:
        page = self.pages.get(document) if document else None
        if page is not None:
            self.stack.setCurrentWidget(page)
            page.fit_first()
            page.view.setFocus()
        self.run_bar.refresh()
        self.inspector.show_document(document)
        self._selection_changed()
        self._retitle()
        if document is None:
            QTimer.singleShot(0, self._never_empty)

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

    def _have_catalog(self, catalog: Any) -> None:
        self.documents.set_catalog(catalog)
        self.nodes.set_catalog(catalog)
        self.results.set_catalog(catalog)

    def _show_running(self) -> None:
        jobs = self.runner.queue.jobs
        mine = {self.runner.document_of(job) for job in jobs if job is self.runner.queue.running}
        self.tabs.set_running({d for d in mine if isinstance(d, StudioDocument)})
        self.rail.buttons["queue"].set_badge(len(jobs))

    def _setting_changed(self, name: str) -> None:
        if name == "output_folder":
            self.results.index.set_folder(self.settings.output_folder())
        elif name == "ui_scale":
            theme.set_scale(self.settings.get("ui_scale"))
        elif name == "reduced_motion":
            theme.set_reduced_motion(self.settings.get("reduced_motion"))
        elif name == "shapes_on_wires":
            for page in self.pages.values():
                page.scene.set_shapes_on_wires(self.settings.get("shapes_on_wires"))

    # --- What is told -----------------------------------------------------------------------------

    def tell(self, notice: Notice) -> None:
        self.toasts.show(notice.title, notice.text, notice.actions, notice.kind)

    def _engine_died(self, why: str) -> None:
        text = self.tr("%1 It was started again; nothing but that run is lost.")
        self.tell(Notice(self.tr("The engine stopped"), text.replace("%1", why), kind="warn"))

    def _memory_short(self, document: Document | None, node: str, action: str) -> None:
        title = self.tr("Memory was short")
        where = getattr(document, "title", "")
        text = ", ".join(part for part in (where, node) if part)
        text = f"{text}: {action}." if text else f"{action}."
        show: Callable[[], object] = lambda: self._go_to(node)  # noqa: E731
        self.toasts.show(title, text, [(self.tr("Show node"), show)] if node else [], "warn")

    def _refused(self, _document: Document | None, problem: Any) -> None:
        text = " ".join(part for part in (problem.what, problem.remedy) if part)
        self.toasts.show(self.tr("This cannot run"), text, kind="warn")

    # --- What is asked for ------------------------------------------------------------------------

    def show_menu(self) -> None:
        from PySide6.QtWidgets import QMenu

        menu = QMenu(self)
        for title, ids in MENU:
            self.actions_.fill(menu.addMenu(self.tr(title)) if title else menu, ids)
        menu.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        menu.popup(self.menu_button.mapToGlobal(self.menu_button.rect().bottomLeft()))

    def show_commands(self) -> None:
        from ponystudio.app.command_palette import CommandPalette

        if not hasattr(self, "_commands"):
            self._commands = CommandPalette(self, self.actions_)
        self._commands.open()

    def new_default(self) -> None:
        if found := template(DEFAULT):
            self.documents.new(found)

    def toggle_panel(self, name: str) -> None:
        """Open a panel of the left side, close it if it is open; gallery and settings are pages."""
        if name in ("gallery", "models"):
            self._toggle_page(name)
            return
        if name == self._open_panel:
            self.left.hide()
            self._open_panel = ""
        else:
            self.left.setCurrentWidget(self._panel(name))
            self.left.setFixedWidth(px(PANEL_WIDTHS.get(name, LEFT)))
            self.left.show()
            self._open_panel = name
            if name == "nodes":
                self.nodes.search.setFocus()
        self.rail.show_open({self._open_panel})

    def _panel(self, name: str) -> QWidget:
        if name not in self._panels:
            from ponystudio.app.panels import make_panel

            self._panels[name] = make_panel(name, self)
            self.left.addWidget(self._panels[name])
        return self._panels[name]

    def _toggle_page(self, name: str) -> None:
        """What stands in the place of the canvas, or the canvas again."""
        if self._page_in_front() == name:
            self._show_canvas()
        elif name == "gallery":
            self.show_pictures([])
        else:
            self._show_models()

    def _page_in_front(self) -> str:
        shown = self.stack.currentWidget()
        pages = {"gallery": self._gallery, "models": self._models}
        return next((name for name, page in pages.items() if page is shown and page), "")

    def _show_models(self) -> None:
        if self._models is None:
            from ponystudio.app.models_page import ModelsPage

            self._models = ModelsPage(self.services.facts, self._family)
            self._models.add_requested.connect(self._add_file)
            self._models.folders_requested.connect(lambda: self.toggle_panel("settings"))
            self.stack.addWidget(self._models)
        self.stack.setCurrentWidget(self._models)
        self.right.hide()
        self._models.search.setFocus()
        self.rail.show_open({self._open_panel, "models"})

    def _family(self) -> str:
        """The family of the model that the graph in front loads."""
        document = self.documents.current
        for node in document.graph.nodes.values() if document else ():
            spec = document.spec(node.id) if document else None
            for param in spec.params if spec else ():
                if param.kind in ("checkpoints", "diffusion_models"):
                    name = str(node.params.get(param.name, param.default))
                    if fact := self.services.facts.get(param.kind, name):
                        return fact.family
        return ""

    def _add_file(self, path: Path) -> None:
        """Put the loader of a model file onto the canvas, where there is room."""
        document = self.documents.current
        self._show_canvas()
        if document is not None and self.page is not None:
            mime = QMimeData()
            mime.setUrls([QUrl.fromLocalFile(str(path))])
            at = self.page.view.visible_rect().center()
            self.dropper.drop(mime, document, at, self.mapToGlobal(self.rect().center()))

    def toggle_focus_mode(self) -> None:
        """Only the canvas, or everything again."""
        parts = (self.rail, self.left, self.right, self.bottom, self._bottom_line)
        hide = any(part.isVisible() for part in parts)
        if hide:
            self._hidden = [part for part in parts if part.isVisible()]
        for part in parts if hide else self._hidden:
            part.setVisible(not hide)

    def show_pictures(self, paths: list[Path]) -> None:
        """The gallery in place of the canvas; it compares two pictures."""
        if self._gallery is None:
            self._gallery = GalleryPage(self.results)
            self._gallery.detach_requested.connect(self.detach_gallery)
            self._gallery.left.connect(self._show_canvas)
            self._gallery.status_changed.connect(self.bottom.progress.set_aside)
            self.stack.addWidget(self._gallery)
        self.stack.setCurrentWidget(self._gallery)
        self.right.hide()
        if paths:
            self._gallery.show_paths(paths)
        self._gallery.setFocus()
        self.rail.show_open({self._open_panel, "gallery"})

    def detach_gallery(self) -> None:
        if self._gallery_window is None:
            self._gallery_window = GalleryWindow(self.results)
        self._gallery_window.show()
        self._gallery_window.raise_()
        self._show_canvas()

    def _show_canvas(self) -> None:
        self.right.show()
        self.bottom.progress.set_aside("", "")
        self.rail.show_open({self._open_panel})
        self._show(self.documents.current)

    def _show_picture_of(self, document: StudioDocument, node: str) -> None:
        made = self.results.picture_of(document, node)
        self.show_pictures([made] if made is not None else [])

    def walk_problems(self) -> None:
        if (page := self.page) is None:
            return
        selected = page.scene.selected_nodes()
        if node := next_problem(page.document, selected[0] if selected else ""):
            self._go_to(node)

    def _go_to(self, node: str) -> None:
        if (page := self.page) and node in page.scene.node_items:
            page.scene.select([node])
            page.view.show_node(node)
            page.view.setFocus()

    def _run_to(self, node: str) -> None:
        if document := self.documents.current:
            self.runner.run_to(document, node)

    def _bypass(self, node: str) -> None:
        if document := self.documents.current:
            off = document.graph.nodes[node].mode == "bypassed"
            text = self.tr("Use again") if off else self.tr("Bypass")
            document.do(SetMode(node, "normal" if off else "bypassed"), text)

    def _add_node(self, spec: Any) -> None:
        if page := self.page:
            page.commands.ops.add_node(spec, page.view.visible_rect().center())
            page.view.setFocus()

    def _help_on(self, node: str) -> None:
        if document := self.documents.current:
            self.show_help(document.graph.nodes[node].type)

    def show_help(self, node_type: str = "") -> None:
        if self._open_panel != "help":
            self.toggle_panel("help")
        show = getattr(self._panels.get("help"), "show_node", None)
        if show and node_type:
            show(node_type)

    def add_models(self, folder: Path) -> None:
        folders = [*self.settings.get("model_folders"), str(folder)]
        self.settings.set("model_folders", list(dict.fromkeys(folders)))
        title = self.tr("Models are read from there, too")
        self.toasts.show(title, str(folder), kind="ok")

    def _use_seed(self, seed: int, path: Path) -> None:
        from ponystudio.app.results.applying import use_seed

        document = self.documents.current
        if document is not None and not use_seed(document, seed, path):
            text = self.tr("No seed of this graph belongs to that picture, or all are so already.")
            self.tell(Notice(self.tr("No seed was changed"), text))

    def _apply_values(self, path: Path) -> None:
        from ponystudio.app.results.applying import apply_values

        document = self.documents.current
        if document is not None and not apply_values(document, path):
            text = self.tr("No node of this graph has other values in that picture's graph.")
            self.tell(Notice(self.tr("Nothing to take over"), text))

    # --- The end ----------------------------------------------------------------------------------

    def closeEvent(self, event: QCloseEvent) -> None:
        self._keep_sizes()
        if self._gallery_window is not None:
            self._gallery_window.close()
        self.running.close()
        self.results.close()
        self.dropper.stop()
        for page in self.pages.values():
            page.close_page()
        self.services.close()
        self.documents.shutdown()
        event.accept()

    def _keep_sizes(self) -> None:
        kept = {
            "geometry": bytes(self.saveGeometry().toBase64().data()).decode("ascii"),
            "middle": self.middle.sizes(),
            "right": self.right.sizes(),
            "panel": self._open_panel,
        }
        self.settings.set("window", kept)

    def _restore_sizes(self) -> None:
        kept = self.settings.get("window")
        try:
            self.restoreGeometry(QByteArray.fromBase64(kept["geometry"].encode("ascii")))
            sizes, right = list(map(int, kept["middle"])), list(map(int, kept["right"]))
            panel = str(kept["panel"])
        except (KeyError, TypeError, ValueError, AttributeError):
            sizes, right, panel = [px(LEFT), SIZE[0], px(RIGHT)], [440, 400], "nodes"
        self.middle.setSizes(sizes)
        self.right.setSizes(right)
        if panel in ("nodes",):
            self.toggle_panel(panel)


def _line(way: str) -> QFrame:
    line = QFrame()
    line.setProperty("line", way)
    line.setFixedHeight(1)
    return line
