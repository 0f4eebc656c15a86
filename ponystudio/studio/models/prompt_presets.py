"""Words that models were taught to be steered by, and those that a person keeps for later.

The first are in resources/prompt_presets.json, a person's own in a file of the same form in the
settings folder: a list of {"title", "text"}, with "at", "one_of" and "between" as in `Preset`.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path

import ponystudio_resources
from ponystudio.diffusion.text.prompt_syntax import DIALECTS, comments, without_comments
from ponystudio.errors import GraphFileError
from ponystudio.graph.atomic_write import write_bytes, write_error
from ponystudio.library import user_folders

_TITLE = 40


@dataclass(frozen=True)
class Preset:
    """`at`: "start" for words that belong before all others. Of those that are `one_of` the same
    ("quality", "rating"), a prompt has one. `between` joins it to its neighbours. `own`: a
    person's."""

    title: str
    text: str
    at: str = ""
    one_of: str = ""
    between: str = ", "
    own: bool = False


@cache
def shipped() -> tuple[Preset, ...]:
    path = ponystudio_resources.path("prompt_presets.json")
    return tuple(Preset(**entry) for entry in json.loads(path.read_text("utf-8")))


def own_file() -> Path:
    return user_folders.config() / "prompt_presets.json"


def own() -> list[Preset]:
    """A person's own. Raises GraphFileError where their file is none of presets."""
    path = own_file()
    try:
        entries = json.loads(path.read_text("utf-8"))
        if not all(isinstance(value, str) for entry in entries for value in entry.values()):
            raise TypeError("it holds what is no text")
        return [Preset(**entry, own=True) for entry in entries]
    except FileNotFoundError:
        return []
    except (OSError, ValueError, TypeError, AttributeError, RecursionError) as error:
        raise GraphFileError(
            f"Your own presets cannot be read ({error}).",
            where=str(path),
            remedy="Mend the file, or move it away.",
        ) from None


def keep(text: str) -> Preset:
    """Add some words to a person's own presets, first, and titled by how they begin.

    Raises GraphFileError where there is a file that would be lost, NotWritable.
    """
    text = text.strip(" ,\n")
    line = " ".join(text.split())
    title = line if len(line) <= _TITLE else f"{line[: _TITLE - 1].rstrip(' ,')}…"
    kept = Preset(title, text, own=True)
    _write([kept, *(preset for preset in own() if preset.text != kept.text)])
    return kept


def forget(preset: Preset) -> None:
    """Take one out of a person's own presets."""
    _write(other for other in own() if other != preset)


def _write(presets: Iterable[Preset]) -> None:
    entries = [{k: v for k, v in asdict(preset).items() if k != "own"} for preset in presets]
    try:
        own_file().parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise write_error(error, own_file()) from None
    text = json.dumps(entries, ensure_ascii=False, indent=1)
    write_bytes(own_file(), f"{text}\n".encode())


def inserted(
    text: str,
    preset: Preset,
    others: Iterable[Preset],
    start: int,
    end: int,
    dialect: str = DIALECTS[0],
) -> tuple[str, int]:
    """The prompt with the preset in the place of what is selected, and where the cursor then is.

    One that belongs to the start goes there, and one of a set in the place of another of it.
    What is there already is not said twice. Comments of the dialect stay as they are: what would go
    into one comes behind it.
    """
    said_only = without_comments(text, dialect, " ")
    rivals = {other.text for other in others if preset.one_of and other.one_of == preset.one_of}
    for said in sorted({preset.text, *rivals}, key=len, reverse=True):
        if (there := _place_of(said, said_only)) is not None:
            first, last = there
            return text[:first] + preset.text + text[last:], first + len(preset.text)
    if preset.at == "start":
        start = end = len(text) - len(text.lstrip())
    else:
        start, end = (_behind_comment(text, place, dialect) for place in (start, end))
    ahead = text[:start]
    if any(stop > len(ahead) for _, stop in comments(f"{ahead}.", dialect)):
        ahead += "\n"  # its last line ends with a comment
    before = _joined_before(ahead, preset.between) + preset.text
    return before + _joined_after(text[end:], preset.between), len(before)


def _behind_comment(text: str, place: int, dialect: str) -> int:
    """The place, or the end of the comment that it is in."""
    return next((end for start, end in comments(text, dialect) if start < place < end), place)


def _joined_before(text: str, between: str) -> str:
    """The text that more words follow."""
    ending = text.rstrip(" ")
    if not ending or ending[-1] in "([{<|\n":
        return text
    return f"{ending} " if ending[-1] == "," else ending + between


def _joined_after(text: str, between: str) -> str:
    """The text that follows other words."""
    rest = text.lstrip(" ")
    return rest if not rest or rest[0] in ",)]}>|:\n" else between + rest


def _place_of(words: str, text: str) -> tuple[int, int] | None:
    """Where some words stand as a tag of their own, not as a part of another."""
    found = re.search(rf"(?<![\w=]){re.escape(words)}(?![\w=])", text, re.IGNORECASE)
    return found.span() if found else None
