"""The list of presets: titles, and what each would insert."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import QRectF, Qt
from PySide6.QtGui import QKeyEvent, QPainter
from PySide6.QtWidgets import QLabel, QVBoxLayout

from ponystudio.canvas.fields import field_painting
from ponystudio.canvas.fields.list_popup import ListPopup
from ponystudio.errors import PonyStudioError
from ponystudio.qt.i18n import tr
from ponystudio.studio.models import prompt_presets
from ponystudio.studio.models.prompt_presets import Preset
from ponystudio.widgets import text_layout, theme

_TITLE = 236


class PresetPopup(ListPopup):
    """`problem` is what is wrong with a person's own presets, said below the list. Del forgets one
    of those."""

    width_hint = 520

    def __init__(self, known: Sequence[Preset], current: Preset | None, problem: str = "") -> None:
        super().__init__(known, current, tr("Search presets"))
        self.setAccessibleName(tr("Presets"))
        self.notice = QLabel(self)
        self.notice.setWordWrap(True)
        self.notice.setFont(theme.font("caption"))
        self._show_notice(problem)
        layout = self.layout()
        assert isinstance(layout, QVBoxLayout)
        layout.addWidget(self.notice)

    def name(self, entry: Preset) -> str:
        return f"{entry.title}, {entry.text}"

    def paint_row(self, painter: QPainter, rect: QRectF, entry: Preset, current: bool) -> None:
        middle, look = rect.center().y() - 0.5, self.look
        if entry.own:
            place = QRectF(rect.left() + 6, rect.top(), 16, rect.height())
            field_painting.icon(painter, place, "star", look.color("text3"))
        painter.setPen(look.color("text" if current else "text2"))
        left = rect.left() + 28
        title = text_layout.elided(entry.title, "body", _TITLE - 12)
        text_layout.draw(painter, left, middle, title, "body")
        painter.setPen(look.color("text2" if current else "text3"))
        room = int(rect.right() - 8 - left - _TITLE)
        words = text_layout.elided(" ".join(entry.text.split()), "mono_caption", room)
        text_layout.draw(painter, left + _TITLE, middle, words, "mono_caption")

    def extra_height(self) -> int:
        if self.notice.isHidden():
            return 0
        return self.notice.heightForWidth(self.scaled(self.width_hint) - 12) + 6

    def _show_notice(self, wrong: str = "") -> None:
        """What is wrong, else how to get rid of ones of one's own."""
        own = any(entry.own for entry in self.rows.entries)
        self.notice.setText(wrong or (tr("Del forgets one of your own.") if own else ""))
        token = "err" if wrong else "text3"
        self.notice.setStyleSheet(f"color: {self.look.color(token).name()};")
        self.notice.setVisible(bool(self.notice.text()))

    def _key(self, event: QKeyEvent) -> bool:
        if event.key() == Qt.Key.Key_Delete and not self.search.text():
            entry = self.list.currentIndex().data(Qt.ItemDataRole.UserRole)
            if entry is not None and entry.own:
                self._forget(entry)
            return True
        return super()._key(event)

    def _forget(self, entry: Preset) -> None:
        try:
            prompt_presets.forget(entry)
        except PonyStudioError as error:
            self._show_notice(str(error))
        else:
            row = self.list.currentIndex().row()
            self.rows.set_entries([other for other in self.rows.entries if other != entry])
            self._select(row)
            self._show_notice()
        self.resize_to_rows()
