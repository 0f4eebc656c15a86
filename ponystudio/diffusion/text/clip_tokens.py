"""From prompt segments to CLIP's token ids, in chunks of 75 with their weights.

Every chunk is framed by START and END and padded with END (or the tokenizer's own pad) to 77.
A textual inversion takes as many places as it has vectors, and counts against the 75.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, NamedTuple

import ponystudio_resources
from ponystudio.diffusion.families.text_encoder_specs import END as END
from ponystudio.diffusion.families.text_encoder_specs import START as START
from ponystudio.diffusion.text.embedding_names import EmbeddingNames, split_at_embeddings
from ponystudio.diffusion.text.prompt_syntax import Break, Segment

if TYPE_CHECKING:
    from tokenizers import Tokenizer

COMMA = 267
# What stands at the end of the pieces that end a word.
END_OF_WORD = "</w>"

CHUNK = 75
FRAMED = CHUNK + 2
# A1111: how far before the end of a full chunk a comma may lie to end the chunk there.
BACKTRACK = 20
# Letters that are tokenised at once, and where a word ends, whatever comes before and after: no
# accent joins the two letters, no token has both.
STRETCH = 8192
_WORD_ENDS = re.compile(r"(?<=[A-Za-z0-9])(?=[\s,:()<])")
# ComfyUI: a segment of fewer tokens is not split over two chunks.
SHORT = 8


class TokenRow(NamedTuple):
    """One vector of a textual inversion."""

    name: str
    place: int


class Token(NamedTuple):
    """One place in a chunk; where `row` is set, its vector stands there instead of the id's."""

    id: int
    weight: float = 1.0
    row: TokenRow | None = None


@dataclass(frozen=True)
class Chunk:
    """The 77 places that the text encoder reads at once."""

    tokens: tuple[Token, ...]

    @property
    def ids(self) -> list[int]:
        return [token.id for token in self.tokens]

    @property
    def weights(self) -> list[float]:
        return [token.weight for token in self.tokens]

    @property
    def weighted(self) -> bool:
        return any(token.weight != 1.0 for token in self.tokens)


@lru_cache(maxsize=1)
def byte_pairs() -> Tokenizer:
    """CLIP's byte pair encoding: NFC, white space collapsed, lower case, then 49408 pieces."""
    from tokenizers import AddedToken, Regex, Tokenizer, models, normalizers, pre_tokenizers

    folder = ponystudio_resources.path("tokenizers", "clip")
    start, end = "<|startoftext|>", "<|endoftext|>"
    tokenizer = Tokenizer(
        models.BPE.from_file(
            str(folder / "vocab.json"),
            str(folder / "merges.txt"),
            unk_token=end,
            end_of_word_suffix=END_OF_WORD,
        )
    )
    tokenizer.normalizer = normalizers.Sequence(
        [normalizers.NFC(), normalizers.Replace(Regex(r"\s+"), " "), normalizers.Lowercase()]
    )
    words = r"'s|'t|'re|'ve|'m|'ll|'d|\p{L}+|\p{N}|[^\s\p{L}\p{N}]+"
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(words), behavior="removed", invert=True),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    tokenizer.add_special_tokens([AddedToken(start), AddedToken(end)])
    return tokenizer


class ClipTokenizer:
    """CLIP's tokenizer; `pad` fills the places after the END (END for CLIP-L, 0 for OpenCLIP)."""

    def __init__(self, pad: int = END) -> None:
        self.pad = pad

    def ids(self, text: str) -> list[int]:
        """The token ids of a text of any length, without START, END and padding."""
        # Lone surrogates, which JSON can carry, have no UTF-8 form.
        text = text.encode("utf-8", "replace").decode("utf-8")
        ids: list[int] = []
        for stretch in _stretches(text):
            ids += byte_pairs().encode(stretch, add_special_tokens=False).ids
        return ids

    def spell(self, id: int) -> str:
        """The piece of text that an id stands for, with a hyphen where its word goes on."""
        piece: str = byte_pairs().id_to_token(id) or ""
        if id in (START, END):
            return piece
        # Of letters that are several bytes, pieces may be parts.
        text = _bytes_of(piece.removesuffix(END_OF_WORD)).decode(errors="backslashreplace")
        return text if piece.endswith(END_OF_WORD) else f"{text}-"

    def frame(self, tokens: Sequence[Token] = ()) -> Chunk:
        """At most 75 tokens as a chunk of 77."""
        padding = [Token(self.pad)] * (CHUNK - len(tokens))
        return Chunk((Token(START), *tokens, Token(END), *padding))

    def chunks(
        self,
        segments: Sequence[Segment | Break],
        dialect: str,
        *,
        embeddings: Collection[str] = (),
        size: Callable[[str], int] = lambda _: 1,
    ) -> list[Chunk]:
        """Cut a parsed prompt into chunks, at least one, by the rules of its dialect.

        `embeddings` are the names of the textual inversions there are, as files in a folder
        ("EasyNegative.pt", "style/birb.safetensors"); `size` says how many vectors one has.
        Raises MissingFile for an `embedding:name` that is not among them.
        """
        names = spelt(tuple(embeddings))
        if dialect == "comfyui":
            packed = _pack_comfyui(_comfyui_groups(self, segments, names, size))
        else:
            packed = _pack_a1111(_a1111_groups(self, segments, names, size))
        return [self.frame(tokens) for tokens in packed]


