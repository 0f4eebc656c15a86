"""Texts of strangers, made harmless to show; the one place where a text becomes more than letters.

Qt takes whatever looks like HTML for HTML, in labels as well, and its documents read each file,
pipe or share that a text names as a picture, even when asked in vain. So labels are told that a
text is plain, documents are given nothing, and every text is bounded.
"""

from __future__ import annotations

from html import escape
from typing import Any

from PySide6.QtCore import Qt, QUrl
from PySide6.QtGui import QImage, QTextCharFormat, QTextCursor, QTextDocument, QTextFormat
from PySide6.QtWidgets import QLabel, QTextBrowser, QWidget

from ponystudio.qt.i18n import tr
from ponystudio.qt.plain_text import MOST_LETTERS, cut
from ponystudio.widgets import theme

# The parser of Markdown takes time by the square of a table's rows.
MOST_CELLS = 4_000
_MARKDOWN = (
    QTextDocument.MarkdownFeature.MarkdownDialectGitHub
    | QTextDocument.MarkdownFeature.MarkdownNoHTML
)
_MARKDOWN_WITHOUT_TABLES = (
    QTextDocument.MarkdownFeature.MarkdownDialectCommonMark
    | QTextDocument.MarkdownFeature.MarkdownNoHTML
)


def spanned(text: str, token: str, mono: bool = False) -> str:
    """A text in one of the look's colours, for a label with rich text."""
    family = f"font-family: '{theme.font('mono').family()}';" if mono else ""
    return styled(text, f"color: {theme.current().color(token).name()}; {family}")


def styled(text: str, style: str) -> str:
    """A text with a style of our own."""
    return f'<span style="{style}">{escape(cut(text))}</span>'


class RichLabel(QLabel):
    """A label of texts from `spanned`."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setTextFormat(Qt.TextFormat.RichText)


class PlainLabel(QLabel):
    """A label that shows each letter of a text as it is, and of a very long one the beginning."""

    def __init__(self, text: str = "", parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setTextFormat(Qt.TextFormat.PlainText)
        self.setText(text)

    def setText(self, text: str) -> None:
        super().setText(cut(text))


class SealedBrowser(QTextBrowser):
    """Pages of our own markup, in which the words of others are escaped. It opens nothing."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setOpenLinks(False)

    def show_page(self, html: str, style: str) -> None:
        """Show our own markup in this style sheet."""
        self.document().setDefaultStyleSheet(style)
        self.setHtml(html)

    def loadResource(self, _kind: int, _name: QUrl | str) -> Any:
        return _nothing()


class SealedDocument(QTextDocument):
    """A text that opens nothing."""

    def loadResource(self, _kind: int, _name: QUrl | str) -> Any:
        return _nothing()


def _nothing() -> QImage:
    """A dot: after a null Qt tries for itself to open what is named."""
    dot = QImage(1, 1, QImage.Format.Format_ARGB32_Premultiplied)
    dot.fill(Qt.GlobalColor.transparent)
    return dot


def markdown(text: str, letters: int = MOST_LETTERS) -> SealedDocument:
    """A document of somebody's Markdown: no HTML; links are coloured, and lead nowhere; in the
    place of pictures is what they are called."""
    short = cut(text, letters)
    widest = max(line.count("|") for line in short.split("\n"))
    tables = widest * (short.count("\n") + 1) <= MOST_CELLS
    document = SealedDocument()
    document.setUndoRedoEnabled(False)
    document.setMarkdown(short, _MARKDOWN if tables else _MARKDOWN_WITHOUT_TABLES)
    _take_pictures_out(document)
    return document


def _take_pictures_out(document: QTextDocument) -> None:
    """Before the document is laid out, as that would ask for them."""
    found = []
    block = document.begin()
    while block.isValid():
        place = block.begin()
        while not place.atEnd():
            fragment = place.fragment()
            if fragment.charFormat().isImageFormat():
                found.append((fragment.position(), fragment.length(), fragment.charFormat()))
            place += 1
        block = block.next()
    cursor = QTextCursor(document)
    for start, length, look in reversed(found):
        named = look.stringProperty(QTextFormat.Property.ImageAltText)
        words = QTextCharFormat()
        words.setFontItalic(True)
        cursor.setPosition(start)
        cursor.setPosition(start + length, QTextCursor.MoveMode.KeepAnchor)
        cursor.insertText(tr("[picture: %1]").replace("%1", named or "?") * length, words)
