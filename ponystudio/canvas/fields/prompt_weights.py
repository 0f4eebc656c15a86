"""Attention syntax as it is typed: where weighted words are, and how a key changes their weight."""

from __future__ import annotations

import re
from dataclasses import dataclass

from ponystudio.diffusion.text.prompt_syntax import without_comments

ROUND = 1.1
_NETWORK = re.compile(r"<(\w+:[^<>:]+):([+-]?[\d.]+)((?::[^<>]*)?)>")
_WEIGHT = re.compile(r":\s*+([+-]?(?:\d+(?:\.\d*+)?|\.\d+))\s*+\Z")
_LONGEST_WEIGHT = 64
LONGEST = 20_000
"""Letters of a prompt whose weights are marked as it is painted and typed."""
_APART = " \t\n,()[]<>|"
_EDGES = " \t\n,"


@dataclass(frozen=True)
class Group:
    """Brackets from `start` to behind `end`; the words in them are `inner`, `weight` is theirs."""

    start: int
    end: int
    inner: tuple[int, int]
    weight: float


def groups(text: str, dialect: str) -> list[Group]:
    """All closed brackets that weigh words, inner ones before those around them."""
    found: list[Group] = []
    open_brackets: list[tuple[int, str]] = []
    waiting = {"(": 0, "[": 0}
    pairs = {")": "(", "]": "["} if dialect == "a1111" else {")": "("}
    text = without_comments(text, dialect, " ")
    i = 0
    while i < len(text):
        letter = text[i]
        if letter == "\\":
            i += 2
            continue
        if letter in pairs.values():
            open_brackets.append((i, letter))
            waiting[letter] += 1
        elif letter in pairs and waiting[pairs[letter]]:
            opening = ""
            while opening != pairs[letter]:  # those of the other kind in between close nothing
                start, opening = open_brackets.pop()
                waiting[opening] -= 1
            found.append(_group(text, start, i + 1))
        i += 1
    return found


def spans(text: str, dialect: str) -> list[tuple[int, int]]:
    """From where to where words are weighted: the outermost brackets, in order."""
    result: list[tuple[int, int]] = []
    for group in sorted(groups(text, dialect), key=lambda group: (group.start, -group.end)):
        if not result or group.start >= result[-1][1]:
            result.append((group.start, group.end))
    return result


def adjusted(
    text: str, start: int, end: int, by: float, dialect: str = "a1111"
) -> tuple[str, int, int]:
    """The text with more or less weight on the selection, and the selection afterwards.

    Without one: on the brackets around the cursor, else on the word there. A weight of 1 takes its
    brackets away. Where there is nothing to weigh the text stays as it is.
    """
    if network := _network_at(text, start, end):
        return _network(text, network, by)
    if start == end:
        around = [g for g in groups(text, dialect) if g.start < start < g.end]
        if around:
            return _weigh(text, min(around, key=lambda g: g.end - g.start), by)
        start, end = _word(text, start)
    start, end = _trimmed(text, start, end)
    if start == end:
        return text, start, end
    for group in groups(text, dialect):
        if (start, end) in ((group.start, group.end), group.inner):
            return _weigh(text, group, by)
    if not _balanced(text[start:end], dialect):
        return text, start, end
    weight = shown(1 + by)
    return f"{text[:start]}({text[start:end]}:{weight}){text[end:]}", start + 1, end + 1


def shown(weight: float) -> str:
    """A weight as it is written: 1.1, 0.95."""
    return f"{weight:.2f}".rstrip("0").rstrip(".")


def _group(text: str, start: int, end: int) -> Group:
    if text[start] == "[":
        return Group(start, end, (start + 1, end - 1), 1 / ROUND)
    # Looked for at the end alone: brackets may nest without end.
    colon = text.rfind(":", max(start + 1, end - _LONGEST_WEIGHT), end - 1)
    if colon >= 0 and (match := _WEIGHT.match(text, colon, end - 1)):
        return Group(start, end, (start + 1, colon), float(match[1]))
    return Group(start, end, (start + 1, end - 1), ROUND)


def _weigh(text: str, group: Group, by: float) -> tuple[str, int, int]:
    weight = round(max(0.0, round(group.weight, 2) + by), 2)
    first, last = group.inner
    words = text[first:last]
    if weight == 1:
        return (
            text[: group.start] + words + text[group.end :],
            group.start,
            group.start + len(words),
        )
    start = group.start + 1
    replaced = f"({words}:{shown(weight)})"
    return text[: group.start] + replaced + text[group.end :], start, start + len(words)


def _network_at(text: str, start: int, end: int) -> re.Match[str] | None:
    return next((m for m in _NETWORK.finditer(text) if m.start() <= start and end <= m.end()), None)


def _network(text: str, match: re.Match[str], by: float) -> tuple[str, int, int]:
    """`<lora:name:0.8>`: the number is its strength."""
    try:
        strength = float(match[2])
    except ValueError:
        return text, match.start(), match.end()
    replaced = f"<{match[1]}:{shown(strength + by) or '0'}{match[3]}>"
    start = match.start()
    return text[:start] + replaced + text[match.end() :], start, start + len(replaced)


def _word(text: str, place: int) -> tuple[int, int]:
    start = end = place
    while start > 0 and text[start - 1] not in _APART:
        start -= 1
    while end < len(text) and text[end] not in _APART:
        end += 1
    return start, end


def _trimmed(text: str, start: int, end: int) -> tuple[int, int]:
    """Without commas and spaces at the edges, which need no weight."""
    while start < end and text[start] in _EDGES:
        start += 1
    while end > start and text[end - 1] in _EDGES:
        end -= 1
    return start, end


def _balanced(text: str, dialect: str) -> bool:
    depth = 0
    for i, letter in enumerate(text):
        if i and text[i - 1] == "\\":
            continue
        if letter == "(":
            depth += 1
        elif letter == ")":
            depth -= 1
        if depth < 0:
            return False
    del dialect
    return depth == 0
