"""Pictures made again by the queue from what they carry, and compared with what they were."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

from PySide6.QtCore import QObject, Signal

from ponystudio.errors import PonyStudioError
from ponystudio.graph.formats import graph_file as graph_format
from ponystudio.graph.formats.receipt import Receipt, Verdict
from ponystudio.graph.model import Graph
from ponystudio.pictures.picture_graph import graph_text, read_receipt
from ponystudio.qt.background_tasks import BackgroundTasks, in_background
from ponystudio.qt.notification import Notification
from ponystudio.studio.runs.job_queue import Job
from ponystudio.studio.runs.run_texts import remedy_in_window
from ponystudio.studio.runs.runner import Runner


class PictureVerifier(QObject):
    """Verifies pictures by the queue. `verified` carries the path of a picture and the Verdict,
    `notice` a Notification that says it in words. `close` it before the application ends."""

    verified = Signal(object, object)
    notice = Signal(object)

    def __init__(self, runner: Runner, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._runner = runner
        self._tasks = BackgroundTasks("verify", parent=self)
        self._runs: dict[Job, asyncio.Future[str]] = {}
        runner.job_done.connect(self._job_done)

    def verify(self, picture: Path) -> None:
        """Make it again; a toast says whether it is the same."""
        self._tasks.start(self._verify(picture), partial(self._cannot, picture))

    def close(self) -> None:
        self._tasks.close()

    async def _verify(self, picture: Path) -> None:
        receipt, graph = await in_background(_read, picture)
        with TemporaryDirectory(prefix="ponystudio-verify-", ignore_cleanup_errors=True) as folder:
            title = self.tr("Verify %1").replace("%1", picture.name)
            job = self._runner.run_detached(
                title, graph, receipt.node, Path(folder), picture.parent
            )
            self._runs[job] = asyncio.get_running_loop().create_future()
            how = await self._runs[job]
            if how == "done":
                made = [path for node, path in job.made if node == receipt.node]
                verdict = await in_background(_compare, picture, receipt, made)
        if how == "done":
            self._notify_verdict(picture, verdict)
        elif how == "failed":
            problem = job.problem
            said = f"{problem.what} {problem.remedy}" if problem else job.failure
            self._notify_failure(picture, said.strip())

    def _job_done(self, job: Job, how: str) -> None:
        run = self._runs.pop(job, None)
        if run is not None and not run.done():  # else nobody waits any more
            run.set_result(how)

    def _notify_verdict(self, picture: Path, verdict: Verdict) -> None:
        if verdict.unlike and not verdict.close:
            title = self.tr("%1 is another picture now").replace("%1", picture.name)
            self.notice.emit(Notification(title, f"{verdict.unlike}. {verdict.why}", kind="warn"))
        else:
            title = self.tr("%1 is verified").replace("%1", picture.name)
            same = self.tr("Made again, it is the same in every pixel.")
            if verdict.unlike:
                same = self.tr("Made again, it is the same but for rounding: %1.")
                same = same.replace("%1", verdict.unlike)
            notes = "".join(f" {cause}." for cause in verdict.causes)
            self.notice.emit(Notification(title, same + notes, kind="ok"))
        self.verified.emit(picture, verdict)

    def _cannot(self, picture: Path, error: PonyStudioError) -> None:
        self._notify_failure(
            picture, " ".join(filter(None, (error.what, remedy_in_window(error.remedy))))
        )

    def _notify_failure(self, picture: Path, why: str) -> None:
        title = self.tr("%1 was not verified").replace("%1", picture.name)
        self.notice.emit(Notification(title, why, kind="warn"))


def _read(picture: Path) -> tuple[Receipt, Graph]:
    return read_receipt(picture), graph_format.loads(graph_text(picture))


def _compare(picture: Path, receipt: Receipt, made: Sequence[Path]) -> Verdict:
    from ponystudio.engine.verification import compare  # with numpy, which takes a while

    return compare(picture, receipt.own(made))
