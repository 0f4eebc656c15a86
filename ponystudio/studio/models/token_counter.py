"""How many tokens a prompt has, and where in its text a chunk of 75 ends. Torch-free.

`count` is exact for a dialect: it runs the tokenizer and the packing that encode the prompt.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Hashable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from PySide6.QtCore import QObject, Signal

from ponystudio.diffusion.families import families
from ponystudio.diffusion.families.text_encoder_specs import T5EncoderSpec
from ponystudio.diffusion.text.prompt_syntax import notes, parse
from ponystudio.diffusion.weights.embedding_tensors import Bundled, bundled, count_vectors
from ponystudio.errors import PonyStudioError
from ponystudio.library.model_folders import ModelFolders
from ponystudio.qt.background_tasks import BackgroundTasks
from ponystudio.studio.models.token_pieces import Piece, length, pieces, pieces_at_once, spans

CHUNK = 75
# Counts for tokenizers that may not ship: pieces of about the same length.
SIMILAR = "t5"
_KEPT = 512
_FRESH = 5.0  # seconds


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


class Counts(QObject):
    """Counts of prompts, worked out in the background and kept."""

    changed = Signal()

    def __init__(self, folders: Callable[[], ModelFolders]) -> None:
        super().__init__()
        self._folders = folders
        self._known: dict[PromptState, Count] = {}
        self._pending: dict[Hashable, PromptState] = {}
        self._latest: dict[Hashable, Count] = {}
        self._listed: dict[tuple[str, ...], Embeddings] = {}
        self._listed_at = 0.0
        self._background = BackgroundTasks("token counter", newest_first=True)

    def get(self, prompt: PromptState, place: Hashable = None) -> Count | None:
        """The count. While it is worked out the last one of the same `place`, or None; `changed`
        fires when it is there."""
        found = self._known.get(prompt) if prompt.text.strip() else _of_nothing(prompt.family)
        if found is not None:
            self._latest[place] = found
            return found
        if self._pending.get(place) != prompt:
            self._pending[place] = prompt
            folders = self._folders()
            # What was typed since replaces what was not yet counted.
            self._background.do(
                lambda: count(prompt, self._embeddings(folders, prompt.loras)),
                lambda count: self._done(place, prompt, count),
                key=place or prompt,
            )
        return self._latest.get(place)

    def embedding_names(self) -> list[str]:
        """The words that prompts name textual inversions by, as they were last listed."""
        return [Path(name).stem for listed in self._listed.values() for name in listed]

    def pieces(self, prompt: PromptState, place: Hashable, done: Callable[[Tokens], None]) -> None:
        """Work out the tokens; what the same `place` asked for before may never be told."""
        folders = self._folders()

        def work() -> Tokens:
            try:
                return tokens_of(prompt, self._embeddings(folders, prompt.loras))
            except PonyStudioError:  # the count tells what is named in vain
                return tokens_of(prompt._replace(text=_plain(prompt.text)))

        self._background.do(work, done, key=("pieces", place))

    def close(self) -> None:
        """Count no more; nobody is told of what is being counted."""
        self._background.close()

    def _embeddings(self, folders: ModelFolders, loras: tuple[str, ...]) -> Mapping[str, int]:
        """In the background; listed anew every few seconds at most."""
        now, listed = time.monotonic(), self._listed
        if now - self._listed_at > _FRESH:
            listed, self._listed_at = {}, now
        if loras not in listed:
            # What is there stays as it is: the names in it are read on another thread.
            self._listed = listed = {**listed, loras: Embeddings(folders, loras)}
        return listed[loras]

    def _done(self, place: Hashable, prompt: PromptState, count: Count) -> None:
        if self._pending.get(place) == prompt:
            del self._pending[place]
        while len(self._known) >= _KEPT:
            del self._known[next(iter(self._known))]
        self._known[prompt] = count
        self.changed.emit()


def count(prompt: PromptState, embeddings: Mapping[str, int] | None = None) -> Count:
    """Count a prompt; `embeddings` says how many vectors each textual inversion has."""
    from ponystudio.diffusion.text import clip_tokens

    text, dialect = prompt.text, prompt.dialect
    known, remarks = embeddings or {}, tuple(notes(text, dialect))
    if _reads_at_once(prompt.family):
        return _at_once(prompt, known, remarks)
    segments = parse(text, dialect)
    try:
        chunks = clip_tokens.ClipTokenizer().chunks(
            segments, dialect, embeddings=tuple(known), size=known.__getitem__
        )
    except PonyStudioError as error:
        numbers = _numbers(clip_tokens.ClipTokenizer(), parse(_plain(text), dialect), dialect)
        return Count(*numbers, (), error.what, remarks)
    lengths = [length(chunk) for chunk in chunks]
    breaks: tuple[int, ...] = ()
    if len(chunks) > 1:
        places = [start for start, _ in spans(text, segments, dialect, known)]
        breaks = tuple(_break_places(lengths, places))
    return Count(sum(lengths), len(chunks), breaks, "", remarks)


def tokens_of(prompt: PromptState, embeddings: Mapping[str, int] | None = None) -> Tokens:
    """The tokens themselves. Raises MissingFile for an `embedding:name` that is not there."""
    from ponystudio.diffusion.text.sentencepiece_tokens import shipped

    known = embeddings or {}
    tower = _reads_at_once(prompt.family)
    if tower is None:
        return Tokens(pieces(prompt.text, prompt.dialect, known))
    tokenizer = shipped(tower.pieces or SIMILAR)
    found = pieces_at_once(prompt.text, prompt.dialect, tokenizer, known)
    return Tokens([found], _room(tower, len(found)), bool(tower.pieces))


def _reads_at_once(family: str) -> T5EncoderSpec | None:
    """The text encoder whose states are the prompt, where it reads any length at once."""
    known = families().get(family)
    if known is None or known.joined == "in a row":  # that one's chunks count too
        return None
    return next((tower for tower in known.towers if isinstance(tower, T5EncoderSpec)), None)


def _room(tower: T5EncoderSpec, tokens: int) -> int:
    return max(tower.least - 1, tokens)  # one is the end


def _of_nothing(family: str) -> Count:
    """The count of no words, for which nothing needs to be loaded."""
    tower = _reads_at_once(family)
    return Count(0, size=_room(tower, 0), exact=bool(tower.pieces)) if tower else Count(0)


def _at_once(prompt: PromptState, known: Mapping[str, int], remarks: tuple[str, ...]) -> Count:
    problem = ""
    try:
        found = tokens_of(prompt, known)
    except PonyStudioError as error:
        found, problem = tokens_of(prompt._replace(text=_plain(prompt.text))), error.what
    return Count(len(found.chunks[0]), 1, (), problem, remarks, found.size, found.exact)


def _plain(text: str) -> str:
    """Without what names textual inversions; every letter stays in its place."""
    return text.replace("embedding:", " " * len("embedding:"))


def _numbers(tokenizer: Any, segments: Any, dialect: str) -> tuple[int, int]:
    try:
        chunks = tokenizer.chunks(segments, dialect)
    except PonyStudioError:
        return 0, 1
    return sum(map(length, chunks)), len(chunks)


def _break_places(lengths: list[int], places: list[int]) -> Iterator[int]:
    """Where each chunk after the first begins, by the place of its first token."""
    before = 0
    for tokens in lengths[:-1]:
        before += tokens
        if before < len(places):
            yield places[before]


class Embeddings(Mapping[str, int]):
    """The textual inversions there are, in the folders and in these LoRAs: how many vectors each
    has, looked up when it is used."""

    def __init__(self, folders: ModelFolders, loras: Collection[str] = ()) -> None:
        self._folders = folders
        self._sources: dict[str, Bundled | None] = dict.fromkeys(folders.names("embeddings"))
        for name in loras:
            with suppress(PonyStudioError):  # its own field says what is wrong with it
                self._sources |= bundled(folders.resolve("loras", name))
        self._sizes: dict[str, int] = {}

    def __getitem__(self, name: str) -> int:
        if name not in self._sizes:
            self._sizes[name] = self._read(name)
        return self._sizes[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._sources)

    def __len__(self) -> int:
        return len(self._sources)

    def _read(self, name: str) -> int:
        """From the file's header."""
        try:
            found = self._sources[name]
            return count_vectors(found or self._folders.resolve("embeddings", name))
        except PonyStudioError:
            return 1
