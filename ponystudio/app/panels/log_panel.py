"""What the engine and its libraries print, as it comes."""

from __future__ import annotations

from pathlib import Path

from PySide6.QtCore import QTimer
from PySide6.QtGui import QGuiApplication, QHideEvent, QShowEvent, QTextCursor
from PySide6.QtWidgets import QHBoxLayout, QPlainTextEdit, QVBoxLayout, QWidget

from ponystudio.widgets import theme
from ponystudio.widgets.common import label
from ponystudio.widgets.primitives import PaintedButton, px

EVERY = 500
LINES = 5000
MOST = 2**18


class LogPanel(QWidget):
    """Reads the end of the log file while it is shown."""

    def __init__(self, file: Path | None, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._file, self._read = file, 0
        self.setAccessibleName(self.tr("Log"))
        title = label(self.tr("Log"), "title")
        self.copy = PaintedButton("plain", self.tr("Copy"), "copy")
        self.copy.clicked.connect(self._copy)
        head = QHBoxLayout()
        head.addWidget(title, 1)
        head.addWidget(self.copy)
        self.text = QPlainTextEdit()
        self.text.setReadOnly(True)
        self.text.setMaximumBlockCount(LINES)
        self.text.setFont(theme.font("mono_caption"))
        self.text.setAccessibleName(self.tr("What the engine printed"))
        self.text.setPlaceholderText(self.tr("The engine has printed nothing."))
        self._where = label(str(file) if file else "", "caption")
        self._where.setWordWrap(True)
        box = QVBoxLayout(self)
        box.setContentsMargins(px(12), px(12), px(12), px(12))
        box.setSpacing(px(8))
        box.addLayout(head)
        box.addWidget(self.text, 1)
        box.addWidget(self._where)
        self._timer = QTimer(self, interval=EVERY)
        self._timer.timeout.connect(self._read_on)

    @property
    def is_following(self) -> bool:
        """Whether it looks for more."""
        return self._timer.isActive()

    def showEvent(self, event: QShowEvent) -> None:
        super().showEvent(event)
        self._read_on()
        self._timer.start()

    def hideEvent(self, event: QHideEvent) -> None:
        super().hideEvent(event)
        self._timer.stop()

    def _read_on(self) -> None:
        if self._file is None:
            return
        try:
            size = self._file.stat().st_size
            if size < self._read:  # it began anew
                self._read = 0
                self.text.clear()
            if size == self._read:
                return
            with self._file.open("rb") as file:
                file.seek(max(self._read, size - MOST))
                new = file.read(MOST)
        except OSError:
            return
        self._read = size
        bar = self.text.verticalScrollBar()
        at_end = bar.value() >= bar.maximum() - 4
        cursor = QTextCursor(self.text.document())
        cursor.movePosition(QTextCursor.MoveOperation.End)
        cursor.insertText(new.decode("utf-8", "replace"))
        if at_end:
            bar.setValue(bar.maximum())

    def _copy(self) -> None:
        QGuiApplication.clipboard().setText(self.text.toPlainText())
