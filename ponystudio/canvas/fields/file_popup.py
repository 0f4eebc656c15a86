"""The list of files of a kind, with their pictures; what does not fit says why."""

from __future__ import annotations

from pathlib import Path, PurePosixPath
from typing import Any

from PySide6.QtCore import QRectF, QSize, Qt, QUrl, Signal
from PySide6.QtGui import QDesktopServices, QPainter, QPen
from PySide6.QtWidgets import QFileDialog, QHBoxLayout, QPushButton, QWidget

from ponystudio.canvas.fields import field_painting
from ponystudio.canvas.fields.list_popup import ListPopup
from ponystudio.canvas.fields.popup_base import MARGIN
from ponystudio.library.model_folders import SUFFIXES, WEIGHTS
from ponystudio.qt.i18n import tr
from ponystudio.studio.models.model_files import FileFacts
from ponystudio.studio.models.model_summary import mismatch, title_of
from ponystudio.widgets import text_layout, theme

_FOOT = 32
_ICONS = {"input": "image", "latents": "latent", "upscale_models": "up4"}


class FilePopup(ListPopup):
    """`chosen` carries a name, `browsed` the path of a file from anywhere."""

    browsed = Signal(str)
    row_height = 44
    most_rows = 8
    fewest_rows = 1
    searched_from = 0
    width_hint = 340
    tab_chooses = False  # it goes to the buttons

    def __init__(self, kind: str, current: str, facts: FileFacts, family: str) -> None:
        self.kind, self.facts, self.family = kind, facts, family
        title = tr("Search {kind}").format(kind=_plural(kind))
        super().__init__(facts.names(kind) or (), current, title)
        self.setAccessibleName(tr("Files"))
        self._add_foot()
        self.nothing.setWordWrap(True)
        self._say_nothing()
        facts.changed.connect(self._facts_changed)
        facts.refresh(kind)

    def name(self, entry: Any) -> str:
        return str(entry)

    def extra_height(self) -> int:
        return self.scaled(_FOOT) + MARGIN

    def paint_row(self, painter: QPainter, rect: QRectF, entry: Any, current: bool) -> None:
        del current
        summary = self.facts.get(self.kind, entry)
        reason = mismatch(self.kind, summary, self.family) if summary else ""
        look = self.look
        place = QRectF(rect.left() + 5, rect.top() + 5, 34, 34)
        if summary and summary.thumb is not None:
            field_painting.thumb(painter, place, summary.thumb, 0.35 if reason else 1.0)
        else:
            painter.setPen(QPen(look.color("line"), 1))
            painter.setBrush(look.color("field"))
            painter.drawRoundedRect(place.adjusted(0.5, 0.5, -0.5, -0.5), 4, 4)
            icon = _ICONS.get(self.kind, "models")
            field_painting.icon(painter, place, icon, look.color("text3"), 16)
        chosen = entry == self.current
        x, room = place.right() + 9, int(rect.width() - 56 - (22 if chosen else 0))
        painter.setPen(look.color("text3" if reason else "text"))
        title = text_layout.elided(title_of(entry), "body", room, True)
        text_layout.draw(painter, x, rect.top() + 14, title, "body")
        line = reason or (summary.line if summary else "…")
        folder = PurePosixPath(entry).parent.as_posix()
        if folder != "." and not reason:
            line = f"{line} · {folder}" if line else folder
        if reason:
            at = QRectF(x - 1, rect.top() + 23, 14, 14)
            field_painting.icon(painter, at, "info", look.color("text3"), 12)
            x, room = x + 17, room - 17
        painter.setPen(look.color("text2" if reason else "text3"))
        text_layout.draw(
            painter, x, rect.top() + 30.5, text_layout.elided(line, "caption", room), "caption"
        )
        if chosen:
            at = QRectF(rect.right() - 26, rect.top(), 16, rect.height())
            field_painting.icon(painter, at, "check", look.color("accent"))

    # Inside

    def _add_foot(self) -> None:
        foot = QWidget(self)
        row = QHBoxLayout(foot)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(self.scaled(4))
        for text, icon, slot in (
            (tr("Browse…"), "folder", self._browse),
            (tr("Show folder"), "detach", self._show_folder),
        ):
            button = QPushButton(theme.icon(icon), text, foot)
            button.setFocusPolicy(Qt.FocusPolicy.TabFocus)
            button.setFont(theme.font("body"))
            button.setIconSize(QSize(self.scaled(16), self.scaled(16)))
            button.setFixedHeight(self.scaled(28))
            button.setCursor(Qt.CursorShape.PointingHandCursor)
            button.setStyleSheet(_flat(self.look))
            button.clicked.connect(slot)
            row.addWidget(button)
        row.addStretch(1)
        foot.setFixedHeight(self.scaled(_FOOT))
        layout = self.layout()
        assert layout is not None
        layout.addWidget(foot)

    def _say_nothing(self) -> None:
        """An empty list says what to do."""
        names = self.facts.names(self.kind)
        if names is None:
            self.nothing.setText(tr("Looking…"))
        elif not names:
            self.nothing.setText(_empty_text(self.kind))
        else:
            self.nothing.setText(tr("Nothing found"))
        empty = not self.rows.shown
        self.list.setVisible(not empty)
        self.nothing.setVisible(empty)

    def _facts_changed(self) -> None:
        if self.done:
            return
        names = self.facts.names(self.kind) or []
        before = self.list.currentIndex().data(Qt.ItemDataRole.UserRole)
        if names != self.rows.entries:
            self.rows.set_entries(names)
            keep = before or self.current
            self._select(self.rows.shown.index(keep) if keep in self.rows.shown else 0)
            self.resize_to_rows()
        self._say_nothing()
        self.list.viewport().update()

    def _browse(self) -> None:
        suffixes = " ".join(f"*{suffix}" for suffix in SUFFIXES.get(self.kind, WEIGHTS))
        folder = self.facts.folder(self.kind) or Path.home()
        dialog = QFileDialog(self.window(), tr("Choose a file"), str(folder))
        dialog.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        dialog.setFileMode(QFileDialog.FileMode.ExistingFile)
        dialog.setNameFilter(tr("Files ({suffixes})").format(suffixes=suffixes))
        dialog.fileSelected.connect(self.browsed.emit)
        # The popup is gone by then, but not its connections: the dialog keeps it.
        self.stay_until_gone(dialog)
        self.close_once()
        dialog.open()

    def _show_folder(self) -> None:
        folder = self.facts.folder(self.kind)
        self.close_once()
        if folder is not None:
            QDesktopServices.openUrl(QUrl.fromLocalFile(str(folder)))

    def sizeHint(self) -> QSize:
        hint = super().sizeHint()
        if not self.rows.shown:
            hint.setHeight(hint.height() + self.scaled(12))
        return hint


