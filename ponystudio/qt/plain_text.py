"""Texts of strangers as letters: bounded, and never taken for markup."""

from __future__ import annotations

from PySide6.QtGui import Qt

CUT = "…"
MOST_LETTERS, MOST_LINES = 10_000, 300
"""Of a label or a note: far above what anybody reads there, little work to lay out."""
TIP_LETTERS, TIP_LINES = 2_000, 40


def cut(text: str, letters: int = MOST_LETTERS, lines: int = MOST_LINES) -> str:
    """The text, or its beginning with a mark where it is longer than that."""
    short = text[:letters]
    if short.count("\n") >= lines:
        short = "\n".join(short.split("\n", lines)[:lines])
    return text if len(short) == len(text) else short + CUT


def tip(text: str) -> str:
    """What a tooltip is given so that it shows this text, not what a markup in it asks for: those
    of Qt take for HTML whatever looks so."""
    short = cut(text, TIP_LETTERS, TIP_LINES)
    return Qt.convertFromPlainText(short) if Qt.mightBeRichText(short) else short
