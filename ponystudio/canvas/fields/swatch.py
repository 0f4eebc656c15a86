"""Colours: typed as #RRGGBB, or chosen on the swatch."""

# ruff: noqa: ARG002 - the signatures are Field's
from __future__ import annotations

from PySide6.QtCore import QRectF, Qt, Signal
from PySide6.QtGui import QColor, QPainter, QPen
from PySide6.QtWidgets import QColorDialog, QVBoxLayout

from ponystudio.canvas.fields import field_painting
from ponystudio.canvas.fields.base import Drag, FieldPart, Host, Touch
from ponystudio.canvas.fields.field_context import FieldContext
from ponystudio.canvas.fields.popup_base import MARGIN, Popup
from ponystudio.canvas.fields.text import TextField
from ponystudio.qt.i18n import tr
from ponystudio.widgets.action import ActionSpec

_WIDTH, _HEIGHT = 26.0, 14.0


class ColourField(TextField):
    """A text that is a colour."""

    def parts(self, rect: QRectF, ctx: FieldContext) -> tuple[FieldPart, ...]:
        hand = Qt.CursorShape.PointingHandCursor
        place = self._swatch(rect).adjusted(-4, -6, field_painting.TEXT_INSET, 6)
        return FieldPart("swatch", place, tr("Choose a colour"), hand), *super().parts(rect, ctx)

    def paint_content(self, painter: QPainter, rect: QRectF, ctx: FieldContext) -> None:
        right = 2 * field_painting.TEXT_INSET + _WIDTH
        field_painting.labelled(painter, rect, ctx, self.label, self.shown(ctx), right=right)
        painter.setPen(QPen(ctx.theme.color("line2"), 1.0))
        painter.setBrush(QColor(self.shown(ctx)))
        painter.drawRoundedRect(self._swatch(rect).adjusted(0.5, 0.5, -0.5, -0.5), 3.5, 3.5)

    def press(self, touch: Touch, ctx: FieldContext, host: Host) -> Drag | bool:
        if touch.part == "swatch":
            return self.choose(touch.rect, ctx, host)
        return super().press(touch, ctx, host)

    def choose(self, rect: QRectF, ctx: FieldContext, host: Host) -> bool:
        """Open the colours; all that is chosen until they close is one undo step."""
        popup = ColourPopup(self.shown(ctx), self.label)
        merge = f"colour:{ctx.node}.{ctx.spec.name}"
        popup.chosen.connect(lambda value: host.set_value(ctx, value, merge))
        host.open_popup(ctx, popup, rect)
        return True

    def actions(self, ctx: FieldContext, part: str, host: Host) -> list[ActionSpec]:
        def run() -> None:
            self.choose(host.rect_of(ctx), ctx, host)

        return [ActionSpec("choose_colour", tr("Choose a colour…"), run)]

    def _swatch(self, rect: QRectF) -> QRectF:
        left = rect.right() - field_painting.TEXT_INSET - _WIDTH
        return QRectF(left, rect.center().y() - _HEIGHT / 2, _WIDTH, _HEIGHT)


class ColourPopup(Popup):
    """Qt's own chooser of colours; `chosen` carries each one that is looked at, as #rrggbb."""

    chosen = Signal(str)

    def __init__(self, current: str, label: str) -> None:
        super().__init__()
        self.setAccessibleName(label)
        self.chooser = QColorDialog(QColor(current), self)
        self.chooser.setWindowFlags(Qt.WindowType.Widget)
        own = QColorDialog.ColorDialogOption
        self.chooser.setOptions(own.NoButtons | own.DontUseNativeDialog)
        self.chooser.currentColorChanged.connect(lambda colour: self.chosen.emit(colour.name()))
        # Enter and Esc in it are meant for all of this.
        self.chooser.finished.connect(self.close_once)
        box = QVBoxLayout(self)
        box.setContentsMargins(MARGIN, MARGIN, MARGIN, MARGIN)
        box.addWidget(self.chooser)
        self.setFocusProxy(self.chooser)
