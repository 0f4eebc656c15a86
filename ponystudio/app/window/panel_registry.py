"""The panels of the left side, made when they are first opened."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtCore import QObject, QTimer
from PySide6.QtWidgets import QApplication, QWidget

from ponystudio.app.window.window_layout import WindowLayout

if TYPE_CHECKING:
    from ponystudio.app.window.main_window import MainWindow

NAMES = ("nodes", "templates", "queue", "log", "help", "settings", "about")


class PanelRegistry(QObject):
    """Opens and closes them; at most one is open."""

    def __init__(self, window: MainWindow, shell: WindowLayout, nodes: QWidget) -> None:
        super().__init__(window)
        self._window, self._shell = window, shell
        self._made: dict[str, QWidget] = {"nodes": nodes}

    def toggle(self, name: str) -> None:
        """Open a panel; close it, if it is open."""
        if name == self._shell.panel:
            self._shell.close_panel()
        else:
            self.open(name)

    def open(self, name: str) -> QWidget:
        if name not in self._made:
            self._made[name] = _make(name, self._window)
        self._shell.open_panel(name, self._made[name])
        return self._made[name]

    def rescale(self) -> None:
        """Make them anew at the present UI scale, once what is being done with one has ended."""
        QTimer.singleShot(0, self, self._remake)

    def _remake(self) -> None:
        focus = QApplication.focusWidget()
        place = (type(focus), focus.accessibleName()) if focus is not None else None
        for name, panel in [*self._made.items()]:
            if name == "nodes":  # it follows the scale by itself
                continue
            del self._made[name]
            if name == self._shell.panel:
                again = self.open(name)
                if focus is not None and panel.isAncestorOf(focus):
                    _focus(again, place)
            self._shell.panels.removeWidget(panel)
            panel.hide()
            panel.deleteLater()


def _focus(panel: QWidget, place: tuple[type[QWidget], str] | None) -> None:
    """Give the keyboard back to the field that had it."""
    for child in panel.findChildren(QWidget):
        if (type(child), child.accessibleName()) == place:
            child.setFocus()
            return


def _make(name: str, window: MainWindow) -> QWidget:
    """The panel of that name: queue, templates, log, help, settings or about."""
    if name == "queue":
        from ponystudio.app.queue.queue_panel import QueuePanel

        return QueuePanel(window.runner)
    if name == "templates":
        from ponystudio.app.panels.templates_panel import TemplatesPanel

        return TemplatesPanel(window.documents)
    if name == "log":
        from ponystudio.app.panels.log_panel import LogPanel

        return LogPanel(window.services.link.log_file)
    if name == "help":
        from ponystudio.app.panels.help_panel import HelpPanel

        return HelpPanel(window.documents)
    if name == "settings":
        from ponystudio.app.settings.settings_panel import SettingsPanel

        return SettingsPanel(window)
    if name == "about":
        from ponystudio.app.panels.about_panel import AboutPanel

        return AboutPanel(window.services.link)
    raise ValueError(name)
