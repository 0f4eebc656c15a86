"""`ponystudio [FILE]`: the studio. The window stands before the engine is asked for."""

from __future__ import annotations

import os
import signal
import socket
import sys
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from PySide6.QtCore import QSocketNotifier, Qt, QTimer
from PySide6.QtGui import QGuiApplication
from PySide6.QtWidgets import QApplication, QWidget

from ponystudio.app.gui_garbage_collection import GarbageCollector
from ponystudio.app.single_instance import SingleInstance
from ponystudio.library import user_folders
from ponystudio.qt.event_loop import event_loop
from ponystudio.studio.restore_guard import RestoreGuard
from ponystudio.studio.settings import Settings
from ponystudio.system.file_names import absolute
from ponystudio.system.own_program import working_folder
from ponystudio.widgets import metrics, style_sheet, theme

if TYPE_CHECKING:
    from ponystudio.app.window.main_window import MainWindow

# Seconds after which a thread that computes makes way for another that waits. Every call of Qt that
# takes long lets others go on, and has to wait for them in turn; Python's 5 ms are felt.
SWITCH_INTERVAL = 0.0005
# Milliseconds after which other starts are heard, which wait for longer: the window comes first.
LISTEN_DELAY = 200


def main(files: Sequence[Path] = ()) -> int:
    """Open the studio with these files; hand them to the one that is open already, if one is."""
    os.chdir(working_folder())
    user_folders.make_private()
    app = QApplication(sys.argv[:1])
    app.setApplicationName("PonyStudio")
    app.setDesktopFileName("ponystudio")
    instance = SingleInstance(user_folders.data())
    if not instance.claim():
        if instance.hand_over(files):
            return 0
        print("PonyStudio is open already and does not answer.", file=sys.stderr)
        return 1
    sys.setswitchinterval(SWITCH_INTERVAL)
    garbage = GarbageCollector(app)
    settings, guard = Settings(), restore_guard()
    settings.restore_look(guard)
    _dress(app, settings)
    with event_loop(app) as loop:
        window = restored_window(settings, files, guard)
        instance.files_received.connect(lambda paths, _token: _open_files(window, paths))
        window.show()
        window.activateWindow()
        QTimer.singleShot(0, window.start)
        QTimer.singleShot(LISTEN_DELAY, instance.listen)
        _close_on_signals(window)
        if not files:
            window.documents.restored.connect(window.welcome)
        code: int = loop.run_forever()
    garbage.close()
    instance.close()
    return code


def _dress(app: QApplication, settings: Settings) -> None:
    """Theme and scale, now and whenever the system or the settings change."""
    hints = QGuiApplication.styleHints()

    def take() -> None:
        wanted = settings.get("theme")
        if wanted == "system":
            light = hints.colorScheme() == Qt.ColorScheme.Light
            wanted = "light" if light else "dark"
        theme.use(wanted)

    theme.set_scale(settings.get("ui_scale"))
    theme.set_reduced_motion(settings.get("reduced_motion"))
    theme.set_density(metrics.DENSITIES[settings.get("density")])
    take()
    style_sheet.apply(app)
    hints.colorSchemeChanged.connect(lambda _: take())
    settings.on("theme", lambda _: take())


def _close_on_signals(window: QWidget) -> None:
    """Ctrl+C in the terminal, and a system that shuts down, close the window as its button does."""
    heard, told = socket.socketpair()
    for end in (heard, told):
        end.setblocking(False)
    signal.set_wakeup_fd(told.fileno())
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: None)  # Python's own would wait for Qt's loop
    notifier = QSocketNotifier(heard.fileno(), QSocketNotifier.Type.Read, window)
    notifier.activated.connect(lambda *_: (heard.recv(64), told.fileno(), window.close()))


def restore_guard() -> RestoreGuard:
    """The guard over what is restored in the data folder."""
    return RestoreGuard(user_folders.data() / "restoring.jsonl")


def restored_window(
    settings: Settings, files: Sequence[Path] = (), guard: RestoreGuard | None = None
) -> MainWindow:
    """A window with what was open last, then these files; an empty canvas, if that is nothing.

    What ended the program while it was restored is not restored again, but offered; of `files`,
    what did so again and again. Without a `guard`, `settings` have not been used yet."""
    from ponystudio.app.window.main_window import MainWindow

    if guard is None:
        guard = restore_guard()
        settings.restore_look(guard)
    window = MainWindow(settings, guard)
    window.documents.new()
    wanted = [file for file in files if not guard.refuses(absolute(file))]
    window.documents.restore()
    if wanted:  # when it has its size, and the graph is there that they may belong to
        take = partial(window.canvas_requests.open_files, wanted)
        window.documents.restored.connect(lambda: QTimer.singleShot(0, window, take))
    return window


def _open_files(window: MainWindow, files: Sequence[Path]) -> None:
    """A second start handed its files over: show the window."""
    window.canvas_requests.open_files(files)
    window.raise_()
    window.activateWindow()


def can_show() -> bool:
    """Whether there is a display to open a window on."""
    if sys.platform in ("win32", "darwin") or os.environ.get("QT_QPA_PLATFORM"):
        return True
    return bool(os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"))
