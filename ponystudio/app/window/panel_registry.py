"""The panels of the left side and the pages in the canvas's place, declared once.

One more is a row of `panel_specs`: rail, menu, command palette, keys and layout read it there.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from PySide6.QtCore import QObject, QTimer, Signal
from PySide6.QtWidgets import QApplication, QWidget

from ponystudio.app.actions.action_registry import ActionRegistry
from ponystudio.app.panels.node_panel import NodePanel
from ponystudio.app.window.window_layout import LEFT, WindowLayout
from ponystudio.qt.i18n import tr
from ponystudio.qt.notification import Notification
from ponystudio.studio.documents.documents import Documents
from ponystudio.studio.runs.runner import Runner
from ponystudio.studio.settings import Settings
from ponystudio.widgets.action import ActionSpec

if TYPE_CHECKING:  # each panel is imported when it is first opened
    from ponystudio.app.settings.settings_panel import AskFolder


@dataclass(frozen=True)
class PanelParts:
    """What panels are made of: the parts of the studio, and the few things they may ask for."""

    documents: Documents
    runner: Runner
    settings: Settings
    actions: ActionRegistry
    nodes: NodePanel
    notify: Callable[[Notification], object]
    ask_folder: AskFolder
    add_models: Callable[[Path], object]


@dataclass(frozen=True)
class PanelSpec:
    """One panel, `width` wide, made by `make` when it is first opened; without `make`, a page
    that stands in the canvas's place and is the PageSwitcher's.

    `icon` is a name of `theme.icon`, `keys` are Qt key sequences. `rail` is the end of the rail
    that has its button ("": none), `action` the command that opens it ("": panel.`id`).
    `canvas_only`: it is of no use beside a page.
    """

    id: str
    title: str
    icon: str
    keys: tuple[str, ...] = ()
    width: int = LEFT
    make: Callable[[PanelParts], QWidget] | None = None
    rail: Literal["upper", "lower", ""] = "upper"
    action: str = ""
    canvas_only: bool = False

    @property
    def action_id(self) -> str:
        return self.action or f"panel.{self.id}"


def panel_specs() -> tuple[PanelSpec, ...]:
    """All there are, in the order of the rail."""
    return (
        PanelSpec("nodes", tr("Nodes"), "nodes", ("N",), LEFT, _nodes, canvas_only=True),
        PanelSpec("models", tr("Models"), "models", ("Shift+M",)),
        PanelSpec("gallery", tr("Gallery"), "gallery", ("A",)),
        PanelSpec(
            "templates", tr("Templates and recent files"), "templates", ("W",), 248, _templates
        ),
        PanelSpec("queue", tr("Queue"), "queue", ("Q",), LEFT, _queue),
        PanelSpec("log", tr("Log"), "log", ("Ctrl+`",), 420, _log, "lower"),
        PanelSpec("help", tr("Help"), "help", ("F1",), 320, _help, "lower"),
        PanelSpec(
            *("settings", tr("Settings"), "settings", ("Ctrl+,",), 320, _settings),
            rail="lower",
            action="app.settings",
        ),
        PanelSpec(
            *("about", tr("About PonyStudio"), "info", (), 320, _about), rail="", action="app.about"
        ),
    )


def panel_actions(
    specs: Sequence[PanelSpec], prefix: Literal["panel", "app"], toggle: Callable[[str], object]
) -> list[ActionSpec]:
    """The commands with this prefix that open panels and close them."""
    group = tr("View") if prefix == "panel" else tr("PonyStudio")
    return [
        ActionSpec(
            spec.action_id, spec.title, partial(toggle, spec.id), spec.keys, group, spec.icon
        )
        for spec in specs
        if spec.action_id.partition(".")[0] == prefix
    ]


class PanelRegistry(QObject):
    """Makes the panels when they are first opened; at most one is open. `changed` when another
    one is, or none."""

    changed = Signal()

    def __init__(self, layout: WindowLayout, specs: Sequence[PanelSpec], parts: PanelParts) -> None:
        super().__init__(layout)
        self._layout, self._parts = layout, parts
        self._specs = {spec.id: spec for spec in specs}
        self._made: dict[str, QWidget] = {}

    def spec(self, id: str) -> PanelSpec:
        return self._specs[id]

    def is_page(self, id: str) -> bool:
        """Whether it is one of the pages that stand in the canvas's place."""
        return self._specs[id].make is None

    def toggle(self, id: str) -> None:
        """Open a panel; close it, if it is open."""
        if id == self._layout.panel:
            self._layout.close_panel()
            self.changed.emit()
        else:
            self.open(id)

    def open(self, id: str) -> QWidget:
        spec = self._specs[id]
        if id not in self._made:
            self._made[id] = self._make(spec)
        self._layout.open_panel(id, self._made[id], spec.width, canvas_only=spec.canvas_only)
        self.changed.emit()
        return self._made[id]

    def rescale(self) -> None:
        """Make them again at the present UI scale, once what is being done with one has ended."""
        QTimer.singleShot(0, self, self._remake)

    def _make(self, spec: PanelSpec) -> QWidget:
        if spec.make is None:
            raise ValueError(spec.id)
        return spec.make(self._parts)

    def _remake(self) -> None:
        focus = QApplication.focusWidget()
        place = (type(focus), focus.accessibleName()) if focus is not None else None
        for id, panel in [*self._made.items()]:
            if panel is self._parts.nodes:  # it follows the scale by itself
                continue
            del self._made[id]
            if id == self._layout.panel:
                again = self.open(id)
                if focus is not None and panel.isAncestorOf(focus):
                    _focus(again, place)
            self._layout.panels.removeWidget(panel)
            panel.hide()
            panel.deleteLater()


def _focus(panel: QWidget, place: tuple[type[QWidget], str] | None) -> None:
    """Give the keyboard back to the field that had it."""
    for child in panel.findChildren(QWidget):
        if (type(child), child.accessibleName()) == place:
            child.setFocus()
            return


# How each is made: imported only then, so that the window need not wait for it.


def _nodes(parts: PanelParts) -> QWidget:
    return parts.nodes


def _templates(parts: PanelParts) -> QWidget:
    from ponystudio.app.panels.templates_panel import TemplatesPanel

    return TemplatesPanel(parts.documents, parts.notify)


def _queue(parts: PanelParts) -> QWidget:
    from ponystudio.app.queue.queue_panel import QueuePanel

    return QueuePanel(parts.runner)


def _log(parts: PanelParts) -> QWidget:
    from ponystudio.app.panels.log_panel import LogPanel

    return LogPanel(parts.runner.worker.log_file)


def _help(parts: PanelParts) -> QWidget:
    from ponystudio.app.panels.help_panel import HelpPanel

    return HelpPanel(parts.documents)


def _settings(parts: PanelParts) -> QWidget:
    from ponystudio.app.settings.settings_panel import SettingsPanel

    worker = parts.runner.worker
    return SettingsPanel(parts.settings, parts.actions, worker, parts.ask_folder, parts.add_models)


def _about(parts: PanelParts) -> QWidget:
    from ponystudio.app.panels.about_panel import AboutPanel

    return AboutPanel(parts.runner.worker)
