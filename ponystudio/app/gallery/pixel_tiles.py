"""Beside the viewer: how two pictures differ in their pixels."""

from __future__ import annotations

from PySide6.QtCore import QSize, Qt, Signal
from PySide6.QtGui import QPainter, QPaintEvent, QPen, QPixmap, QResizeEvent
from PySide6.QtWidgets import QAbstractButton, QHBoxLayout, QVBoxLayout, QWidget

from ponystudio.app.gallery.thumbnail_base import cut
from ponystudio.studio.results.pixel_diff import THRESHOLD, PixelDifference
from ponystudio.widgets import theme
from ponystudio.widgets.common import Spacing, label, rounded
from ponystudio.widgets.primitives import px


class Pixels(QWidget):
    """How many pixels differ, and where. `heat_toggled` (image or None): a click on the difference
    shows it large, another one no longer."""

    heat_toggled = Signal(object)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.share = label("", "mono_caption", "text2")
        self._difference: PixelDifference | None = None
        self._images = [_Tile(name) for name in ("A", "B", self.tr("Difference"))]
        self.heat_tile = self._images[2]
        self.heat_tile.setCheckable(True)
        self.heat_tile.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        self.heat_tile.setCursor(Qt.CursorShape.PointingHandCursor)
        self.heat_tile.setToolTip(self.tr("Show the difference large"))
        self.heat_tile.toggled.connect(self._toggled)
        head = QHBoxLayout()
        head.addWidget(label(self.tr("Pixels"), "title"))
        head.addStretch(1)
        head.addWidget(self.share)
        row = QHBoxLayout()
        Spacing(row, spacing=8)
        for image in self._images:
            row.addWidget(image, 1)
        box = QVBoxLayout(self)
        Spacing(box, spacing=8)
        box.addLayout(head)
        box.addLayout(row)

    def show_pixels(
        self, a: QPixmap | None, b: QPixmap | None, found: PixelDifference | None
    ) -> None:
        if found is not self._difference:
            self._difference = found
            self.heat_tile.setChecked(False)
        self.heat_tile.setEnabled(found is not None)
        self.share.setText(self._share_text(found))
        self.share.setToolTip(self._details_text(found))
        heat = QPixmap.fromImage(found.picture) if found is not None else None
        for tile, pixmap in zip(self._images, (a, b, heat), strict=True):
            tile.show_pixmap(pixmap)

    def _toggled(self, on: bool) -> None:
        shown = self._difference.picture if on and self._difference is not None else None
        self.heat_toggled.emit(shown)

    def _share_text(self, found: PixelDifference | None) -> str:
        if found is None:
            return self.tr("Counting")
        if found.largest == 0 and not found.scaled:
            return self.tr("Equal, bit for bit")
        percent = found.share * 100
        text = f"{percent:.0f}" if percent >= 10 or percent == 0 else f"{percent:.2g}"
        return self.tr("%s %% differ by more than %d/255") % (text, THRESHOLD)

    def _details_text(self, found: PixelDifference | None) -> str:
        if found is None:
            return ""
        text = self.tr("Largest difference %d of 255") % found.largest
        if found.scaled:
            sides = f"{found.size.width()} × {found.size.height()}"
            text += "\n" + self.tr("Compared at %s, the size of the smaller one") % sides
        return text


class _Tile(QAbstractButton):
    """A square picture with its name below."""

    def __init__(self, name: str, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._name, self._pixmap = name, QPixmap()
        self.setAccessibleName(name)

    def show_pixmap(self, pixmap: QPixmap | None) -> None:
        self._pixmap = pixmap or QPixmap()
        self.update()

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self.setFixedHeight(self.width() + px(20))

    def paintEvent(self, _event: QPaintEvent) -> None:
        painter, look = QPainter(self), theme.current()
        side = self.width()
        box = self.rect()
        box.setSize(QSize(side, side))
        if self._pixmap.isNull():
            rounded(painter, box, px(4), look.color("field"), QPen(Qt.PenStyle.NoPen))
        else:
            painter.drawPixmap(0, 0, cut(self._pixmap, box.size(), self.devicePixelRatioF()))
        if self.isChecked() or self.hasFocus():
            token = "accent" if self.isChecked() else "text"
            rounded(painter, box, px(4), None, QPen(look.color(token), px(2)))
        painter.setFont(theme.font("caption"))
        painter.setPen(look.color("text3"))
        below = self.rect().adjusted(0, side + px(4), 0, 0)
        painter.drawText(below, Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignTop, self._name)
