"""What the window says quietly, in its own words: toasts for what happened elsewhere."""

from __future__ import annotations

from collections.abc import Mapping

from PySide6.QtCore import QObject, Signal

from ponystudio.qt.notification import Notification
from ponystudio.studio.documents.document import Document
from ponystudio.studio.documents.node_state import Problem
from ponystudio.studio.runs.run_texts import fallback_rows, is_fallback, title
from ponystudio.studio.runs.runner import Runner
from ponystudio.widgets.toasts import Toasts


class Notifications(QObject):
    """Toasts of what the worker and the runner report. `node_requested` carries the document, or
    None, and the node that somebody wants to see."""

    node_requested = Signal(object, str)

    def __init__(self, toasts: Toasts, runner: Runner) -> None:
        super().__init__(toasts)
        self._toasts, self._runner = toasts, runner
        runner.link.died.connect(self._engine_died)
        runner.link.failed.connect(self._engine_failed)
        runner.memory_short.connect(self._memory_short)
        runner.left_out.connect(self._left_out)
        runner.restored.connect(self._queue_restored)
        runner.upgrader.upgraded.connect(self._upgraded)

    def show(self, notice: Notification) -> None:
        self._toasts.show(notice.title, notice.text, notice.actions, notice.kind, notice.rows)

    def _engine_died(self, why: str) -> None:
        text = self.tr("%1 It was started again; nothing but that run is lost.")
        self.show(Notification(self.tr("The engine stopped"), text.replace("%1", why), kind="warn"))

    def _engine_failed(self, why: str) -> None:
        self.show(Notification(self.tr("No engine"), why, kind="warn"))

    def _left_out(self, document: Document, problems: Mapping[str, Problem]) -> None:
        node, problem = next(iter(problems.items()))
        name = title(document.graph, document.catalog, node)
        heading = self.tr("%1 is left out of the run").replace("%1", name)
        if len(problems) > 1:
            heading = self.tr("%1 nodes are left out of the run").replace("%1", str(len(problems)))
            text = f"{name}: {problem.what}"
        else:
            text = f"{problem.what} {problem.remedy}".strip()
        show = (self.tr("Show node"), lambda: self.node_requested.emit(document, node))
        self.show(Notification(heading, text, (show,), "warn"))

    def _queue_restored(self, jobs: int) -> None:
        title = self.tr("1 job waits") if jobs == 1 else self.tr("%1 jobs wait")
        text = self.tr("The queue is as it was when PonyStudio ended.")
        go_on = (self.tr("Go on with the queue"), self._runner.resume)
        self.show(Notification(title.replace("%1", str(jobs)), text, (go_on,)))

    def _upgraded(self, document: Document, notes: list[str]) -> None:
        title = self.tr("Nodes of %1 were made new").replace("%1", document.title)
        self.show(Notification(title, "\n".join(notes)))

    def _memory_short(self, document: Document | None, node: str, action: str) -> None:
        if not is_fallback(action):
            self.show(Notification(self.tr("The disk takes no results"), f"{action}.", kind="warn"))
            return
        name = title(document.graph, document.catalog, node) if document else node
        where = ", ".join(part for part in (document.title if document else "", name) if part)
        show = (self.tr("Show node"), lambda: self.node_requested.emit(document, node))
        rows = tuple(fallback_rows(self._runner.fallbacks))
        actions = (show,) if node else ()
        self.show(Notification(self.tr("Memory was short"), where, actions, "warn", rows))
