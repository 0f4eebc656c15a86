"""All that runs, put together: engine, queue, notifications, as the settings want it."""

from __future__ import annotations

import shutil
from dataclasses import replace
from functools import partial
from pathlib import Path

from PySide6.QtCore import QObject, QTimer, Signal

from ponystudio.app.window.notifications import DesktopNotifier
from ponystudio.engine.protocol.worker_messages import WorkerSettings
from ponystudio.errors import PonyStudioError
from ponystudio.graph.atomic_write import sweep_drafts
from ponystudio.library import user_folders
from ponystudio.library.model_folders import ModelFolders, default_roots
from ponystudio.qt.notification import Notification
from ponystudio.studio.restore_guard import Key, RestoreGuard
from ponystudio.studio.results.thumbnail_cache import trim
from ponystudio.studio.runs.duration_estimates import Estimates
from ponystudio.studio.runs.job_queue import JobQueue
from ponystudio.studio.runs.job_store import JobStore
from ponystudio.studio.runs.keep_awake import SleepInhibitor
from ponystudio.studio.runs.last_run import LastPictures, LastSeeds
from ponystudio.studio.runs.run_folders import RunFolders
from ponystudio.studio.runs.runner import Runner
from ponystudio.studio.runs.seeds import SeedMode
from ponystudio.studio.settings import METADATA, Settings
from ponystudio.studio.worker.worker_session import WorkerSession

# Settings that only a new worker can take.
_NEEDS_A_WORKER = ("dtype", "device_memory_gb", "disk_cache_gb")
_MODES: dict[str, SeedMode] = {"fixed": "fixed", "increment": "next", "random": "random"}
ENGINE_LOG = "engine.log"
# By what the guard knows the queue.
QUEUE: Key = ("queue", "queue")
# Pictures that were only shown; the oldest go first.
PREVIEWS_BYTES = 256 * 2**20
# Milliseconds in which further settings may change before a new worker is started.
SETTLE = 400


