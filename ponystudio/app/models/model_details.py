"""What is known of the chosen model file, and what can be done with it; its hash is computed when
it is asked for.
"""

from __future__ import annotations

from functools import partial
from pathlib import Path

from PySide6.QtCore import QSize, Qt, Signal
from PySide6.QtGui import QGuiApplication, QPainter, QPainterPath, QPaintEvent
from PySide6.QtWidgets import QFrame, QHBoxLayout, QPushButton, QVBoxLayout, QWidget

from ponystudio.app.models.model_cards import KINDS, draw_filling, kind_titles
from ponystudio.app.models.model_texts import about_file, own_notes, what_it_is
from ponystudio.errors import PonyStudioError
from ponystudio.library.recognition.model_file import ModelFile
from ponystudio.library.recognition.model_notes import ModelNotes
from ponystudio.qt.plain_text import tip
from ponystudio.studio.models.hashing import Hasher
from ponystudio.studio.models.model_files import PreviewPictureCache
from ponystudio.studio.models.model_list import AUTOV2, ModelEntry
from ponystudio.studio.models.model_summary import ModelSummary, family_title, mismatch
from ponystudio.widgets import theme
from ponystudio.widgets.common import (
    LABEL_WIDTH,
    ElidedLabel,
    IconButton,
    Lines,
    ScrollColumn,
    Spacing,
    TextButton,
    label,
)
from ponystudio.widgets.flow_layout import FlowLayout
from ponystudio.widgets.primitives import draw_box, draw_icon, px

WIDTH = 316
_PICTURE = 188


