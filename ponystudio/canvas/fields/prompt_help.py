"""What helps to write a prompt: presets, tags as boards write them, its tokens. A prompt's menu
offers it, and the command palette, for the one that is worked on."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence

from PySide6.QtCore import QRectF, Qt
from PySide6.QtGui import QKeyEvent, QPainter
from PySide6.QtWidgets import QVBoxLayout

from ponystudio.canvas.fields import field_painting
from ponystudio.canvas.fields.base import Host
from ponystudio.canvas.fields.field_context import FieldContext, dialect_of
from ponystudio.canvas.fields.list_popup import ListPopup
from ponystudio.errors import PonyStudioError
from ponystudio.graph.editing import lora_tags
from ponystudio.qt.i18n import tr
from ponystudio.studio.models import prompt_presets, tag_style
from ponystudio.studio.models.prompt_presets import Preset
from ponystudio.widgets import text_layout, theme
from ponystudio.widgets.action import ActionSpec
from ponystudio.widgets.rich_text import PlainLabel

_TITLE = 236


class PresetPopup(ListPopup):
    """`problem` is what is wrong with a person's own presets, said below the list. Del forgets one
    of those."""

    width_hint = 520

    def __init__(self, known: Sequence[Preset], current: Preset | None, problem: str = "") -> None:
        super().__init__(known, current, tr("Search presets"))
        self.setAccessibleName(tr("Presets"))
        self.notice = PlainLabel(parent=self)
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


Target = Callable[[], FieldContext | None]
Change = Callable[[str, Collection[str]], str]


def actions(target: Target, host: Host) -> list[ActionSpec]:
    """The commands; each acts on what `target` gives then, and can be used if that is a prompt."""

    def spec(
        id: str,
        title: str,
        act: Callable[[FieldContext], object],
        icon: str,
        *keys: str,
        worded: bool = True,
        fits: Callable[[str], object] = bool,
    ) -> ActionSpec:
        def run() -> None:
            if (ctx := target()) is not None:
                act(ctx)

        def enabled() -> bool:
            ctx = target()
            return ctx is not None and (not worded or bool(fits(str(ctx.value).strip())))

        return ActionSpec(f"prompt.{id}", title, run, keys, tr("Prompt"), icon, enabled)

    def converting(id: str, title: str, change: Change) -> ActionSpec:
        return spec(id, title, lambda ctx: _convert(ctx, host, change, title), "swap")

    return [
        spec(
            "preset",
            tr("Insert a preset…"),
            lambda ctx: choose(ctx, host),
            "star",
            "Ctrl+Shift+I",
            worded=False,
        ),
        spec("keep", tr("Keep as a preset"), lambda ctx: keep(ctx, host), "save"),
        converting("tags", tr("Tags to prompt"), tag_style.as_prompt),
        converting("spaces", tr("Underscores to spaces"), tag_style.with_spaces),
        converting("underscores", tr("Spaces to underscores"), tag_style.with_underscores),
        spec("loras", tr("Make LoRA nodes"), host.make_loras, "models", fits=lora_tags.has_tags),
        spec(
            "tokens",
            tr("Show its tokens"),
            lambda ctx: host.show_tokens(ctx),
            "search",
            "Ctrl+Shift+K",
            worded=False,
        ),
    ]


def choose(ctx: FieldContext, host: Host, current: Preset | None = None, problem: str = "") -> None:
    """A list of presets opens; the chosen one goes to the cursor, else to the end."""
    editor = host.editor_of(ctx)
    start, end = editor.selection() if editor else (len(str(ctx.value)),) * 2
    known: list[Preset] = []
    try:
        known = prompt_presets.own()
    except PonyStudioError as error:
        problem = str(error)
    popup = PresetPopup([*known, *prompt_presets.shipped()], current, problem)
    popup.chosen.connect(lambda preset: _insert(ctx, host, preset, start, end, editor is not None))
    host.open_popup(ctx, popup, host.rect_of(ctx))


def keep(ctx: FieldContext, host: Host) -> None:
    """What is selected, else all of it, becomes a preset; the list shows it."""
    editor = host.editor_of(ctx)
    start, end = editor.selection() if editor else (0, 0)
    text = str(ctx.value)
    try:
        choose(ctx, host, prompt_presets.keep(text[start:end] or text))
    except PonyStudioError as error:
        choose(ctx, host, problem=str(error))


def _insert(
    ctx: FieldContext, host: Host, preset: Preset, start: int, end: int, editing: bool
) -> None:
    before = str(ctx.fresh().value)
    others = prompt_presets.shipped()
    dialect = dialect_of(ctx)
    text, cursor = prompt_presets.inserted(before, preset, others, start, end, dialect)
    if text != before:
        host.set_value(ctx, text, text=tr("Insert {name}").format(name=preset.title))
    if editing:
        host.write(ctx, cursor, cursor)


def _convert(ctx: FieldContext, host: Host, change: Change, title: str) -> None:
    """What is selected, else all of it."""
    editor, text = host.editor_of(ctx), str(ctx.value)
    start, end = editor.selection() if editor else (0, 0)
    if start == end:
        start, end = 0, len(text)
    changed = change(text[start:end], ctx.services.counts.embedding_names())
    if changed != text[start:end]:
        host.set_value(ctx, text[:start] + changed + text[end:], text=title)
        if editor and (start, end) != (0, len(text)):
            editor.select(start, start + len(changed))
