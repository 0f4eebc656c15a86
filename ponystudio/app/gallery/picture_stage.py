"""The viewer's stage: one picture, or two compared by a divider, by turns or side by side.

Both share zoom and position, which are pure geometry. B is the one that is looked at; A lies where
B lies, whatever its own size, so that a picture and its enlargement can be compared.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Literal

from PySide6.QtCore import (
    QPointF,
    QRectF,
    QSizeF,
    Qt,
    QTimer,
    Signal,
)
from PySide6.QtGui import QImage, QPainter, QPaintEvent
from PySide6.QtWidgets import QWidget

from ponystudio.app.gallery import stage_painting
from ponystudio.studio.results.comparison import Mode
from ponystudio.studio.results.picture_record import PictureRecord
from ponystudio.studio.results.result_library import ResultLibrary
from ponystudio.studio.results.result_texts import described, label
from ponystudio.widgets import theme
from ponystudio.widgets.camera import CameraAnimation, fitting_zoom, zoom_between
from ponystudio.widgets.primitives import px

_MARGIN, _GAP = 16, 8
_FLICKER_MS = 600
_NEAR = 14


class PictureStage(QWidget):
    """Shows the pictures; whoever derives gives it to mouse and keys. `zoom_changed`."""

    zoom_changed = Signal()

    def __init__(self, results: ResultLibrary, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._results = results
        self._a: PictureRecord | None = None
        self._b: PictureRecord | None = None
        self._mode: Mode = "one"
        self._camera = ViewerCamera()
        self._divider = 0.5
        self._shows_a = False
        self._heat: QImage | None = None
        self._held: Literal["", "pan", "divider"] = ""
        self._animation = CameraAnimation(self)
        self._from = self._to = ViewerCamera()
        self._turns = QTimer(self, interval=_FLICKER_MS)
        self._connect()
        self.setMouseTracking(True)
        self.setAttribute(Qt.WidgetAttribute.WA_OpaquePaintEvent)
        self.setAccessibleName(self.tr("Picture"))
        self.setMinimumSize(px(200), px(160))

    def _connect(self) -> None:
        loader, thumbnails = self._results.loader, self._results.thumbnails
        self._animation.moved.connect(self._move_on)
        self._animation.arrived.connect(self._arrive)
        self._turns.timeout.connect(self.turn)
        loader.loaded.connect(self._loaded)
        loader.failed.connect(self._failed)
        thumbnails.ready.connect(self._loaded)
        theme.hub.changed.connect(self._restyled)

    # --- What is shown ----------------------------------------------------------------------------

    @property
    def mode(self) -> Mode:
        return self._mode

    @property
    def camera(self) -> ViewerCamera:
        """As it is shown: with the scale and centre that `fit` gives."""
        return self._camera.fitted(self.panes()[-1], self.picture_size())

    @property
    def divider(self) -> float:
        """Where the divider is, in 0..1 of the picture's width."""
        return self._divider

    def show_pictures(self, a: PictureRecord | None, b: PictureRecord | None, mode: Mode) -> None:
        """Zoom and position stay, so that pictures of one size can be gone through."""
        reset = b is not None and self._b is not None and _shape(b) != _shape(self._b)
        self._a, self._b = a, b
        if reset and not self._camera.fit:
            self._camera = ViewerCamera()
        self._set_mode(mode if a is not None else "one")
        self._heat = None
        self.setAccessibleDescription(described(b) if b is not None else "")
        self.zoom_changed.emit()
        self.update()

    def _set_mode(self, mode: Mode) -> None:
        if mode == self._mode:
            return
        self._mode, self._shows_a = mode, False
        self._divider = 0.5
        if mode == "flicker" and not theme.reduced_motion():
            self._turns.start()
        else:
            self._turns.stop()

    def show_heat(self, image: QImage | None) -> None:
        """Where the two differ, in place of both; None: the pictures again."""
        self._heat = image
        self.update()

    def turn(self) -> None:
        """In flicker: the other one."""
        self._shows_a = not self._shows_a
        self.update()

    def hold(self) -> None:
        """In flicker: stop turning, or go on."""
        if self._turns.isActive():
            self._turns.stop()
        elif self._mode == "flicker" and not theme.reduced_motion():
            self._turns.start()

    @property
    def turning(self) -> bool:
        return self._turns.isActive()

    # --- Zoom -------------------------------------------------------------------------------------

    @property
    def fits(self) -> bool:
        return self._camera.fit

    @property
    def percent(self) -> float:
        """Device px a picture px, in percent: 100 shows each pixel as one."""
        return self.camera.scale * self.devicePixelRatioF() * 100

    def fit(self) -> None:
        self._go(ViewerCamera())

    def zoom_to(self, percent: float, at: QPointF | None = None) -> None:
        pane = self.panes()[-1]
        now = self.camera
        factor = percent / 100 / self.devicePixelRatioF() / now.scale
        self._go(now.zoomed(factor, at or pane.center(), pane, self.picture_size()))

    def zoom_by(self, factor: float, at: QPointF | None = None) -> None:
        pane = self._pane_at(at) if at is not None else self.panes()[-1]
        self._set_camera(self.camera.zoomed(factor, at or pane.center(), pane, self.picture_size()))

    def toggle_fit(self, at: QPointF | None = None) -> None:
        """The whole picture, or each pixel as one."""
        if self.fits:
            self.zoom_to(100, at)
        else:
            self.fit()

    def _set_camera(self, camera: ViewerCamera) -> None:
        self._animation.stop()
        self._camera = camera
        self.zoom_changed.emit()
        self.update()

    def _go(self, camera: ViewerCamera) -> None:
        if theme.reduced_motion() or not self.isVisible():
            self._set_camera(camera)
            return
        self._from, self._to = self.camera, camera
        self._animation.start()

    def _move_on(self, share: float) -> None:
        end = self._to.fitted(self.panes()[-1], self.picture_size())
        self._camera = self._from.between(end, share)
        self.zoom_changed.emit()
        self.update()

    def _arrive(self) -> None:
        self._camera = self._to
        self.zoom_changed.emit()
        self.update()

    # --- Geometry ---------------------------------------------------------------------------------

    def picture_size(self) -> QSizeF:
        """Of B, which sets the measure."""
        if self._b is None:
            return QSizeF()
        if self._b.width and self._b.height:
            return QSizeF(self._b.width, self._b.height)
        return stage_painting.size_of(self._results.loader.get(self._b.path))

    def panes(self) -> list[QRectF]:
        """Where pictures may stand; the last one is B's."""
        margin = px(_MARGIN)
        whole = QRectF(self.rect()).adjusted(margin, 0, -margin, -margin)
        if self._mode != "side":
            return [whole]
        half = (whole.width() - px(_GAP)) / 2
        left = QRectF(whole.x(), whole.y(), half, whole.height())
        return [left, left.translated(half + px(_GAP), 0)]

    def _pane_at(self, point: QPointF) -> QRectF:
        panes = self.panes()
        return panes[0] if point.x() < panes[0].right() else panes[-1]

    def _clip(self, pane: QRectF) -> QRectF:
        """A picture that is larger than its pane may use the margins."""
        whole = QRectF(self.rect())
        if self._mode != "side":
            return whole
        first = pane == self.panes()[0]
        middle = pane.right() if first else pane.left()
        return (
            QRectF(0, 0, middle, whole.height())
            if first
            else QRectF(middle, 0, whole.width() - middle, whole.height())
        )

    def divider_x(self) -> float:
        rect = self._camera.rect(self.panes()[-1], self.picture_size())
        x = rect.x() + self._divider * rect.width()
        edge = px(8)
        return max(edge, min(self.width() - edge, x))

    def _on_divider(self, point: QPointF) -> bool:
        return self._mode == "slide" and abs(point.x() - self.divider_x()) <= px(_NEAR)

    def set_divider(self, share: float) -> None:
        self._divider = max(0.0, min(1.0, share))
        self.update()

    # --- Painting ---------------------------------------------------------------------------------

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.fillRect(event.rect(), theme.current().color("canvas"))
        if self._b is None:
            return
        panes = self.panes()
        if self._heat is not None:
            painter.setRenderHint(QPainter.RenderHint.SmoothPixmapTransform)
            painter.drawImage(self._camera.rect(panes[-1], self.picture_size()), self._heat)
        elif self._mode == "side" and self._a is not None:
            self._paint_one(painter, self._a, panes[0], self._clip(panes[0]), "A")
            self._paint_one(painter, self._b, panes[1], self._clip(panes[1]), "B")
        elif self._mode == "slide" and self._a is not None:
            self._paint_divided(painter, panes[0])
        elif self._mode == "flicker" and self._a is not None:
            shown, mark = (self._a, "A") if self._shows_a else (self._b, "B")
            self._paint_one(painter, shown, panes[0], QRectF(self.rect()), mark)
        else:
            self._paint_one(painter, self._b, panes[0], QRectF(self.rect()), "")

    def _paint_divided(self, painter: QPainter, pane: QRectF) -> None:
        assert self._a is not None
        assert self._b is not None
        x = self.divider_x()
        whole = QRectF(self.rect())
        left = QRectF(0, 0, round(x), whole.height())
        right = QRectF(round(x), 0, whole.width() - round(x), whole.height())
        self._paint_picture(painter, self._a, pane, left)
        self._paint_picture(painter, self._b, pane, right)
        rect = self._camera.rect(pane, self.picture_size()).intersected(whole)
        stage_painting.paint_divider(painter, x, rect, self.hasFocus() and self._held == "divider")
        inset, top = px(12), rect.top() + px(12)
        room = round(rect.width() / 2) - 2 * inset
        stage_painting.paint_chip(
            painter, "A", label(self._a, self._b), QPointF(rect.left() + inset, top), False, room
        )
        stage_painting.paint_chip(
            painter, "B", label(self._b, self._a), QPointF(rect.right() - inset, top), True, room
        )

    def _paint_one(
        self, painter: QPainter, picture: PictureRecord, pane: QRectF, clip: QRectF, mark: str
    ) -> None:
        rect = self._paint_picture(painter, picture, pane, clip).intersected(clip)
        if mark and not rect.isEmpty():
            other = self._b if mark == "A" else self._a
            inset = px(12)
            at = QPointF(rect.left() + inset, rect.top() + inset)
            room = round(rect.width()) - 2 * inset
            stage_painting.paint_chip(painter, mark, label(picture, other), at, False, room)

    def _paint_picture(
        self, painter: QPainter, picture: PictureRecord, pane: QRectF, clip: QRectF
    ) -> QRectF:
        """Where it lies. A has B's place, in its own proportions."""
        place = self._camera.rect(pane, self.picture_size())
        pyramid = self._results.loader.get(picture.path)
        if pyramid is not None:
            place = contained(QSizeF(pyramid.size), place) if picture is not self._b else place
            place = _aligned(place, self.devicePixelRatioF())
            stage_painting.paint_picture(painter, pyramid, place, clip, self.devicePixelRatioF())
            return place
        if reason := self._results.loader.problem(picture.path):
            stage_painting.paint_words(painter, reason, pane)
            return QRectF()
        thumbnail = self._results.thumbnails.get(picture.path)
        if thumbnail is not None:
            place = contained(QSizeF(thumbnail.size()), place) if picture is not self._b else place
            stage_painting.paint_preview(painter, thumbnail, place, clip)
        return place

    # --- Changes ----------------------------------------------------------------------------------

    def _loaded(self, path: object) -> None:
        if any(picture is not None and picture.path == path for picture in (self._a, self._b)):
            self.zoom_changed.emit()
            self.update()

    def _failed(self, path: object, _reason: str) -> None:
        self._loaded(path)

    def _restyled(self) -> None:
        if theme.reduced_motion():
            self._turns.stop()
        self.update()


def _shape(picture: PictureRecord) -> tuple[int, int]:
    return picture.width, picture.height


def _aligned(rect: QRectF, ratio: float) -> QRectF:
    """On whole device px, which keeps pixels of equal size at whole zooms."""
    left, top = round(rect.x() * ratio) / ratio, round(rect.y() * ratio) / ratio
    return QRectF(left, top, rect.width(), rect.height())


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
