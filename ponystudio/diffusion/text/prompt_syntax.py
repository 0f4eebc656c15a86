"""Attention syntax: from a prompt to segments of text, each with a weight.

Two dialects are read. Both know `(x)` × 1.1 and `(x:1.3)`; they differ in the rest:

                        a1111                           comfyui
    (x:w) inside ( )    factors multiply                w replaces the outer factor
    [x]                 ÷ 1.1                           plain text
    BREAK               ends the chunk of 75 tokens     plain text
    unclosed bracket    acts to the end                 plain text
    escapes             \\( \\) \\[ \\] \\\\                  \\( \\) \\{ \\} \\|
    <name:...>          removed                         plain text
    comments            # to the end of the line        // to the end of the line, /* */
    {x}                 plain text                      x

Comments are left out before anything else is read.

What A1111 does over time (`[from:to:when]`, `[a|b]`) or with several prompts (`AND`), and what is
drawn by chance (`{a|b}`, `__name__`), is not interpreted: it is read by the rules above, and
`notes` says so.
"""

from __future__ import annotations

import math
import re
from bisect import bisect_left
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import groupby

from ponystudio.errors import ParamChoice, listed

DIALECTS = ("a1111", "comfyui")
# What a prompt without words is: what its model is used to, the states of no words, or zeros.
EMPTY = ("auto", "encode", "zeros")

ROUND = 1.1
SQUARE = 1 / 1.1


@dataclass(frozen=True)
class Segment:
    """Text whose tokens all carry the same weight; 1 is neutral."""

    text: str
    weight: float = 1.0


@dataclass(frozen=True)
class Break:
    """The word BREAK: what follows starts a new chunk."""


def parse(text: str, dialect: str) -> list[Segment | Break]:
    """The segments of a prompt, in order; none of them is empty.

    Every text is a valid prompt: what is no syntax is plain text. Raises ParamChoice for a dialect
    that is not among DIALECTS.
    """
    if dialect == "a1111":
        return _parse_a1111(without_comments(text, dialect))
    if dialect == "comfyui":
        return list(_parse_comfyui(_read_braces(without_comments(text, dialect))[0]))
    raise ParamChoice(
        f"There is no prompt dialect {dialect!r}.",
        socket="dialect",
        remedy=f"Choose {' or '.join(DIALECTS)}.",
    )


def notes(text: str, dialect: str) -> list[str]:
    """What in the prompt does not act as its author may expect, one plain sentence each."""
    said = without_comments(text, dialect)
    return [*_notes_on_comments(text, said, dialect), *_notes_on_words(said, dialect)]


def _notes_on_words(text: str, dialect: str) -> Iterator[str]:
    found = sorted({match[0] for match in EXTRA_NETWORK.finditer(text)})
    fate = "left out of the text" if dialect == "a1111" else "read as plain text"
    networks = [name for name in found if APPLIED.match(name)]
    if networks:
        hypernetworks = all("hypernet" in name.lower() for name in networks)
        node = "Apply hypernetwork" if hypernetworks else "Apply LoRA"
        yield f"{listed(networks)}: {fate}, and no file is applied. Use an {node} node."
    if others := [name for name in found if not APPLIED.match(name)]:
        yield f"{listed(others)}: {fate}, and nothing else is done with it."
    if wildcards := sorted({match[0] for match in WILDCARD.finditer(text)}):
        yield f"{listed(wildcards)}: read as plain text; __name__ is not filled in yet."
    sent, choices = _read_braces(text)
    if choices:
        yield f"{listed(choices)}: read as plain text; {{a|b}} draws none of its words yet."
    if dialect == "a1111":
        if sent != text and re.search(r"(?<!\\)[{}]", text):
            yield "{x} is read as plain text; weights are written (x:1.2)."
        if re.search(r"\bAND\b", text):
            yield "AND is read as a word; the prompts are not combined."
        if _deepest(text) > MOST_NESTED:
            yield f"Brackets that stand in more than {MOST_NESTED} others are read as plain text."
        if re.search(r":\s*+[\d.]++\s*+(?<!\\)\]", text):
            yield "[from:to:when] is read as plain text in brackets, at every step."
        if re.search(r"(?<!\\)\[[^\[\]|]*+\|[^\[\]]*+\]", text):
            yield "[a|b] is read as plain text in brackets, at every step."
    else:
        if re.search(r"\bBREAK\b", text):
            yield "BREAK is read as a word; it ends a chunk in the dialect a1111 alone."
        segments = _parse_comfyui(sent)
        if names := [m[0] for part in segments for m in UNREAD_EMBEDDING.finditer(part.text)]:
            yield f"{listed(names)}: read as words, as ComfyUI does. Put a blank before it."
    if weights := sorted({match[0] for match in FOREIGN_WEIGHT.finditer(text)}):
        yield f"{listed(weights)}: read as plain text; weights are written (word:1.2)."