def _stretches(text: str) -> Iterator[str]:
    """A text in stretches that are tokenised as they are in it: cut where a word surely ends.

    No other thread goes on while one is tokenised: a millisecond for a thousand letters.
    """
    start = 0
    while len(text) - start > STRETCH and (cut := _WORD_ENDS.search(text, start + STRETCH)):
        yield text[start : cut.start()]
        start = cut.start()
    yield text[start:]


def _bytes_of(piece: str) -> bytes:
    """The bytes that a piece stands for, each written as a letter: those that are none get the
    letters from 256 on (Radford et al. 2019)."""
    letters = {*range(33, 127), *range(161, 173), *range(174, 256)}
    others = [byte for byte in range(256) if byte not in letters]
    return bytes(ord(c) if ord(c) in letters else others[ord(c) - 256] for c in piece)


@lru_cache(maxsize=4)
def spelt(names: tuple[str, ...]) -> EmbeddingNames:
    """The textual inversions of these names, by their tokens too.

    Kept, since to spell a thousand files out takes longer than to encode a prompt.
    """
    return EmbeddingNames(names, ClipTokenizer().ids)


def _vectors(name: str, size: Callable[[str], int], weight: float) -> list[Token]:
    return [Token(0, weight, TokenRow(name, i)) for i in range(size(name))]


def _comfyui_groups(
    tokenizer: ClipTokenizer,
    segments: Sequence[Segment | Break],
    names: EmbeddingNames,
    size: Callable[[str], int],
) -> Iterator[list[Token]]:
    """One group for each stretch of text and each textual inversion."""
    for segment in segments:
        if isinstance(segment, Break):
            continue
        for text, name in split_at_embeddings(segment.text, "comfyui", names):
            if name is not None:
                yield _vectors(name, size, segment.weight)
            else:
                yield [Token(id, segment.weight) for id in tokenizer.ids(text)]


def _pack_comfyui(groups: Iterable[list[Token]]) -> list[list[Token]]:
    """A group that does not fit goes whole into the next chunk if short, else it is split."""
    chunks: list[list[Token]] = [[]]
    for group in groups:
        room = CHUNK - len(chunks[-1])
        if len(group) > room and len(group) < SHORT:
            chunks.append([])
            room = CHUNK
        chunks[-1] += group[:room]
        for start in range(room, len(group), CHUNK):
            chunks.append(group[start : start + CHUNK])
    return chunks


def _a1111_groups(
    tokenizer: ClipTokenizer,
    segments: Sequence[Segment | Break],
    names: EmbeddingNames,
    size: Callable[[str], int],
) -> Iterator[list[Token] | Break]:
    """Every token by itself; the vectors of a textual inversion, named barely, together."""
    for segment in segments:
        if isinstance(segment, Break):
            yield segment
            continue
        for text, name in split_at_embeddings(segment.text, "a1111", names):
            if name is not None:
                yield _vectors(name, size, segment.weight)
                continue
            ids, place = tokenizer.ids(text), 0
            while place < len(ids):
                if found := names.at(ids, place):
                    yield _vectors(found[0], size, segment.weight)
                    place += found[1]
                else:
                    yield [Token(ids[place], segment.weight)]
                    place += 1


def _pack_a1111(groups: Iterable[list[Token] | Break]) -> list[list[Token]]:
    """A full chunk ends after its last comma, if that is near, so that phrases stay whole."""
    chunks: list[list[Token]] = [[]]
    comma: int | None = None  # where in the open chunk the last comma stands

    def open_chunk(moved: list[Token]) -> None:
        nonlocal comma
        chunks.append(moved)
        comma = None

    for group in groups:
        if isinstance(group, Break):
            open_chunk([])
            continue
        chunk = chunks[-1]
        if group and group[0].id == COMMA:
            comma = len(chunk)
        elif len(chunk) == CHUNK and comma is not None and CHUNK - comma <= BACKTRACK:
            moved = chunk[comma + 1 :]
            del chunk[comma + 1 :]
            open_chunk(moved)
        if len(chunks[-1]) + len(group) > CHUNK:
            open_chunk([])
        # Only a textual inversion can have more than a chunk holds.
        chunks[-1] += group[:CHUNK]
        for start in range(CHUNK, len(group), CHUNK):
            open_chunk(group[start : start + CHUNK])
    if len(chunks) > 1 and not chunks[-1]:
        chunks.pop()
    return chunks
