"""The window's own commands, and the menu that holds all of them."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING

from ponystudio.qt.i18n import tr
from ponystudio.widgets.action import ActionSpec

if TYPE_CHECKING:
    from ponystudio.app.window.main_window import MainWindow

Entries = tuple[tuple[str, tuple[str, ...]], ...]


def menu_entries() -> Entries:
    """Titles of menus ("": they stand in the first menu itself) and the commands in them."""
    return (
        ("", ("file.new", "file.template", "file.open", "file.reopen", "")),
        ("", ("file.save", "file.save_as", "file.save_all", "file.revert", "file.close", "")),
        (
            tr("Edit"),
            (
                *("edit.undo", "edit.redo", "", "edit.cut", "edit.copy", "edit.paste"),
                *("edit.paste_with_inputs", "edit.duplicate", "edit.delete", "edit.dissolve", ""),
                *("edit.select_all", "edit.find", "edit.rename"),
            ),
        ),
        (
            tr("Node"),
            (
                *("edit.add", "edit.frame", "edit.note", "", "edit.mute", "edit.bypass"),
                *("edit.collapse", "edit.pin", "edit.swap", "edit.view_output"),
            ),
        ),
        (
            tr("Prompt"),
            (
                *("prompt.preset", "prompt.keep", "", "prompt.tags", "prompt.spaces"),
                *("prompt.underscores", "prompt.loras", "", "prompt.tokens"),
            ),
        ),
        (
            tr("Arrange"),
            (
                *("edit.tidy", "", "arrange.left", "arrange.right", "arrange.top"),
                *("arrange.bottom", "arrange.middle", "arrange.centre", ""),
                *("arrange.across", "arrange.down"),
            ),
        ),
        (
            tr("Run"),
            (
                *("run.run", "run.front", "run.selection", "", "run.stop", "run.stop_now"),
                *("run.pause", "run.cancel_all", "", "run.unload", "run.clear_cache"),
                "run.restart_engine",
            ),
        ),
        (
            tr("View"),
            (
                *("canvas.fit", "canvas.fit_selection", "canvas.zoom_100", "canvas.zoom_in"),
                *("canvas.zoom_out", "canvas.minimap", "canvas.shapes_on_wires", ""),
                *("panel.nodes", "panel.models", "panel.gallery", "panel.templates", "panel.queue"),
                *("panel.log", "panel.focus", "", "view.compare", "view.problems"),
                "view.theme",
            ),
        ),
        ("", ("", "app.commands", "app.settings", "panel.help", "app.about", "", "app.quit")),
    )


def window_actions(window: MainWindow) -> list[ActionSpec]:
    return [*_files(window), *_panels(window), *_app(window)]


def _files(window: MainWindow) -> list[ActionSpec]:
    documents, group = window.documents, tr("File")

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
        spec("new", tr("New graph"), lambda: documents.new(), ("Ctrl+N", "Ctrl+T"), "add"),
        spec("template", tr("New from the default graph"), window.new_default, (), "templates"),
        spec("open", tr("Open…"), window.dialogs.open, ("Ctrl+O",), "folder"),
        spec(
            "reopen",
            tr("Open again what was closed"),
            lambda: documents.reopen(),
            ("Ctrl+Shift+T",),
            "last",
            lambda: documents.recent.last_unsaved() is not None,
        ),
        spec("save", tr("Save"), window.dialogs.save, ("Ctrl+S",), "save", there),
        spec(
            "save_as",
            tr("Save as…"),
            lambda: window.dialogs.save_as(),
            ("Ctrl+Shift+S",),
            "save",
            there,
        ),
        spec("save_all", tr("Save all"), documents.save_all, (), "save", there),
        spec("revert", tr("Back to what was saved"), with_current(documents.revert), (), "last"),
        spec("close", tr("Close"), with_current(documents.close), ("Ctrl+W",), "close", there),
        spec("next", tr("Next graph"), partial(step, 1), ("Ctrl+Tab", "Ctrl+PgDown"), "right"),
        spec("previous", tr("Previous graph"), partial(step, -1), ("Ctrl+Shift+Tab",)),
    ]


def _panels(window: MainWindow) -> list[ActionSpec]:
    group = tr("View")
    names = (
        ("nodes", tr("Nodes"), ("N",), "nodes"),
        ("models", tr("Models"), ("Shift+M",), "models"),
        ("gallery", tr("Gallery"), ("A",), "gallery"),
        ("templates", tr("Templates and recent files"), ("W",), "templates"),
        ("queue", tr("Queue"), ("Q",), "queue"),
        ("log", tr("Log"), ("Ctrl+`",), "log"),
        ("help", tr("Help"), ("F1",), "help"),
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
            tr("Only the canvas"),
            window.toggle_focus_mode,
            ("Shift+F", "F11"),
            group,
            "fit",
        ),
        ActionSpec(
            "view.theme",
            tr("Dark or light theme"),
            partial(_flip_theme, window),
            (),
            group,
            "flick",
        ),
        ActionSpec(
            "view.compare",
            tr("Compare the last two pictures"),
            partial(_compare_latest, window),
            (),
            group,
            "compare",
            lambda: len(window.results.index.latest(2)) == 2,
        ),
        ActionSpec(
            "view.problems",
            tr("Next problem"),
            window.canvas_requests.walk_problems,
            ("F8",),
            group,
            "alert",
        ),
    ]


def _app(window: MainWindow) -> list[ActionSpec]:
    group = tr("PonyStudio")
    return [
        ActionSpec(
            "app.commands",
            tr("All commands…"),
            window.show_commands,
            ("Ctrl+Shift+P",),
            group,
            "search",
        ),
        ActionSpec(
            "app.settings",
            tr("Settings"),
            partial(window.toggle_panel, "settings"),
            ("Ctrl+,",),
            group,
            "settings",
        ),
        ActionSpec(
            "app.about",
            tr("About PonyStudio"),
            partial(window.toggle_panel, "about"),
            (),
            group,
            "info",
        ),
        ActionSpec("app.menu", tr("Menu"), window.show_menu, ("F10",), group, "menu"),
        ActionSpec("app.quit", tr("Quit"), window.close, ("Ctrl+Q",), group, "close"),
    ]


def _compare_latest(window: MainWindow) -> None:
    """The one before as A, the last one as B."""
    latest = window.results.index.latest(2)
    window.page_switcher.show_pictures([picture.path for picture in reversed(latest)])


def _flip_theme(window: MainWindow) -> None:
    from ponystudio.widgets import theme

    window.settings.set("theme", "light" if theme.current().dark else "dark")
