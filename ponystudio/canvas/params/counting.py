"""How many tokens a prompt has, and where in its text a chunk of 75 ends. Torch-free.

`count` is exact for a dialect: it runs the tokenizer and the packing that encode the prompt.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Hashable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from PySide6.QtCore import QObject, Signal

from ponystudio.canvas.params.background import Background
from ponystudio.errors import PonyStudioError
from ponystudio.library.folders import Folders

CHUNK = 75
_KEPT = 512
_FRESH = 5.0  # seconds


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
        self._listed: Embeddings | None = None
        self._listed_at = 0.0
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
                lambda: count(text, dialect, self._embeddings(folders)),
                lambda count: self._done(place, key, count),
            )
        return self._latest.get(place)

    def _embeddings(self, folders: Folders) -> Mapping[str, int]:
        """In the background; listed anew every few seconds at most."""
        now = time.monotonic()
        if self._listed is None or now - self._listed_at > _FRESH:
            self._listed, self._listed_at = Embeddings(folders), now
        return self._listed

    def _done(self, place: Hashable, key: tuple[str, str], count: Count) -> None:
        if self._asked.get(place) == key:
            del self._asked[place]
        while len(self._known) >= _KEPT:
            del self._known[next(iter(self._known))]
        self._known[key] = count
        self.changed.emit()


def count(text: str, dialect: str, embeddings: Mapping[str, int] | None = None) -> Count:
    """Count a prompt; `embeddings` says how many vectors each textual inversion has."""
    from ponystudio.diffusion import tokens
    from ponystudio.diffusion.prompt import parse

    known = embeddings or {}
    segments = parse(text, dialect)
    try:
        chunks = tokens.ClipTokenizer().chunks(
            segments, dialect, embeddings=tuple(known), size=known.__getitem__
        )
    except PonyStudioError as error:
        plain = text.replace("embedding:", " ")
        return Count(
            *_numbers(tokens.ClipTokenizer(), parse(plain, dialect), dialect), (), error.what
        )
    lengths = [_length(chunk.ids, chunk.tokens, tokens.END) for chunk in chunks]
    breaks: tuple[int, ...] = ()
    if len(chunks) > 1:
        places = list(_places(text, segments, dialect, known))
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
    embeddings: Mapping[str, int],
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
                yield from [_at(at, start)] * embeddings[name]
                continue
            found = segment.text.find(piece, start)
            start = found if found >= 0 else start
            encoded = encode(piece.encode("utf-8", "replace").decode(), add_special_tokens=False)
            ids, offsets, i = encoded.ids, encoded.offsets, 0
            while i < len(ids):
                bare = names.at(ids, i) if dialect == "a1111" and embeddings else None
                place = _at(at, start + offsets[i][0])
                yield from [place] * (embeddings[bare[0]] if bare else 1)
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
        self._syntax = dict(
            match.span() for pattern in hidden for match in re.finditer(pattern, text)
        )
        """Where syntax begins, and where it ends."""

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
                while skip and place in self._syntax:
                    place = self._syntax[place]
                if place >= len(self._text):
                    return []
                if self._text[place] == letter:
                    break
                place += 1
            places.append(place)
            place += 1
        return places


class Embeddings(Mapping[str, int]):
    """The textual inversions there are: how many vectors each has, looked up when it is used."""

    def __init__(self, folders: Folders) -> None:
        self._folders = folders
        self._sizes: dict[str, int | None] = dict.fromkeys(folders.names("embeddings"))

    def __getitem__(self, name: str) -> int:
        size = self._sizes[name]
        if size is None:
            size = self._sizes[name] = self._read(name)
        return size

    def __iter__(self) -> Iterator[str]:
        return iter(self._sizes)

    def __len__(self) -> int:
        return len(self._sizes)

    def _read(self, name: str) -> int:
        """From the file's header."""
        from ponystudio.library.weights import open_weights

        try:
            with open_weights(self._folders.resolve("embeddings", name)) as file:
                shapes = [tuple(info.shape) for info in file.tensors.values()]
        except PonyStudioError:
            return 1
        counts = [shape[0] if len(shape) == 2 else 1 for shape in shapes if len(shape) in (1, 2)]
        return max(counts, default=1)
