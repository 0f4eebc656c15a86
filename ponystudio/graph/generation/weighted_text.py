"""Prompts of programs that weigh words in ways of their own, in a dialect of ours.

    NovelAI    {x} × 1.05, [x] ÷ 1.05, 1.3::x:: × 1.3; brackets ( ) are words
    InvokeAI   x+, (x y)++ × 1.1ⁿ; x-, (x y)-- × 0.9ⁿ; (x y)1.3 × 1.3; brackets alone are nothing

Weights of what stands in brackets multiply; what comes out is flat: `(words:1.21)`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from itertools import groupby

# How deep brackets may stand in each other before they are taken for words.
MOST_NESTED = 100
# Beyond these a weight says nothing any more.
_LEAST, _MOST = -20.0, 20.0
_UP, _DOWN = 1.05, 1 / 1.05
Piece = tuple[str, float]

_NOVEL = re.compile(r"(-?\d{1,3}(?:\.\d{0,4})?)?::|[{}\[\]]|[^{}\[\]:\d-]++|.", re.DOTALL)


def from_novelai(text: str) -> str:
    """In the dialect a1111."""
    pieces: list[Piece] = []
    open_brackets: list[str] = []
    level, factor = 0, 1.0
    for found in _NOVEL.finditer(text):
        sign = found[0]
        if sign.endswith("::"):
            factor = float(found[1]) if found[1] else 1.0
        elif sign in ("{", "["):
            open_brackets.append(sign)
            level += 1 if sign == "{" else -1
        elif sign in ("}", "]"):
            if open_brackets and open_brackets[-1] == ("{" if sign == "}" else "["):
                open_brackets.pop()
                level -= 1 if sign == "}" else -1
        else:
            pieces.append((sign, factor * _UP ** min(max(level, -MOST_NESTED), MOST_NESTED)))
    return written(pieces, escape="()")


_PLUS = re.compile(r"(\++|-+)(?=[\s,.;:!?)]|$)|(\d{0,3}\.\d{1,4}|\d{1,3})(?=[\s,.;:!?)]|$)")
_WORD = re.compile(r"\\.|[^\s()\\+,-]++|[\s,]++|.", re.DOTALL)


def from_invokeai(text: str) -> str:
    """In the dialect comfyui."""
    return written(_invoked(text), escape="")


def _invoked(text: str) -> list[Piece]:
    """The parts of a prompt of InvokeAI's, each with its weight."""
    # Of each open bracket: what stands in it so far.
    stack: list[list[Piece]] = [[]]
    place = 0
    while place < len(text):
        if text[place] == "(" and len(stack) <= MOST_NESTED:
            stack.append([])
            place += 1
            continue
        if text[place] == ")" and len(stack) > 1:
            inside = stack.pop()
            weight, place = _weight(text, place + 1, numbers=True)
            stack[-1] += ((part, own * weight) for part, own in inside)
            continue
        found = _WORD.match(text, place)
        part = found[0] if found else text[place]
        place += len(part)
        weight = 1.0
        if not part.isspace() and part.strip(", "):
            weight, place = _weight(text, place, numbers=False)
        stack[-1].append((part, weight))
    while len(stack) > 1:  # never closed: a word
        inside = stack.pop()
        stack[-1] += [("\\(", 1.0), *inside]
    return stack[0]


def _weight(text: str, place: int, *, numbers: bool) -> tuple[float, int]:
    """What is said of that which ends at a place, and where it is said."""
    found = _PLUS.match(text, place)
    if found is None or (found[2] and not numbers):
        return 1.0, place
    if found[2]:
        return float(found[2]), found.end()
    count = min(len(found[1]), MOST_NESTED)
    return (1.1 if found[1][0] == "+" else 0.9) ** count, found.end()


def written(pieces: Iterable[Piece], *, escape: str) -> str:
    """Pieces with their weights as `(words:weight)`; letters in `escape` are words, with a \\."""
    said: list[str] = []
    for weight, group in groupby(pieces, key=lambda piece: _rounded(piece[1])):
        text = "".join(part for part, _ in group)
        for letter in escape:
            text = text.replace(letter, f"\\{letter}")
        core = text.strip(" ,\n")
        if weight == 1 or not core:
            said.append(text)
            continue
        before, _, after = text.partition(core)
        said.append(f"{before}({core}:{weight:g}){after}")
    return "".join(said)


def _rounded(weight: float) -> float:
    return round(min(max(weight, _LEAST), _MOST), 3)
