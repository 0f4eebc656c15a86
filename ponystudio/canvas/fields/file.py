"""Files: what they are and how they look, chosen from a list, dropped or browsed for."""

# ruff: noqa: ARG002 - the signatures are Field's
from __future__ import annotations

from pathlib import Path, PurePosixPath
from typing import Any

from PySide6.QtCore import QRectF, QSize, Qt, QUrl, Signal
from PySide6.QtGui import QAccessible, QDesktopServices, QPainter, QPen
from PySide6.QtWidgets import QFileDialog, QHBoxLayout, QPushButton, QWidget

from ponystudio.canvas.fields import field_painting
from ponystudio.canvas.fields.base import Drag, Field, FieldPart, Host, Touch
from ponystudio.canvas.fields.field_context import FieldContext, model_family
from ponystudio.canvas.fields.list_popup import ListPopup
from ponystudio.canvas.fields.popup_base import MARGIN
from ponystudio.library.file_checks import files_of
from ponystudio.library.model_folders import SUFFIXES
from ponystudio.qt.file_manager import show_in_folder
from ponystudio.qt.i18n import tr
from ponystudio.studio.documents.editable_graph import EditableGraph
from ponystudio.studio.models.model_files import FileFacts
from ponystudio.studio.models.model_summary import ModelSummary, mismatch, title_of
from ponystudio.system.file_names import WEIGHTS
from ponystudio.widgets import text_layout, theme
from ponystudio.widgets.action import ActionSpec

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
        "hypernetworks": tr("hypernetworks"),
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


HEIGHT = 44.0
PREVIEW = 34.0
_RIGHT = 28.0


