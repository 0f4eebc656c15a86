"""The viewer by mouse, wheel, trackpad and keys, and the context menu of pictures.

Wheel zooms, drag pans, double click: the whole picture or each pixel as one. 0 or F fits, 1 whole
pixels, + and - zoom. Slide: drag the line, or Shift with arrows. Flicker: Space turns, P goes on.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from PySide6.QtCore import QEvent, QPointF, QSize, Qt, Signal
from PySide6.QtGui import (
    QKeyEvent,
    QMouseEvent,
    QNativeGestureEvent,
    QPainter,
    QPaintEvent,
    QPen,
    QResizeEvent,
    QWheelEvent,
)
from PySide6.QtWidgets import QMenu, QWidget

from ponystudio.app.gallery.last_clicked import LastClicked
from ponystudio.app.gallery.picture_stage import PictureStage
from ponystudio.qt.i18n import tr
from ponystudio.studio.results.picture_actions import PictureActions
from ponystudio.studio.results.picture_record import PictureRecord
from ponystudio.studio.results.result_library import ResultLibrary
from ponystudio.widgets import theme
from ponystudio.widgets.common import rounded
from ponystudio.widgets.primitives import px

_STEP = 1.25


class PictureView(PictureStage):
    """`menu_requested` (global position). A ring shows that keys reach the picture's file."""

    menu_requested = Signal(object)

    def __init__(self, results: ResultLibrary, parent: QWidget | None = None) -> None:
        super().__init__(results, parent)
        self._last = QPointF()
        self.last_clicked = LastClicked(self)
        self.last_clicked.changed.connect(self.update)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)

    def sizeHint(self) -> QSize:
        return QSize(px(800), px(600))

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self.zoom_changed.emit()

    def paintEvent(self, event: QPaintEvent) -> None:
        super().paintEvent(event)
        if self.last_clicked:
            painter = QPainter(self)
            edge = QPen(theme.current().color("text"), px(1))
            rounded(painter, self.rect().adjusted(2, 2, -2, -2), px(6), None, edge)

    def wheelEvent(self, event: QWheelEvent) -> None:
        """Wheels zoom; two fingers on a trackpad pan, with Ctrl they zoom."""
        control = event.modifiers() & Qt.KeyboardModifier.ControlModifier
        fingers = event.phase() != Qt.ScrollPhase.NoScrollPhase and not event.pixelDelta().isNull()
        if fingers and not control:
            delta = QPointF(event.pixelDelta())
            self._set_camera(self._camera.panned(delta, self.panes()[-1], self.picture_size()))
        else:
            turned = event.angleDelta().y() or event.angleDelta().x()
            self.zoom_by(_STEP ** (turned / 120), event.position())
        event.accept()

    def event(self, event: QEvent) -> bool:
        if isinstance(event, QNativeGestureEvent):
            if event.gestureType() == Qt.NativeGestureType.ZoomNativeGesture:
                self.zoom_by(1 + event.value(), event.position())
                return True
        elif (
            event.type() == QEvent.Type.ShortcutOverride
            and isinstance(event, QKeyEvent)
            and self._command(event)
        ):
            event.accept()
            return True
        return super().event(event)

    def mousePressEvent(self, event: QMouseEvent) -> None:
        button = event.button()
        if button == Qt.MouseButton.RightButton:
            self.menu_requested.emit(event.globalPosition().toPoint())
            return
        if button not in (Qt.MouseButton.LeftButton, Qt.MouseButton.MiddleButton):
            return
        self._animation.stop()
        self.last_clicked.set_on()
        self._last = event.position()
        on_divider = button == Qt.MouseButton.LeftButton and self._on_divider(event.position())
        self._held = "divider" if on_divider else "pan"
        if on_divider:
            self._slide(event.position())
        else:
            self.setCursor(Qt.CursorShape.ClosedHandCursor)

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        if self._held == "divider":
            self._slide(event.position())
        elif self._held == "pan":
            delta, self._last = event.position() - self._last, event.position()
            self._set_camera(self.camera.panned(delta, self.panes()[-1], self.picture_size()))
        else:
            self._point(event.position())

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        self._held = ""
        self._point(event.position())
        self.update()

    def mouseDoubleClickEvent(self, event: QMouseEvent) -> None:
        if event.button() == Qt.MouseButton.LeftButton and not self._on_divider(event.position()):
            self.toggle_fit(event.position())

    def _slide(self, point: QPointF) -> None:
        rect = self._camera.rect(self.panes()[-1], self.picture_size())
        if rect.width():
            self.set_divider((point.x() - rect.x()) / rect.width())

    def _point(self, point: QPointF) -> None:
        if self._on_divider(point):
            self.setCursor(Qt.CursorShape.SplitHCursor)
        else:
            self.unsetCursor()

    def keyPressEvent(self, event: QKeyEvent) -> None:
        command = self._command(event)
        if command == "fit":
            self.fit()
        elif command == "pixels":
            self.zoom_to(100)
        elif command in ("in", "out"):
            self.zoom_by(_STEP if command == "in" else 1 / _STEP)
        elif command == "hold":
            self.hold()
        elif command == "turn":
            self._turns.stop()
            self.turn()
        elif command in ("divider_left", "divider_right"):
            self.set_divider(self._divider + (0.02 if command == "divider_right" else -0.02))
        else:
            event.ignore()

    def _command(self, event: QKeyEvent) -> str:
        key, shift = Qt.Key(event.key()), Qt.KeyboardModifier.ShiftModifier
        modifiers = event.modifiers() & ~Qt.KeyboardModifier.KeypadModifier
        if modifiers == shift and self._mode == "slide":
            moves = {Qt.Key.Key_Left: "divider_left", Qt.Key.Key_Right: "divider_right"}
            if key in moves:
                return moves[key]
        if modifiers & ~shift:
            return ""
        if self._mode == "flicker" and key in (Qt.Key.Key_Space, Qt.Key.Key_Tab):
            return "turn" if key == Qt.Key.Key_Space else ""
        return {
            Qt.Key.Key_0: "fit",
            Qt.Key.Key_F: "fit",
            Qt.Key.Key_1: "pixels",
            Qt.Key.Key_Plus: "in",
            Qt.Key.Key_Equal: "in",
            Qt.Key.Key_Minus: "out",
            Qt.Key.Key_P: "hold" if self._mode == "flicker" else "",
        }.get(key, "")