class ModelDetails(ScrollColumn):
    """What is known of one file. `add_requested`, `use_requested`, `folder_requested`,
    `results_requested` and `star_requested` are about that file; `copied` carries what went to the
    clipboard."""

    add_requested = Signal()
    use_requested = Signal()
    folder_requested = Signal()
    results_requested = Signal()
    star_requested = Signal()
    copied = Signal(str)

    def __init__(
        self, pictures: PreviewPictureCache, hasher: Hasher, parent: QWidget | None = None
    ) -> None:
        super().__init__(16, 12, parent)
        self.setAccessibleName(self.tr("About the file"))
        self._entry: ModelEntry | None = None
        self._fact: ModelSummary | None = None
        self._model: ModelFile | None = None
        self._own = ModelNotes()
        self._shown_words: tuple[str, ...] = ()
        self._family = ""
        self._picture = _Picture(pictures)
        self._title = ElidedLabel("", "title", Qt.TextElideMode.ElideMiddle)
        self.star = IconButton("star", self.tr("Star"), on_icon_color="warn")
        self.star.setCheckable(True)
        self._badges = FlowLayout()
        self.add = TextButton(self.tr("Add to the canvas"), "add", "primary")
        self.folder = TextButton(self.tr("Show file"), "folder")
        self.copy = IconButton("copy", self.tr("Copy name"))
        self.use = TextButton("", "check")
        self.results = TextButton(self.tr("Its results"), "gallery")
        self._advice_line = label("", "caption")
        self._advice_line.setWordWrap(True)
        self.words = _DetailsSection(self.tr("Trigger words"))
        self.word_chips = FlowLayout()
        self.copy_words = TextButton(self.tr("Copy all"), "copy")
        self.hash = HashRow(hasher)
        self.file = _DetailsSection(self.tr("File"))
        self.file_lines = Lines()
        self.what = _DetailsSection(self.tr("What it is"))
        self.what_lines = Lines()
        self.itself = _DetailsSection(self.tr("What it says of itself"))
        self.itself_lines = Lines()
        self.notes = label("", "body", "text2")
        self.tags = _DetailsSection(self.tr("Trained on"))
        self.tag_line = label("", "body", "text2")
        self._nothing = label(self.tr("Choose a file to see what it is."), "body", "text2")
        self._nothing.setWordWrap(True)
        self._lay_out()
        self._connect()
        self.show_entry(None, None, "", False)

    def show_entry(
        self, entry: ModelEntry | None, fact: ModelSummary | None, family: str, starred: bool
    ) -> None:
        """The file that is chosen, as far as it is known; `family` is that of the model in front.
        What the file itself says follows by `show_model`."""
        if entry != self._entry:
            self._model, self._own = None, ModelNotes()
            self.verticalScrollBar().setValue(0)
        self._entry, self._fact, self._family = entry, fact, family
        self._content.setVisible(entry is not None)
        self._nothing.setVisible(entry is None)
        if entry is None:
            return
        self._title.setText(fact.title if fact else entry.name)
        self._title.setToolTip(tip(entry.name))
        self._picture.show_fact(entry.kind, fact)
        self.star.setChecked(starred)
        self.star.rename(self.tr("Remove the star") if starred else self.tr("Star"), "S")
        self.hash.show_fact(fact)
        self._show_badges()
        self._show_lines()

    def show_model(self, entry: ModelEntry, found: tuple[ModelFile, ModelNotes] | None) -> None:
        if entry == self._entry and found is not None:
            self._model, self._own = found
            self._show_badges()
            self._show_lines()

    def offer(self, loads: bool, taker: str) -> None:
        """Whether there is a node that loads such files; which selected node takes them."""
        self.add.setEnabled(loads and self._fact is not None and self._fact.path is not None)
        self.add.setToolTip(tip("" if loads else self._no_loader()))
        self.use.set_look(self.tr("Use in %1").replace("%1", taker))
        self.use.setVisible(bool(taker))
        words = self._advice(loads)
        self._advice_line.setText(words)
        self._advice_line.setVisible(bool(words))

    def copy_name(self) -> None:
        """As a graph calls it; of an embedding, as a prompt does."""
        if self._entry is not None:
            self._copy(f"embedding:{self._word()}" if self._is_embedding() else self._entry.name)

    # Inside

    def _is_embedding(self) -> bool:
        return self._entry is not None and self._entry.kind == "embeddings"

    def _word(self) -> str:
        return self._fact.title if self._fact else self._entry.name if self._entry else ""

    def _no_loader(self) -> str:
        return self.tr("No node loads such a file")

    def _advice(self, loads: bool) -> str:
        """What is wrong with it and what to do about that; how it is used, if not by a loader."""
        fact = self._fact
        if self._entry is None or fact is None:
            return ""
        if fact.problem:
            return " ".join(filter(None, (f"{fact.problem}.", fact.remedy)))
        if why := mismatch(self._entry.kind, fact, self._family):
            return f"{why}."
        if loads:
            return ""
        if self._is_embedding():
            return self.tr("A prompt names it: %1").replace("%1", f"embedding:{self._word()}")
        return self._no_loader()

    def _show_badges(self) -> None:
        self._badges.clear()
        entry, fact, model = self._entry, self._fact, self._model
        badges = [(kind_titles()[entry.kind][1], "text2")] if entry else []
        if entry and fact is not None and fact.family:
            fits = not mismatch(entry.kind, fact, self._family)
            badges.append((family_title(fact.family), "text2" if fits else "warn"))
        if fact is not None and fact.problem:
            badges.append((fact.short or self.tr("Cannot be used"), "warn"))
        elif model is not None and model.format == "safetensors":
            badges.append((self.tr("✓ Safe file"), "ok"))
        for text, tone in badges:
            badge = label(text, "caption", tone)
            badge.setProperty("badge", True)
            self._badges.addWidget(badge)

    def _show_lines(self) -> None:
        fact, model = self._fact, self._model
        self.file_lines.show_lines(about_file(fact, model) if fact else [])
        self.what_lines.show_lines(what_it_is(model) if model else [])
        self.what.setVisible(model is not None)
        lines = own_notes(self._own)
        self.itself_lines.show_lines(lines)
        self.notes.setText(self._own.notes)
        self.notes.setVisible(bool(self._own.notes))
        self.itself.setVisible(bool(lines or self._own.notes))
        self._show_words(self._own.words)
        self.tag_line.setText(",  ".join(f"{tag} {count}" for tag, count in self._own.tags))
        self.tags.setVisible(bool(self._own.tags))

    def _show_words(self, words: tuple[str, ...]) -> None:
        self.words.setVisible(bool(words))
        self.copy_words.setVisible(len(words) > 1)
        if words == self._shown_words:
            return
        self._shown_words = words
        self.word_chips.clear()
        for word in words:
            chip = QPushButton(word)
            chip.setProperty("chip", True)
            chip.setToolTip(self.tr("Copy"))
            chip.clicked.connect(partial(self._copy, word))
            self.word_chips.addWidget(chip)

    def _copy(self, text: str, *_: object) -> None:
        QGuiApplication.clipboard().setText(text)
        self.copied.emit(text)

    def _lay_out(self) -> None:
        for text in (self.notes, self.tag_line):
            text.setWordWrap(True)
            text.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        self._content = QWidget()
        box = QVBoxLayout(self._content)
        Spacing(box, spacing=12)
        head = QHBoxLayout()
        Spacing(head, spacing=2)
        head.addWidget(self._title, 1)
        head.addWidget(self.copy)
        head.addWidget(self.star)
        Spacing(self._badges, spacing=6)
        buttons = FlowLayout()
        Spacing(buttons, spacing=8)
        for button in (self.add, self.folder, self.use, self.results):
            buttons.addWidget(button)
        Spacing(self.word_chips, spacing=6)
        self.words.fill(self.word_chips, self.copy_words)
        self.file.fill(self.hash, self.file_lines)
        self.what.fill(self.what_lines)
        self.itself.fill(self.itself_lines, self.notes)
        self.tags.fill(self.tag_line)
        box.addWidget(self._picture)
        box.addLayout(head)
        box.addLayout(self._badges)
        box.addLayout(buttons)
        for part in (self._advice_line, self.words, self.file, self.what, self.itself, self.tags):
            box.addWidget(part)
        self.box.addWidget(self._nothing)
        self.box.addWidget(self._content)
        self.box.addStretch(1)
        self._restyle()

    def _restyle(self) -> None:
        self.setFixedWidth(px(WIDTH))
        self._show_lines()

    def _connect(self) -> None:
        self.add.clicked.connect(self.add_requested)
        self.use.clicked.connect(self.use_requested)
        self.results.clicked.connect(self.results_requested)
        self.folder.clicked.connect(self.folder_requested)
        self.star.clicked.connect(self.star_requested)
        self.copy.clicked.connect(self.copy_name)
        self.copy_words.clicked.connect(lambda: self._copy(", ".join(self._shown_words)))
        self.hash.copied.connect(self._copy)
        theme.hub.changed.connect(self._restyle)


