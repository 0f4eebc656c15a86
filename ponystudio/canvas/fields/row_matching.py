"""Search in short lists of names."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TypeVar

T = TypeVar("T")
_SCATTERED = 1000
_APART = str.maketrans(dict.fromkeys("_-./+()[] ", " "))


def matching(query: str, entries: Iterable[T], name: Callable[[T], str]) -> list[T]:
    """The entries that a search finds, the best first; all, in their order, for an empty one.

    Every word of the search must occur; where one does not, its letters in their order will do.
    """
    words = query.lower().translate(_APART).split()
    if not words:
        return list(entries)
    found = []
    for order, entry in enumerate(entries):
        text = name(entry).lower()
        ranks = [_rank(word, text) for word in words]
        if all(rank is not None for rank in ranks):
            found.append((sum(rank or 0 for rank in ranks), order, entry))
    found.sort(key=lambda item: item[:2])
    if found and found[0][0] < _SCATTERED:
        found = [item for item in found if item[0] < _SCATTERED]
    return [entry for _, _, entry in found]


def _rank(word: str, text: str) -> int | None:
    """0 for a beginning, then a word's beginning, then any place, then scattered letters."""
    if text.startswith(word):
        return 0
    spaced = text.translate(_APART)
    if f" {word}" in spaced:
        return 1
    if word in spaced:
        return 2
    letters = iter(spaced)
    return _SCATTERED if all(letter in letters for letter in word) else None