WILDCARD = re.compile(r"__[^\W_][\w/*.-]{0,98}?__")
# Of InvokeAI and NovelAI.
FOREIGN_WEIGHT = re.compile(
    r"\w\+{2,5}(?=[\s,.)]|$)|\)(?:[+-]{1,5}|\d{0,3}\.\d{1,4})(?=[\s,)]|$)|-?\d[\d.]{0,6}::"
)
# ComfyUI looks for them at the start of a segment and after white space.
UNREAD_EMBEDDING = re.compile(r"(?<=[^\w\s])embedding:[^\s,;:.][^\s,;]{0,80}")


# --- Comments ------------------------------------------------------------------------------

_HASH_COMMENT = re.compile(r"#[^\n]*")
# What is meant as a comment, by those who know the other dialect.
_LIKE_HASH = re.compile(r"^[ \t]*#|\s#\s", re.MULTILINE)
_LIKE_SLASHES = re.compile(r"(?:^|\s)//", re.MULTILINE)
# A line ends where it does in ComfyUI's window.
_SLASHES = re.compile(r"//[^\n\r\u2028\u2029]*|/\*")


def comments(text: str, dialect: str) -> Iterator[tuple[int, int]]:
    """From where to where a prompt is a comment, in order."""
    if dialect == "a1111":
        yield from (match.span() for match in _HASH_COMMENT.finditer(text))
    elif dialect == "comfyui":
        last, place = text.rfind("*/"), 0
        while match := _SLASHES.search(text, place):
            start, place = match.span()
            if match[0] == "/*":
                if place > last:  # never closed: plain text
                    place = start + 1
                    continue
                place = text.index("*/", place) + 2
            yield start, place


def without_comments(text: str, dialect: str, fill: str = "") -> str:
    """The prompt without its comments, or with `fill` for each letter of them."""
    kept: list[str] = []
    place = 0
    for start, end in comments(text, dialect):
        kept += text[place:start], fill * (end - start)
        place = end
    return "".join(kept) + text[place:]


def _notes_on_comments(text: str, said: str, dialect: str) -> Iterator[str]:
    """On what is a comment elsewhere only, and on what may not have been meant as one."""
    if lost := [text[a:b] for a, b in comments(text, dialect) if _looks_like_a_word(text, a)]:
        yield f"{listed(lost)}: left out as a comment, to the end of the line."
    if dialect == "a1111":
        opened = said.find("/*")
        if _LIKE_SLASHES.search(said) or (opened >= 0 and said.find("*/", opened + 2) >= 0):
            yield "// and /* */ are read as words; they are comments in the dialect comfyui alone."
    elif _LIKE_HASH.search(said):
        yield "# is read as a word; it begins a comment in the dialect a1111 alone."


def _looks_like_a_word(text: str, start: int) -> bool:
    """Whether the comment there may be none to its author: `#ff0000` in a line, `https://`."""
    before, after = text[start - 1 : start], text[start + 1 : start + 2]
    if text[start] == "#":
        return before not in ("", "\n") and bool(after.strip())
    return text.startswith("//", start) and bool(before.strip())