class _DetailsSection(QWidget):
    """A heading and what stands below it."""

    def __init__(self, title: str) -> None:
        super().__init__()
        self._box = QVBoxLayout(self)
        Spacing(self._box, spacing=6)
        self._box.addWidget(label(title, "group"))

    def fill(self, *parts: QWidget | FlowLayout) -> None:
        for part in parts:
            if isinstance(part, FlowLayout):
                self._box.addLayout(part)
            elif isinstance(part, TextButton):
                self._box.addWidget(part, 0, Qt.AlignmentFlag.AlignLeft)
            else:
                self._box.addWidget(part)


class _Picture(QFrame):
    """The picture beside the file, or the sign of its kind."""

    def __init__(self, pictures: PreviewPictureCache) -> None:
        super().__init__()
        self._pictures = pictures
        self._kind = "checkpoints"
        self._fact: ModelSummary | None = None
        pictures.changed.connect(self.update)

    def show_fact(self, kind: str, fact: ModelSummary | None) -> None:
        self._kind, self._fact = kind, fact
        self.update()

    def sizeHint(self) -> QSize:
        return QSize(px(WIDTH - 32), px(_PICTURE))

    def minimumSizeHint(self) -> QSize:
        return self.sizeHint()

    def paintEvent(self, _event: QPaintEvent) -> None:
        painter, look, rect = QPainter(self), theme.current(), self.rect().toRectF()
        draw_box(painter, rect, px(8), look.color("field"), look.color("line"))
        image = self._pictures.get(self._fact, round(self.width() * self.devicePixelRatioF()))
        if image is None:
            draw_icon(painter, KINDS[self._kind], rect.center(), look.color("line2"), 48)
            return
        clip = QPainterPath()
        clip.addRoundedRect(rect.adjusted(1, 1, -1, -1), px(7), px(7))
        painter.setClipPath(clip)
        draw_filling(painter, rect, image)


