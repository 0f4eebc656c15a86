"""The queue as a row of chips: the running job first, and as many more as there is room for. A chip
says what the job is and how far; it is dragged into another order, or closed.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import pairwise

from PySide6.QtCore import QEvent, QPoint, QPointF, QRect, QRectF, QSize, Qt, Signal
from PySide6.QtGui import (
    QColor,
    QFontMetricsF,
    QImage,
    QKeyEvent,
    QMouseEvent,
    QPainter,
    QPainterPath,
    QPaintEvent,
    QResizeEvent,
    QWheelEvent,
)
from PySide6.QtWidgets import QApplication, QSizePolicy, QWidget

from ponystudio.qt.plain_text import tip
from ponystudio.studio.runs.job_queue import Job
from ponystudio.studio.runs.runner import Runner
from ponystudio.widgets import theme
from ponystudio.widgets.primitives import draw_box, draw_icon, draw_ring, px

WIDTH, HEIGHT = 212, 40
PREVIEW = 30


class JobChip(QWidget):
    """One job. `moved` brings where its left edge (its top, if it stands in an upright list) was
    dragged to, `dropped` that it was let go."""

    moved = Signal(int)
    dropped = Signal()
    closed = Signal()
    shifted = Signal(int)

    def __init__(self, job: Job, parent: QWidget | None = None, *, upright: bool = False) -> None:
        super().__init__(parent)
        self.job, self._upright = job, upright
        self._grip: QPoint | None = None
        self._dragged = False
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setMouseTracking(True)
        self.setAttribute(Qt.WidgetAttribute.WA_Hover)
        self.refresh()

    @property
    def is_dragged(self) -> bool:
        return self._dragged

    def sizeHint(self) -> QSize:
        return QSize(px(WIDTH), px(HEIGHT))

    def refresh(self) -> None:
        words = f"{self._title()}, {self.state()}"
        self.setAccessibleName(words)
        self.setToolTip(tip(words))
        self.update()

    def state(self) -> str:
        """What the second line says where there is room for it."""
        return self.states()[0]

    def states(self) -> list[str]:
        """The same, ever shorter: a status is not cut."""
        job = self.job
        pictures = job.count - job.done
        if job.status == "waiting":
            if pictures <= 1:
                return [self.tr("Waiting")]
            texts = self.tr("{n} pictures, waiting"), self.tr("{n} pictures")
            return [text.format(n=pictures) for text in texts]
        if job.status == "stopping":
            return [self.tr("Stopping")]
        prefix = f"{job.done + 1}/{job.count}  " if job.count > 1 else ""
        name = job.node_title
        if not name:
            return [prefix + self.tr("Starting")]
        if not job.steps:
            return [prefix + name, prefix + self.tr("Running")]
        step = self.tr("step {i} of {n}").format(i=job.step, n=job.steps)
        count = self.tr("{i} of {n}").format(i=job.step, n=job.steps)
        return [f"{prefix}{text}" for text in (f"{name}, {step}", f"{name}, {count}", step, count)]

    # --- Looks ------------------------------------------------------------------------------------

    def paintEvent(self, _event: QPaintEvent) -> None:
        painter, look, rect = QPainter(self), theme.current(), QRectF(self.rect())
        running = self.job.status != "waiting"
        ground = look.color("hover" if self._dragged else "card")
        draw_box(painter, rect, px(6), ground, look.color("accent" if running else "line"))
        if running:
            self._paint_progress(painter, rect, look.color("accent"))
        ink = look.color("text3" if self.underMouse() and not running else "line2")
        self._paint_grip(painter, ink)
        left = px(20)
        side = min(px(PREVIEW), rect.height() - px(8))
        picture = QRectF(left, (rect.height() - side) / 2, side, side)
        _paint_picture(painter, picture, self.job.picture)
        self._paint_words(painter, left + side + px(8))
        hovered = self.close_rect().contains(self.mapFromGlobal(self.cursor().pos()))
        close = QRectF(self.close_rect()).center()
        draw_icon(painter, "close", close, look.color("text" if hovered else "text2"), 14)
        if self.hasFocus():
            draw_ring(painter, rect, px(6))

    def _paint_words(self, painter: QPainter, left: float) -> None:
        """What it is and how far; in a low one only what it is, the bar tells the rest."""
        look, wide = theme.current(), self.close_rect().left() - px(4) - left
        low = self.height() < px(HEIGHT)
        first = QRectF(left, 0 if low else px(3), wide, self.height() if low else px(17))
        _paint_text(painter, first, [self._title()], "body", look.color("text"))
        if not low:
            second = QRectF(left, px(19), wide, px(16))
            _paint_text(painter, second, self.states(), "caption", look.color("text3"))

    def _paint_progress(self, painter: QPainter, rect: QRectF, color: QColor) -> None:
        clip = QPainterPath()
        clip.addRoundedRect(rect.adjusted(1, 1, -1, -1), px(6) - 1, px(6) - 1)
        painter.save()
        painter.setClipPath(clip)
        width = (rect.width() - 2) * self.job.fraction
        painter.fillRect(QRectF(1, rect.height() - 1 - px(3), width, px(3)), color)
        painter.restore()

    def _paint_grip(self, painter: QPainter, color: QColor) -> None:
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(color)
        for column in range(2):
            for row in range(3):
                centre = QPointF(px(9 + 4 * column), self.height() / 2 + px(5) * (row - 1))
                painter.drawEllipse(centre, px(1), px(1))

    def _title(self) -> str:
        return self.job.title or self.tr("Untitled")

    def close_rect(self) -> QRect:
        size = px(24)
        return QRect(self.width() - size - px(4), (self.height() - size) // 2, size, size)

    # --- Hands ------------------------------------------------------------------------------------

    def mousePressEvent(self, event: QMouseEvent) -> None:
        if event.button() == Qt.MouseButton.LeftButton:
            self._grip = event.position().toPoint()

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        here = event.position().toPoint()
        on_close = self.close_rect().contains(here)
        movable = self.job.status == "waiting"
        shape = Qt.CursorShape.OpenHandCursor if movable else Qt.CursorShape.ArrowCursor
        self.setCursor(Qt.CursorShape.ArrowCursor if on_close else shape)
        if self._grip is not None and movable:
            far = (here - self._grip).manhattanLength() >= QApplication.startDragDistance()
            if far and not self._dragged and not self.close_rect().contains(self._grip):
                self._dragged = True
                self.raise_()
            if self._dragged:
                to = self.pos() + here - self._grip
                self.moved.emit(to.y() if self._upright else to.x())
        self.update()

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        here = event.position().toPoint()
        grip, self._grip = self._grip, None
        if self._dragged:
            self._dragged = False
            self.dropped.emit()
        elif (
            grip is not None
            and self.close_rect().contains(here)
            and (self.close_rect().contains(grip))
        ):
            self.closed.emit()

    def keyPressEvent(self, event: QKeyEvent) -> None:
        back = Qt.Key.Key_Up if self._upright else Qt.Key.Key_Left
        forth = Qt.Key.Key_Down if self._upright else Qt.Key.Key_Right
        alt = bool(event.modifiers() & Qt.KeyboardModifier.AltModifier)
        if event.key() in (Qt.Key.Key_Delete, Qt.Key.Key_Backspace):
            self.closed.emit()
        elif event.key() in (back, forth):
            if alt:
                self.shifted.emit(-1 if event.key() == back else 1)
            else:
                self.focusNextPrevChild(event.key() == forth)
        else:
            super().keyPressEvent(event)

    def event(self, event: QEvent) -> bool:
        if event.type() in (QEvent.Type.HoverEnter, QEvent.Type.HoverLeave):
            self.update()
        return super().event(event)


def match_chips(
    chips: dict[Job, JobChip], jobs: Sequence[Job], make: Callable[[Job], JobChip]
) -> None:
    """One fresh chip for every job, none for others: `chips` is changed in place."""
    for job in [job for job in chips if job not in jobs]:
        chip = chips.pop(job)
        chip.hide()
        chip.deleteLater()
    for job in jobs:
        if job not in chips:
            chips[job] = make(job)
        chips[job].refresh()


def longest_within(texts: Sequence[str], metrics: QFontMetricsF, width: float) -> str:
    """The first that fits, or the last without its end."""
    for text in texts:
        if metrics.horizontalAdvance(text) <= width:
            return text
    return metrics.elidedText(texts[-1], Qt.TextElideMode.ElideRight, width)


def _paint_text(
    painter: QPainter, place: QRectF, texts: Sequence[str], role: str, color: QColor
) -> None:
    font = theme.font(role)
    painter.setFont(font)
    painter.setPen(color)
    shown = longest_within(texts, QFontMetricsF(font), place.width())
    painter.drawText(place, Qt.AlignmentFlag.AlignVCenter, shown)


def _paint_picture(painter: QPainter, place: QRectF, picture: QImage | None) -> None:
    """Cropped to a square; a plain one where there is none yet."""
    look = theme.current()
    clip = QPainterPath()
    clip.addRoundedRect(place, px(4), px(4))
    painter.save()
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    painter.setRenderHint(QPainter.RenderHint.SmoothPixmapTransform)
    painter.fillPath(clip, look.color("field"))
    if picture is None or picture.isNull():
        draw_icon(painter, "image", place.center(), look.color("line2"))
    else:
        side = min(picture.width(), picture.height())
        source = QRectF((picture.width() - side) / 2, (picture.height() - side) / 2, side, side)
        painter.setClipPath(clip)
        painter.drawImage(place, picture, source)
    painter.restore()


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
