"""Tokenizers of the sentencepiece kind (Kudo & Richardson 2018), as T5 and LLaMA have them: where a
model's lies, and the token ids of a text. Torch-free.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import ponystudio_resources
from ponystudio.diffusion.families.text_encoder_specs import T5EncoderSpec
from ponystudio.errors import Cancelled, DamagedFile, MissingFile, UnsupportedModel
from ponystudio.library.formats.tokenizers import FOLDER, beside, of_name
from ponystudio.system.regular_file import open_regular

if TYPE_CHECKING:
    from ponystudio.library.formats.weights_file import WeightsFile

NODE = "Tokenizer (core.set_tokenizer)"
# Under which ComfyUI keeps one among the tensors.
TENSOR = "spiece_model"
END = "</s>"
BLANK = "▁"
LARGEST = 64 << 20


@dataclass(frozen=True)
class SentencePieces:
    """A tokenizer with ids below `size`, `end` among them; None where it has no such. `encode`
    gives the ids of a text, `spell` the piece that an id stands for, with `BLANK` where a word
    begins. `where` it came from."""

    encode: Callable[[str], list[int]]
    spell: Callable[[int], str]
    size: int
    end: int | None
    where: str

    def ids(self, text: str) -> list[int]:
        """The token ids of a text of any length, without an end and without padding.

        Raises DamagedFile where it cannot be used after all.
        """
        # Lone surrogates, which JSON can carry, have no UTF-8 form.
        with _reading(self.where):
            return self.encode(text.encode("utf-8", "replace").decode("utf-8"))

    def check(self, tower: T5EncoderSpec, rows: int) -> None:
        """Raise UnsupportedModel where it is not that of a text encoder of `rows` tokens."""
        if self.size > rows:
            reason = f"it has {self.size:,} tokens, and the text encoder knows {rows:,}"
        elif self.end not in (tower.end, None):
            reason = f"its texts end with token {self.end}, and not with {tower.end}"
        else:
            return
        raise UnsupportedModel(
            f"This tokenizer is not that of {tower.noun}: {reason}.",
            where=self.where,
            remedy=f"Choose the model's own, with the node {NODE}.",
        )


def parse(content: bytes, where: str) -> SentencePieces:
    """A tokenizer, of what is in its file: a sentencepiece model, or tokenizer.json.

    Raises DamagedFile for what is neither.
    """
    is_json = content.lstrip()[:1] == b"{"
    with _reading(where):
        return _from_json(content, where) if is_json else _from_model(content, where)


@contextmanager
def _reading(where: str) -> Iterator[None]:
    """Whatever the libraries raise is DamagedFile: each has its own errors, and plain ones too, and
    where tokenizers gives up in Rust it is no Exception."""
    try:
        yield
    except (KeyboardInterrupt, SystemExit, Cancelled):
        raise
    except BaseException:
        raise DamagedFile(
            "This is no tokenizer that can be read.",
            where=where,
            remedy="Get the file again, or choose another: tokenizer.json or tokenizer.model.",
        ) from None


def _from_json(content: bytes, where: str) -> SentencePieces:
    from tokenizers import Tokenizer

    tokenizer = Tokenizer.from_str(content.decode("utf-8"))
    tokenizer.no_truncation()
    tokenizer.no_padding()

    def encode(text: str) -> list[int]:
        ids: list[int] = tokenizer.encode(text, add_special_tokens=False).ids
        return ids

    size = 1 + max(tokenizer.get_vocab().values())
    return SentencePieces(
        encode, lambda id: tokenizer.id_to_token(id) or "", size, tokenizer.token_to_id(END), where
    )


def _from_model(content: bytes, where: str) -> SentencePieces:
    from sentencepiece import SentencePieceProcessor

    if not content:
        raise ValueError  # of nothing the library makes a tokenizer of nothing
    model = SentencePieceProcessor(model_proto=content)

    def encode(text: str) -> list[int]:
        ids: list[int] = model.encode(text, add_bos=False, add_eos=False)
        return ids

    end = model.eos_id()
    return SentencePieces(
        encode, model.id_to_piece, model.get_piece_size(), end if end >= 0 else None, where
    )


def read(path: Path) -> SentencePieces:
    """The tokenizer in a file. Raises DamagedFile, MissingFile."""
    try:
        with open_regular(path) as file:
            content = file.read(LARGEST)
    except FileNotFoundError:
        raise MissingFile("There is no such file.", where=str(path)) from None
    except OSError as error:
        raise DamagedFile(f"The file cannot be read: {error.strerror}.", where=str(path)) from None
    return parse(content, str(path))


@cache
def shipped(name: str) -> SentencePieces:
    """One that comes with PonyStudio."""
    return read(ponystudio_resources.path("tokenizers", name, "spiece.model"))


def of_model(
    tower: T5EncoderSpec, paths: Iterable[Path], file: WeightsFile, chosen: str = ""
) -> SentencePieces:
    """The tokenizer of a text encoder, of a model's files.

    That which is `chosen`; else the one that ships; else one called after a file of the model,
    among its tensors, or beside it. Raises MissingFile, DamagedFile.
    """
    if chosen:
        return read(Path(chosen))
    if tower.pieces:
        return shipped(tower.pieces)
    listed = list(paths)
    if place := next(filter(None, map(of_name, listed)), None):
        return read(place)
    if name := next((name for name in file.tensors if name.endswith(TENSOR)), None):
        return parse(bytes(file.buffer(name)), f"{file.path}: {TENSOR}")
    if place := next(filter(None, map(beside, listed)), None):
        return read(place)
    raise MissingFile(
        f"There is no tokenizer for {tower.noun}, the text encoder of this model.",
        where=str(file.path),
        remedy=f"Choose tokenizer.json or tokenizer.model from the folder `{FOLDER}` of the model"
        f" with the node {NODE}, or put it beside this file.",
    )
