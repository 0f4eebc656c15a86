"""Where pictures stand in the viewer: one zoom and one position for both. Pure geometry."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from PySide6.QtCore import QPointF, QRectF, QSizeF

from ponystudio.widgets.camera import fitting_zoom, zoom_between

LEAST, MOST = 0.01, 64.0


@dataclass(frozen=True)
class ViewerCamera:
    """`scale` is view px a picture px; `centre` is the point of the picture, in 0..1, that lies in
    the middle of a pane. `fit` wins over both: the whole picture, in the middle."""

    scale: float = 1.0
    centre: QPointF = field(default_factory=lambda: QPointF(0.5, 0.5))
    fit: bool = True

    def fitted(self, pane: QRectF, size: QSizeF) -> ViewerCamera:
        """With the scale and centre that `fit` stands for."""
        if not self.fit or size.isEmpty() or pane.isEmpty():
            return self
        scale = fitting_zoom(size, pane.size())
        return replace(self, scale=max(LEAST, min(MOST, scale)), centre=QPointF(0.5, 0.5))

    def rect(self, pane: QRectF, size: QSizeF) -> QRectF:
        """Where the picture lies."""
        now = self.fitted(pane, size)
        w, h = size.width() * now.scale, size.height() * now.scale
        middle = pane.center()
        return QRectF(middle.x() - now.centre.x() * w, middle.y() - now.centre.y() * h, w, h)

    def zoomed(self, factor: float, at: QPointF, pane: QRectF, size: QSizeF) -> ViewerCamera:
        """Larger or smaller, with the point under `at` staying there."""
        now = self.fitted(pane, size)
        scale = max(LEAST, min(MOST, now.scale * factor))
        before = now.rect(pane, size)
        if before.isEmpty():
            return now
        held = QPointF(
            (at.x() - before.x()) / before.width(), (at.y() - before.y()) / before.height()
        )
        offset = at - pane.center()
        centre = QPointF(
            held.x() - offset.x() / (size.width() * scale),
            held.y() - offset.y() / (size.height() * scale),
        )
        return ViewerCamera(scale, centre, False).bounded()

    def panned(self, delta: QPointF, pane: QRectF, size: QSizeF) -> ViewerCamera:
        now = self.fitted(pane, size)
        rect = now.rect(pane, size)
        if rect.isEmpty():
            return now
        centre = QPointF(
            now.centre.x() - delta.x() / rect.width(), now.centre.y() - delta.y() / rect.height()
        )
        return ViewerCamera(now.scale, centre, False).bounded()

    def bounded(self) -> ViewerCamera:
        """The picture cannot be lost: some of it stays in the middle."""
        x, y = (max(0.0, min(1.0, value)) for value in (self.centre.x(), self.centre.y()))
        return replace(self, centre=QPointF(x, y))

    def between(self, other: ViewerCamera, share: float) -> ViewerCamera:
        """On the way to another one, both without `fit`; zooming at an even pace."""
        scale = zoom_between(self.scale, other.scale, share)
        centre = self.centre + (other.centre - self.centre) * share
        return ViewerCamera(scale, centre, False)


def contained(size: QSizeF, rect: QRectF) -> QRectF:
    """The largest rectangle of this shape within `rect`, in its middle."""
    if size.isEmpty() or rect.isEmpty():
        return rect
    scale = fitting_zoom(size, rect.size())
    w, h = size.width() * scale, size.height() * scale
    return QRectF(rect.center().x() - w / 2, rect.center().y() - h / 2, w, h)