class Services(QObject):
    """The parts of the studio that have no widget: `worker`, `runner`, `sleep_inhibitor` and
    `notifier`, which follow the settings.

    `start` after the first paint, `close` before the application ends. `notice` carries a
    Notification.
    """

    notice = Signal(object)

    def __init__(
        self,
        settings: Settings,
        parent: QObject | None = None,
        *,
        guard: RestoreGuard | None = None,
    ) -> None:
        super().__init__(parent)
        self._settings = settings
        self._guard = guard or RestoreGuard(None, self)
        self._store = JobStore(user_folders.data() / "queue", self._queue_kept)
        self.worker = WorkerSession(
            self._worker_settings(),
            catalog_file=user_folders.cache() / "catalog.json",
            log_file=user_folders.logs() / ENGINE_LOG,
            parent=self,
        )
        queue = JobQueue(self._store, self)
        folders = RunFolders(
            self.models,
            settings.output_folder,
            user_folders.cache() / "previews",
            settings.metadata_policy,
        )
        self.runner = Runner(
            self.worker,
            folders,
            queue=queue,
            estimates=Estimates(user_folders.cache() / "estimates.json"),
            last_seeds=LastSeeds(user_folders.data() / "last-seeds.json"),
            last_pictures=LastPictures(user_folders.data() / "last-pictures.json"),
            parent=self,
        )
        self.sleep_inhibitor = SleepInhibitor(queue, self)
        self.notifier = DesktopNotifier(self.runner, self)
        self._restart = QTimer(self, singleShot=True, interval=SETTLE)
        self._restart.timeout.connect(lambda: self.worker.restart(self._worker_settings()))
        settings.on("notify", self.notifier.set_on, now=True)
        settings.on("keep_awake", self.sleep_inhibitor.set_on, now=True)
        settings.on("seed_mode", self._set_seed_mode, now=True)
        settings.on("previews", self.worker.show_previews)
        for name in ("model_folders", "output_folder", *METADATA):
            settings.on(name, self._folders_changed)
        for name in _NEEDS_A_WORKER:
            settings.on(name, self._restart_soon)
        settings.on("device", self._device_changed)
        self.runner.options_changed.connect(self._store_seed_mode)

    def models(self) -> list[Path]:
        """The folders of the settings, the user's own, and what ships with PonyStudio."""
        return [*self._settings.model_folders(), *default_roots()]

    def model_folders(self) -> ModelFolders:
        """Where models are, for a graph that is in no file."""
        return ModelFolders(self.models())

    def start(self) -> None:
        """Start the worker, and take up the queue that was left."""
        self.worker.start()
        self.worker.show_previews(self._settings.get("previews"))
        self._restore_queue()
        self.runner.pictures.work.do(partial(_tidy_up, self._settings.output_folder()))

    def close(self) -> None:
        self._restart.stop()
        self.runner.close()
        self.sleep_inhibitor.close()
        self.notifier.close()
        self.worker.close()
        self._store.close()

    def _restore_queue(self) -> None:
        if (suspect := self._guard.suspect(*QUEUE)) is not None:
            if not self._store.put_aside():
                return  # it stays where it is, suspect and unread
            self._guard.forgive(suspect)
        elif self._store.has_jobs:
            self._guard.begin(*QUEUE, durable=True)
        self.runner.restore()
        QTimer.singleShot(0, self, lambda: self._guard.drawn(*QUEUE))

    def held_queues(self) -> list[Path]:
        """Queues that were put aside, since the program ended while they were taken up."""
        return self._store.aside()

    def take_held_queues(self) -> None:
        """Take them up all the same, after what waits already; not while the disk keeps one from
        being put aside, which has been told."""
        if not self._store.is_free:
            return
        self._guard.begin(*QUEUE, durable=True)
        for folder in self.held_queues():
            store = JobStore(folder)
            self.runner.restore(store)
            store.close()

    def discard_held_queues(self) -> bool:
        """False while the disk keeps one from being put aside."""
        if not self._store.is_free:
            return False
        for folder in self.held_queues():
            shutil.rmtree(folder, ignore_errors=True)
        return True

    def _queue_kept(self, error: PonyStudioError | None) -> None:
        title = self.tr("The queue could be lost")
        if error is None:
            safe = self.tr("The queue is kept safe again")
            self.notice.emit(Notification(safe, kind="ok", ends=title))
        else:
            self.notice.emit(replace(Notification.of(title, error), lasting=True))

    def _device_changed(self, name: str) -> None:
        """A device that is not here takes the engine from nobody."""
        if name == "auto" or name in self.worker.devices or not self.worker.devices:
            self._restart_soon(name)
        else:
            title = self.tr("There is no device %1 here").replace("%1", name)
            text = self.tr("The engine stays on %1.").replace("%1", self.worker.device)
            self.notice.emit(Notification(title, text, kind="warn"))

    def _restart_soon(self, _value: object) -> None:
        self._restart.start()

    def _folders_changed(self, _value: object) -> None:
        self.runner.planner.plan_all()

    def _set_seed_mode(self, name: str) -> None:
        self.runner.set_seed_mode(_MODES.get(name, "random"))

    def _store_seed_mode(self) -> None:
        name = next(name for name, mode in _MODES.items() if mode == self.runner.seed_mode)
        self._settings.set("seed_mode", name)

    def _worker_settings(self) -> WorkerSettings:
        return WorkerSettings(
            device=self._settings.get("device"),
            dtype=self._settings.get("dtype"),
            cache_dir=user_folders.results_cache(),
            cache_bytes=int(self._settings.get("disk_cache_gb") * 2**30),
            memory=int(self._settings.get("device_memory_gb") * 2**30),
            index_path=user_folders.model_index(),
        )


def _tidy_up(output_folder: Path) -> None:
    """In a thread: what is old, and what processes that were killed have left half."""
    data, config, cache = user_folders.data(), user_folders.config(), user_folders.cache()
    for folder in (data, config, cache, output_folder):
        sweep_drafts(folder)
    trim(cache / "previews", PREVIEWS_BYTES)
