"""How the window is laid out: bars around, a panel on the left, a page, what stands beside it."""

from __future__ import annotations

from typing import Any

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QFrame, QHBoxLayout, QSplitter, QStackedWidget, QVBoxLayout, QWidget

from ponystudio.app.window.document_tabs import HEIGHT
from ponystudio.widgets import theme
from ponystudio.widgets.primitives import PaintedButton, px

LEFT, RIGHT, LEAST_RIGHT = 208, 264, 232
PAGE, LEAST_PAGE = 1000, 400
UPPER = (480, 400)


class TopBar(QWidget):
    """Menu, tabs, a new graph, and the run bar."""

    def __init__(self, tabs: QWidget, run_bar: QWidget) -> None:
        super().__init__()
        self.setProperty("surface", "bar")
        self.menu_button = PaintedButton("icon", icon="menu", name=self.tr("Menu"))
        self.menu_button.setToolTip(self.tr("Menu (F10)"))
        self.new_button = PaintedButton("icon", icon="add", name=self.tr("New graph"))
        self.new_button.setToolTip(self.tr("New graph (Ctrl+N)"))
        self._row = QHBoxLayout(self)
        self._row.addWidget(self.menu_button)
        self._row.addWidget(tabs)
        self._row.addWidget(self.new_button)
        self._row.addStretch(1)
        self._row.addWidget(run_bar)
        theme.hub.changed.connect(self._restyle)
        self._restyle()

    def _restyle(self) -> None:
        self.setFixedHeight(px(HEIGHT))
        self._row.setContentsMargins(px(10), 0, px(12), 0)
        self._row.setSpacing(px(8))


class WindowLayout(QWidget):
    """`pages` hold what is in the middle; a panel stands on its left, `inspector` over `strip` on
    its right. Panels keep their widths, whatever is hidden and shown again meanwhile."""

    def __init__(
        self, top: TopBar, rail: QWidget, inspector: QWidget, strip: QWidget, bottom: QWidget
    ) -> None:
        super().__init__()
        self.setProperty("surface", "panel")
        self._rail, self._bottom = rail, bottom
        self._panel, self._panel_width, self._canvas_only = "", LEFT, False
        self._focus_mode = self._right_shown = False
        self._right_width = px(RIGHT)
        self._scale = theme.scale()
        self.panels = QStackedWidget()
        self.pages = QStackedWidget()
        self.right = QSplitter(Qt.Orientation.Vertical)
        self.right.addWidget(inspector)
        self.right.addWidget(strip)
        self.right.setChildrenCollapsible(False)
        self.right.setHandleWidth(1)
        self.right.setSizes([*UPPER])
        self.middle = QSplitter(Qt.Orientation.Horizontal)
        for part in (self.panels, self.pages, self.right):
            self.middle.addWidget(part)
        self.middle.setStretchFactor(1, 1)
        self.middle.setHandleWidth(1)
        self.middle.setChildrenCollapsible(False)
        self._lay_out(top)
        self.show_right(True)
        theme.hub.changed.connect(self._restyle)
        self._restyle()

    def _lay_out(self, top: QWidget) -> None:
        row = QHBoxLayout()
        row.setSpacing(0)
        row.addWidget(self._rail)
        row.addWidget(self.middle, 1)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(0)
        column.addWidget(top)
        column.addWidget(_line())
        column.addLayout(row, 1)
        column.addWidget(self._bottom)

    # What is shown

    @property
    def panel(self) -> str:
        """The name of the panel that is open, "" while none is."""
        return self._panel if not self.panels.isHidden() else ""

    def open_panel(
        self, name: str, widget: QWidget, width: int = LEFT, *, canvas_only: bool = False
    ) -> None:
        """`width` is without the UI scale; `canvas_only`: it is hidden beside other pages."""
        if self.panels.indexOf(widget) < 0:
            self.panels.addWidget(widget)
        self.panels.setCurrentWidget(widget)
        self._note_width()
        self._panel, self._panel_width, self._canvas_only = name, width, canvas_only
        self._focus_mode = False
        self._apply()

    def close_panel(self) -> None:
        self._note_width()
        self._panel = ""
        self._apply()

    def show_right(self, on: bool) -> None:
        """Whether inspector and results stand beside the page that is shown."""
        if on != self._right_shown:
            self._note_width()
            self._right_shown = on
            self._apply()

    @property
    def focus_mode(self) -> bool:
        """Whether only the page is shown, under its tabs."""
        return self._focus_mode

    def toggle_focus_mode(self) -> None:
        """Only the page, or everything again."""
        self.set_focus_mode(not self._focus_mode)

    def set_focus_mode(self, on: bool) -> None:
        """Hide all around the page; what was open is there again afterwards."""
        self._note_width()
        self._focus_mode = on
        self._apply()

    def _apply(self) -> None:
        around = not self._focus_mode
        self._rail.setVisible(around)
        self._bottom.setVisible(around)
        self.panels.setFixedWidth(px(self._panel_width))
        useless = self._canvas_only and not self._right_shown
        self.panels.setVisible(around and bool(self._panel) and not useless)
        self.right.setVisible(around and self._right_shown)
        self._set_widths()

    # Sizes

    def sizes(self) -> dict[str, Any]:
        """To be kept for the next start."""
        self._note_width()
        scale = theme.scale()
        return {
            "right": round(self._right_width / scale),
            "upper": self.right.sizes(),
            "panel": self._panel,
        }

    def set_sizes(self, kept: dict[str, Any]) -> None:
        """As they were kept. Raises KeyError, TypeError or ValueError for what was not."""
        width, upper = int(kept["right"]), [int(size) for size in kept["upper"]]
        self._right_width = px(max(width, LEAST_RIGHT))
        if len(upper) == 2 and min(upper) > 0:
            self.right.setSizes(upper)
        self._set_widths()

    def _note_width(self) -> None:
        if self.right.isVisible():
            self._right_width = self.right.width()

    def _set_widths(self) -> None:
        """The splitter gives what was hidden no width of its own when it is shown again."""
        left = self.panels.maximumWidth() if not self.panels.isHidden() else 0
        right = self._right_width if not self.right.isHidden() else 0
        self.middle.setSizes([left, max(PAGE, self.middle.width() - left - right), right])

    def _restyle(self) -> None:
        self._note_width()
        before, self._scale = self._scale, theme.scale()
        self._right_width = round(self._right_width * self._scale / before)
        self.right.setMinimumWidth(px(LEAST_RIGHT))
        self.pages.setMinimumWidth(px(LEAST_PAGE))  # else the widest page would set it
        self._apply()


def _line() -> QFrame:
    line = QFrame()
    line.setProperty("line", "h")
    line.setFixedHeight(1)
    return line
