"""Above the viewer: how pictures are compared, the zoom, swap, a window of its own."""

from __future__ import annotations

from PySide6.QtCore import QSize, Qt, Signal
from PySide6.QtGui import QResizeEvent
from PySide6.QtWidgets import QHBoxLayout, QMenu, QPushButton, QWidget

from ponystudio.qt.plain_text import tip
from ponystudio.studio.results.comparison import Mode
from ponystudio.widgets import theme
from ponystudio.widgets.common import IconButton, Spacing, TextButton, label
from ponystudio.widgets.primitives import px
from ponystudio.widgets.segmented_control import SegmentedControl

_ROOM_FOR_HINT = 760
_PERCENTS = (25, 50, 100, 200, 400, 800)


class GalleryToolbar(QWidget):
    """`all_requested`: choose among all results; `left`: back to the canvas."""

    left = Signal()
    mode_chosen = Signal(str)
    all_requested = Signal()
    fit_requested = Signal()
    zoom_requested = Signal(float)
    swap_requested = Signal()
    detach_requested = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.modes = SegmentedControl(
            (
                ("one", self.tr("One"), "image"),
                ("slide", self.tr("Slide"), "compare"),
                ("flicker", self.tr("Flicker"), "flicker"),
                ("side", self.tr("Side by side"), "grid"),
            ),
            self.tr("How pictures are shown"),
            self,
        )
        for name, key in (("one", "F5"), ("slide", "F6"), ("flicker", "F7"), ("side", "F8")):
            self.modes.button(name).setToolTip(tip(key))
        self._shared = label(self.tr("Zoom and position are shared"), "caption", "text3")
        self._shared.hide()
        self._compared = False
        self.back_button = TextButton(self.tr("Back"), "left")
        self.back_button.setToolTip(self.tr("Back to the canvas (Esc)"))
        self.back_button.clicked.connect(self.left)
        self.zoom_button = ZoomButton(self)
        self.swap_button = IconButton("swap", self.tr("Swap A and B"), "X")
        self.detach_button = IconButton("detach", self.tr("Open in a window of its own"))
        row = QHBoxLayout(self)
        Spacing(row, (16, 12, 16, 12), 10)
        self.all_button = IconButton("search", self.tr("Find in all results"), "Ctrl+F")
        row.addWidget(self.back_button)
        row.addWidget(self.modes)
        row.addWidget(self.all_button)
        row.addStretch(1)
        row.addWidget(self._shared)
        row.addWidget(self.zoom_button)
        row.addWidget(self.swap_button)
        row.addWidget(self.detach_button)
        for button in (self.all_button, self.swap_button, self.detach_button):
            button.setProperty("kind", "plain")
        self.modes.chosen.connect(self.mode_chosen)
        self.all_button.clicked.connect(self.all_requested)
        self.swap_button.clicked.connect(self.swap_requested)
        self.detach_button.clicked.connect(self.detach_requested)
        self.zoom_button.fit_requested.connect(self.fit_requested)
        self.zoom_button.zoom_requested.connect(self.zoom_requested)

    def show_state(self, mode: Mode, compared: bool, comparable: bool) -> None:
        self.modes.choose(mode)
        for name in ("slide", "flicker", "side"):
            button = self.modes.button(name)
            button.setEnabled(comparable)
        self._compared = compared
        self._show_hint()
        self.swap_button.setEnabled(compared)

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self._show_hint()

    def _show_hint(self) -> None:
        """Only where there is room: the rest of the bar must not be pushed."""
        self._shared.setVisible(self._compared and self.width() >= px(_ROOM_FOR_HINT))

    def show_zoom(self, percent: float, fits: bool) -> None:
        self.zoom_button.show_zoom(percent, fits)


class ZoomButton(QPushButton):
    """ "Fit 137 %"; its menu has the usual zooms."""

    fit_requested = Signal()
    zoom_requested = Signal(float)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setProperty("kind", "plain")
        self.setLayoutDirection(Qt.LayoutDirection.RightToLeft)
        menu = QMenu(self)
        menu.setLayoutDirection(Qt.LayoutDirection.LeftToRight)
        menu.addAction(self.tr("Fit") + "\t0").triggered.connect(lambda: self.fit_requested.emit())
        menu.addSeparator()
        for percent in _PERCENTS:
            text = f"{percent} %" + ("\t1" if percent == 100 else "")
            action = menu.addAction(text)
            action.triggered.connect(
                lambda _checked=False, percent=percent: self.zoom_requested.emit(float(percent))
            )
        self._menu = menu
        self.clicked.connect(self._open)
        self._restyle()
        theme.hub.changed.connect(self._restyle)
        self.show_zoom(100, False)

    def show_zoom(self, percent: float, fits: bool) -> None:
        shown = f"{percent:.0f}" if percent >= 10 else f"{percent:.1f}"
        text = f"{shown} %"
        self.setText(self.tr("Fit  %s") % text if fits else text)
        self.setAccessibleName(self.tr("Zoom %s") % text)

    def _open(self) -> None:
        self._menu.popup(self.mapToGlobal(self.rect().bottomLeft()))

    def _restyle(self) -> None:
        self.setIcon(theme.icon("down", "text2"))
        self.setIconSize(QSize(px(16), px(16)))
        self.setFixedHeight(px(theme.density().button))
        self.setMinimumWidth(px(96))
