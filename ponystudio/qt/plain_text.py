"""Texts of strangers as letters: bounded, and never taken for markup."""

from __future__ import annotations

import re

from PySide6.QtGui import Qt

CUT = "…"
MOST_LETTERS, MOST_LINES = 10_000, 300
"""Of a label or a note: far above what anybody reads there, little work to lay out."""
TIP_LETTERS, TIP_LINES = 2_000, 40
# Longer words, names of files say, may break within.
LONG_WORD = 16
BREAK = "\u200b"


def cut(text: str, letters: int = MOST_LETTERS, lines: int = MOST_LINES) -> str:
    """The text, or its beginning with a mark where it is longer than that."""
    short = text[:letters]
    if short.count("\n") >= lines:
        short = "\n".join(short.split("\n", lines)[:lines])
    return text if len(short) == len(text) else short + CUT


def breakable(text: str) -> str:
    """The text, or its beginning, with places without width where its long words may be broken."""
    text = cut(text)

    def broken(word: re.Match[str]) -> str:
        return BREAK.join(re.findall(rf"[^\W_]{{1,{LONG_WORD}}}[\W_]?|[\W_]", word[0]))

    return re.sub(rf"\S{{{LONG_WORD + 1},}}", broken, text)


def tip(text: str) -> str:
    """What a tooltip is given so that it shows this text, not what a markup in it asks for: those
    of Qt take for HTML whatever looks so."""
    short = cut(text, TIP_LETTERS, TIP_LINES)
    return Qt.convertFromPlainText(short) if Qt.mightBeRichText(short) else short
