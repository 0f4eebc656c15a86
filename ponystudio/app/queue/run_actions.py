"""What a person may ask of the runner, as actions for menus, keys and the command palette."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial

from ponystudio.qt.i18n import tr
from ponystudio.studio.documents.document import Document
from ponystudio.studio.runs.runner import Runner
from ponystudio.studio.runs.seeds import MODES, SeedMode
from ponystudio.widgets.action import ActionSpec


def run_actions(
    runner: Runner,
    current: Callable[[], Document | None],
    selected: Callable[[], Sequence[str]],
) -> list[ActionSpec]:
    """For the document in front and the nodes selected in it."""

    def with_document(act: Callable[[Document], object]) -> Callable[[], None]:
        def run() -> None:
            document = current()
            if document is not None:
                act(document)

        return run

    def has_document() -> bool:
        return current() is not None

    def has_selection() -> bool:
        return has_document() and bool(selected())

    def run_selected(document: Document) -> None:
        if nodes := selected():
            runner.run_selection(document, nodes)

    def running() -> bool:
        return runner.is_running

    def ready() -> bool:
        return runner.worker.is_ready

    def has_mode(mode: SeedMode) -> bool:
        return runner.seed_mode == mode

    def toggle_pause() -> None:
        runner.resume() if runner.paused else runner.pause()

    def spec(
        id: str,
        title: str,
        run: Callable[[], object],
        icon: str = "",
        *keys: str,
        enabled: Callable[[], bool] | None = None,
        checked: Callable[[], bool] | None = None,
    ) -> ActionSpec:
        return ActionSpec(f"run.{id}", title, run, keys, tr("Run"), icon, enabled, checked)

    run_first = with_document(lambda document: runner.run(document, front=True))
    now, first = ("Ctrl+Return", "Ctrl+Enter"), ("Ctrl+Shift+Return", "Ctrl+Shift+Enter")
    stop = ("Ctrl+Alt+Return", "Ctrl+Alt+Enter")
    seeds = {
        "fixed": tr("Seeds stay fixed"),
        "next": tr("Seeds go up by 1"),
        "random": tr("Seeds are random"),
    }
    return [
        spec("run", tr("Run"), with_document(runner.run), "run", *now, enabled=has_document),
        spec(
            "front", tr("Run before all that waits"), run_first, "run", *first, enabled=has_document
        ),
        spec(
            "selection",
            tr("Run to the selected nodes"),
            with_document(run_selected),
            "run",
            enabled=has_selection,
        ),
        spec("stop", tr("Stop this run"), runner.cancel_current, "stop", *stop, enabled=running),
        spec(
            "stop_now",
            tr("Stop now: start the engine anew"),
            runner.stop_now,
            "stop",
            enabled=running,
        ),
        spec(
            "cancel_all",
            tr("Empty the queue"),
            runner.cancel_all,
            "delete",
            enabled=lambda: bool(runner.queue.jobs),
        ),
        spec("pause", tr("Pause the queue"), toggle_pause, "pause", checked=lambda: runner.paused),
        *(
            spec(
                f"seed_{mode}",
                seeds[mode],
                partial(runner.set_seed_mode, mode),
                checked=partial(has_mode, mode),
            )
            for mode in MODES
        ),
        spec(
            "unload",
            tr("Unload models from the memory"),
            runner.worker.unload,
            "unload",
            enabled=ready,
        ),
        spec(
            "clear_cache",
            tr("Clear the cache of results"),
            runner.clear_cache,
            "disk",
            enabled=ready,
        ),
        spec("restart_engine", tr("Start the engine anew"), runner.worker.restart, "run_again"),
    ]
