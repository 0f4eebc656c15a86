"""The queue as a list, for when there is more in it than the bottom bar shows."""

from __future__ import annotations

from PySide6.QtCore import Qt
from PySide6.QtGui import QPainter, QPaintEvent
from PySide6.QtWidgets import (
    QFrame,
    QHBoxLayout,
    QScrollArea,
    QSizePolicy,
    QVBoxLayout,
    QWidget,
)

from ponystudio.app.queue.job_chip import JobChip, match_chips
from ponystudio.qt.plain_text import tip
from ponystudio.studio.runs.job_queue import Job
from ponystudio.studio.runs.runner import Runner
from ponystudio.widgets import theme
from ponystudio.widgets.common import label
from ponystudio.widgets.primitives import PaintedButton, px

GAP = 8


class QueuePanel(QWidget):
    """A panel of the left side. Jobs are dragged up and down, or moved by Alt+Up and Alt+Down."""

    def __init__(self, runner: Runner, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._runner = runner
        self._chips: dict[Job, JobChip] = {}
        self.setAccessibleName(self.tr("Queue"))
        self.pause = PaintedButton("icon", icon="pause", name=self.tr("Pause the queue"))
        self.pause.clicked.connect(self._toggle)
        self.empty = PaintedButton("icon", icon="delete", name=self.tr("Empty the queue"))
        self.empty.setToolTip(self.tr("Empty the queue"))
        self.empty.clicked.connect(runner.cancel_all)
        title = label(self.tr("Queue"), "title")
        top = QHBoxLayout()
        top.addWidget(title, 1)
        top.addWidget(self.pause)
        top.addWidget(self.empty)
        self.hint = label(self.tr("Nothing waits. Run puts pictures here."), "caption")
        self.hint.setWordWrap(True)
        self._list = _List()
        area = QScrollArea()
        area.setWidget(self._list)
        area.setWidgetResizable(True)
        area.setFrameShape(QFrame.Shape.NoFrame)
        area.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        area.viewport().setAutoFillBackground(False)
        column = QVBoxLayout(self)
        column.setContentsMargins(px(12), px(12), px(12), px(12))
        column.setSpacing(px(GAP))
        column.addLayout(top)
        column.addWidget(self.hint)
        column.addWidget(area, 1)
        runner.queue.changed.connect(self.refresh)
        runner.queue.job_changed.connect(self._job_changed)
        self.refresh()

    @property
    def chips(self) -> list[JobChip]:
        """In their order."""
        return [self._chips[job] for job in self._runner.queue.jobs]

    def refresh(self) -> None:
        jobs = self._runner.queue.jobs
        match_chips(self._chips, jobs, self._make_chip)
        self._list.arrange(self.chips)
        self.hint.setVisible(not jobs)
        self.pause.setVisible(bool(jobs))
        self.empty.setVisible(bool(jobs))
        paused = self._runner.paused
        self.pause.set_look("", "run" if paused else "pause")
        words = self.tr("Go on with the queue") if paused else self.tr("Pause after this picture")
        self.pause.setAccessibleName(words)
        self.pause.setToolTip(tip(words))

    def _make_chip(self, job: Job) -> JobChip:
        chip = JobChip(job, self._list, upright=True)
        chip.closed.connect(lambda: self._runner.cancel(job))
        chip.moved.connect(lambda top: self._drag(chip, top))
        chip.dropped.connect(self.refresh)
        chip.shifted.connect(lambda by: self._shift(job, by))
        chip.show()
        return chip

    def _job_changed(self, job: Job) -> None:
        if job in self._chips:
            self._chips[job].refresh()

    def _drag(self, chip: JobChip, top: int) -> None:
        chip.move(chip.x(), max(0, min(top, self._list.height() - chip.height())))
        self._runner.queue.move(chip.job, round(chip.y() / (chip.height() + px(GAP))))

    def _shift(self, job: Job, by: int) -> None:
        self._runner.queue.move(job, self._runner.queue.jobs.index(job) + by)
        self._chips[job].setFocus()

    def _toggle(self) -> None:
        self._runner.resume() if self._runner.paused else self._runner.pause()

    def paintEvent(self, _event: QPaintEvent) -> None:
        QPainter(self).fillRect(self.rect(), theme.current().color("panel"))


class _List(QWidget):
    """Chips one below the other, over the whole width."""

    def __init__(self) -> None:
        super().__init__()
        self._chips: list[JobChip] = []
        self.setSizePolicy(QSizePolicy.Policy.Preferred, QSizePolicy.Policy.Minimum)

    def arrange(self, chips: list[JobChip]) -> None:
        self._chips = chips
        self._place()
        height = max(0, len(chips) * (px(40) + px(GAP)) - px(GAP))
        self.setMinimumHeight(height)

    def resizeEvent(self, _event: object) -> None:
        self._place()

    def paintEvent(self, _event: QPaintEvent) -> None:
        QPainter(self).fillRect(self.rect(), theme.current().color("panel"))

    def _place(self) -> None:
        for place, chip in enumerate(self._chips):
            chip.resize(self.width(), px(40))
            if not chip.is_dragged:
                chip.move(0, place * (chip.height() + px(GAP)))
