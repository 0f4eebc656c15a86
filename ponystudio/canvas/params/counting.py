"""How many tokens a prompt has, and where in its text a chunk of 75 ends. Torch-free.

`count` is exact for a dialect: it runs the tokenizer and the packing that encode the prompt.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Hashable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from PySide6.QtCore import QObject, Signal

from ponystudio.canvas.params.background import Background
from ponystudio.errors import PonyStudioError
from ponystudio.library.folders import Folders

CHUNK = 75
_KEPT = 512


@dataclass(frozen=True)
class Count:
    """`tokens` in all, `chunks` of 75 that hold them, and the places in the text (numbers of
    characters) where a new chunk begins. `problem` says what the prompt names in vain."""

    tokens: int
    chunks: int = 1
    breaks: tuple[int, ...] = ()
    problem: str = ""

    @property
    def room(self) -> int:
        return self.chunks * CHUNK


EMPTY = Count(0)


class Counts(QObject):
    """Counts of prompts by (text, dialect), worked out in the background and kept."""

    changed = Signal()

    def __init__(self, folders: Callable[[], Folders]) -> None:
        super().__init__()
        self._folders = folders
        self._known: dict[tuple[str, str], Count] = {}
        self._asked: dict[Hashable, tuple[str, str]] = {}
        self._latest: dict[Hashable, Count] = {}
        self._background = Background("token counter")

    def get(self, text: str, dialect: str, place: Hashable = None) -> Count | None:
        """The count. While it is worked out the last one of the same `place`, or None; `changed`
        fires when it is there."""
        key = (text, dialect)
        found = self._known.get(key) if text.strip() else EMPTY
        if found is not None:
            self._latest[place] = found
            return found
        if self._asked.get(place) != key:
            self._asked[place] = key
            folders = self._folders()
            # What was typed since replaces what was not yet counted.
            self._background.submit(
                place or key,
                lambda: _counted(text, dialect, folders),
                lambda count: self._done(place, key, count),
            )
        return self._latest.get(place)

    def _done(self, place: Hashable, key: tuple[str, str], count: Count) -> None:
        if self._asked.get(place) == key:
            del self._asked[place]
        while len(self._known) >= _KEPT:
            del self._known[next(iter(self._known))]
        self._known[key] = count
        self.changed.emit()


def _counted(text: str, dialect: str, folders: Folders) -> Count:
    sizes = _embeddings(folders) if "embedding:" in text or dialect == "a1111" else {}
    return count(text, dialect, sizes)


def count(text: str, dialect: str, embeddings: Mapping[str, Path | int] | None = None) -> Count:
    """Count a prompt; `embeddings` maps names of textual inversions to their files or sizes."""
    from ponystudio.diffusion import tokens
    from ponystudio.diffusion.prompt import parse

    known = embeddings or {}
    sizes: dict[str, int] = {}

    def size(name: str) -> int:
        if name not in sizes:
            found = known[name]
            sizes[name] = found if isinstance(found, int) else _vectors(found)
        return sizes[name]

    segments = parse(text, dialect)
    try:
        chunks = tokens.ClipTokenizer().chunks(
            segments, dialect, embeddings=tuple(known), size=size
        )
    except PonyStudioError as error:
        plain = text.replace("embedding:", " ")
        return Count(
            *_numbers(tokens.ClipTokenizer(), parse(plain, dialect), dialect), (), error.what
        )
    lengths = [_length(chunk.ids, chunk.tokens, tokens.END) for chunk in chunks]
    breaks: tuple[int, ...] = ()
    if len(chunks) > 1:
        places = list(_places(text, segments, dialect, known, size))
        breaks = tuple(_break_places(lengths, places))
    return Count(sum(lengths), len(chunks), breaks)


def _numbers(tokenizer: Any, segments: Any, dialect: str) -> tuple[int, int]:
    from ponystudio.diffusion import tokens

    try:
        chunks = tokenizer.chunks(segments, dialect)
    except PonyStudioError:
        return 0, 1
    return sum(_length(chunk.ids, chunk.tokens, tokens.END) for chunk in chunks), len(chunks)


def _length(ids: list[int], places: Any, end: int) -> int:
    """The tokens of a chunk of 77 before its END."""
    for i in range(1, len(ids)):
        if ids[i] == end and places[i].row is None:
            return i - 1
    return len(ids) - 2


def _break_places(lengths: list[int], places: list[int]) -> Iterator[int]:
    """Where each chunk after the first begins, by the place of its first token."""
    before = 0
    for length in lengths[:-1]:
        before += length
        if before < len(places):
            yield places[before]


def _places(
    text: str,
    segments: Any,
    dialect: str,
    embeddings: Mapping[str, Any],
    size: Callable[[str], int],
) -> Iterator[int]:
    """For each token in order: the number of the character in the prompt where it begins."""
    from ponystudio.diffusion import tokens
    from ponystudio.diffusion.embedding_names import EmbeddingNames, split_at_embeddings
    from ponystudio.diffusion.prompt import Break

    encode = tokens._clip().encode
    tokenizer = tokens.ClipTokenizer()
    names = EmbeddingNames(tuple(embeddings), tokenizer.ids)
    aligner = _Aligner(text, dialect)
    for segment in segments:
        if isinstance(segment, Break):
            continue
        at = aligner.take(segment.text)
        start = 0
        for piece, name in split_at_embeddings(segment.text, names):
            if name is not None:
                yield from [_at(at, start)] * size(name)
                continue
            found = segment.text.find(piece, start)
            start = found if found >= 0 else start
            encoded = encode(piece.encode("utf-8", "replace").decode(), add_special_tokens=False)
            ids, offsets, i = encoded.ids, encoded.offsets, 0
            while i < len(ids):
                bare = names.at(ids, i) if dialect == "a1111" and embeddings else None
                place = _at(at, start + offsets[i][0])
                yield from [place] * (size(bare[0]) if bare else 1)
                i += bare[1] if bare else 1
            start += len(piece)


def _at(places: list[int], index: int) -> int:
    return places[min(index, len(places) - 1)] if places else 0


class _Aligner:
    """Finds the characters of parsed segments in the prompt that they came from: they stand there
    in order, with syntax between."""

    def __init__(self, text: str, dialect: str) -> None:
        self._text = text
        self._place = 0
        hidden = [r":\s*[+-]?[\d.]+\s*\)"]
        if dialect == "a1111":
            hidden += [r"<\w+:[^>]+>", r"\s*\bBREAK\b\s*"]
        self._syntax = [match.span() for pattern in hidden for match in re.finditer(pattern, text)]

    def take(self, segment: str) -> list[int]:
        """The place of each character of the next segment."""
        found = self._walk(segment, skip=True) or self._walk(segment, skip=False)
        if found:
            self._place = found[-1] + 1
        return found or [self._place] * len(segment)

    def _walk(self, segment: str, skip: bool) -> list[int]:
        places, place = [], self._place
        for letter in segment:
            while True:
                if skip:
                    place = next(
                        (end for start, end in self._syntax if start <= place < end), place
                    )
                if place >= len(self._text):
                    return []
                if self._text[place] == letter:
                    break
                place += 1
            places.append(place)
            place += 1
        return places


def _embeddings(folders: Folders) -> dict[str, Path | int]:
    """The textual inversions there are, by name."""
    found: dict[str, Path | int] = {}
    for name in folders.names("embeddings"):
        try:
            found[name] = folders.resolve("embeddings", name)
        except PonyStudioError:
            continue  # it went away this moment
    return found


def _vectors(path: Path) -> int:
    """How many vectors a textual inversion has, from its header."""
    from ponystudio.library.weights import open_weights

    try:
        with open_weights(path) as file:
            shapes = [tuple(info.shape) for info in file.tensors.values()]
    except PonyStudioError:
        return 1
    counts = [shape[0] if len(shape) == 2 else 1 for shape in shapes if len(shape) in (1, 2)]
    return max(counts, default=1)
