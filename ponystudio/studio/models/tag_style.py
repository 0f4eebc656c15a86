"""Tags as boards write them, `1girl long_hair`, and as most models read them, `1girl, long hair`.

What is one word by its underscores keeps them: the tags that Pony models are steered by, faces
(`^_^`), wildcards, and the names of files.
"""

from __future__ import annotations

import re
from collections.abc import Collection

_FACES = """
    ^_^ ^_~ >_< >_> <_< >_o o_o o_~ 0_0 0_o @_@ u_u x_x v_v t_t q_q n_n e_e 3_3 6_9 9_9 +_+ +_- -_-
    =_= ._. ,_, ;_; $_$ *_* ~_~ d_b |_| ||_|| (o)_(o) <o>_<o> <|>_<|>
"""
_FACE = "|".join(re.escape(face) for face in sorted(_FACES.split(), key=len, reverse=True))
_STEERING = (
    r"score_\d+(?:_up)?|score_(?:safe|questionable|explicit)"
    r"|source_\w+|rating_\w+|style_cluster_\d+"
)
_WORD = r"(?:\\.|[^\s,:()\[\]<>|\\])+"
# Whole: nothing in it changes, and it is not joined to what stands beside it.
_PART = re.compile(
    rf"""
    (?P<whole> <\w+:[^<>]+> | embedding:[^\s,;]+ | __[\w/*-]+__ | (?-i: \b(?:BREAK|AND)\b )
      | (?<![^\s,(\[]) (?: {_FACE} ) (?![^\s,)\]:])
      | (?<!\w) (?: {_STEERING} ) (?!\w) )
  | (?P<board> {_WORD} _ \( (?! [^()]* :\s*[+-]?[\d.]+ \) ) [^()\[\],]+ (?<!\\) \) )
  | (?P<word> {_WORD} )
  | (?P<gap> [ \t]+ )
  | (?P<other> (?s:.) )
    """,
    re.VERBOSE | re.IGNORECASE,
)
_BETWEEN = re.compile(r"(?<=[^\s_])_(?=[^\s_])")
# Beside these a blank parts no tags.
_OPENS, _CLOSES = frozenset("([{|"), frozenset(")]}|")
_PARTS_ITSELF = frozenset({"BREAK", "AND"})


def with_spaces(text: str, names: Collection[str] = ()) -> str:
    """`long_hair` as `long hair`; `names` are words that stay as they are, in any letter case.

    A board's `rem_(re:zero)` gets its brackets escaped: as they stand they would weigh the words.
    """
    kept = {name.lower() for name in names}

    def spaced(match: re.Match[str]) -> str:
        part = match[0]
        if match["whole"] or part.lower() in kept:
            return part
        if match["board"]:
            part = part.replace("(", r"\(").replace(")", r"\)")
        return _BETWEEN.sub(" ", part)

    return _PART.sub(spaced, text)


def with_underscores(text: str, names: Collection[str] = ()) -> str:
    """`long hair` as `long_hair`: the words between two commas, brackets or lines are one tag."""
    kept = {name.lower() for name in names}
    parts = list(_PART.finditer(text))

    def joins(index: int) -> bool:
        return 0 <= index < len(parts) and bool(
            parts[index]["word"] and parts[index][0].lower() not in kept
        )

    return "".join(
        "_" if part["gap"] and joins(i - 1) and joins(i + 1) else part[0]
        for i, part in enumerate(parts)
    )


def as_prompt(text: str, names: Collection[str] = ()) -> str:
    """A board's list, `1girl long_hair score_9`, as a prompt: `1girl, long hair, score_9`.

    Where a comma stands already, blanks part no tags and only underscores change.
    """
    return with_spaces(_with_commas(text), names)


def _with_commas(text: str) -> str:
    parts = [part[0] for part in _PART.finditer(text)]
    if "," in parts:
        return text
    result, last, between = "", "", ""
    for part in parts:
        if part.isspace():
            between += part
            continue
        if between and last and _are_two_tags(last, part):
            between = "," + (between if "\n" in between else " ")
        result += between + part
        last, between = part, ""
    return result + between


def _are_two_tags(one: str, other: str) -> bool:
    return not (one in _OPENS or other in _CLOSES or {one, other} & _PARTS_ITSELF)
