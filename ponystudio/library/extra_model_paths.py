"""ComfyUI's `extra_model_paths.yaml`: folders of models elsewhere, and which of its lines lead
nowhere.

    any name:                      a section
        base_path: /data/a1111     what the other paths of the section start from; relative to the
                                   file, as they are without it
        is_default: true           its folders are looked into before all others
        checkpoints: models/a      a kind, and a folder of it
        loras: |                   or one a line
            models/Lora
            models/LyCORIS

`~`, `$NAME` and `${NAME}` are filled in, on Windows `%NAME%` too.
"""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ponystudio.errors import UsageError, shortened
from ponystudio.library.formats.yaml_file import is_true, read_yaml_nodes
from ponystudio.system.file_names import as_stored, folded, near, why_absent

EXTRA_PATHS = "extra_model_paths.yaml"
# Folders of one file that are looked at: aliases make few lines many.
MOST = 2000
_VARIABLE = re.compile(r"\$(?:\{(?P<braced>[^{}]*)\}|(?P<bare>[A-Za-z_]\w*))")
_WINDOWS_VARIABLE = re.compile(r"%(?P<braced>[^%]+)%(?P<bare>)")


@dataclass(frozen=True)
class ExtraFolder:
    """A folder that a line names. `first`: it is looked into before all others."""

    kind: str
    path: Path
    first: bool


@dataclass(frozen=True)
class UnusedLine:
    """A line that leads nowhere, and what it says of that; `kind` "": it may concern every kind."""

    kind: str
    text: str


@dataclass(frozen=True)
class ExtraModelPaths:
    """What one such file says. `folders` exist."""

    file: Path
    folders: tuple[ExtraFolder, ...]
    unused: tuple[UnusedLine, ...]


def read_extra_model_paths(file: Path, kinds: Mapping[str, str]) -> ExtraModelPaths:
    """`kinds` has the kinds of folders by what they may be called, in small letters.

    Paths to other machines are not touched. Raises UsageError for what is no such file.
    """
    damaged = UsageError(
        "This is no list of model folders that can be read.",
        where=str(file),
        remedy="Correct it, or take it out of the model folder.",
    )
    try:
        root = read_yaml_nodes(file)
    except (OSError, ValueError) as error:
        if line := getattr(error, "line", 0):
            damaged.where = f"{file} line {line}"
        raise damaged from None
    if root is not None and root.id != "mapping":
        raise damaged
    folders: list[ExtraFolder] = []
    unused: list[UnusedLine] = []
    for found in _sections(file, root, kinds):
        if len(folders) + len(unused) >= MOST:
            break
        (folders if isinstance(found, ExtraFolder) else unused).append(found)  # type: ignore[arg-type]
    return ExtraModelPaths(file, tuple(folders), tuple(unused))


def _sections(
    file: Path, root: Any, kinds: Mapping[str, str]
) -> Iterator[ExtraFolder | UnusedLine]:
    for name, section in root.value if root is not None else ():
        if section.id == "mapping":
            yield from _section(file, section, kinds)
        elif section.value:
            line = name.start_mark.line + 1
            yield UnusedLine("", f"{file} line {line} is no section: {shortened(str(name.value))}.")


def _section(
    file: Path, section: Any, kinds: Mapping[str, str]
) -> Iterator[ExtraFolder | UnusedLine]:
    settings = {key.value: value for key, value in section.value if key.id == "scalar"}
    first = is_true(_text(settings.get("is_default")))
    base: Path | None = file.parent
    if _text(settings.get("base_path")):
        line = settings["base_path"].start_mark.line + 1
        base, reason = _place(file.parent, settings["base_path"].value)
        if reason:
            named = shortened(settings["base_path"].value)
            yield UnusedLine("", f"{file} line {line} names {named}, {reason}")
            base = None
    for name, value in settings.items():
        if name in ("base_path", "is_default"):
            continue
        kind = kinds.get(folded(name))
        if kind is None:
            line = value.start_mark.line + 1
            meant = next(iter(near(name, dict.fromkeys(kinds.values()), 1)), "")
            hint = f" Did you mean {meant}?" if meant else ""
            text = f"{file} line {line} names {shortened(name)}, no kind that is read here.{hint}"
            yield UnusedLine(meant or name, text)
            continue
        for line, text in _lines(value):
            path, reason = _place(base, text) if base or _is_whole(text) else (None, "")
            if path is not None and not reason:
                yield ExtraFolder(kind, path, first)
            elif reason:
                yield UnusedLine(kind, f"{file} line {line} names {shortened(text)}, {reason}")


def _text(node: Any) -> str:
    return str(node.value) if node is not None and node.id == "scalar" else ""


def _lines(node: Any) -> Iterator[tuple[int, str]]:
    """The paths of a value, each with its line in the file, from 1 on."""
    if node.id == "sequence":
        for item in node.value:
            if item.id == "scalar":
                yield from _lines(item)
    elif node.id == "scalar":
        # A block begins below its mark.
        start = node.start_mark.line + (2 if node.style in ("|", ">") else 1)
        for number, line in enumerate(str(node.value).split("\n"), start):
            if line.strip():
                yield number, line.strip()


def _place(base: Path | None, text: str) -> tuple[Path | None, str]:
    """The folder that a text names, and what is wrong with it."""
    filled, unset = _filled(text)
    if unset:
        return None, f"and the variable {shortened(unset)} is not set."
    if filled.replace("\\", "/").startswith("//"):
        return None, "on another machine, which is not asked."
    # Unlike Path's own, it takes the home of a user who is not there for a plain name.
    path = (base or Path()) / os.path.expanduser(filled)  # noqa: PTH111
    path = as_stored(path)
    if not os.path.exists(path) and "\\" in filled:  # noqa: PTH110 (Path.exists raises)
        slashed = as_stored((base or Path()) / filled.replace("\\", "/"))
        path = slashed if os.path.exists(slashed) else path  # noqa: PTH110
    if os.path.isdir(path):  # noqa: PTH112
        return path, ""
    if os.path.exists(path):  # noqa: PTH110
        return None, "which is no folder."
    reason = why_absent(path)
    return None, f"which is not there{f': {reason}' if reason else '.'}"


def _filled(text: str) -> tuple[str, str]:
    """The text with its variables filled in, and the first that is not set."""
    unset = ""

    def value(match: re.Match[str]) -> str:
        nonlocal unset
        name = match["braced"] or match["bare"] or ""
        found = os.environ.get(name)
        if found is None:
            unset = unset or name
        return found or ""

    patterns = [_VARIABLE, *([_WINDOWS_VARIABLE] if sys.platform == "win32" else [])]
    for pattern in patterns:
        text = pattern.sub(value, text)
    return text, unset


def _is_whole(text: str) -> bool:
    """Whether a path needs no base."""
    filled = _filled(text)[0]
    return os.path.isabs(os.path.expanduser(filled))  # noqa: PTH111, PTH117
