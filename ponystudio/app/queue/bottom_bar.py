"""The bottom bar: the queue, how far the run is, and who has how much memory."""

from __future__ import annotations

from PySide6.QtCore import QSize, QTimer
from PySide6.QtGui import QPainter, QPaintEvent, QResizeEvent
from PySide6.QtWidgets import QHBoxLayout, QSizePolicy, QWidget

from ponystudio.app.queue.job_chip_row import JobChipRow
from ponystudio.app.queue.memory_bar import MemoryBar
from ponystudio.app.queue.run_progress import RunProgress
from ponystudio.studio.runs.runner import Runner
from ponystudio.widgets import theme
from ponystudio.widgets.primitives import PaintedButton, Separator, px

SETTLE = 30


class BottomBar(QWidget):
    def __init__(self, runner: Runner, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._runner = runner
        self.setSizePolicy(QSizePolicy.Policy.Preferred, QSizePolicy.Policy.Fixed)
        self.chips = JobChipRow(runner, self)
        self.pause = PaintedButton("icon", icon="pause", name=self.tr("Pause the queue"))
        self.pause.clicked.connect(self._toggle)
        self.progress = RunProgress(runner, self)
        self.memory = MemoryBar(runner.link, self)
        row = QHBoxLayout(self)
        row.setContentsMargins(px(12), 0, px(12), 0)
        row.setSpacing(px(16))
        self._first = Separator()
        row.addWidget(self.chips)
        row.addWidget(self.pause)
        row.addWidget(self._first)
        row.addWidget(self.progress, 1)
        row.addWidget(Separator())
        row.addWidget(self.memory)
        runner.queue.changed.connect(self._refresh)
        theme.hub.changed.connect(self._restyle)
        # A run that fails or is found in the cache at once should not make the bar flicker.
        self._settle = QTimer(self, singleShot=True, interval=SETTLE)
        self._settle.timeout.connect(self._show_queue)
        self._show_queue()

    def sizeHint(self) -> QSize:
        return QSize(px(900), px(theme.density().bottom_bar))

    def minimumSizeHint(self) -> QSize:
        return QSize(px(480), px(theme.density().bottom_bar))

    def paintEvent(self, _event: QPaintEvent) -> None:
        painter, look = QPainter(self), theme.current()
        painter.fillRect(self.rect(), look.color("panel"))
        painter.fillRect(0, 0, self.width(), 1, look.color("line"))

    def _refresh(self) -> None:
        self._settle.start()

    def _show_queue(self) -> None:
        some = bool(self._runner.queue.jobs)
        self.chips.setVisible(some)
        self.chips.setFixedWidth(self.chips.width_within(self._room_for_chips()))
        self.pause.setVisible(some)
        self._first.setVisible(some)
        paused = self._runner.paused
        self.pause.set_look("", "run" if paused else "pause")
        words = self.tr("Go on with the queue") if paused else self.tr("Pause after this picture")
        self.pause.setAccessibleName(words)
        self.pause.setToolTip(words)

    def _room_for_chips(self) -> int:
        """At most two fifths, and no more than the others leave."""
        others = self.memory.sizeHint().width() + self.progress.minimumSizeHint().width()
        left = self.width() - others - px(theme.density().button) - 2 - 2 * px(12) - 5 * px(16)
        return min(self.width() * 2 // 5, left)

    def _toggle(self) -> None:
        if self._runner.paused:
            self._runner.resume()
        else:
            self._runner.pause()

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self.memory.set_room(self.width())
        self._show_queue()

    def _restyle(self) -> None:
        layout = self.layout()
        if layout is not None:
            layout.setContentsMargins(px(12), 0, px(12), 0)
            layout.setSpacing(px(16))
        self.updateGeometry()
        self.update()
