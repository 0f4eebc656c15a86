"""Markers that say, inside `Annotated[...]`, what a param may be and how it is edited."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

SEED_MAX = 2**64 - 1


@dataclass(frozen=True)
class Range:
    """A number from `low` to `high`, both included. `soft` is what a slider spans."""

    low: float
    high: float
    soft: tuple[float, float] | None = None
    step: float | None = None


@dataclass(frozen=True)
class Seed:
    """An unsigned 64-bit number, with dice in the editor."""


@dataclass(frozen=True, init=False)
class Choice:
    """One of a fixed set of words."""

    options: tuple[str, ...]

    def __init__(self, options: Iterable[str]) -> None:
        object.__setattr__(self, "options", tuple(options))


@dataclass(frozen=True)
class Text:
    """Text; `lines` > 1 asks for a large editor, `prompt` for one that knows attention syntax.

    `file_name`: it begins the names of saved files, so it may not lead out of their folder.
    """

    lines: int = 1
    prompt: bool = False
    file_name: bool = False


@dataclass(frozen=True)
class File:
    """A file of one kind ("checkpoints", "loras", "input", ...): the node receives its Path.

    In a graph it is a POSIX name inside the folders of that kind, a path relative to the graph
    file, or an absolute path.
    """

    kind: str


@dataclass(frozen=True)
class Label:
    """A title other than the name, and one sentence of help."""

    title: str = ""
    help: str = ""


@dataclass(frozen=True)
class Cosmetic:
    """The value never changes the result, so it stays out of the cache key."""


@dataclass(frozen=True, init=False)
class Affects:
    """The only outputs that this socket or param changes, so that the others stay cached."""

    outputs: tuple[str, ...]

    def __init__(self, *outputs: str) -> None:
        object.__setattr__(self, "outputs", outputs)