def picture_menu(
    pictures: Sequence[PictureRecord], actions: PictureActions, parent: QWidget | None = None
) -> QMenu:
    """What may be done with these; entries that do not fit stay and are greyed."""
    menu = QMenu(parent)
    one = pictures[0] if len(pictures) == 1 else None
    last = pictures[-1]

    def entry(
        title: str, icon: str, run: Callable[[], object], on: bool = True, keys: str = ""
    ) -> None:
        action = menu.addAction(theme.icon(icon), f"{title}\t{keys}" if keys else title)
        action.triggered.connect(lambda: run())
        action.setEnabled(on)

    if len(pictures) == 2:
        entry(tr("Compare these two"), "compare", lambda: actions.view(pictures))
    else:
        entry(tr("View"), "image", lambda: actions.view([last]), keys=tr("Enter"))
    menu.addSeparator()
    entry(
        tr("Open its graph"),
        "graph",
        lambda: actions.open_graph(last),
        one is not None and one.opens,
    )
    entry(
        tr("Use its seed"),
        "last",
        lambda: actions.use_seed(last),
        one is not None and one.seed is not None,
    )
    entry(
        tr("Verify: make it again and compare"),
        "check",
        lambda: actions.verify(last),
        one is not None and one.receipt and one.has_graph,
    )
    menu.addSeparator()
    entry(tr("Copy image"), "copy", lambda: actions.copy_image(last), one is not None, "Ctrl+C")
    entry(
        tr("Copy prompt"),
        "text",
        lambda: actions.copy_text(last.prompt),
        one is not None and bool(one.prompt),
    )
    entry(tr("Show in folder"), "folder", lambda: actions.show_in_folder(last), one is not None)
    menu.addSeparator()
    starred = all(picture.starred for picture in pictures)
    title = tr("Remove the star") if starred else tr("Star")
    entry(title, "star", lambda: actions.star(pictures, not starred))
    title = (
        tr("Move to the trash")
        if one is not None
        else tr("Move %d pictures to the trash") % len(pictures)
    )
    entry(title, "delete", lambda: actions.move_to_trash(pictures), keys=tr("Del"))
    return menu
