"""The hash of a model file: computed when it is asked for, and there to be copied."""

from __future__ import annotations

from pathlib import Path

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QHBoxLayout, QPushButton, QWidget

from ponystudio.errors import PonyStudioError
from ponystudio.studio.models.hashing import Hasher
from ponystudio.studio.models.model_filter import AUTOV2
from ponystudio.studio.models.model_summary import ModelSummary
from ponystudio.widgets.common import LABEL_WIDTH, IconButton, Spacing, label
from ponystudio.widgets.primitives import px


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
            self._value.setToolTip(self._sha256)
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