# --- Braces --------------------------------------------------------------------------------

_BRACES = re.compile(r"\\(?P<escaped>[\s\S])|[{|}]")


def _read_braces(text: str) -> tuple[str, list[str]]:
    """The text as ComfyUI's window sends it, and the outermost choices, which stay in it: braces
    around a single word go, and so does the backslash before a brace or a bar that is meant."""
    parts: list[str] = []
    unclosed: list[tuple[int, int, bool]] = []  # place in `parts`, place in `text`, has it a bar
    choices: list[tuple[int, int]] = []
    place = 0
    for match in _BRACES.finditer(text):
        parts.append(text[place : match.start()])
        place = match.end()
        if (escaped := match["escaped"]) is not None:
            parts.append(escaped if escaped in "{|}" else match[0])
            continue
        if match[0] == "{":
            unclosed.append((len(parts), match.start(), False))
        elif match[0] == "|" and unclosed:
            unclosed[-1] = (*unclosed[-1][:2], True)
        elif match[0] == "}" and unclosed:
            part, start, has_bar = unclosed.pop()
            if not has_bar:
                parts[part] = ""
                continue
            while choices and choices[-1][0] > start:
                choices.pop()
            choices.append((start, place))
        parts.append(match[0])
    parts.append(text[place:])
    return "".join(parts), [text[start:end] for start, end in choices]


# --- A1111 ---------------------------------------------------------------------------------

# With bounds, so that many a `<` without its `>` takes no time by the square of the text.
EXTRA_NETWORK = re.compile(r"<\w{1,99}+:[^>]{1,999}+>")
APPLIED = re.compile(r"<(?:lora|lyco|hypernet):", re.IGNORECASE)
NUMBER = r"[+-]?(?:\d+(?:\.\d*)?|\.\d+)"
A1111_TOKEN = re.compile(
    rf"""
    \\ (?P<escaped> [()\[\]\\]? )           # a lone backslash vanishes
  | (?P<open> [(\[] )
  | : \s* (?P<weight> {NUMBER} ) \s* \)
  | (?P<close> [)\]] )
  | (?P<plain> [^\\()\[\]:]+ | : )
    """,
    re.VERBOSE,
)
BREAK_WORD = re.compile(r"\bBREAK\b")
MOST_NESTED = 100
"""Brackets of a kind around a word that are counted: each weighs all that is in it anew."""


@dataclass
class _Bracket:
    """From where to where, in parts, a factor acts."""

    start: int
    factor: float
    end: int | None = None


def _parse_a1111(text: str) -> list[Segment | Break]:
    parts: list[str | Break] = []
    closed: list[_Bracket] = []
    # Round and square brackets pair among themselves, so that they may overlap: `(a [b) c]`.
    unclosed: dict[str, list[_Bracket]] = {"(": [], "[": []}

    def close(kind: str, factor: float | None = None) -> None:
        bracket = unclosed[kind].pop()
        bracket.end = len(parts)
        if factor is not None:
            bracket.factor = factor
        closed.append(bracket)

    for token in A1111_TOKEN.finditer(EXTRA_NETWORK.sub("", text)):
        if token["escaped"] is not None:
            parts.append(token["escaped"])
        elif (opening := token["open"]) and len(unclosed[opening]) < MOST_NESTED:
            factor = ROUND if opening == "(" else SQUARE
            unclosed[opening].append(_Bracket(len(parts), factor))
        elif token["weight"] and unclosed["("] and math.isfinite(float(token["weight"])):
            close("(", float(token["weight"]))
        elif token["close"] == ")" and unclosed["("]:
            close("(")
        elif token["close"] == "]" and unclosed["["]:
            close("[")
        else:
            parts.extend(_with_breaks(token[0]))

    weights = [1.0] * len(parts)
    # In A1111's order, so that the last bits too decide alike what merges.
    for bracket in (*closed, *unclosed["("], *unclosed["["]):
        within = slice(bracket.start, bracket.end)
        weights[within] = [weight * bracket.factor for weight in weights[within]]
    return _merged(parts, weights)


