"""The window's own commands, and the menu that holds all of them."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING

from PySide6.QtCore import QCoreApplication

from ponystudio.canvas.action import ActionSpec

if TYPE_CHECKING:
    from ponystudio.app.window import Window

# Title ("" stands in the menu itself) and the commands in it.
MENU: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("", ("file.new", "file.template", "file.open", "file.reopen", "")),
    ("", ("file.save", "file.save_as", "file.save_all", "file.revert", "file.close", "")),
    (
        "Edit",
        (
            *("edit.undo", "edit.redo", "", "edit.cut", "edit.copy", "edit.paste"),
            *("edit.paste_with_inputs", "edit.duplicate", "edit.delete", "edit.dissolve", ""),
            *("edit.select_all", "edit.find", "edit.rename"),
        ),
    ),
    (
        "Node",
        (
            *("edit.add", "edit.frame", "edit.note", "", "edit.mute", "edit.bypass"),
            *("edit.collapse", "edit.pin", "edit.swap", "edit.view_output"),
        ),
    ),
    (
        "Arrange",
        (
            *("edit.tidy", "", "arrange.left", "arrange.right", "arrange.top", "arrange.bottom"),
            *("arrange.middle", "arrange.centre", "", "arrange.across", "arrange.down"),
        ),
    ),
    (
        "Run",
        (
            *("run.run", "run.front", "run.selection", "", "run.stop", "run.stop_now"),
            *("run.pause", "run.cancel_all", "", "run.unload", "run.clear_cache"),
            "run.restart_engine",
        ),
    ),
    (
        "View",
        (
            *("canvas.fit", "canvas.fit_selection", "canvas.zoom_100", "canvas.zoom_in"),
            *("canvas.zoom_out", "canvas.minimap", "canvas.shapes_on_wires", ""),
            *("panel.nodes", "panel.models", "panel.gallery", "panel.templates", "panel.queue"),
            *("panel.log", "panel.focus", "", "view.theme", "view.problems"),
        ),
    ),
    ("", ("", "app.commands", "app.settings", "panel.help", "app.about", "", "app.quit")),
)


def window_actions(window: Window) -> list[ActionSpec]:
    return [*_files(window), *_panels(window), *_app(window)]


def _files(window: Window) -> list[ActionSpec]:
    documents, group = window.documents, _tr("File")

    def with_current(act: Callable[..., object]) -> Callable[[], None]:
        def run() -> None:
            if documents.current is not None:
                act(documents.current)

        return run

    def there() -> bool:
        return documents.current is not None

    def step(by: int) -> None:
        listed = list(documents)
        if documents.current in listed:
            index = listed.index(documents.current) + by
            documents.set_current(listed[index % len(listed)])

    def spec(
        id: str,
        title: str,
        run: Callable[[], object],
        keys: tuple[str, ...] = (),
        icon: str = "",
        enabled: Callable[[], bool] | None = None,
    ) -> ActionSpec:
        return ActionSpec(f"file.{id}", title, run, keys, group, icon, enabled)

    return [
        spec("new", _tr("New graph"), lambda: documents.new(), ("Ctrl+N", "Ctrl+T"), "add"),
        spec("template", _tr("New from the default graph"), window.new_default, (), "templates"),
        spec("open", _tr("Open…"), window.dialogs.open, ("Ctrl+O",), "folder"),
        spec(
            "reopen",
            _tr("Open again what was closed"),
            lambda: documents.reopen(),
            ("Ctrl+Shift+T",),
            "last",
            lambda: documents.recent.last_unsaved() is not None,
        ),
        spec("save", _tr("Save"), window.dialogs.save, ("Ctrl+S",), "save", there),
        spec(
            "save_as",
            _tr("Save as…"),
            lambda: window.dialogs.save_as(),
            ("Ctrl+Shift+S",),
            "save",
            there,
        ),
        spec("save_all", _tr("Save all"), documents.save_all, (), "save", there),
        spec("revert", _tr("Back to what was saved"), with_current(documents.revert), (), "last"),
        spec("close", _tr("Close"), with_current(documents.close), ("Ctrl+W",), "close", there),
        spec("next", _tr("Next graph"), partial(step, 1), ("Ctrl+Tab", "Ctrl+PgDown"), "right"),
        spec("previous", _tr("Previous graph"), partial(step, -1), ("Ctrl+Shift+Tab",)),
    ]


def _panels(window: Window) -> list[ActionSpec]:
    group = _tr("View")
    names = (
        ("nodes", _tr("Nodes"), ("N",), "nodes"),
        ("models", _tr("Models"), ("Shift+M",), "models"),
        ("gallery", _tr("Gallery"), ("A",), "gallery"),
        ("templates", _tr("Templates and recent files"), ("W",), "templates"),
        ("queue", _tr("Queue"), ("Q",), "queue"),
        ("log", _tr("Log"), ("Ctrl+`",), "log"),
        ("help", _tr("Help"), ("F1",), "help"),
    )
    return [
        *(
            ActionSpec(
                f"panel.{name}", title, partial(window.toggle_panel, name), keys, group, icon
            )
            for name, title, keys, icon in names
        ),
        ActionSpec(
            "panel.focus",
            _tr("Only the canvas"),
            window.toggle_focus_mode,
            ("Shift+F", "F11"),
            group,
            "fit",
        ),
        ActionSpec(
            "view.theme",
            _tr("Dark or light theme"),
            partial(_flip_theme, window),
            (),
            group,
            "flick",
        ),
        ActionSpec(
            "view.problems",
            _tr("Next problem"),
            window.asked.walk_problems,
            ("F8",),
            group,
            "alert",
        ),
    ]


def _app(window: Window) -> list[ActionSpec]:
    group = _tr("PonyStudio")
    return [
        ActionSpec(
            "app.commands",
            _tr("All commands…"),
            window.show_commands,
            ("Ctrl+Shift+P",),
            group,
            "search",
        ),
        ActionSpec(
            "app.settings",
            _tr("Settings"),
            partial(window.toggle_panel, "settings"),
            ("Ctrl+,",),
            group,
            "settings",
        ),
        ActionSpec(
            "app.about",
            _tr("About PonyStudio"),
            partial(window.toggle_panel, "about"),
            (),
            group,
            "info",
        ),
        ActionSpec("app.menu", _tr("Menu"), window.show_menu, ("F10",), group, "menu"),
        ActionSpec("app.quit", _tr("Quit"), window.close, ("Ctrl+Q",), group, "close"),
    ]


def _flip_theme(window: Window) -> None:
    from ponystudio.canvas import theme

    window.settings.set("theme", "light" if theme.current().dark else "dark")


def _tr(text: str) -> str:
    return QCoreApplication.translate("WindowActions", text)
