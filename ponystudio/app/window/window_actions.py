"""The window's own commands, and the menu that holds all of them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial

from ponystudio.app.window.file_dialogs import FileDialogs
from ponystudio.app.window.graph_exporter import EXPORT_ACTIONS
from ponystudio.app.window.page_switcher import PageSwitcher
from ponystudio.app.window.panel_registry import PanelSpec
from ponystudio.app.window.restore_offers import RestoreOffers
from ponystudio.qt.i18n import tr
from ponystudio.studio.documents.documents import Documents
from ponystudio.studio.results.result_library import ResultLibrary
from ponystudio.studio.settings import Settings
from ponystudio.widgets import theme
from ponystudio.widgets.action import ActionSpec

Entries = tuple[tuple[str, tuple[str, ...]], ...]
# The end of the menu; it has the panels that are of the app rather than of the graph.
_APP = (
    *("", "app.commands", "app.settings", "app.held_back", "panel.help", "app.about"),
    *("", "app.quit"),
)


def menu_entries(panels: Sequence[PanelSpec]) -> Entries:
    """Titles of menus ("": they stand in the first menu itself) and the commands in them."""
    return (
        ("", ("file.new", "file.template", "file.open", "file.reopen", "")),
        ("", ("file.save", "file.save_as", "file.save_all", "file.revert", "file.close", "")),
        (tr("Export"), EXPORT_ACTIONS),
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
                *(panel.action_id for panel in panels if panel.action_id not in _APP),
                *("panel.focus", "", "view.compare", "view.problems", "view.theme"),
            ),
        ),
        ("", _APP),
    )


def file_actions(
    documents: Documents,
    dialogs: FileDialogs,
    new_default: Callable[[], object],
    close_front: Callable[[], object],
    step: Callable[[int], object],
) -> list[ActionSpec]:
    """`close_front` closes the tab in front, `step` goes to the next one or back."""
    group = tr("File")

    def with_current(act: Callable[..., object]) -> Callable[[], None]:
        def run() -> None:
            if documents.current is not None:
                act(documents.current)

        return run

    def has_current() -> bool:
        return documents.current is not None

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
        spec("template", tr("New from the default graph"), new_default, (), "templates"),
        spec("open", tr("Open…"), dialogs.open, ("Ctrl+O",), "folder"),
        spec(
            "reopen",
            tr("Open again what was closed"),
            lambda: documents.reopen(),
            ("Ctrl+Shift+T",),
            "last",
            lambda: documents.recent.last_unsaved() is not None,
        ),
        spec("save", tr("Save"), dialogs.save, ("Ctrl+S",), "save", has_current),
        spec(
            "save_as",
            tr("Save as…"),
            lambda: dialogs.save_as(),
            ("Ctrl+Shift+S",),
            "save",
            has_current,
        ),
        spec("save_all", tr("Save all"), documents.save_all, (), "save", has_current),
        spec("revert", tr("Back to what was saved"), with_current(documents.revert), (), "last"),
        spec("close", tr("Close"), close_front, ("Ctrl+W",), "close", has_current),
        spec("next", tr("Next tab"), partial(step, 1), ("Ctrl+Tab", "Ctrl+PgDown"), "right"),
        spec("previous", tr("Previous tab"), partial(step, -1), ("Ctrl+Shift+Tab",), "left"),
    ]


def view_actions(
    settings: Settings,
    results: ResultLibrary,
    pages: PageSwitcher,
    toggle_focus_mode: Callable[[], object],
    walk_problems: Callable[[], object],
) -> list[ActionSpec]:
    """What is seen, but for the panels."""
    group, keys = tr("View"), ("Shift+F", "F11")

    def flip_theme() -> None:
        settings.set("theme", "light" if theme.current().dark else "dark")

    def has_two() -> bool:
        return len(results.index.latest(2)) == 2

    return [
        ActionSpec("panel.focus", tr("Only the canvas"), toggle_focus_mode, keys, group, "fit"),
        ActionSpec("view.theme", tr("Dark or light theme"), flip_theme, (), group, "flick"),
        ActionSpec(
            "view.compare",
            tr("Compare the last two pictures"),
            pages.compare_latest,
            (),
            group,
            "compare",
            has_two,
        ),
        ActionSpec("view.problems", tr("Next problem"), walk_problems, ("F8",), group, "alert"),
    ]


def app_actions(
    panels: Sequence[ActionSpec],
    show_commands: Callable[[], object],
    show_menu: Callable[[], object],
    quit: Callable[[], object],
    offers: RestoreOffers,
) -> list[ActionSpec]:
    """What is of the app rather than of the graph; `panels` are the panels among it."""
    group, keys = tr("PonyStudio"), ("Ctrl+Shift+P",)
    return [
        ActionSpec("app.commands", tr("All commands…"), show_commands, keys, group, "search"),
        *panels,
        ActionSpec("app.menu", tr("Menu"), show_menu, ("F10",), group, "menu"),
        ActionSpec(
            "app.held_back",
            tr("What was not opened…"),
            offers.show,
            (),
            group,
            "alert",
            lambda: bool(offers.held),
        ),
        ActionSpec("app.quit", tr("Quit"), quit, ("Ctrl+Q",), group, "close"),
    ]
