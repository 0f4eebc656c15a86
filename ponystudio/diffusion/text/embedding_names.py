"""Which textual inversion the words of a prompt mean.

They are named by their files: `embedding:name` in both dialects, and the bare name in A1111's.
Names are those of files in a folder, "EasyNegative.pt" or "style/birb.safetensors".
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterator, Sequence
from functools import cached_property, lru_cache

from ponystudio.diffusion.text.prompt_syntax import DIALECTS, Segment, parse
from ponystudio.errors import MissingFile, shortened
from ponystudio.system.file_names import folded, near

SUFFIX = re.compile(r"\.(safetensors|pt|bin|ckpt|pth|png|webp)$", re.IGNORECASE)
# Followed by a name; ComfyUI's only at the start of a segment or after white space.
_NAME = r"embedding:(?=\s*(?!embedding:)[^\s,;:.])"
EMBEDDING = {
    "a1111": re.compile(rf"(?<!\w){_NAME}"),
    "comfyui": re.compile(rf"(?:^|(?<=\s)){_NAME}"),
}


class EmbeddingNames:
    """The textual inversions there are; `spell` gives the token ids of a text."""

    def __init__(self, names: Collection[str], spell: Callable[[str], list[int]]) -> None:
        self.names = tuple(names)
        self._spell = spell
        self._by_word: dict[str, str] = {}
        # A full name wins over one without its suffix, and that over a bare one in a subfolder.
        for shorten in (str, _without_suffix, _stem):
            for name in self.names:
                self._by_word.setdefault(shorten(name), name)
        self._by_folded: dict[str, set[str]] = {}
        for word in self._by_word:
            self._by_folded.setdefault(folded(word), set()).add(word)

    def find(self, word: str) -> str | None:
        """The file that `word` names; letter case, and how accents are stored, matter only between
        files that differ in them: then a word that is none of theirs names none."""
        if name := self._by_word.get(word):
            return name
        alike = self._by_folded.get(folded(word), ())
        return self._by_word[next(iter(alike))] if len(alike) == 1 else None

    def at(self, ids: Sequence[int], place: int) -> tuple[str, int] | None:
        """The longest bare name spelt by the tokens from `place` on, and how many they are."""
        for spelling, name in self._by_first_token.get(ids[place], ()):
            if tuple(ids[place : place + len(spelling)]) == spelling:
                return name, len(spelling)
        return None

    def unknown(self, word: str) -> MissingFile:
        """The error for a name that is not there."""
        meant = sorted(self._by_folded.get(folded(word), ()))[:3] or near(
            word, map(_stem, self.names)
        )
        return MissingFile(
            f"There is no embedding called {shortened(word)!r}.",
            socket="text",
            remedy=f"Did you mean {' or '.join(map(shortened, meant))}?"
            if meant
            else "Put its file into the embeddings folder, or take it out of the prompt.",
        )

    @cached_property
    def _by_first_token(self) -> dict[int, list[tuple[tuple[int, ...], str]]]:
        found: dict[int, list[tuple[tuple[int, ...], str]]] = {}
        for name in self.names:
            if spelling := tuple(self._spell(_stem(name))):
                found.setdefault(spelling[0], []).append((spelling, name))
        for spellings in found.values():
            spellings.sort(key=lambda item: -len(item[0]))
        return found


def split_at_embeddings(
    text: str, dialect: str, names: EmbeddingNames
) -> Iterator[tuple[str, str | None]]:
    """Pieces of plain text (text, None) and of `embedding:name` ("", file name), in order.

    Raises MissingFile for a name that is not among `names`.
    """
    plain, *named = EMBEDDING[dialect].split(text)
    yield plain, None
    for part in named:
        said, name = _named(part, names)
        if name is None:
            raise names.unknown(said)
        yield "", name
        yield part.lstrip()[len(said) :], None


def _named(part: str, names: EmbeddingNames) -> tuple[str, str | None]:
    """What names an embedding where this part of a prompt begins, and the name of its file."""
    word = part.split(maxsplit=1)[0]
    # A comma may follow a name directly, and yet be part of one.
    for candidate in (word, word.rstrip(",.;:"), re.split("[,;]", word)[0]):
        if name := names.find(candidate):
            return candidate, name
    return word.rstrip(",.;:"), None


def look_up(
    prompt: str, dialect: str, names: EmbeddingNames
) -> tuple[list[str], list[MissingFile]]:
    """The names of those among `names` that a prompt calls by `embedding:name`, and an error for
    each that is not there."""
    found: list[str] = []
    missing: dict[str, MissingFile] = {}
    for part in parse(prompt, dialect):
        if isinstance(part, Segment):
            for piece in EMBEDDING[dialect].split(part.text)[1:]:
                said, name = _named(piece, names)
                if name is None:
                    missing[said] = names.unknown(said)
                else:
                    found.append(name)
    return found, [*missing.values()]


def called(prompt: str, dialect: str, names: Collection[str]) -> list[str]:
    """Those that a prompt calls, as far as words tell: which tokens they are is not looked at."""
    text = folded(prompt)
    if dialect == "comfyui":
        words = (part.split(maxsplit=1)[:1] for part in text.split("embedding:")[1:])
        text = " ".join(word for found in words for word in found)
    return [name for name in names if _stands_in(text, folded(_stem(name)))]


def _stands_in(text: str, word: str) -> bool:
    """Whether it stands there by itself, and not within a longer one."""
    place = text.find(word) if word else -1
    while place >= 0:
        around = text[max(0, place - 1) : place] + text[place + len(word) : place + len(word) + 1]
        if not any(letter.isalnum() or letter in "_-" for letter in around):
            return True
        place = text.find(word, place + 1)
    return False


def may_mean(prompt: str, name: str) -> bool:
    """Whether encoding this prompt, in either dialect, may read the embedding of this name.

    True for some that do not; false only for those that surely do not, so that a cache may ask.
    """
    return _squeezed(_stem(name)) in _words(prompt)


@lru_cache(maxsize=64)
def _words(prompt: str) -> str:
    """All that a prompt says, by each dialect: without its syntax, which may stand amid a name."""
    read = (parse(prompt, dialect) for dialect in DIALECTS)
    return "\n".join(
        _squeezed("".join(part.text for part in parts if isinstance(part, Segment)))
        for parts in read
    )


def _squeezed(text: str) -> str:
    """Texts that are spelt with the same tokens are equal in this form."""
    return "".join(folded(text).split())


def _without_suffix(name: str) -> str:
    return SUFFIX.sub("", name)


def _stem(name: str) -> str:
    return _without_suffix(name.rpartition("/")[2])
