"""From prompt segments to CLIP's token ids, in chunks of 75 with their weights.

Every chunk is framed by START and END and padded with END (or the tokenizer's own pad) to 77.
A textual inversion takes as many places as it has vectors, and counts against the 75.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from functools import cached_property, lru_cache
from typing import TYPE_CHECKING, NamedTuple

import ponystudio_resources
from ponystudio.diffusion.prompt import Break, Segment
from ponystudio.errors import MissingFile

if TYPE_CHECKING:
    from tokenizers import Tokenizer

START, END = 49406, 49407
COMMA = 267

CHUNK = 75
FRAMED = CHUNK + 2
# A1111: how far before the end of a full chunk a comma may lie to end the chunk there.
BACKTRACK = 20
# ComfyUI: a segment of fewer tokens is not split over two chunks.
SHORT = 8


class Row(NamedTuple):
    """One vector of a textual inversion."""

    name: str
    place: int


class Token(NamedTuple):
    """One place in a chunk; where `row` is set, its vector stands there instead of the id's."""

    id: int
    weight: float = 1.0
    row: Row | None = None


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
def _clip() -> Tokenizer:
    """CLIP's byte pair encoding: NFC, white space collapsed, lower case, then 49408 pieces."""
    from tokenizers import AddedToken, Regex, Tokenizer, models, normalizers, pre_tokenizers

    folder = ponystudio_resources.path("tokenizers", "clip")
    start, end = "<|startoftext|>", "<|endoftext|>"
    tokenizer = Tokenizer(
        models.BPE.from_file(
            str(folder / "vocab.json"),
            str(folder / "merges.txt"),
            unk_token=end,
            end_of_word_suffix="</w>",
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
        ids: list[int] = _clip().encode(text, add_special_tokens=False).ids
        return ids

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
        names = _index(tuple(embeddings))
        if dialect == "comfyui":
            packed = _pack_comfyui(_comfyui_groups(self, segments, names, size))
        else:
            packed = _pack_a1111(_a1111_groups(self, segments, names, size))
        return [self.frame(tokens) for tokens in packed]


def embeddings_used(
    segments: Sequence[Segment | Break], dialect: str, embeddings: Collection[str]
) -> list[str]:
    """Which of the `embeddings` a prompt names: what its result depends on beside the text."""
    chunks = ClipTokenizer().chunks(segments, dialect, embeddings=embeddings)
    return sorted({token.row.name for chunk in chunks for token in chunk.tokens if token.row})


# --- Textual inversions in the text ----------------------------------------------------------


class EmbeddingNames:
    """Finds the textual inversion that words mean: by file name, with or without its suffix."""

    def __init__(self, names: Collection[str]) -> None:
        self.names = tuple(names)
        self._by_word: dict[str, str] = {}
        # A full name wins over one without its suffix, and that over a bare one in a subfolder.
        for shorten in (str, _without_suffix, _stem):
            for name in self.names:
                self._by_word.setdefault(shorten(name), name)
        for word, name in list(self._by_word.items()):
            self._by_word.setdefault(word.lower(), name)

    def find(self, word: str) -> str | None:
        """The file that `word` names; letter case matters only between files that differ in it."""
        return self._by_word.get(word) or self._by_word.get(word.lower())

    def at(self, ids: Sequence[int], place: int) -> tuple[str, int] | None:
        """The longest bare name spelt by the tokens from `place` on, and how many they are."""
        for spelling, name in self._by_first_token.get(ids[place], ()):
            if tuple(ids[place : place + len(spelling)]) == spelling:
                return name, len(spelling)
        return None

    @cached_property
    def _by_first_token(self) -> dict[int, list[tuple[tuple[int, ...], str]]]:
        tokenizer = ClipTokenizer()
        found: dict[int, list[tuple[tuple[int, ...], str]]] = {}
        for name in self.names:
            if spelling := tuple(tokenizer.ids(_stem(name))):
                found.setdefault(spelling[0], []).append((spelling, name))
        for spellings in found.values():
            spellings.sort(key=lambda item: -len(item[0]))
        return found


@lru_cache(maxsize=4)
def _index(names: tuple[str, ...]) -> EmbeddingNames:
    """A folder of a thousand files takes longer to spell out than a prompt to encode."""
    return EmbeddingNames(names)


def _without_suffix(name: str) -> str:
    return re.sub(r"\.(safetensors|pt|bin|ckpt|pth|png|webp)$", "", name, flags=re.IGNORECASE)


def _stem(name: str) -> str:
    return _without_suffix(name.rpartition("/")[2])


# How both dialects name one here: at the start of a segment or after white space.
EMBEDDING = re.compile(r"(?:^|(?<=\s))embedding:(?=\s*[^\s,;:.])")


def _split_at_embeddings(text: str, names: EmbeddingNames) -> Iterator[tuple[str, str | None]]:
    """Pieces of plain text (text, None) and textual inversions ("", name), in order."""
    plain, *named = EMBEDDING.split(text)
    yield plain, None
    for part in named:
        word = (part.split(maxsplit=1) or [""])[0]
        # A comma may follow a name directly, and yet be part of one.
        for candidate in (word, word.rstrip(",.;:"), re.split("[,;]", word)[0]):
            if name := names.find(candidate):
                yield "", name
                yield part.lstrip()[len(candidate) :], None
                break
        else:
            raise _no_such_embedding(word.rstrip(",.;:"), names)


def _no_such_embedding(word: str, names: EmbeddingNames) -> MissingFile:
    near = get_close_matches(word, [_stem(name) for name in names.names], n=3)
    return MissingFile(
        f"There is no embedding called {word!r}.",
        socket="text",
        remedy=f"Did you mean {' or '.join(near)}?"
        if near
        else "Put its file into the embeddings folder, or take it out of the prompt.",
    )


def _vectors(name: str, size: Callable[[str], int], weight: float) -> list[Token]:
    return [Token(0, weight, Row(name, i)) for i in range(size(name))]


# --- Packing -----------------------------------------------------------------------------------


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
        for text, name in _split_at_embeddings(segment.text, names):
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
        for text, name in _split_at_embeddings(segment.text, names):
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
