"""The gallery's right side: B's name, prompt and facts, what to do with it, how it differs from A
in what made it and in its pixels.
"""

from __future__ import annotations

from pathlib import Path

from PySide6.QtCore import QSize, Qt, Signal
from PySide6.QtGui import QPainter, QPaintEvent, QPen, QPixmap, QResizeEvent
from PySide6.QtWidgets import (
    QAbstractButton,
    QFrame,
    QHBoxLayout,
    QScrollArea,
    QVBoxLayout,
    QWidget,
)

from ponystudio.app.gallery.picture_details import Differences, Facts
from ponystudio.app.gallery.thumbnail_base import cut
from ponystudio.qt.plain_text import tip
from ponystudio.studio.results.comparison import THRESHOLD, Comparer, Finding, PixelDifference
from ponystudio.studio.results.picture_record import PictureRecord
from ponystudio.studio.results.result_library import ResultLibrary
from ponystudio.widgets import theme
from ponystudio.widgets.common import ElidedLabel, IconButton, Spacing, TextButton, label, rounded
from ponystudio.widgets.flow_layout import FlowLayout
from ponystudio.widgets.primitives import px

_WIDTH = 348


class SidePanel(QScrollArea):
    """`trash_requested` (picture). `heat_toggled` (image or None): show the difference large."""

    trash_requested = Signal(object)
    heat_toggled = Signal(object)

    def __init__(
        self, results: ResultLibrary, comparer: Comparer, parent: QWidget | None = None
    ) -> None:
        super().__init__(parent)
        self._results, self._comparer = results, comparer
        self._picture: PictureRecord | None = None
        self._title = ElidedLabel("", "title", Qt.TextElideMode.ElideMiddle)
        self.star_button = IconButton("star", self.tr("Star"), "S", on_icon_color="warn")
        self.star_button.setCheckable(True)
        self.trash_button = IconButton("delete", self.tr("Move to the trash"), self.tr("Del"))
        self._prompt_box = QFrame()
        self._prompt = label("", "body")
        self._facts = Facts()
        self.graph_button = TextButton(self.tr("Open its graph"), "graph", "primary")
        self.seed_button = TextButton(self.tr("Use seed"), "last")
        self.verify_button = TextButton(self.tr("Verify"), "check")
        self.copy_button = IconButton("copy", self.tr("Copy image"), "Ctrl+C")
        self._differences = Differences()
        self.apply_button = TextButton(self.tr("Apply B’s values to this graph"), "swap")
        self.pixels = Pixels()
        self._lay_out()
        self._connect()
        self._differences.hide()
        self.pixels.hide()
        self.apply_button.hide()

    def _lay_out(self) -> None:
        self.setFrameShape(QFrame.Shape.NoFrame)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setWidgetResizable(True)
        self._prompt_box.setProperty("surface", "field")
        self._prompt.setWordWrap(True)
        self._prompt.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        prompt = QVBoxLayout(self._prompt_box)
        Spacing(prompt, (8, 6, 8, 6))
        prompt.addWidget(self._prompt)
        head = QHBoxLayout()
        Spacing(head, spacing=2)
        head.addWidget(self._title, 1)
        head.addWidget(self.star_button)
        head.addWidget(self.trash_button)
        buttons = FlowLayout()
        Spacing(buttons, spacing=6)
        for button in (self.graph_button, self.seed_button, self.copy_button, self.verify_button):
            buttons.addWidget(button)
        self._content = content = QFrame()
        content.setProperty("surface", "panel")
        box = QVBoxLayout(content)
        Spacing(box, (16, 10, 16, 16), 12)
        box.addLayout(head)
        box.addWidget(self._prompt_box)
        box.addWidget(self._facts)
        box.addLayout(buttons)
        box.addSpacing(px(8))
        box.addWidget(self._differences)
        box.addWidget(self.apply_button, 0, Qt.AlignmentFlag.AlignLeft)
        box.addSpacing(px(8))
        box.addWidget(self.pixels)
        box.addStretch(1)
        self.setWidget(content)
        self.setFixedWidth(px(_WIDTH))

    def _connect(self) -> None:
        actions = self._results.actions
        self.star_button.clicked.connect(self._star)
        self.trash_button.clicked.connect(self._trash)
        self.graph_button.clicked.connect(lambda: self._act(actions.open_graph))
        self.seed_button.clicked.connect(lambda: self._act(actions.use_seed))
        self.verify_button.clicked.connect(lambda: self._act(actions.verify))
        self.copy_button.clicked.connect(lambda: self._act(actions.copy_image))
        self.pixels.heat_toggled.connect(self.heat_toggled)
        self.apply_button.clicked.connect(lambda: self._act(actions.apply_values))
        self._results.verified.connect(self._verified)
        self._comparer.changed.connect(self._compared)
        self._results.thumbnails.ready.connect(self._thumbnail_ready)
        theme.hub.changed.connect(self._restyled)

    def sizeHint(self) -> QSize:
        return QSize(px(_WIDTH), px(600))

    def show_picture(self, picture: PictureRecord | None, compared: bool) -> None:
        self._picture = picture
        self._content.setVisible(picture is not None)
        if picture is None:
            return
        name = f"B: {picture.name}" if compared else picture.name
        self._title.setText(name)
        self._title.setToolTip(tip(str(picture.path)))
        self.star_button.setChecked(picture.starred)
        star = self.tr("Remove the star") if picture.starred else self.tr("Star")
        self.star_button.rename(star, "S")
        self._prompt.setText(picture.prompt)
        self._prompt_box.setVisible(bool(picture.prompt))
        self._show_facts(picture)
        tells = picture.has_graph and picture.receipt
        self.verify_button.setEnabled(tells)
        self.verify_button.setToolTip(
            self.tr("Make it again and compare")
            if tells
            else self.tr("This picture does not say how it was made")
        )
        self.graph_button.setEnabled(picture.opens)
        why = "" if picture.opens else self.tr("This picture carries no graph")
        self.graph_button.setToolTip(tip(why))
        self.seed_button.setEnabled(picture.seed is not None)

    def _compared(self) -> None:
        finding = self._comparer.finding
        for part in (self._differences, self.pixels):
            part.setVisible(finding is not None)
        graphs = finding.graphs if finding is not None else None
        self.apply_button.setVisible(graphs is not None and bool(graphs.differences))
        if finding is not None:
            self._differences.show_finding(finding)
            self._show_pixels(finding)

    def _show_pixels(self, finding: Finding) -> None:
        thumbnails = [self._results.thumbnails.get(path) for path in finding.pair]
        self.pixels.show_pixels(thumbnails[0], thumbnails[1], finding.pixels)

    def _thumbnail_ready(self, path: Path) -> None:
        finding = self._comparer.finding
        if finding is not None and path in finding.pair:
            self._show_pixels(finding)

    def _restyled(self) -> None:
        self.setFixedWidth(px(_WIDTH))
        if self._picture is not None:
            self._show_facts(self._picture)
        self._compared()

    def _show_facts(self, picture: PictureRecord) -> None:
        self._facts.show_picture(picture, self._results.verdicts.get(picture.path))

    def _verified(self, path: Path) -> None:
        if self._picture is not None and self._picture.path == path:
            self._show_facts(self._picture)

    def _star(self) -> None:
        if self._picture is not None:
            self._results.actions.star([self._picture], self.star_button.isChecked())

    def _trash(self) -> None:
        if self._picture is not None:
            self.trash_requested.emit(self._picture)

    def _act(self, run: object) -> None:
        if self._picture is not None and callable(run):
            run(self._picture)


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
        self.share.setToolTip(tip(self._details_text(found)))
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
