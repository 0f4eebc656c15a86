"""The run bar: how many pictures, with which seeds, and the one primary button."""

from __future__ import annotations

from collections.abc import Callable

from PySide6.QtCore import QPointF, QRectF, QSize, Qt
from PySide6.QtGui import (
    QAction,
    QActionGroup,
    QFontMetricsF,
    QIntValidator,
    QKeyEvent,
    QPainter,
    QPaintEvent,
    QWheelEvent,
)
from PySide6.QtWidgets import (
    QAbstractButton,
    QHBoxLayout,
    QLineEdit,
    QMenu,
    QSizePolicy,
    QWidget,
)

from ponystudio.qt.i18n import tr
from ponystudio.qt.plain_text import tip
from ponystudio.studio.documents.document import Document
from ponystudio.studio.runs.runner import Runner
from ponystudio.studio.runs.seeds import MODES, SeedMode
from ponystudio.widgets import theme
from ponystudio.widgets.primitives import PaintedButton, draw_box, draw_icon, draw_ring, px

MOST = 999
RUN_KEYS = "Ctrl ⏎"


class RunBar(QWidget):
    """For the document that `current` gives. Fixed in its size but for Stop, which comes and goes
    to the left of the primary button, so that no button moves under the pointer."""

    def __init__(
        self,
        runner: Runner,
        current: Callable[[], Document | None],
        parent: QWidget | None = None,
    ) -> None:
        super().__init__(parent)
        self._runner, self._current = runner, current
        self.setSizePolicy(QSizePolicy.Policy.Fixed, QSizePolicy.Policy.Preferred)
        self.setAccessibleName(self.tr("Run"))
        self.options = _Options(runner, self)
        self.stop = PaintedButton(
            "danger",
            self.tr("Stop"),
            "stop",
            reserve=[self.tr("Stopping"), self.tr("Stop now")],
        )
        self.stop.setToolTip(self.tr("Stop this run (Ctrl+Alt+Enter)"))
        self.stop.clicked.connect(self._stop_clicked)
        self.start = PaintedButton(
            "primary", self.tr("Run"), "run", hint=RUN_KEYS, reserve=[self.tr("Queue")]
        )
        self.start.clicked.connect(self._run)
        self._offers_stop_now = False
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(px(8))
        for widget in (self.options, self.stop, self.start):
            row.addWidget(widget)
        runner.queue.changed.connect(self.refresh)
        runner.queue.job_changed.connect(lambda _: self._refresh_stop())
        runner.stop_offered.connect(self._offer)
        self.refresh()

    def refresh(self) -> None:
        """After another document came to the front, or the queue changed."""
        document = self._current()
        waiting = bool(self._runner.queue.jobs)
        self.start.set_look(self.tr("Queue") if waiting else self.tr("Run"), "run", RUN_KEYS)
        self.start.setToolTip(
            self.tr("Make this after what waits (Ctrl+Enter); first with Ctrl+Shift+Enter")
            if waiting
            else self.tr("Make what this graph describes (Ctrl+Enter)")
        )
        self.start.setEnabled(document is not None)
        self._refresh_stop()

    def _refresh_stop(self) -> None:
        running = self._runner.queue.running
        self.stop.setVisible(running is not None)
        if running is None:
            self._offers_stop_now = False
        if self._offers_stop_now:
            self.stop.set_look(self.tr("Stop now"), "stop")
            self.stop.setToolTip(
                self.tr("The engine is in the middle of something. End it and start it anew")
            )
        elif running is not None:
            stopping = running.status == "stopping"
            self.stop.set_look(self.tr("Stopping") if stopping else self.tr("Stop"), "stop")
            self.stop.setToolTip(self.tr("Stop this run (Ctrl+Alt+Enter)"))
            self.stop.setEnabled(not stopping)
            return
        self.stop.setEnabled(True)

    def _offer(self, now: bool) -> None:
        self._offers_stop_now = now
        self._refresh_stop()

    def _stop_clicked(self) -> None:
        if self._offers_stop_now:
            self._runner.stop_now()
        else:
            self._runner.cancel_current()

    def _run(self) -> None:
        document = self._current()
        if document is not None:
            self._runner.run(document)


class _Options(QWidget):
    """Count and seed mode, in one frame."""

    def __init__(self, runner: Runner, parent: QWidget) -> None:
        super().__init__(parent)
        self._runner = runner
        self.setSizePolicy(QSizePolicy.Policy.Fixed, QSizePolicy.Policy.Fixed)
        self.count = CountField(runner, self)
        self.seeds = SeedModeButton(runner, self)
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(0)
        row.addWidget(self.count)
        row.addWidget(self.seeds)
        theme.hub.changed.connect(self.update)

    def paintEvent(self, _event: QPaintEvent) -> None:
        painter, look = QPainter(self), theme.current()
        draw_box(painter, QRectF(self.rect()), px(6), look.color("card"), look.color("line"))
        painter.fillRect(QRectF(self.seeds.x(), 1, 1, self.height() - 2), look.color("line"))


