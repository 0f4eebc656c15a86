"""What the window says quietly, in its own words: toasts for what happened elsewhere, and a word of
the desktop at the end of the queue to whoever is looking elsewhere.
"""

from __future__ import annotations

import shutil
import sys
from collections.abc import Callable, Mapping
from html import escape

from PySide6.QtCore import QObject, QProcess, QTimer, Signal
from PySide6.QtGui import QGuiApplication, QIcon
from PySide6.QtWidgets import QApplication, QSystemTrayIcon

from ponystudio.engine.protocol.worker_messages import WorkerReady
from ponystudio.qt.notification import Notification
from ponystudio.qt.plain_text import cut
from ponystudio.studio.documents.document import Document
from ponystudio.studio.documents.editable_graph import Problem
from ponystudio.studio.runs.job_queue import Job
from ponystudio.studio.runs.run_texts import duration, fallback_rows, is_fallback, title
from ponystudio.studio.runs.runner import Runner
from ponystudio.widgets.toasts import Toasts


class Notifications(QObject):
    """Toasts of what the worker and the runner report. `node_requested` carries the document, or
    None, and the node that somebody wants to see."""

    node_requested = Signal(object, str)

    def __init__(self, toasts: Toasts, runner: Runner) -> None:
        super().__init__(toasts)
        self._toasts, self._runner = toasts, runner
        runner.worker.hello.connect(self._engine_ready)
        runner.worker.died.connect(self._engine_died)
        runner.worker.failed.connect(self._engine_failed)
        runner.memory_short.connect(self._memory_short)
        runner.left_out.connect(self._left_out)
        runner.restored.connect(self._queue_restored)
        runner.upgrader.upgraded.connect(self._upgraded)

    def show(self, notice: Notification) -> None:
        self._toasts.show(
            notice.title,
            notice.text,
            notice.actions,
            notice.kind,
            notice.rows,
            lasting=notice.lasting,
            ends=notice.ends,
        )

    def _engine_ready(self, about: WorkerReady) -> None:
        if about.problem:
            text = self.tr("It computes on %1 instead.").replace("%1", about.device_title)
            self.show(Notification(about.problem, text, kind="warn"))

    def _engine_died(self, why: str) -> None:
        text = self.tr("%1 It was started again; nothing but that run is lost.")
        self.show(Notification(self.tr("The engine stopped"), text.replace("%1", why), kind="warn"))

    def _engine_failed(self, why: str) -> None:
        text = f"{why} {self._runner.worker.remedy}".strip()
        again = (self.tr("Try again"), self._runner.resume)
        self.show(Notification(self.tr("No engine"), text, (again,), "warn"))

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


# A run that is over sooner leaves nobody time to look elsewhere.
WORTH_TELLING = 3.0


class DesktopNotifier(QObject):
    """Tells when the last job of the queue has ended and no window of ours is in front."""

    def __init__(
        self,
        runner: Runner,
        parent: QObject | None = None,
        *,
        send: Callable[[str, str], None] | None = None,
    ) -> None:
        super().__init__(parent)
        self._runner = runner
        self._send = send or self._send_to_desktop
        self._on = True
        self._made = self._failed = 0
        self._seconds = 0.0
        self._title = ""
        self._tray: QSystemTrayIcon | None = None
        runner.job_done.connect(self._job_done)

    def set_on(self, on: bool) -> None:
        self._on = on

    def close(self) -> None:
        if self._tray is not None:
            self._tray.hide()
            self._tray = None

    def _job_done(self, job: Job, how: str) -> None:
        if job.output_override is None:
            self._made += job.done if how == "done" else max(0, job.done - 1)
        self._failed += how == "failed"
        self._seconds += job.seconds
        self._title = job.title
        if self._runner.queue.jobs and not self._runner.paused:
            return
        made, failed, seconds = self._made, self._failed, self._seconds
        self._made = self._failed = 0
        self._seconds = 0.0
        worth = failed or (made and seconds >= WORTH_TELLING)
        if how == "stopped" or not self._on or not worth or _in_front():
            return
        if failed:
            title = self.tr("A run failed")
            text = self._title
        else:
            title = self.tr("Pictures are ready")
            one = self.tr("1 picture in {time}")
            many = self.tr("{n} pictures in {time}")
            text = (one if made == 1 else many).format(n=made, time=duration(seconds))
            if self._title:
                text = f"{self._title}: {text}"
        self._send(title, text)

    def _send_to_desktop(self, title: str, text: str) -> None:
        """Silently nothing where there is no way."""
        sender = shutil.which("notify-send") if sys.platform.startswith("linux") else None
        if sender is not None:
            # A text may hold a stranger's title, and notify-send takes markup in it, and options.
            shown = [cut(title), escape(cut(text))]
            QProcess.startDetached(sender, ["--app-name=PonyStudio", "--", *shown])
            return
        if not QSystemTrayIcon.isSystemTrayAvailable():
            return
        if self._tray is None:
            self._tray = QSystemTrayIcon(QApplication.windowIcon(), self)
        self._tray.show()
        self._tray.showMessage(title, text, QIcon(), 8000)
        QTimer.singleShot(9000, self._tray.hide)


def _in_front() -> bool:
    """Whether a window of ours has the keys."""
    return QGuiApplication.focusWindow() is not None
