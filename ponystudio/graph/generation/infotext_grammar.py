"""The grammar of A1111's `parameters`, which its kin and many others write: two prompts and fields.

text   := prompt lines  ["Negative prompt:" lines]  fields
fields := field ("," field)*      field := name ":" value | name, which stands for name: name
value  := a JSON string, where it holds a comma, colon or line break; for some names raw JSON;
          else plain
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from typing import NamedTuple

from ponystudio.graph.plain_json import plain_text
from ponystudio.system.json_reader import read_json

LONGEST = 2**20
"""Letters of a text that are read: far above any prompt."""
FEWEST_FIELDS = 3
"""A last line with fewer belongs to the prompt."""
NEGATIVE = "Negative prompt:"
RAW = ("Hashes", "Civitai resources", "Civitai metadata")
"""Names whose values are JSON as it is, without quotes around it."""

_LONGEST_NAME = 100
# Each run of letters is tried once, from its beginning: the last line may be a prompt without end.
_NAME = re.compile(r"(?<![\w \-/])[\w \-/]++\Z")
_NAMED = re.compile(r"\w[\w \-/]++:")
_LINE_END = re.compile(r"\r\n?")
_BARE = re.compile(r"\w[\w \-/]++")
_QUOTED = re.compile(r'"(?:\\.|[^\\"])*+"(?=\s*+(?:,|\Z))')
_PLAIN = re.compile(r"[^,]*+")
_GAP = re.compile(r"[\s,]*+")
_SPACE = re.compile(r"[ \t]*+")
_END = re.compile(r"\s*+(?:,|\Z)")
_STEPS = re.compile(r"(?<![\w\-/])Steps:\s*+\d")
# Of JSON that is only to be passed over: a text, a bracket, or what is neither.
_JSON = re.compile(r'"(?:\\.|[^\\"])*+"?|[\[{]|[\]}]|[^\[\]{}"]++')
_MOST_BROKEN = 3  # values that begin as JSON and end nowhere


class Infotext(NamedTuple):
    """The parts of a text; `fields` in their order, their quotes taken off."""

    prompt: str
    negative: str
    fields: Mapping[str, str]


def parse(text: str) -> Infotext:
    """The parts of a text: any text has them. Nothing is filled in; what stands beyond LONGEST
    letters is not read. Takes time in proportion to the length.

    The fields are the last line, or the end of it where all is in one line: they begin with
    "Steps:" there.
    """
    text = _LINE_END.sub("\n", plain_text(text[:LONGEST])).strip()
    *lines, last = text.split("\n")
    start = _fields_start(last)
    fields = {} if start is None else {name: v for name, v in _parts(last[start:]) if name}
    if start is None or len(fields) < FEWEST_FIELDS:
        return Infotext(*_prompts([*lines, last]), {})
    words = last[:start].strip()
    return Infotext(*_prompts([*lines, words], within=bool(words)), fields)


def compose(parts: Infotext) -> str:
    """The text of the parts, which `parse` reads again."""
    lines = [parts.prompt] if parts.prompt else []
    if parts.negative:
        lines.append(f"{NEGATIVE} {parts.negative}")
    if parts.fields:
        lines.append(", ".join(_field(*field) for field in parts.fields.items()))
    return "\n".join(lines)


def _fields_start(line: str) -> int | None:
    """Where the fields of a line begin, if they can."""
    found, prose = _STEPS.search(line), line.find(NEGATIVE)
    if line.startswith("Steps:") or (found and _are_fields(line[: found.start()])):
        return 0
    if found is not None:
        # In the words of the first prompt it means nothing.
        later = _STEPS.search(line, prose) if prose >= 0 else None
        return (later or found).start()
    return 0 if prose < 0 and _NAMED.match(line) else None


def _are_fields(text: str) -> bool:
    """Whether what stands before "Steps:" is nothing but fields."""
    return (
        text.endswith(", ")
        and NEGATIVE not in text
        and all(name[:1].isupper() and name != value for name, value in _parts(text))
    )


def _prompts(lines: list[str], within: bool = False) -> tuple[str, str]:
    """The two prompts; with `within` the second may begin amid the last line."""
    for i, line in enumerate(lines):
        if line.startswith(NEGATIVE):
            return _joined(lines[:i]), _joined([line.removeprefix(NEGATIVE), *lines[i + 1 :]])
    if within and NEGATIVE in lines[-1]:
        wanted, _, unwanted = lines[-1].partition(NEGATIVE)
        return _joined([*lines[:-1], wanted]), unwanted.strip()
    return _joined(lines), ""


def _joined(lines: list[str]) -> str:
    return "\n".join(lines).strip()


def _parts(line: str) -> Iterator[tuple[str, str]]:
    """Fields; with "" as name what is none."""
    place, broken = 0, 0
    while (place := _end_of(_GAP, line, place)) < len(line):
        stop = _end_of(_PLAIN, line, place)
        colon = line.find(":", place, stop)
        if colon < 0:
            bare = line[place:stop].strip()
            named = len(bare) <= _LONGEST_NAME and _BARE.fullmatch(bare)
            yield (bare, bare) if named else ("", bare)
            place = stop
            continue
        found = _NAME.search(line[max(place, colon - _LONGEST_NAME) : colon])
        name = found[0].strip(" -/") if found else ""
        place = _end_of(_SPACE, line, colon + 1)
        end = _end_of_json(line, place) if broken < _MOST_BROKEN else 0
        if end < 0:
            broken += 1
        if end > 0:
            value = line[place:end]
        elif quoted := _QUOTED.match(line, place):
            end, value = quoted.end(), _unquoted(quoted[0])
        else:
            end = _end_of(_PLAIN, line, place)
            value = line[place:end].strip()
        yield (name, value) if len(name) > 1 else ("", value)
        place = end


def _end_of(pattern: re.Pattern[str], line: str, place: int) -> int:
    found = pattern.match(line, place)
    return found.end() if found else place


def _end_of_json(line: str, place: int) -> int:
    """Where the list or object that begins there ends, if a comma or nothing follows it: 0 if none
    begins there, -1 if it ends nowhere."""
    if line[place : place + 1] not in ("{", "["):
        return 0
    depth = 0
    for token in _JSON.finditer(line, place):
        if token[0] in ("{", "["):
            depth += 1
        elif token[0] in ("}", "]"):
            depth -= 1
        if depth == 0:
            return token.end() if _END.match(line, token.end()) else -1
    return -1


def _field(name: str, value: str) -> str:
    if name == value and _BARE.fullmatch(name):
        return name
    if name in RAW and _end_of_json(value, 0) == len(value) > 0 and "\n" not in value:
        return f"{name}: {value}"
    odd = value[:1] in ('"', "{", "[") or value != value.strip() or re.search(r"[,:\n]", value)
    return f"{name}: {json.dumps(value, ensure_ascii=False) if odd else value}"


def _unquoted(text: str) -> str:
    try:
        return plain_text(str(read_json(text)))
    except ValueError:
        return text
