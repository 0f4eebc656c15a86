"""What a person may ask of the runner, as actions for menus, keys and the command palette."""

from __future__ import annotations

from collections.abc import Callable, Sequence

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
    group = tr("Run")

    def with_document(act: Callable[[Document], object]) -> Callable[[], None]:
        def run() -> None:
            document = current()
            if document is not None:
                act(document)

        return run

    def there() -> bool:
        return current() is not None

    def to_here(document: Document) -> None:
        nodes = selected()
        if nodes:
            runner.run_selection(document, nodes)

    def running() -> bool:
        return runner.is_running

    def toggle_pause() -> None:
        runner.resume() if runner.paused else runner.pause()

    def mode_action(mode: SeedMode, title: str) -> ActionSpec:
        return ActionSpec(
            f"run.seed_{mode}",
            title,
            lambda: runner.set_seed_mode(mode),
            group=group,
            checked=lambda: runner.seed_mode == mode,
        )

    titles = {
        "fixed": tr("Seeds stay fixed"),
        "next": tr("Seeds go up by 1"),
        "random": tr("Seeds are random"),
    }
    return [
        ActionSpec(
            "run.run",
            tr("Run"),
            with_document(runner.run),
            ("Ctrl+Return", "Ctrl+Enter"),
            group,
            "run",
            there,
        ),
        ActionSpec(
            "run.front",
            tr("Run before all that waits"),
            with_document(lambda document: runner.run(document, front=True)),
            ("Ctrl+Shift+Return", "Ctrl+Shift+Enter"),
            group,
            "run",
            there,
        ),
        ActionSpec(
            "run.selection",
            tr("Run to the selected nodes"),
            with_document(to_here),
            (),
            group,
            "run",
            lambda: there() and bool(selected()),
        ),
        ActionSpec(
            "run.stop",
            tr("Stop this run"),
            runner.cancel_current,
            ("Ctrl+Alt+Return", "Ctrl+Alt+Enter"),
            group,
            "stop",
            running,
        ),
        ActionSpec(
            "run.stop_now",
            tr("Stop now: start the engine anew"),
            runner.stop_now,
            (),
            group,
            "stop",
            running,
        ),
        ActionSpec(
            "run.cancel_all",
            tr("Empty the queue"),
            runner.cancel_all,
            (),
            group,
            "delete",
            lambda: bool(runner.queue.jobs),
        ),
        ActionSpec(
            "run.pause",
            tr("Pause the queue"),
            toggle_pause,
            (),
            group,
            "pause",
            checked=lambda: runner.paused,
        ),
        *(mode_action(mode, titles[mode]) for mode in MODES),
        ActionSpec(
            "run.unload",
            tr("Unload models from the memory"),
            runner.link.unload,
            (),
            group,
            "unload",
            lambda: runner.link.is_ready,
        ),
        ActionSpec(
            "run.clear_cache",
            tr("Clear the cache of results"),
            runner.clear_cache,
            (),
            group,
            "disk",
            lambda: runner.link.is_ready,
        ),
        ActionSpec(
            "run.restart_engine",
            tr("Start the engine anew"),
            runner.link.restart,
            (),
            group,
            "run_again",
        ),
    ]