class FileField(Field):
    """One file of a kind."""

    role = QAccessible.Role.ComboBox

    def height(self, width: float, value: object) -> float:
        return HEIGHT

    # Looks

    def paint(self, painter: QPainter, rect: QRectF, ctx: FieldContext) -> None:
        field_painting.box(painter, rect, ctx, bad=not ctx.connected and bool(self.trouble(ctx)))
        if ctx.connected:
            self.paint_connected(painter, rect, ctx)
        else:
            self.paint_content(painter, rect, ctx)
        if ctx.hovered == "drop":
            field_painting.drop_ring(painter, rect, ctx)

    def paint_content(self, painter: QPainter, rect: QRectF, ctx: FieldContext) -> None:
        summary = self.summary(ctx)
        x = rect.left() + field_painting.TEXT_INSET
        if summary is not None and summary.thumb is not None:
            place = QRectF(rect.left() + 5, rect.top() + 5, PREVIEW, PREVIEW)
            field_painting.thumb(painter, place, summary.thumb)
            x = place.right() + 8
        room = int(rect.right() - _RIGHT - x)
        painter.setPen(ctx.theme.color("text"))
        title = text_layout.elided(self.title(ctx), "body", room, True)
        text_layout.draw(painter, x, rect.top() + 14, title, "body")
        trouble = self.trouble(ctx)
        line = trouble or (summary.line if summary is not None else "…")
        painter.setPen(ctx.theme.color("err" if trouble else "text3"))
        text_layout.draw(
            painter, x, rect.top() + 30.5, text_layout.elided(line, "caption", room), "caption"
        )
        field_painting.chevron(painter, rect, ctx)

    def paint_cell(self, painter: QPainter, rect: QRectF, ctx: FieldContext) -> None:
        field_painting.box(painter, rect, ctx, bad=bool(self.trouble(ctx)))
        shown = self.title(ctx)
        field_painting.value_only(painter, rect, ctx, shown, "body", middle_elided=True, right=20)
        field_painting.chevron(painter, rect.adjusted(0, 0, 4, 0), ctx)

    def title(self, ctx: FieldContext) -> str:
        return title_of(str(ctx.value)) if ctx.value else tr("Choose a file")

    def shown(self, ctx: FieldContext) -> str:
        return str(ctx.value)

    def accessible_text(self, ctx: FieldContext) -> str:
        summary = self.summary(ctx)
        line = self.trouble(ctx) or (summary.line if summary is not None else "")
        return ", ".join(word for word in (self.label, self.title(ctx), line) if word)

    def tooltip(self, ctx: FieldContext, part: str = "") -> str:
        summary = self.summary(ctx)
        lines = [str(summary.path) if summary and summary.path else str(ctx.value)]
        if summary and (trouble := mismatch(self.spec.kind, summary, model_family(ctx))):
            lines.insert(0, f"{trouble}. {summary.remedy}".strip())
        lines.append(super().tooltip(ctx, part))
        return "\n".join(line for line in lines if line)

    # Values

    def summary(self, ctx: FieldContext) -> ModelSummary | None:
        """What is known of the chosen file; None while it is found out."""
        return ctx.services.facts.get(self.spec.kind, str(ctx.value))

    def trouble(self, ctx: FieldContext) -> str:
        """Why the chosen file does not serve, in two or three words."""
        summary = self.summary(ctx)
        return mismatch(self.spec.kind, summary, model_family(ctx), short=True) if summary else ""

    # Events

    def parts(self, rect: QRectF, ctx: FieldContext) -> tuple[FieldPart, ...]:
        return (FieldPart("value", rect, cursor=Qt.CursorShape.PointingHandCursor),)

    def press(self, touch: Touch, ctx: FieldContext, host: Host) -> Drag | bool:
        return self.edit(touch.rect, ctx, host)

    def double_click(self, touch: Touch, ctx: FieldContext, host: Host) -> bool:
        return True  # the first click has opened the list

    def edit(self, rect: QRectF, ctx: FieldContext, host: Host, text: str | None = None) -> bool:

        popup = FilePopup(self.spec.kind, str(ctx.value), ctx.services.facts, model_family(ctx))
        popup.chosen.connect(lambda name: host.set_value(ctx, name))
        popup.browsed.connect(lambda path: self._take(path, ctx, host))
        if text:
            popup.type_in(text)
        host.open_popup(ctx, popup, rect)
        return True

    def accepts_drop(self, paths: tuple[str, ...], ctx: FieldContext) -> bool:
        suffixes = SUFFIXES.get(self.spec.kind, WEIGHTS)
        return len(paths) == 1 and paths[0].lower().endswith(tuple(suffixes))

    def drop(self, paths: tuple[str, ...], ctx: FieldContext, host: Host) -> bool:
        if not self.accepts_drop(paths, ctx):
            return False
        self._take(paths[0], ctx, host)
        return True

    def actions(self, ctx: FieldContext, part: str, host: Host) -> list[ActionSpec]:
        summary = self.summary(ctx)
        path = summary.path if summary else None
        return [
            ActionSpec(
                "file.show",
                tr("Show in folder"),
                lambda: show_in_folder(path) if path else None,
                icon="folder",
                enabled=lambda: path is not None,
            )
        ]

    def _take(self, path: str, ctx: FieldContext, host: Host) -> None:
        """A file from anywhere, by the name that a graph has for it."""
        host.set_value(ctx, ctx.services.facts.name_for(self.spec.kind, Path(path)))


def loras_behind(document: EditableGraph, id: str) -> tuple[str, ...]:
    """The names of the LoRA files on the way of a node's text encoder: they may bring textual
    inversions that its prompt can name."""
    found: list[str] = []
    seen: set[str] = set()
    pending = [id]
    while pending:
        id = pending.pop()
        node = document.graph.nodes.get(id)
        if node is None or id in seen or (spec := document.spec(id)) is None:
            continue
        seen.add(id)
        if node.mode == "normal":
            found += [name for _, kind, name in files_of(node, spec) if kind == "loras" and name]
        clips = [item.name for item in spec.inputs if item.type == "clip"]
        pending += [node.inputs[name].source for name in clips if name in node.inputs]
    return tuple(dict.fromkeys(found))
