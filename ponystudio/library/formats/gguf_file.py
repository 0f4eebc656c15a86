"""The header of a GGUF file: counts, metadata, then name, shape, kind and place of every tensor.

The package `gguf` makes an object of every value and believes every count, so it is read here, and
as strictly as safetensors. What packed numbers mean, `diffusion/weights/dequantize.py` knows.
Source: the specification of GGUF in ggml.
"""

from __future__ import annotations

import math
import re
import struct
from collections.abc import Mapping
from typing import Any

from ponystudio.errors import DamagedFile, UnsupportedModel
from ponystudio.library.formats.tensor_info import (
    ITEM_SIZES,
    MOST_DIMENSIONS,
    PACKED,
    TensorInfo,
    aligned,
    check_places,
)

MAGIC = b"GGUF"
VERSIONS = (2, 3)
ALIGNMENT = 32
# Of the largest models the tokenizer takes some MiB, and there are some thousands of tensors.
LONGEST_HEADER = 32 << 20
MOST_ENTRIES = 100_000
MOST_WORDS = 2_000_000
LONGEST_NAME = 1000
# Longer ones, such as templates of chats, are passed over.
LONGEST_TEXT = 64 << 10
ARCHITECTURE = "general.architecture"
# Under what the shape of a tensor is kept whose numbers were arranged anew to be packed.
ORIGINAL_SHAPE = "comfy.gguf.orig_shape."
# Tensors whose first side is 1 in the models that have them; ggml's tools count no such sides.
ONE_FIRST = ("positional_encoding", "register_tokens", "pos_embed")
SCALARS = {
    0: "<B", 1: "<b", 2: "<H", 3: "<h", 4: "<I", 5: "<i", 6: "<f", 7: "<?", 10: "<Q", 11: "<q",
    12: "<d",
}  # fmt: skip
WHOLE = (0, 1, 2, 3, 4, 5, 10, 11)
TEXT, ARRAY = 8, 9
# ggml's numbers of the kinds that can be read.
KINDS = {
    0: "F32", 1: "F16", 2: "Q4_0", 3: "Q4_1", 6: "Q5_0", 7: "Q5_1", 8: "Q8_0",
    10: "Q2_K", 11: "Q3_K", 12: "Q4_K", 13: "Q5_K", 14: "Q6_K",
    16: "IQ2_XXS", 17: "IQ2_XS", 18: "IQ3_XXS", 19: "IQ1_S", 20: "IQ4_NL", 21: "IQ3_S",
    22: "IQ2_S", 23: "IQ4_XS", 24: "I8", 25: "I16", 26: "I32", 27: "I64", 28: "F64", 29: "IQ1_M",
    30: "BF16",
}  # fmt: skip
_PLAIN_NAME = re.compile(r"[\w.-]{1,40}")


def looks_like(head: bytes) -> bool:
    """Whether a file that begins so (4 bytes are enough) is meant to be GGUF."""
    return head.startswith(MAGIC)


def read_header(data: memoryview, where: str) -> tuple[dict[str, TensorInfo], dict[str, str]]:
    """Tensors by name, in the order in which they lie in the file, and the metadata as text.

    `data` is the whole file. Shapes are in numpy's order, the last index running fastest. Of lists
    in the metadata nothing is kept. Raises DamagedFile, or UnsupportedModel for an unknown version
    or kind of number.
    """
    header = _Header(data, where)
    _check_version(header)
    counts = header.number("<Q"), header.number("<Q")
    if max(counts) > MOST_ENTRIES:
        raise header.nonsense(f"The header promises {max(counts):,} entries.")
    metadata, shapes = _metadata(header, counts[1])
    alignment = _alignment(header, metadata)
    stored = [_stored(header) for _ in range(counts[0])]
    body = header.position
    first = aligned(body, alignment)
    tensors = [_tensor(header, entry, shapes, first) for entry in stored]
    tensors.sort(key=lambda tensor: (tensor.start, tensor.nbytes))
    check_places(tensors, body, len(data), where, alignment)
    result = {tensor.name: tensor for tensor in tensors}
    if len(result) < len(tensors):
        raise header.nonsense("The header names a tensor twice.")
    return result, metadata


def foreign(metadata: Mapping[str, str]) -> str:
    """What a file of none of our kinds says that it is, in one sentence; "" if it says nothing."""
    said = metadata.get(ARCHITECTURE, "")
    if not _PLAIN_NAME.fullmatch(said):
        return ""
    if any(key.startswith("tokenizer.") for key in metadata):
        return f"This is a language model ({said}), not one that makes pictures."
    return f"This is a model of the kind {said}, laid out as none that is known here."


