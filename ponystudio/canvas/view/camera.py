"""Where a view looks: zoom and place, and what is between two of those."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from PySide6.QtCore import QPointF, QRectF, QSizeF

from ponystudio.canvas.scene.items import position
from ponystudio.widgets.camera import fitting_zoom, zoom_between

MIN_ZOOM, MAX_ZOOM = 0.02, 4.0
# Steps of the zoom keys; the wheel is free.
STEPS = (
    *(0.02, 0.03, 0.05, 0.1, 0.15, 0.25, 0.33, 0.5, 0.67, 0.75),
    *(0.88, 1.0, 1.25, 1.5, 2.0, 3.0, 4.0),
)
FIT_MARGIN = 48.0  # px on screen


@dataclass(frozen=True)
class Camera:
    """The scene point in the middle of the view, and how large a scene px is shown."""

    center: QPointF
    zoom: float

    def to_json(self) -> dict[str, Any]:
        """As a graph's view keeps it."""
        at = [round(self.center.x(), 1), round(self.center.y(), 1)]
        return {"center": at, "zoom": round(self.zoom, 4)}

    @classmethod
    def from_json(cls, entry: object) -> Camera | None:
        """The inverse of `to_json`; None for anything else."""
        if not isinstance(entry, Mapping):
            return None
        center, zoom = position(entry.get("center")), entry.get("zoom")
        if center is None or isinstance(zoom, bool) or not isinstance(zoom, int | float):
            return None
        return cls(QPointF(*center), bounded(zoom)) if math.isfinite(zoom) else None

    def interpolate(self, other: Camera, share: float) -> Camera:
        """Between two cameras, so that the way on screen is even."""
        zoom = zoom_between(self.zoom, other.zoom, share)
        if abs(other.zoom - self.zoom) < 1e-6:
            moved = share
        else:
            moved = (1 / self.zoom - 1 / zoom) / (1 / self.zoom - 1 / other.zoom)
        return Camera(self.center + (other.center - self.center) * moved, zoom)


def bounded(zoom: float) -> float:
    return max(MIN_ZOOM, min(MAX_ZOOM, zoom))


def fitting(rect: QRectF, size: QSizeF, highest: float = 1.0) -> Camera:
    """The camera that shows all of a rect, not larger than `highest`."""
    one, margins = QSizeF(1, 1), QSizeF(2 * FIT_MARGIN, 2 * FIT_MARGIN)
    zoom = fitting_zoom(rect.size().expandedTo(one), (size - margins).expandedTo(one))
    return Camera(rect.center(), bounded(min(zoom, highest)))


def stepped(zoom: float, up: bool) -> float:
    """The next step of the zoom keys."""
    if up:
        return next((step for step in STEPS if step > zoom * 1.001), MAX_ZOOM)
    return next((step for step in reversed(STEPS) if step < zoom * 0.999), MIN_ZOOM)
