"""The tokens of a prompt, and the characters in it that they stand for. Torch-free.

The tokens are exact for a dialect: the tokenizers and the packing run that encode the prompt.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain, groupby, repeat
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ponystudio.diffusion.text.clip_tokens import Chunk, Token
    from ponystudio.diffusion.text.embedding_names import EmbeddingNames
    from ponystudio.diffusion.text.prompt_syntax import Break, Segment
    from ponystudio.diffusion.text.sentencepiece_tokens import SentencePieces

Span = tuple[int, int]
_WEIGHT = re.compile(r":\s*+[+-]?[\d.]++\s*+\)")
_MOST_MISSES = 20


@dataclass(frozen=True)
class Piece:
    """One token: its id, the weight it is given, and from where to where it stands in the prompt.

    `ends`: a word ends with it. For a textual inversion `name` is its file, and `count` the number
    of vectors that stand in the place of tokens.
    """

    id: int
    weight: float
    span: Span
    ends: bool = True
    name: str = ""
    count: int = 1


def pieces(
    text: str, dialect: str, embeddings: Mapping[str, int] | None = None
) -> list[list[Piece]]:
    """The tokens of each chunk of 75; `embeddings` says how many vectors each has.

    Raises MissingFile for an `embedding:name` that is not among them.
    """
    from ponystudio.diffusion.text import clip_tokens
    from ponystudio.diffusion.text.prompt_syntax import parse

    known = embeddings or {}
    segments = parse(text, dialect)
    chunks = clip_tokens.ClipTokenizer().chunks(
        segments, dialect, embeddings=tuple(known), size=known.__getitem__
    )
    behind = (len(text), len(text))
    places = chain(spans(text, segments, dialect, known), repeat(behind))
    return [_of_chunk(chunk.tokens[1 : 1 + length(chunk)], places) for chunk in chunks]


def pieces_at_once(
    text: str, dialect: str, tokenizer: SentencePieces, embeddings: Collection[str] = ()
) -> list[Piece]:
    """The tokens of a prompt for an encoder of the T5 kind, which reads any length at once and has
    no vectors for textual inversions.

    Raises MissingFile for an `embedding:name` that is not among `embeddings`.
    """
    from ponystudio.diffusion.text.embedding_names import EmbeddingNames, split_at_embeddings
    from ponystudio.diffusion.text.prompt_syntax import Break, parse

    names = EmbeddingNames(tuple(embeddings), tokenizer.ids)
    aligner = _Aligner(text, dialect)
    found = []
    for segment in parse(text, dialect):
        if isinstance(segment, Break):
            continue
        at, start = aligner.take(segment.text), 0
        for words, name in split_at_embeddings(segment.text, dialect, names):
            if name is None:
                start = max(start, segment.text.find(words, start))
                for id, (first, last), ends in _words(words, tokenizer):
                    span = _span(at, start + first, start + last)
                    span = span if last > first else (span[0], span[0])
                    found.append(Piece(id, segment.weight, span, ends))
                start += len(words)
    return found


def length(chunk: Chunk) -> int:
    """The tokens of a chunk of 77 before its END."""
    from ponystudio.diffusion.text.clip_tokens import END

    for i in range(1, len(chunk.tokens)):
        if chunk.tokens[i].id == END and chunk.tokens[i].row is None:
            return i - 1
    return len(chunk.tokens) - 2


def spans(
    text: str, segments: Sequence[Segment | Break], dialect: str, embeddings: Mapping[str, int]
) -> Iterator[Span]:
    """For each token in order, from where to where it stands in the prompt."""
    from ponystudio.diffusion.text.clip_tokens import ClipTokenizer
    from ponystudio.diffusion.text.embedding_names import EmbeddingNames, split_at_embeddings
    from ponystudio.diffusion.text.prompt_syntax import Break

    names = EmbeddingNames(tuple(embeddings), ClipTokenizer().ids)
    aligner = _Aligner(text, dialect)
    for segment in segments:
        if isinstance(segment, Break):
            continue
        at = aligner.take(segment.text)
        start, named = 0, ""
        for piece, name in split_at_embeddings(segment.text, dialect, names):
            if name is not None:
                named = name
                continue
            found = segment.text.find(piece, start) if piece or not named else len(at)
            before, start = start, max(found, start)
            if named:
                yield from [_span(at, before, start)] * embeddings[named]
                named = ""
            bare = names if dialect == "a1111" and embeddings else None
            for first, last, count in _of_text(piece, bare, embeddings):
                yield from [_span(at, start + first, start + last)] * count
            start += len(piece)


def _of_text(
    text: str, names: EmbeddingNames | None, embeddings: Mapping[str, int]
) -> Iterator[tuple[int, int, int]]:
    """From where to where, and how many tokens are there."""
    from ponystudio.diffusion.text.clip_tokens import byte_pairs

    encoded = byte_pairs().encode(
        text.encode("utf-8", "replace").decode(), add_special_tokens=False
    )
    ids, offsets, i = encoded.ids, encoded.offsets, 0
    while i < len(ids):
        bare = names.at(ids, i) if names else None
        taken = bare[1] if bare else 1
        yield offsets[i][0], offsets[i + taken - 1][1], embeddings[bare[0]] if bare else 1
        i += taken


def _words(text: str, tokenizer: SentencePieces) -> Iterator[tuple[int, Span, bool]]:
    """Each token, from where to where it stands, and whether a word ends with it.

    Pieces never go beyond a word, and together have its letters, but for those of few that are
    others to the tokenizer.
    """
    from ponystudio.diffusion.text.sentencepiece_tokens import BLANK

    ids = tokenizer.ids(text)
    spelt = [tokenizer.spell(id) for id in ids]
    words = [match.span() for match in re.finditer(r"\S+", text)] or [(0, len(text))]
    word, place = -1, 0
    for n, (id, piece) in enumerate(zip(ids, spelt, strict=True)):
        if piece.startswith(BLANK) or word < 0:
            word = min(word + 1, len(words) - 1)
            place = words[word][0]
        end = min(place + len(piece.removeprefix(BLANK)), words[word][1])
        ends = n + 1 == len(ids) or spelt[n + 1].startswith(BLANK)
        yield id, (place, words[word][1] if ends and end > place else end), ends
        place = end


def _of_chunk(tokens: Sequence[Token], places: Iterator[Span]) -> list[Piece]:
    """The vectors of one textual inversion are one piece."""
    from ponystudio.diffusion.text.clip_tokens import byte_pairs

    found = []
    for name, run in groupby(
        zip(tokens, places, strict=False), key=lambda pair: pair[0].row and pair[0].row.name
    ):
        if name:
            (token, span), *more = run
            found.append(Piece(0, token.weight, span, name=name, count=1 + len(more)))
            continue
        for token, span in run:
            ends = str(byte_pairs().id_to_token(token.id)).endswith("</w>")
            found.append(Piece(token.id, token.weight, span, ends))
    return found


def _span(places: Sequence[int], start: int, end: int) -> Span:
    """Characters of a segment as characters of the prompt."""
    if not places:
        return 0, 0
    first = places[min(start, len(places) - 1)]
    return first, max(first, places[min(max(end - 1, start), len(places) - 1)] + 1)


class _Aligner:
    """Finds the characters of parsed segments in the prompt that they came from: they stand there
    in order, with syntax between."""

    def __init__(self, text: str, dialect: str) -> None:
        from ponystudio.diffusion.text.prompt_syntax import (
            BREAK_WORD,
            EXTRA_NETWORK,
            without_comments,
        )

        self._text = text = without_comments(text, dialect, " ")
        self._place = 0
        self._misses = 0
        hidden = (_WEIGHT, EXTRA_NETWORK, BREAK_WORD) if dialect == "a1111" else (_WEIGHT,)
        self._syntax = dict(match.span() for pattern in hidden for match in pattern.finditer(text))
        """Where syntax begins, and where it ends."""

    def take(self, segment: str) -> list[int]:
        """The place of each character of the next segment."""
        found: list[int] = []
        if self._misses < _MOST_MISSES:  # each looks through the rest of the text
            found = self._walk(segment, skip=True) or self._walk(segment, skip=False)
        if found:
            self._place = found[-1] + 1
        else:
            self._misses += 1
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
