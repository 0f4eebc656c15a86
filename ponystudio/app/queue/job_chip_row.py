"""The queue as a row of chips: the running job first, and as many more as there is room for."""

from __future__ import annotations

from itertools import pairwise

from PySide6.QtCore import QSize, Qt
from PySide6.QtGui import QPainter, QPaintEvent, QResizeEvent, QWheelEvent
from PySide6.QtWidgets import QSizePolicy, QWidget

from ponystudio.app.queue.job_chip import HEIGHT, WIDTH, JobChip, match_chips
from ponystudio.studio.runs.job_queue import Job
from ponystudio.studio.runs.runner import Runner
from ponystudio.widgets import theme
from ponystudio.widgets.primitives import px

GAP = 16
# Room for the number of those that do not fit.
MORE = 36


class JobChipRow(QWidget):
    """As many as fit, and how many more there are; the wheel brings those."""

    def __init__(self, runner: Runner, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._runner = runner
        self._chips: dict[Job, JobChip] = {}
        self._first = 0
        self.setSizePolicy(QSizePolicy.Policy.Preferred, QSizePolicy.Policy.Fixed)
        self.setAccessibleName(self.tr("Queue"))
        runner.queue.changed.connect(self.refresh)
        runner.queue.job_changed.connect(self._job_changed)
        theme.hub.changed.connect(self._arrange)
        self.refresh()

    @property
    def chips(self) -> list[JobChip]:
        """In their order."""
        return [self._chips[job] for job in self._runner.queue.jobs]

    def sizeHint(self) -> QSize:
        return QSize(self._whole(), _high())

    def minimumSizeHint(self) -> QSize:
        return QSize(min(self._whole(), px(WIDTH + MORE)), _high())

    def width_within(self, limit: int) -> int:
        """What it needs of so much room: all chips, or as many whole ones as there is room for."""
        if self._whole() <= limit:
            return self._whole()
        fitting = max(1, (limit - px(MORE) + px(GAP)) // px(WIDTH + GAP))
        return fitting * px(WIDTH + GAP) - px(GAP) + px(MORE)

    def refresh(self) -> None:
        match_chips(self._chips, self._runner.queue.jobs, self._make_chip)
        self._arrange()
        self.updateGeometry()

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self._arrange()

    def wheelEvent(self, event: QWheelEvent) -> None:
        turn = event.angleDelta()
        self._first += -1 if (turn.y() or turn.x()) > 0 else 1
        self._arrange()
        event.accept()

    def paintEvent(self, _event: QPaintEvent) -> None:
        hidden = len(self.chips) - self.fitting()
        if hidden > 0:
            painter = QPainter(self)
            painter.setFont(theme.font("mono"))
            painter.setPen(theme.current().color("text2"))
            right = Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter
            painter.drawText(self.rect(), right, f"+{hidden}")

    def _make_chip(self, job: Job) -> JobChip:
        chip = JobChip(job, self)
        chip.closed.connect(lambda: self._runner.cancel(job))
        chip.moved.connect(lambda left: self._drag(chip, left))
        chip.dropped.connect(self._arrange)
        chip.shifted.connect(lambda by: self._shift(job, by))
        return chip

    def _job_changed(self, job: Job) -> None:
        if job in self._chips:
            self._chips[job].refresh()

    def _arrange(self) -> None:
        fitting, order = self.fitting(), self.chips
        self._first = max(0, min(self._first, len(order) - fitting))
        for place, chip in enumerate(order):
            chip.resize(px(WIDTH), _high())
            chip.setVisible(self._first <= place < self._first + fitting or chip.is_dragged)
            if not chip.is_dragged:
                chip.move(self._left(place), (self.height() - chip.height()) // 2)
        self.update()
        for before, after in pairwise(order):
            QWidget.setTabOrder(before, after)

    def _drag(self, chip: JobChip, left: int) -> None:
        """The chip follows the pointer; the others make way."""
        left = max(0, min(left, self.width() - chip.width()))
        chip.move(left, chip.y())
        place = self._first + round(left / px(WIDTH + GAP))
        jobs = self._runner.queue.jobs
        if chip.job in jobs and jobs.index(chip.job) != place:
            self._runner.queue.move(chip.job, place)

    def _shift(self, job: Job, by: int) -> None:
        place = self._runner.queue.jobs.index(job) + by
        self._runner.queue.move(job, place)
        self._chips[job].setFocus()

    def _left(self, place: int) -> int:
        return (place - self._first) * px(WIDTH + GAP)

    def fitting(self) -> int:
        count = len(self.chips)
        if self._whole() <= self.width():
            return count
        return max(1, min(count, (self.width() - px(MORE) + px(GAP)) // px(WIDTH + GAP)))

    def _whole(self) -> int:
        count = len(self._runner.queue.jobs)
        return max(0, count * px(WIDTH + GAP) - px(GAP))


def _high() -> int:
    """How tall chips are in the bottom bar."""
    return px(min(HEIGHT, theme.density().bottom_bar - 8))
