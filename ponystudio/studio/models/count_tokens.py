"""Counts the tokens of a prompt. Torch-free, and exact for a dialect: it runs the tokenizer and the
packing that encode the prompt.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from contextlib import suppress
from typing import Any

from ponystudio.diffusion.families import families
from ponystudio.diffusion.families.text_encoder_specs import T5EncoderSpec
from ponystudio.diffusion.text.prompt_syntax import notes, parse
from ponystudio.diffusion.weights.embedding_tensors import Bundled, bundled, count_vectors
from ponystudio.errors import PonyStudioError
from ponystudio.library.model_folders import ModelFolders
from ponystudio.studio.models.token_counts import Count, PromptState, Tokens
from ponystudio.studio.models.token_pieces import length, pieces, pieces_at_once, spans

# Counts for tokenizers that may not ship: pieces of about the same length.
SIMILAR = "t5"
# Letters: what is longer is counted by nobody who writes it, and the tokenizer keeps all else
# waiting while it works.
LONGEST = 50_000


def count(prompt: PromptState, embeddings: Mapping[str, int] | None = None) -> Count:
    """Count a prompt; `embeddings` says how many vectors each textual inversion has."""
    from ponystudio.diffusion.text import clip_tokens

    text, dialect = prompt.text, prompt.dialect
    if len(text) > LONGEST:
        return Count(0, problem=f"It is too long to be counted: {len(text):,} letters.")
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
    """The tokens themselves, of a very long prompt the first ones. Raises MissingFile for an
    `embedding:name` that is not there."""
    from ponystudio.diffusion.text.sentencepiece_tokens import shipped

    prompt = prompt._replace(text=prompt.text[:LONGEST])
    known = embeddings or {}
    tower = _reads_at_once(prompt.family)
    if tower is None:
        return Tokens(pieces(prompt.text, prompt.dialect, known))
    tokenizer = shipped(tower.pieces or SIMILAR)
    found = pieces_at_once(prompt.text, prompt.dialect, tokenizer, known)
    return Tokens([found], _room(tower, len(found)), bool(tower.pieces))


def known_tokens(prompt: PromptState, embeddings: Mapping[str, int]) -> Tokens:
    """The tokens, where what is named in vain is so many words: the count tells of it."""
    try:
        return tokens_of(prompt, embeddings)
    except PonyStudioError:
        return tokens_of(_without_names(prompt))


def _reads_at_once(family: str) -> T5EncoderSpec | None:
    """The text encoder whose states are the prompt, where it reads any length at once."""
    known = families().get(family)
    if known is None or known.joined == "in a row":  # that one's chunks count too
        return None
    return next((tower for tower in known.towers if isinstance(tower, T5EncoderSpec)), None)


def _room(tower: T5EncoderSpec, tokens: int) -> int:
    return max(tower.least - 1, tokens)  # one is the end


def count_nothing(family: str) -> Count:
    """The count of no words, for which nothing needs to be loaded."""
    tower = _reads_at_once(family)
    return Count(0, size=_room(tower, 0), exact=bool(tower.pieces)) if tower else Count(0)


def _at_once(prompt: PromptState, known: Mapping[str, int], remarks: tuple[str, ...]) -> Count:
    problem = ""
    try:
        found = tokens_of(prompt, known)
    except PonyStudioError as error:
        found, problem = tokens_of(_without_names(prompt)), error.what
    return Count(len(found.chunks[0]), 1, (), problem, remarks, found.size, found.exact)


def _without_names(prompt: PromptState) -> PromptState:
    return prompt._replace(text=_plain(prompt.text))


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
