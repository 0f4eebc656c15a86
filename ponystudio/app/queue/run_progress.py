"""How far the present run is: a bar, percent, nodes, and when it will be ready."""

from __future__ import annotations

from collections.abc import Mapping

from PySide6.QtCore import QRectF, QSize, Qt, QTimer
from PySide6.QtGui import QFont, QFontMetricsF, QPainter, QPaintEvent
from PySide6.QtWidgets import QSizePolicy, QWidget

from ponystudio.graph.model import Node
from ponystudio.qt.plain_text import tip
from ponystudio.studio.documents.document import Document
from ponystudio.studio.documents.editable_graph import Problem
from ponystudio.studio.runs.job_queue import Job
from ponystudio.studio.runs.run_texts import duration, rough_duration
from ponystudio.studio.runs.runner import Runner
from ponystudio.widgets import theme
from ponystudio.widgets.primitives import draw_bar, px

Piece = tuple[str, str, str]
"""Text, font role, colour token."""
BAR = 6
SAID = 4000
"""Milliseconds."""


class RunProgress(QWidget):
    """Says what there is to say when nothing runs, too: why the engine is not there, say."""

    def __init__(self, runner: Runner, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._runner = runner
        self._last, self._failed = "", False
        # What the failure that is shown was of: its document, as it then was.
        self._of: tuple[Document, Mapping[str, Node]] | None = None
        self._page_status: tuple[str, str] = ("", "")
        self._problem: Problem | None = None
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self._said = ""
        self._unsay = QTimer(self, singleShot=True, interval=SAID)
        self._unsay.timeout.connect(lambda: self.say(""))
        self._soon = QTimer(self, singleShot=True, interval=33)
        self._soon.timeout.connect(self._refresh)
        runner.queue.changed.connect(self._later)
        runner.queue.job_changed.connect(lambda _: self._later())
        runner.job_done.connect(self._job_done)
        runner.refused.connect(self._refused)
        runner.planner.checked.connect(self._checked)
        runner.worker.ready_changed.connect(lambda _: self._later())
        runner.worker.failed.connect(lambda _: self._later())
        theme.hub.changed.connect(self._restyle)
        self._refresh()

    def set_page_status(self, fact: str, hint: str) -> None:
        """What a page in the place of the canvas says, while nothing else is to be said."""
        self._page_status = (fact, hint)
        self._later()

    def say(self, text: str) -> None:
        """What a key has just done, for some seconds."""
        self._said = text
        if text:
            self._unsay.start()
        self._later()

    def sizeHint(self) -> QSize:
        return QSize(px(360), px(40))

    def minimumSizeHint(self) -> QSize:
        return QSize(px(160), px(40))

    def texts(self) -> tuple[list[Piece], list[Piece]]:
        """What stands on the left, and on the right."""
        runner, job = self._runner, self._runner.queue.running
        if self._said:
            return [(self._said, "body", "text")], []
        if job is not None:
            return self._of_run(job)
        if runner.worker.failure:
            return [(runner.worker.failure, "body", "err")], []
        if runner.paused and runner.queue.jobs:
            count = len(runner.queue.jobs)
            waiting = self.tr("1 job waits") if count == 1 else self.tr("{n} jobs wait")
            return [
                (self.tr("Paused"), "group", "text"),
                (waiting.format(n=count), "body", "text2"),
            ], []
        if self._problem is not None:
            remedy = self._problem.remedy
            return [(self._problem.what, "body", "err"), (remedy, "body", "text2")], []
        if any(self._page_status):
            fact, hint = self._page_status
            pieces = [(fact, "body", "text"), (hint, "body", "text3")]
            return [piece for piece in pieces if piece[0]], []
        if not runner.worker.is_ready:
            return [(self.tr("The engine is starting"), "body", "text3")], []
        token = "err" if self._failed else "text3"
        return [(self._last or self.tr("Ready"), "body", token)], []

    def _of_run(self, job: Job) -> tuple[list[Piece], list[Piece]]:
        if job.status == "stopping":
            return [(self.tr("Stopping"), "group", "text")], []
        if not self._runner.worker.is_ready:
            return [(self.tr("Waiting for the engine to start"), "body", "text2")], []
        left = [
            (f"{int(job.fraction * 100)} %", "group", "text"),
            (self._nodes(job), "body", "text2"),
        ]
        if job.left is None or not job.nodes:
            return left, []
        seconds = job.left
        return left, [
            (self.tr("ready in about"), "body", "text2"),
            (rough_duration(seconds), "mono", "text"),
        ]

    def _nodes(self, job: Job) -> str:
        if not job.nodes:
            return self.tr("Looking what is to do")
        text = self.tr("{i} of {n} nodes").format(i=job.nodes_done, n=job.nodes)
        if job.nodes_cached and job.nodes_cached == job.nodes_done:
            return text + self.tr(", all from the cache")
        if job.nodes_cached:
            return text + self.tr(", {n} from the cache").format(n=job.nodes_cached)
        return text

    def paintEvent(self, _event: QPaintEvent) -> None:
        painter, look = QPainter(self), theme.current()
        job = self._runner.queue.running
        line = px(17)
        top = (self.height() - line - px(8) - px(BAR)) / 2 if job else (self.height() - line) / 2
        left, right = self.texts()
        taken = self._draw(painter, right, top, None)
        self._draw(painter, left, top, self.width() - taken - px(12))
        if job is not None:
            bar = QRectF(0, top + line + px(7), self.width(), px(BAR + 1))
            draw_bar(painter, bar, [(job.fraction, look.color("accent"))])

    def _draw(
        self, painter: QPainter, pieces: list[Piece], top: float, room: float | None
    ) -> float:
        """Pieces side by side: from the left in this room, or (None) up to the right edge."""
        gap = px(6) if room is None else px(9)
        metrics = [QFontMetricsF(self._font(role)) for _, role, _ in pieces]
        widths = [m.horizontalAdvance(t) for m, (t, _, _) in zip(metrics, pieces, strict=True)]
        whole = sum(widths) + gap * max(0, len(pieces) - 1)
        x = self.width() - whole if room is None else 0.0
        for (text, role, token), metric, width in zip(pieces, metrics, widths, strict=True):
            painter.setFont(self._font(role))
            painter.setPen(theme.current().color(token))
            free = width if room is None else max(0.0, min(width, room - x))
            if free < width and x > 0:  # said whole, shorter, or not at all
                text = text.partition(",")[0]
                free = metric.horizontalAdvance(text)
                if room is None or x + free > room:
                    return whole
            elif free < width:
                text = metric.elidedText(text, Qt.TextElideMode.ElideRight, free)
            painter.drawText(QRectF(x, top, free + 1, px(17)), Qt.AlignmentFlag.AlignVCenter, text)
            x += width + gap
        return whole

    def _font(self, role: str) -> QFont:
        font = theme.font(role)
        if role == "group":
            font.setPixelSize(theme.font("body").pixelSize())
        return font

    def _later(self) -> None:
        if not self._soon.isActive():
            self._soon.start()

    def _refresh(self) -> None:
        if self._runner.queue.running is not None:
            self._problem = None
        left, right = self.texts()
        text = " ".join(piece[0] for piece in (*left, *right) if piece[0])
        self.setAccessibleName(text)
        self.setToolTip(tip(text if self._problem is not None else ""))
        self.update()

    def _job_done(self, job: Job, how: str) -> None:
        done = self.tr("Done in {time}").format(time=duration(job.seconds))
        if job.nodes and job.nodes_cached == job.nodes_done and job.count == 1:
            done = self.tr("Done: all of it was there already")
        if job.left_out:
            one = job.left_out == 1
            without = self.tr(", 1 node left out") if one else self.tr(", {n} nodes left out")
            done += without.format(n=job.left_out)
        words = {
            "done": done,
            "stopped": self.tr("Stopped"),
            "failed": job.failure.rstrip(".") or self.tr("Failed"),
        }
        self._last, self._failed = words.get(how, ""), how == "failed"
        self._note(self._runner.document_of(job))
        self._later()

    def _refused(self, document: Document | None, problem: Problem) -> None:
        self._problem = problem
        self._note(document)
        self._later()

    def _note(self, document: Document | None) -> None:
        self._of = None if document is None else (document, document.graph.nodes)

    def _checked(self, document: Document) -> None:
        """A failure is no news any more once its cause is changed: no card shows it then."""
        if self._of is None or self._of[0] is not document or self._of[1] == document.graph.nodes:
            return
        if not any(document.states[id].phase == "failed" for id in document.graph.nodes):
            self._problem = None
            if self._failed:
                self._last, self._failed = "", False
            self._later()

    def _restyle(self) -> None:
        self.updateGeometry()
        self.update()
