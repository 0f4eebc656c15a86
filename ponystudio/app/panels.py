"""The panels of the left side that are made when they are first opened."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtWidgets import QWidget

if TYPE_CHECKING:
    from ponystudio.app.window import Window


def make_panel(name: str, window: Window) -> QWidget:
    """The panel of that name: queue, templates, log, help, settings or about."""
    if name == "queue":
        from ponystudio.app.queue_panel import QueuePanel

        return QueuePanel(window.runner)
    if name == "templates":
        from ponystudio.app.templates_panel import TemplatesPanel

        return TemplatesPanel(window.documents)
    if name == "log":
        from ponystudio.app.log_panel import LogPanel

        return LogPanel(window.running.link.log_file)
    if name == "help":
        from ponystudio.app.help_panel import HelpPanel

        return HelpPanel(window.documents)
    if name == "settings":
        from ponystudio.app.settings_panel import SettingsPanel

        return SettingsPanel(window)
    if name == "about":
        from ponystudio.app.about_panel import AboutPanel

        return AboutPanel(window.running.link)
    raise ValueError(name)
