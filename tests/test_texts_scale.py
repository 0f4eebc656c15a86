"""A text of four times the length takes some four times the time, in each reader of texts."""

from __future__ import annotations

from time import process_time

import pytest

from helpers.text_readers import READERS, read, texts

LETTERS = 20_000
TOKENS = 6_000
"""Letters for what counts tokens: a letter takes ten times as long there."""
SMALL = 0.2
"""Seconds that need no second look: by the square each of these takes more."""


def seconds(name: str, text: str, tries: int = 1) -> float:
    taken = []
    for _ in range(tries):
        began = process_time()
        read(name, text)
        taken.append(process_time() - began)
    return min(taken)


@pytest.mark.parametrize("name", READERS)
def test_time_grows_with_the_length(qapp, name):
    """By the square it would be sixteen times."""
    read(name, "a pony")  # loads what it needs
    letters = TOKENS if "tokens" in name else LETTERS
    short, long = texts(letters // 4), texts(letters)
    assert [
        part
        for part, text in long.items()
        if seconds(name, text) > SMALL
        and seconds(name, text, 3) > 7 * max(0.02, seconds(name, short[part], 3))
    ] == []
