"""A word at the end of the queue to whoever is looking elsewhere."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Callable

from PySide6.QtCore import QObject, QProcess, QTimer
from PySide6.QtGui import QGuiApplication, QIcon
from PySide6.QtWidgets import QApplication, QSystemTrayIcon

from ponystudio.studio.runs.job_queue import Job
from ponystudio.studio.runs.run_texts import duration
from ponystudio.studio.runs.runner import Runner

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
            QProcess.startDetached(sender, ["--app-name=PonyStudio", title, text])
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
