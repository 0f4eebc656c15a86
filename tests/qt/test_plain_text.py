"""Texts of strangers as letters."""

from __future__ import annotations

import pytest
from PySide6.QtGui import Qt, QTextDocument

from ponystudio.qt.plain_text import CUT, TIP_LETTERS, TIP_LINES, cut, tip


def test_what_is_short_stays_as_it_is():
    text = "two\nlines"
    assert cut(text) is text
    assert tip(text) == text


def test_the_beginning_of_a_long_text_is_shown_with_a_mark():
    assert cut("abcdef", letters=3) == "abc" + CUT
    assert cut("a\nb\nc\nd", lines=2) == "a\nb" + CUT
    assert len(cut("x" * 10**7)) < 20_000
    assert cut("\n" * 10**7).count("\n") < 1000
    assert len(tip("x" * 10**7)) <= TIP_LETTERS + 1
    assert tip("x\n" * 10**6).count("\n") < TIP_LINES


@pytest.mark.parametrize(
    "text",
    [
        "<img src='/dev/zero'>",
        "<b>bold</b> & 1 &lt; 2",
        "a pony, <img src='//host/share/a.png'>",
        "<table>" * 500,
        "<!doctype html><link rel=stylesheet href=/dev/zero>",
        "<?xml version='1.0'?><html><style>@import '/dev/zero'</style>",
    ],
)
def test_a_tooltip_shows_markup_as_letters(qapp, text):
    """Qt's tooltips decide by themselves what is HTML: what they then read are these letters."""
    given = tip(text)
    if Qt.mightBeRichText(given):
        document = QTextDocument()
        document.setHtml(given)
        given = document.toPlainText()
    assert given == text[:TIP_LETTERS] + (CUT if len(text) > TIP_LETTERS else "")
