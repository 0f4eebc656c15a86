"""Beside the viewer: how B was made, and how that differs from A in words."""

from __future__ import annotations

from PySide6.QtCore import QSize, Qt
from PySide6.QtGui import QFontMetrics, QPainter, QPaintEvent, QPen
from PySide6.QtWidgets import (
    QGridLayout,
    QHBoxLayout,
    QVBoxLayout,
    QWidget,
)

from ponystudio.graph.digital_source import COMPOSITE, TRAINED
from ponystudio.graph.formats.receipt import Verdict
from ponystudio.studio.results import graph_diff
from ponystudio.studio.results.comparison import Finding
from ponystudio.studio.results.picture_record import PictureRecord
from ponystudio.studio.results.result_texts import decimal, device, precision, size
from ponystudio.widgets import theme
from ponystudio.widgets.common import Hairline, Lines, Spacing, label, rounded
from ponystudio.widgets.primitives import draw_icon, px
from ponystudio.widgets.rich_text import RichLabel, spanned, styled

MOST_ROWS = 100


class Facts(Lines):
    """How a picture was made; what is not known has no line."""

    def show_picture(self, picture: PictureRecord, verdict: Verdict | None = None) -> None:
        self.show_lines(self._lines(picture, verdict))

    def _lines(self, picture: PictureRecord, verdict: Verdict | None) -> list[tuple[str, str]]:
        lines: list[tuple[str, str]] = []

        def line(name: str, *parts: str) -> None:
            if any(parts):
                lines.append((name, " ".join(part for part in parts if part)))

        def plain(text: str) -> str:
            return spanned(text, "text") if text else ""

        def number(text: str) -> str:
            return spanned(text, "text", mono=True) if text else ""

        line(self.tr("negative"), plain(picture.negative))
        model_hash = picture.model_hash and spanned(picture.model_hash, "text3", mono=True)
        line(self.tr("model"), plain(picture.model), model_hash)
        others = (name for name in picture.files if name != picture.model)
        line(self.tr("with"), plain(", ".join(others)))
        samplers = ", ".join(part for part in (picture.sampler, picture.scheduler) if part)
        line(self.tr("sampler"), plain(samplers))
        steps = "" if picture.steps is None else str(picture.steps)
        cfg = "" if picture.cfg is None else decimal(picture.cfg)
        line(self.tr("steps, cfg"), number(", ".join(part for part in (steps, cfg) if part)))
        line(self.tr("seed"), "" if picture.seed is None else number(str(picture.seed)))
        sides = f"{picture.width} × {picture.height}" if picture.width else ""
        rest = f"{picture.format}, {size(picture.bytes)}"
        line(self.tr("size"), number(sides) + plain(", " if sides else "") + plain(rest))
        made_on = (device(picture.device), precision(picture.dtype))
        line(self.tr("made on"), plain(", ".join(part for part in made_on if part)))
        if picture.has_graph:
            whole = self.tr("Graph and receipt inside") if picture.receipt else self.tr("Inside")
            line(self.tr("graph"), spanned("✓ ", "ok") + spanned(whole, "ok"))
        else:
            none = (
                self.tr("None, but all that makes one") if picture.opens else self.tr("None inside")
            )
            line(self.tr("graph"), spanned(none, "text3"))
        line(self.tr("marked as"), plain(self._origin(picture.source_type)))
        for licence in picture.licences:
            line(self.tr("licence"), plain(licence))
        if verdict is not None and verdict.unlike and verdict.close:
            said = self.tr("The same but for rounding: %1").replace("%1", verdict.unlike)
            line(self.tr("made again"), spanned("✓ ", "ok") + spanned(said, "ok"))
        elif verdict is not None and verdict.unlike:
            said = f"{verdict.unlike}. {verdict.why}"
            line(self.tr("made again"), spanned("! ", "warn") + spanned(said, "warn"))
        elif verdict is not None:
            said = self.tr("The same in every pixel")
            line(self.tr("made again"), spanned("✓ ", "ok") + spanned(said, "ok"))
        return lines

    def _origin(self, source_type: str) -> str:
        return {
            TRAINED: self.tr("Made by AI"),
            COMPOSITE: self.tr("Made by AI in part"),
        }.get(source_type, "")