def _plural(kind: str) -> str:
    """The files of a kind, in the plural."""
    return {
        "checkpoints": tr("checkpoints"),
        "diffusion_models": tr("denoisers"),
        "text_encoders": tr("text encoders"),
        "loras": tr("LoRAs"),
        "vae": tr("VAEs"),
        "upscale_models": tr("upscalers"),
        "controlnet": tr("ControlNets"),
        "embeddings": tr("embeddings"),
        "input": tr("pictures"),
        "latents": tr("latents"),
    }.get(kind, tr("files"))


def _empty_text(kind: str) -> str:
    """What to do where there is no file of a kind."""
    if kind == "input":
        return tr("No pictures yet. Drop one on the field, or browse for one.")
    if kind == "latents":
        return tr(
            "No latents yet. The node Save latent writes them into the output folder: browse there."
        )
    text = tr("No {kind} yet. Put one into the model folder, or browse for one.")
    return text.format(kind=_plural(kind))


def _flat(look: theme.Theme) -> str:
    text, hover = look.color("text2").name(), look.color("hover").name()
    ring = look.color("text").name()
    return (
        f"QPushButton {{ background: transparent; border: 1px solid transparent; color: {text};"
        " border-radius: 6px; padding: 0 8px; }"
        f"QPushButton:hover {{ background: {hover}; }}"
        f"QPushButton:focus {{ border-color: {ring}; }}"
    )
