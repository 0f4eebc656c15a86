"""Finding by a few letters: which letters of a text a query meets, and how well."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TypeVar

Item = TypeVar("Item")

_START, _WORD, _RUN, _FAR = 16, 10, 6, 1
_OTHER_WORDS = 40  # a hit in the other words; a title that is met by word beginnings is worth more
# Letters that are looked at: far above any title, and what is typed to find one.
_LONGEST, _LONGEST_QUERY = 200, 60
_WORDS = re.compile(r"\w+")


@dataclass(frozen=True)
class Match:
    """`places` are the letters that were met. More `score` is better."""

    score: int
    places: tuple[int, ...] = ()


def match(query: str, text: str) -> Match | None:
    """How a query meets a text: its letters in their order, best at the beginnings of words.

    Words of the query may come in any order: "image up" meets "Upscale image".
    """
    words, text = query[:_LONGEST_QUERY].lower().split(), text[:_LONGEST]
    if not words:
        return Match(0)
    whole = _letters("".join(words), text)
    if len(words) == 1:
        return whole
    each = [_letters(word, text) for word in words]
    if all(each):
        found = [item for item in each if item]
        places = tuple(sorted({place for item in found for place in item.places}))
        apart = Match(sum(item.score for item in found), places)
        return apart if whole is None or apart.score > whole.score else whole
    return whole


def ranked(
    query: str, items: Iterable[Item], texts: Callable[[Item], tuple[str, ...]]
) -> list[tuple[Item, Match]]:
    """The items that a query meets, best first. `texts` of an item: its title, then other words
    to find it by, which count for less and mark no letters."""
    found: list[tuple[int, int, Item, Match]] = []
    for index, item in enumerate(items):
        title, *others = texts(item)
        best = match(query, title)
        for rank, other in enumerate(others, 1):
            score = _OTHER_WORDS // rank if _begins_words(query, other) else 0
            if score and (best is None or score > best.score):
                best = Match(score, best.places if best else ())
        if best:
            found.append((-best.score, index, item, best))
    found.sort(key=lambda entry: entry[:2])
    return [(item, hit) for _, _, item, hit in found]


def _begins_words(query: str, text: str) -> bool:
    """Whether all words of the query begin words of the text."""
    known = _WORDS.findall(text[: 10 * _LONGEST].lower())
    wanted = _WORDS.findall(query[:_LONGEST_QUERY].lower())
    return bool(wanted) and all(any(w.startswith(word) for w in known) for word in wanted)


def _letters(word: str, text: str) -> Match | None:
    """The best way to meet the letters of a word in a text, by dynamic programming."""
    low = text.lower()
    if len(low) != len(text):  # letters that grow when lowered: keep places true
        low = "".join(c.lower()[:1] for c in text)
    bonus = [_bonus(text, i) for i in range(len(low))]
    # By place of the last letter met: (score, places).
    row: dict[int, tuple[int, tuple[int, ...]]] = {}
    for n, letter in enumerate(word):
        new: dict[int, tuple[int, tuple[int, ...]]] = {}
        best: tuple[int, tuple[int, ...]] | None = None
        for i, char in enumerate(low):
            if n and i - 2 in row and (best is None or row[i - 2][0] > best[0]):
                best = row[i - 2]
            if char != letter:
                continue
            options: list[tuple[int, tuple[int, ...]]] = []
            if n == 0:
                # Letters scattered from the middle of a word on were not meant.
                if bonus[i] > _FAR or low.startswith(word, i):
                    options.append((bonus[i], (i,)))
            else:
                if i - 1 in row:
                    score, places = row[i - 1]
                    options.append((score + max(_RUN, bonus[i]), (*places, i)))
                if best:
                    options.append((best[0] + bonus[i], (*best[1], i)))
            if options:
                new[i] = max(options, key=lambda option: option[0])
        row = new
        if not row:
            return None
    score, places = max(row.values(), key=lambda option: option[0])
    # A word that is begun as it was typed is worth as much as any scattered beginnings of words.
    for i in (i for i in range(len(low)) if bonus[i] > _FAR and low.startswith(word, i)):
        whole = bonus[i] + _WORD * (len(word) - 1)
        if whole > score:
            score, places = whole, tuple(range(i, i + len(word)))
    # Of texts that are met alike the shorter is meant.
    return Match(score * 4 - min(len(text), 40) // 8, places)


def _bonus(text: str, i: int) -> int:
    if i == 0:
        return _START
    before, char = text[i - 1], text[i]
    starts = not before.isalnum() or (char.isupper() and before.islower())
    return _WORD if starts else _FAR
