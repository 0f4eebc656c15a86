"""How what comes over other things comes: faded in, or at once where nothing may move."""

from __future__ import annotations

from PySide6.QtCore import QAbstractAnimation, QEasingCurve, QPropertyAnimation
from PySide6.QtWidgets import QGraphicsOpacityEffect, QWidget

from ponystudio.widgets import theme

POPUP_MS, TOAST_MS = 90, 140


def fade_in(widget: QWidget, ms: int = POPUP_MS) -> None:
    """Let a widget, which was just shown, appear."""
    if theme.reduced_motion():
        return
    effect = QGraphicsOpacityEffect(widget, opacity=0.0)
    widget.setGraphicsEffect(effect)
    animation = QPropertyAnimation(effect, b"opacity", widget)
    animation.setDuration(ms)
    animation.setStartValue(0.0)
    animation.setEndValue(1.0)
    animation.setEasingCurve(QEasingCurve.Type.OutCubic)
    # An effect that stays would paint everything twice.
    animation.finished.connect(lambda: widget.setGraphicsEffect(None))  # type: ignore[arg-type]
    animation.start(QAbstractAnimation.DeletionPolicy.DeleteWhenStopped)