class HashRow(QWidget):
    """`copied` carries a hash that is to go to the clipboard."""

    copied = Signal(str)

    def __init__(self, hasher: Hasher, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._hasher = hasher
        self._path: Path | None = None
        self._sha256 = self._problem = ""
        self._name = label(self.tr("hash"), "body", "text3")
        self._value = label("", "mono")
        self.compute = QPushButton(self.tr("Compute"))
        self.compute.setProperty("kind", "link")
        self.stop = IconButton("close", self.tr("Stop"))
        self.short = IconButton("copy", self.tr("Copy AutoV2, the first ten digits"))
        self.whole = IconButton("link", self.tr("Copy the whole SHA-256"))
        self._name.setMinimumWidth(px(LABEL_WIDTH))
        row = QHBoxLayout(self)
        Spacing(row, spacing=0)
        row.addWidget(self._name)
        row.addWidget(self._value)
        for part in (self.compute, self.stop, self.short, self.whole):
            row.addWidget(part)
        row.addStretch(1)
        self.compute.clicked.connect(self._compute)
        self.stop.clicked.connect(self._stop)
        self.short.clicked.connect(lambda: self.copied.emit(self._sha256[:AUTOV2]))
        self.whole.clicked.connect(lambda: self.copied.emit(self._sha256))
        hasher.progressed.connect(self._show_progress)
        hasher.done.connect(self._done)
        hasher.failed.connect(self._failed)

    def show_fact(self, fact: ModelSummary | None) -> None:
        path = fact.path if fact and fact.path and fact.path.is_file() else None
        if path != self._path:
            self._problem = ""
            self._value.setText("")
        self._path, self._sha256 = path, fact.sha256 if fact else ""
        self._show()

    def _show(self) -> None:
        reading = self._path is not None and self._hasher.wants(self._path)
        if self._sha256:
            self._value.setText(self._sha256[:AUTOV2])
            self._value.setToolTip(tip(self._sha256))
        elif reading and not self._value.text():
            self._value.setText(self.tr("waits"))
        elif not reading:
            self._value.setText(self._problem)
        self.compute.setVisible(not self._sha256 and not reading)
        self.stop.setVisible(reading)
        for button in (self.short, self.whole):
            button.setVisible(bool(self._sha256))
        self.setVisible(self._path is not None)

    def _compute(self) -> None:
        if self._path is not None:
            self._problem = ""
            self._value.setText("")
            self._hasher.hash(self._path)
            self._show()

    def _stop(self) -> None:
        if self._path is not None:
            self._hasher.give_up(self._path)
            self._show()

    def _show_progress(self, path: Path, share: float) -> None:
        if path == self._path and self._hasher.wants(path):
            self._value.setText(f"{share:.0%}")

    def _done(self, path: Path, sha256: str) -> None:
        if path == self._path:
            self._sha256 = sha256 or self._sha256
            self._show()

    def _failed(self, path: Path, error: PonyStudioError) -> None:
        if path == self._path:
            self._problem = error.what
            self._show()