class CountField(QLineEdit):
    """How many pictures a press of Run makes: typed, by the arrow keys, or by the wheel."""

    def __init__(self, runner: Runner, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._runner = runner
        self.setValidator(QIntValidator(1, MOST, self))
        self.setFrame(False)
        self.setAlignment(Qt.AlignmentFlag.AlignRight)
        self.setAccessibleName(self.tr("Count"))
        self.setToolTip(self.tr("How many pictures to make"))
        self.setSizePolicy(QSizePolicy.Policy.Fixed, QSizePolicy.Policy.Fixed)
        self.editingFinished.connect(self._typed)
        runner.options_changed.connect(self._refresh)
        theme.hub.changed.connect(self._restyle)
        self._restyle()
        self._refresh()

    def sizeHint(self) -> QSize:
        return QSize(px(12) + round(self._label_width()) + px(34), px(theme.density().button))

    def minimumSizeHint(self) -> QSize:
        return self.sizeHint()

    def keyPressEvent(self, event: QKeyEvent) -> None:
        steps = {Qt.Key.Key_Up: 1, Qt.Key.Key_Down: -1, Qt.Key.Key_PageUp: 10,
                 Qt.Key.Key_PageDown: -10}  # fmt: skip
        step = steps.get(Qt.Key(event.key()))
        if step is None:
            super().keyPressEvent(event)
        else:
            self._runner.set_count(self._runner.count + step)

    def wheelEvent(self, event: QWheelEvent) -> None:
        if self.hasFocus() and event.angleDelta().y():
            self._runner.set_count(self._runner.count + (1 if event.angleDelta().y() > 0 else -1))
            event.accept()
        else:
            event.ignore()

    def paintEvent(self, event: QPaintEvent) -> None:
        super().paintEvent(event)
        painter = QPainter(self)
        painter.setFont(theme.font("body"))
        painter.setPen(theme.current().color("text3"))
        place = QRectF(px(12), 0, self._label_width() + 2, self.height())
        painter.drawText(place, Qt.AlignmentFlag.AlignVCenter, self.tr("Count"))
        if self.hasFocus():
            draw_ring(painter, QRectF(self.rect()), px(6))

    def _label_width(self) -> float:
        return QFontMetricsF(theme.font("body")).horizontalAdvance(self.tr("Count"))

    def _typed(self) -> None:
        self._runner.set_count(int(self.text() or "1"))
        self._refresh()

    def _refresh(self) -> None:
        self.setText(str(self._runner.count))

    def _restyle(self) -> None:
        look = theme.current()
        self.setFont(theme.font("mono"))
        left = px(12) + round(self._label_width())
        self.setTextMargins(left, 0, px(10), 0)
        # A line edit paints by its style sheet or by the palette; only the first is ours alone.
        self.setStyleSheet(
            "QLineEdit { background: transparent; border: none; padding: 0; margin: 0;"
            f" color: {look.color('text').name()};"
            f" selection-background-color: {look.color('tint').name()};"
            f" selection-color: {look.color('text').name()}; }}"
        )
        self.updateGeometry()


class SeedModeButton(QAbstractButton):
    """Which seeds the next run gets; opens a menu."""

    def __init__(self, runner: Runner, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._runner = runner
        self.setSizePolicy(QSizePolicy.Policy.Fixed, QSizePolicy.Policy.Fixed)
        self.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        self.setAttribute(Qt.WidgetAttribute.WA_Hover)
        self.clicked.connect(self._open)
        runner.options_changed.connect(self._refresh)
        theme.hub.changed.connect(self._refresh)
        self.menu: QMenu | None = None
        self._refresh()

    @staticmethod
    def text_of_mode(mode: SeedMode) -> str:
        return {"fixed": tr("fixed"), "next": tr("+1"), "random": tr("random")}[mode]

    def sizeHint(self) -> QSize:
        body = QFontMetricsF(theme.font("body"))
        widest = max(body.horizontalAdvance(self.text_of_mode(mode)) for mode in MODES)
        label = body.horizontalAdvance(self.tr("Seed"))
        return QSize(px(12 + 6 + 8 + 16 + 10) + round(label + widest), px(theme.density().button))

    def minimumSizeHint(self) -> QSize:
        return self.sizeHint()

    def paintEvent(self, _event: QPaintEvent) -> None:
        painter, look = QPainter(self), theme.current()
        body = theme.font("body")
        painter.setFont(body)
        painter.setPen(look.color("text3"))
        left = float(px(12))
        label = self.tr("Seed")
        middle = Qt.AlignmentFlag.AlignVCenter
        painter.drawText(QRectF(left, 0, 200, self.height()), middle, label)
        left += QFontMetricsF(body).horizontalAdvance(label) + px(6)
        painter.setPen(look.color("text"))
        painter.drawText(
            QRectF(left, 0, 200, self.height()), middle, self.text_of_mode(self._runner.seed_mode)
        )
        ink = look.color("text" if self.underMouse() else "text2")
        draw_icon(painter, "down", QPointF(self.width() - px(18), self.height() / 2), ink)
        if self.hasFocus():
            draw_ring(painter, QRectF(self.rect()), px(6))

    def _refresh(self) -> None:
        self.setAccessibleName(self.tr("Seed") + " " + self.text_of_mode(self._runner.seed_mode))
        self.setToolTip(tip(_explained(self._runner.seed_mode)))
        self.updateGeometry()
        self.update()

    def _open(self) -> None:
        self.menu = menu = QMenu(self)
        group = QActionGroup(menu)
        for mode in MODES:
            action = QAction(
                f"{self.text_of_mode(mode)}    {_explained(mode)}", menu, checkable=True
            )
            action.setChecked(mode == self._runner.seed_mode)
            action.triggered.connect(lambda _, mode=mode: self._runner.set_seed_mode(mode))
            group.addAction(action)
            menu.addAction(action)
        menu.aboutToHide.connect(menu.deleteLater)
        menu.popup(self.mapToGlobal(self.rect().bottomLeft()))


def _explained(mode: SeedMode) -> str:
    return {
        "fixed": tr("Runs use the seeds as they are; further pictures count up"),
        "next": tr("Each run adds 1; a seed you set is used first"),
        "random": tr("Each run rolls the dice; a seed you set is used first"),
    }[mode]
