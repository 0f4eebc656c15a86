"""The bottom bar: the queue, how far the run is, and who has how much of the memory: weights,
results, others, and what is free.
"""

from __future__ import annotations

from PySide6.QtCore import QPointF, QRectF, QSize, Qt, QTimer
from PySide6.QtGui import QContextMenuEvent, QFontMetricsF, QPainter, QPaintEvent, QResizeEvent
from PySide6.QtWidgets import QHBoxLayout, QMenu, QSizePolicy, QWidget

from ponystudio.app.queue.job_chip import JobChipRow
from ponystudio.app.queue.run_progress import RunProgress
from ponystudio.engine.protocol.worker_messages import MemoryUse
from ponystudio.qt.plain_text import tip
from ponystudio.studio.runs.run_texts import memory
from ponystudio.studio.runs.runner import Runner
from ponystudio.studio.worker.worker_session import WorkerSession
from ponystudio.widgets import theme
from ponystudio.widgets.primitives import PaintedButton, Separator, draw_bar, draw_icon, px

# Below this width of the window the legend makes room.
LEGEND_FROM = 1240
BAR_FROM = 860


class MemoryBar(QWidget):
    def __init__(self, worker: WorkerSession, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._worker = worker
        self._menu: QMenu | None = None
        self.setSizePolicy(QSizePolicy.Policy.Fixed, QSizePolicy.Policy.Fixed)
        self.gauge = _Gauge(worker, self)
        self.legend = _Legend(worker, self)
        self.unload = PaintedButton("plain", self.tr("Unload"), "unload")
        self.unload.setToolTip(self.tr("Take the models that nothing is using out of the memory"))
        self.unload.clicked.connect(worker.unload)
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(px(16))
        for part in (self.gauge, self.legend, self.unload):
            row.addWidget(part)
        worker.memory.connect(lambda _: self._refresh())
        worker.ready_changed.connect(lambda _: self._refresh())
        self._refresh()

    def set_room(self, width: int) -> None:
        """The width of the window: in a narrow one the legend goes first, then the bar."""
        self.legend.setVisible(width >= px(LEGEND_FROM))
        self.gauge.setVisible(width >= px(BAR_FROM))

    def contextMenuEvent(self, event: QContextMenuEvent) -> None:
        self._menu = menu = QMenu(self)
        menu.addAction(self.tr("Unload models"), self._worker.unload)
        menu.addAction(self.tr("Clear the cache of results"), self._worker.clear_cache)
        menu.aboutToHide.connect(menu.deleteLater)
        menu.popup(event.globalPos())

    def _refresh(self) -> None:
        self.unload.setEnabled(self._worker.is_ready)
        words = self.describe()
        self.gauge.setToolTip(tip(words))
        self.gauge.setAccessibleName(words)
        self.legend.setToolTip(tip(words))
        self.gauge.update()
        self.legend.update()

    def describe(self) -> str:
        """All of it in words, for the tooltip and for screen readers."""
        use = self._worker.memory_in_use
        if not use:
            return self.tr("Memory in use is known when the engine is ready")
        lines = [
            self._worker.device_choice,
            self.tr("Weights {size}").format(size=memory(use.weights)),
            self.tr("Results {size}").format(size=memory(use.results)),
            self.tr("{free} free of {total}").format(
                free=memory(use.free), total=memory(use.total)
            ),
        ]
        if use.main_weights or use.main_results:
            both = use.main_weights + use.main_results
            lines.append(self.tr("In main memory {size}").format(size=memory(both)))
        return "\n".join(line for line in lines if line)


def shares(use: MemoryUse) -> tuple[float, float, float]:
    """(weights, results, others) of the whole, which together are what is not free.

    Weights that are mapped count as free to the system: then they take from the free part.
    """
    total = max(1, use.total)
    weights, results = use.weights / total, use.results / total
    others = 1.0 - use.free / total - weights - results
    return min(weights, 1.0), min(results, 1.0 - min(weights, 1.0)), max(0.0, others)


class _Gauge(QWidget):
    def __init__(self, worker: WorkerSession, parent: QWidget) -> None:
        super().__init__(parent)
        self._worker = worker
        self.setSizePolicy(QSizePolicy.Policy.Fixed, QSizePolicy.Policy.Fixed)

    def sizeHint(self) -> QSize:
        return QSize(px(311), px(40))

    def paintEvent(self, _event: QPaintEvent) -> None:
        painter, look = QPainter(self), theme.current()
        line = px(17)
        top = (self.height() - line - px(7) - px(7)) / 2
        chip = QPointF(px(8), top + line / 2)
        draw_icon(painter, "chip", chip, look.color("text2"))
        strong = theme.font("group")
        strong.setPixelSize(theme.font("body").pixelSize())
        painter.setFont(strong)
        painter.setPen(look.color("text"))
        middle = Qt.AlignmentFlag.AlignVCenter
        painter.drawText(
            QRectF(px(22), top, self.width(), line),
            middle,
            self._worker.device or self.tr("Engine"),
        )
        use = self._worker.memory_in_use if self._worker.is_ready else None
        if use:
            self._paint_free(painter, use, top)
        bar = QRectF(0, top + line + px(7), self.width(), px(7))
        parts = []
        if use:
            weights, results, others = shares(use)
            parts = [
                (weights, look.socket("model").color),
                (results, look.socket("image").color),
                (others, look.color("line2")),
            ]
        draw_bar(painter, bar, parts)

    def _paint_free(self, painter: QPainter, use: MemoryUse, top: float) -> None:
        look = theme.current()
        total = memory(use.total).split(" ")[0]
        pieces = [
            (memory(use.free), "mono", "text"),
            (self.tr("free of"), "body", "text2"),
            (total, "mono", "text"),
        ]
        right = float(self.width())
        for text, role, token in reversed(pieces):
            font = theme.font(role)
            width = QFontMetricsF(font).horizontalAdvance(text)
            painter.setFont(font)
            painter.setPen(look.color(token))
            place = QRectF(right - width, top, width + 1, px(17))
            painter.drawText(place, Qt.AlignmentFlag.AlignVCenter, text)
            right -= width + px(4)


class _Legend(QWidget):
    def __init__(self, worker: WorkerSession, parent: QWidget) -> None:
        super().__init__(parent)
        self._worker = worker
        self.setSizePolicy(QSizePolicy.Policy.Fixed, QSizePolicy.Policy.Fixed)

    def sizeHint(self) -> QSize:
        return QSize(px(113), px(40))

    def paintEvent(self, _event: QPaintEvent) -> None:
        painter, look = QPainter(self), theme.current()
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        use = self._worker.memory_in_use if self._worker.is_ready else None
        rows = (
            (self.tr("Weights"), "model", use.weights if use else None),
            (self.tr("Results"), "image", use.results if use else None),
        )
        for row, (label, socket, count) in enumerate(rows):
            top = self.height() / 2 + px(17) * (row - 1)
            square = QRectF(0, top + px(5), px(8), px(8))
            painter.setPen(Qt.PenStyle.NoPen)
            painter.setBrush(look.socket(socket).color)
            painter.drawRoundedRect(square, px(2), px(2))
            painter.setFont(theme.font("caption"))
            painter.setPen(look.color("text2"))
            line = QRectF(px(14), top, self.width() - px(14), px(17))
            painter.drawText(line, Qt.AlignmentFlag.AlignVCenter, label)
            painter.setFont(theme.font("mono_caption"))
            painter.setPen(look.color("text"))
            right = Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter
            painter.drawText(line, right, "–" if count is None else memory(count))


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
        self.memory = MemoryBar(runner.worker, self)
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
        self.pause.setToolTip(tip(words))

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