class _Header:
    """Reads from the front; what would lead out of the header raises DamagedFile."""

    def __init__(self, data: memoryview, where: str) -> None:
        self.data = data
        self.where = where
        self.position = len(MAGIC)
        self.words = 0  # in lists, so far

    def number(self, form: str) -> Any:
        at = self.skip(struct.calcsize(form))
        return struct.unpack_from(form, self.data, at)[0]

    def text(self, longest: int) -> str | None:
        """A text; None for a longer one, which is passed over. Raises for what is no UTF-8."""
        length = self.number("<Q")
        at = self.skip(length)
        if length > longest:
            return None
        try:
            return str(self.data[at : at + length], "utf-8")
        except UnicodeDecodeError:
            raise self.nonsense("A text in the header is no UTF-8.") from None

    def name(self) -> str:
        name = self.text(LONGEST_NAME)
        if name is None:
            raise self.nonsense(f"A name in the header is longer than {LONGEST_NAME:,} bytes.")
        if not name:
            raise self.nonsense("A name in the header is empty.")
        return name

    def skip(self, count: int) -> int:
        """Where it was before it went on by so many bytes."""
        start, self.position = self.position, self.position + count
        if self.position > len(self.data):
            raise DamagedFile(
                f"The file ends inside its header, after {len(self.data):,} bytes.",
                where=self.where,
                remedy="Download it again.",
            )
        if self.position > LONGEST_HEADER:
            raise self.nonsense("The header of the file is long without end.")
        return start

    def nonsense(self, what: str) -> DamagedFile:
        return DamagedFile(what, where=self.where, remedy="Download it again.")


def _check_version(header: _Header) -> None:
    version = header.number("<I")
    if version in VERSIONS:
        return
    reason = (
        "This GGUF file was written for machines of the other order of bytes."
        if version and not version & 0xFFFF
        else f"This GGUF file is of version {version}, and only 2 and 3 can be read."
    )
    raise UnsupportedModel(reason, where=header.where, remedy="Get a newer file of the model.")


def _metadata(header: _Header, count: int) -> tuple[dict[str, str], dict[str, tuple[int, ...]]]:
    """Scalars and texts by name, and the original shapes of tensors."""
    texts: dict[str, str] = {}
    shapes: dict[str, tuple[int, ...]] = {}
    seen = set()
    for _ in range(count):
        key = header.name()
        if key in seen:
            raise header.nonsense(f"The header names {key!r} twice.")
        seen.add(key)
        kind = header.number("<I")
        if kind == ARRAY and key.startswith(ORIGINAL_SHAPE):
            shapes[key.removeprefix(ORIGINAL_SHAPE)] = _shape(header, key)
        elif kind == ARRAY:
            _pass_array(header, key)
        elif kind == TEXT:
            text = header.text(LONGEST_TEXT)
            if text is not None:
                texts[key] = text
        else:
            texts[key] = str(header.number(_form(header, kind, key)))
    return texts, shapes


def _form(header: _Header, kind: int, key: str) -> str:
    if kind not in SCALARS:
        raise header.nonsense(f"What the header says of {key!r} makes no sense.")
    return SCALARS[kind]


def _pass_array(header: _Header, key: str) -> None:
    kind, count = header.number("<I"), header.number("<Q")
    if kind != TEXT:
        header.skip(count * struct.calcsize(_form(header, kind, key)))
        return
    header.words += count
    if header.words > MOST_WORDS:
        raise header.nonsense(f"The header promises {header.words:,} words.")
    for _ in range(count):
        header.skip(header.number("<Q"))


def _shape(header: _Header, key: str) -> tuple[int, ...]:
    kind, count = header.number("<I"), header.number("<Q")
    sides: tuple[int, ...] = ()
    if kind in WHOLE and count <= MOST_DIMENSIONS:
        sides = tuple(header.number(SCALARS[kind]) for _ in range(count))
    if not sides or min(sides) < 0:
        raise header.nonsense(f"What the header says of {key!r} makes no sense.")
    return sides


def _alignment(header: _Header, metadata: Mapping[str, str]) -> int:
    said = metadata.get("general.alignment", str(ALIGNMENT))
    alignment = int(said) if re.fullmatch(r"[0-9]{1,10}", said) else 0
    if alignment.bit_count() != 1:
        raise header.nonsense("The header gives an alignment that is no power of two.")
    return alignment


def _stored(header: _Header) -> tuple[str, tuple[int, ...], int, int]:
    """Name, shape, kind and offset of a tensor, as they are written."""
    name, dimensions = header.name(), header.number("<I")
    if dimensions > MOST_DIMENSIONS:
        raise header.nonsense(f"What the header says of {name!r} makes no sense.")
    sides = [header.number("<Q") for _ in range(dimensions)]
    return name, tuple(reversed(sides)), header.number("<I"), header.number("<Q")


def _tensor(
    header: _Header,
    entry: tuple[str, tuple[int, ...], int, int],
    shapes: Mapping[str, tuple[int, ...]],
    first: int,
) -> TensorInfo:
    name, sides, number, offset = entry
    kind = KINDS.get(number)
    if kind is None:
        raise UnsupportedModel(
            f"{name!r} has numbers of a kind that is not known here ({number}).",
            where=header.where,
            remedy="Get the model in another kind, such as Q8_0 or Q4_K.",
        )
    block, size = PACKED.get(kind) or (1, ITEM_SIZES[kind])
    numel, shape = math.prod(sides), shapes.get(name, sides)
    if numel >= 2**63 or math.prod(shape) != numel or (sides[-1] if sides else 1) % block:
        raise header.nonsense(f"The shape of {name!r} makes no sense.")
    if len(shape) == 2 and name.rpartition(".")[2] in ONE_FIRST:
        shape = (1, *shape)
    return TensorInfo(name, kind, shape, None, numel // block * size, first + offset)
