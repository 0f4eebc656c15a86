"""What is counted of a prompt, and what the count says."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:  # imported with the first prompt
    from ponystudio.studio.models.token_pieces import Piece

CHUNK = 75


@dataclass(frozen=True)
class Count:
    """`tokens` in all, `chunks` of 75 that hold them, and the places in the text (numbers of
    characters) where a new chunk begins. `problem` says what the prompt names in vain, `notes` what
    in it does not act as its author may expect. `size`: what a chunk holds. `exact`: by the model's
    own tokenizer, not by one that is like it."""

    tokens: int
    chunks: int = 1
    breaks: tuple[int, ...] = ()
    problem: str = ""
    notes: tuple[str, ...] = ()
    size: int = CHUNK
    exact: bool = True

    @property
    def room(self) -> int:
        return self.chunks * self.size


@dataclass(frozen=True)
class Tokens:
    """The tokens of a prompt by `chunks`; `size` and `exact` are those of its Count."""

    chunks: Sequence[Sequence[Piece]] = ((),)
    size: int = CHUNK
    exact: bool = True


class PromptState(NamedTuple):
    """What is counted; `loras` are the files that may bring textual inversions to it. `family`: of
    the model that reads it, "" where it is not known."""

    text: str
    dialect: str
    loras: tuple[str, ...] = ()
    family: str = ""