def _with_breaks(text: str) -> Iterator[str | Break]:
    """The text between the words BREAK, without the blanks around them."""
    first, *others = BREAK_WORD.split(text)
    for part in others:
        yield first.rstrip()
        yield Break()
        first = part.lstrip()
    yield first


def _deepest(text: str) -> int:
    """In how many brackets of a kind a word stands at most."""
    depth, most = {"(": 0, "[": 0}, 0
    for token in A1111_TOKEN.finditer(text):
        if opening := token["open"]:
            depth[opening] += 1
            most = max(most, depth[opening])
        elif token["weight"] or token["close"]:
            kind = "[" if token["close"] == "]" else "("
            depth[kind] = max(0, depth[kind] - 1)
    return most


def _merged(parts: list[str | Break], weights: list[float]) -> list[Segment | Break]:
    """Neighbours of equal weight are one segment."""
    segments: list[Segment | Break] = []
    pairs = [(part, weight) for part, weight in zip(parts, weights, strict=True) if part != ""]
    for (is_break, weight), run in groupby(
        pairs, key=lambda pair: (isinstance(pair[0], Break), pair[1])
    ):
        if is_break:
            segments.extend(Break() for _ in run)
        else:
            segments.append(Segment("".join(str(part) for part, _ in run), weight))
    return segments


# --- ComfyUI -------------------------------------------------------------------------------

UNESCAPED_BRACKET = re.compile(r"(?<!\\)[()]")
_LONGEST_NUMBER = 64


def _parse_comfyui(text: str) -> Iterator[Segment]:
    """Walk the nested brackets; with a stack of our own, since a prompt may nest without end."""
    closing = _closing_brackets(text)
    openings = list(closing)
    stretches = [(0, len(text), 1.0)]
    while stretches:
        start, end, weight = stretches.pop()
        i = bisect_left(openings, start)
        opening = min(openings[i], end) if i < len(openings) else end
        if opening > start:
            yield _plain(text[start:opening], weight)
        if opening == end:
            continue
        close = closing[opening]
        if close >= end:
            # Unclosed, hence plain; but a stretch that ends in `)` counts as closed there, even
            # where that bracket belongs to another pair: `(a (b)` is `a (b` at 1.1.
            close = end - 1
            if not (text[close] == ")" and UNESCAPED_BRACKET.match(text, close)):
                yield _plain(text[opening:end], weight)
                continue
        stretches.append((close + 1, end, weight))
        stretches.append(_inside(text, opening + 1, close, weight))


def _closing_brackets(text: str) -> dict[int, int]:
    """Where each `(` that may open a bracket closes; beyond the text where it never does.

    A `)` that closes nothing takes the meaning from the next `(` outside of brackets.
    """
    closing: dict[int, int] = {}
    unclosed: list[int] = []
    surplus = 0
    for bracket in UNESCAPED_BRACKET.finditer(text):
        place = bracket.start()
        if bracket[0] == ")":
            if unclosed:
                closing[unclosed.pop()] = place
            else:
                surplus += 1
        elif surplus and not unclosed:
            surplus -= 1
        else:
            unclosed.append(place)
            closing[place] = len(text)
    return closing


def _inside(text: str, start: int, end: int, outer: float) -> tuple[int, int, float]:
    """The stretch within a bracket, less its `:weight`, and the weight that holds there."""
    colon = text.rfind(":", max(start + 1, end - _LONGEST_NUMBER), end)
    if colon >= 0:
        try:
            weight = float(text[colon + 1 : end])
        except ValueError:
            weight = math.inf
        if math.isfinite(weight):
            return start, colon, weight
    return start, end, outer * ROUND


def _plain(text: str, weight: float) -> Segment:
    return Segment(re.sub(r"\\([()])", r"\1", text), weight)