class DifferenceRow(QWidget):
    """What differs, as a caption; the value of A, an arrow, the value of B."""

    def __init__(self, difference: graph_diff.Difference, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        caption = label(difference.what, "caption", "text3")
        before, after = self._values(difference)
        old, new = RichLabel(), RichLabel()
        for value, text in ((old, before), (new, after)):
            value.setText(text)
            value.setProperty("role", "body")
            value.setWordWrap(True)
            value.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        grid = QGridLayout(self)
        grid.setContentsMargins(0, px(7), 0, px(7))
        grid.setHorizontalSpacing(px(6))
        grid.setVerticalSpacing(px(1))
        grid.addWidget(caption, 0, 0, 1, 3)
        grid.addWidget(old, 1, 0, Qt.AlignmentFlag.AlignTop)
        grid.addWidget(_Arrow(), 1, 1)
        grid.addWidget(new, 1, 2, Qt.AlignmentFlag.AlignTop)
        grid.setColumnStretch(0, 1)
        grid.setColumnStretch(2, 1)
        self.setAccessibleName(
            self.tr("%s: %s in A, %s in B") % (difference.what, difference.before, difference.after)
        )

    @staticmethod
    def _values(difference: graph_diff.Difference) -> tuple[str, str]:
        if not difference.prose:
            mono = _is_number(difference.before) and _is_number(difference.after)
            old = spanned(difference.before, "text2", mono)
            return old, spanned(difference.after, "text", mono)
        left, right = graph_diff.words(difference.before, difference.after)
        return _marked(left, "text2", "err", "line-through"), _marked(
            right, "text", "ok", "underline"
        )


def _marked(pieces: list[graph_diff.Piece], token: str, only: str, line: str) -> str:
    """Struck through or underlined besides the colour."""
    look = theme.current()
    ink, ground = look.color(only).name(), look.color(f"{only}bg").name()
    style = f"color: {ink}; background-color: {ground}; text-decoration: {line};"
    return "".join(
        styled(text, style) if own and text.strip() else spanned(text, token)
        for text, own in pieces
    )


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


class _Arrow(QWidget):
    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setFixedWidth(px(20))

    def paintEvent(self, _event: QPaintEvent) -> None:
        middle = self.rect().toRectF().center()
        draw_icon(QPainter(self), "right", middle, theme.current().color("text3"))


class Differences(QWidget):
    """The section below the facts; hidden where nothing is compared."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._count = Badge()
        head = QHBoxLayout()
        head.addWidget(label(self.tr("Differences"), "title"))
        head.addStretch(1)
        head.addWidget(label("A", "caption", "text3"))
        head.addWidget(_Arrow())
        head.addWidget(label("B", "caption", "text3"))
        head.addSpacing(px(8))
        head.addWidget(self._count)
        self._rows = QVBoxLayout()
        self._rows.setSpacing(0)
        self._same = RichLabel()
        self._same.setProperty("role", "body")
        self._same.setWordWrap(True)
        box = QVBoxLayout(self)
        Spacing(box, spacing=8)
        box.addLayout(head)
        box.addLayout(self._rows)
        box.addWidget(self._same)

    def show_finding(self, finding: Finding) -> None:
        while (item := self._rows.takeAt(0)) is not None:
            if (widget := item.widget()) is not None:
                widget.hide()
                widget.deleteLater()
        self._rows.addWidget(Hairline())
        if finding.graphs is None:
            self._count.say("")
            self._same.setText(spanned(self._missing_text(finding.lacking), "text2"))
            return
        found = finding.graphs.differences
        for difference in found[:MOST_ROWS]:
            self._rows.addWidget(DifferenceRow(difference))
            self._rows.addWidget(Hairline())
        if (more := len(found) - MOST_ROWS) > 0:
            self._rows.addWidget(label(self.tr("and %d more") % more, "caption", "text3"))
        self._count.say(self.tr("%d of %d values") % (len(found), finding.graphs.values))
        same = graph_diff.sentence(finding.graphs.same)
        if not found:
            same = self.tr("Same graph and values")
        self._same.setText(spanned("✓  ", "ok") + spanned(same, "text2") if same else "")
        self._same.setVisible(bool(same))

    def _missing_text(self, lacking: str) -> str:
        return {
            "A": self.tr("A carries no graph to compare."),
            "B": self.tr("B carries no graph to compare."),
            "both": self.tr("Neither picture carries a graph to compare."),
        }.get(lacking, self.tr("Reading both graphs"))


class Badge(QWidget):
    """A short fact in a box."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._text = ""

    def say(self, text: str) -> None:
        self._text = text
        self.setAccessibleName(text)
        self.setVisible(bool(text))
        self.updateGeometry()
        self.update()

    def sizeHint(self) -> QSize:
        width = QFontMetrics(theme.font("mono_caption")).horizontalAdvance(self._text)
        return QSize(width + px(12), px(18))

    def minimumSizeHint(self) -> QSize:
        return self.sizeHint()

    def paintEvent(self, _event: QPaintEvent) -> None:
        painter, look = QPainter(self), theme.current()
        rounded(painter, self.rect(), px(4), None, QPen(look.color("line2"), 1))
        painter.setFont(theme.font("mono_caption"))
        painter.setPen(look.color("text2"))
        painter.drawText(self.rect(), Qt.AlignmentFlag.AlignCenter, self._text)
