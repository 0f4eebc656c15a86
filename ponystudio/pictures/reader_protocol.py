"""What travels between a program and its reader of pictures: typed requests and answers.

A frame is a big-endian uint32 and uint64, that many bytes of MessagePack and that many raw bytes:
pixels, or a file's content. An open file goes beside the frame where the system can hand it over.
Nothing is ever unpickled, and neither side takes more than it has reason to expect.
"""

from __future__ import annotations

import struct
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta, Struct

# 16,384 × 16,384; as floats such a picture fills 4 GB.
MAX_PIXELS = 2**28
# Text in one picture, inflated: far above any graph, far below what fills a memory.
MAX_TEXT = 64 * 2**20
# A message has at most the text of a picture, of which a letter takes three bytes where it is none,
# and a little around it.
MAX_MESSAGE = 3 * MAX_TEXT + 2**20
# A file that is handed over open, and one of which the content is sent.
MAX_FILE, MAX_CONTENT = 2**32, 2**30

HEAD = struct.Struct(">IQ")

# The two ways in which this program reads numbers of a picture: as stored, or for a screen.
Numbers = Literal["u1", "u2", "f4"]
Side = Annotated[int, Meta(ge=1, le=MAX_PIXELS)]


class ReaderRequest(Struct, frozen=True, tag_field="ask", kw_only=True):
    """`memory`: bytes that the answer may take while it is worked out; `seconds`: of its own work,
    after which it ends by itself, should nobody wait any more; `fd`: the file comes beside it, else
    its content follows as raw bytes."""

    memory: int
    seconds: float
    fd: bool = False


class ReadFields(ReaderRequest, frozen=True, tag="fields"):
    """The texts that a picture carries. Answered by PictureFields, {} for what is no picture."""


class ReadFacts(ReaderRequest, frozen=True, tag="facts"):
    """How a picture was made, and how large it is. Answered by PictureFacts, empty for what is no
    picture."""


class ReadHead(ReaderRequest, frozen=True, tag="head"):
    """What kind of picture it is, and how large. Answered by PictureHead."""


class ReadThumbnail(ReaderRequest, frozen=True, tag="thumbnail"):
    """A picture upright and small: within a square of `side`, or with `fill` the middle of it as
    that square. Answered by PicturePixels in `BGRA`."""

    side: Annotated[int, Meta(ge=1, le=4096)]
    fill: bool = False


class ReadPixels(ReaderRequest, frozen=True, tag="pixels"):
    """All of a picture upright, for a screen, smaller by a whole factor where it would have more
    than `most` bytes. Answered by PicturePixels in `BGRA`."""

    most: Annotated[int, Meta(ge=4)] = 2**62


class ReadLevels(ReaderRequest, frozen=True, tag="levels"):
    """The numbers of a picture. Answered by PicturePixels of one to four channels."""

    keep_colours: bool = False


class ReadVectors(ReaderRequest, frozen=True, tag="vectors"):
    """The textual inversion in a picture. Answered by PictureVectors."""


class ReadSidecar(ReaderRequest, frozen=True, tag="sidecar"):
    """What the notes beside a model file say. Answered by SidecarNotes, empty for what is none."""


Request = (
    ReadFields
    | ReadFacts
    | ReadHead
    | ReadThumbnail
    | ReadPixels
    | ReadLevels
    | ReadVectors
    | ReadSidecar
)


class ReaderAnswer(Struct, frozen=True, tag_field="say", kw_only=True):
    pass


class ReaderReady(ReaderAnswer, frozen=True, tag="ready"):
    """It may be asked. `given_up`: what it may no longer do, in words."""

    given_up: tuple[str, ...]


class PictureHead(ReaderAnswer, frozen=True, tag="head"):
    """`format` is one of `picture_bytes.FORMATS`; the size is that of the picture held upright."""

    format: str
    width: Side
    height: Side


class PictureFields(ReaderAnswer, frozen=True, tag="fields"):
    fields: dict[str, str]


class PictureFacts(ReaderAnswer, frozen=True, tag="facts"):
    """What a picture does not tell is "", 0 or None; `studio.results.picture_record` says more."""

    width: int = 0
    height: int = 0
    prompt: str = ""
    negative: str = ""
    model: str = ""
    model_hash: str = ""
    sampler: str = ""
    scheduler: str = ""
    seed: int | None = None
    steps: int | None = None
    cfg: float | None = None
    device: str = ""
    dtype: str = ""
    node: str = ""
    graph_hash: str = ""
    receipt: bool = False
    files: tuple[str, ...] = ()
    licences: tuple[str, ...] = ()
    source_type: str = ""


class PicturePixels(ReaderAnswer, frozen=True, tag="pixels"):
    """Rows from the top, `channels` of `numbers` a pixel, little-endian, as raw bytes.

    For a screen they are four of "u1": blue, green, red, and alpha, by which the others are
    multiplied; where `opaque` it means nothing. `whole` is the size of the whole picture, upright.
    As levels they are grey, grey and alpha, red, green and blue, or these and alpha, not yet
    turned: `orientation` is that of EXIF. `notes` are sentences on what was done to the colours.
    """

    width: Side
    height: Side
    channels: Annotated[int, Meta(ge=1, le=4)]
    numbers: Numbers = "u1"
    opaque: bool = True
    orientation: Annotated[int, Meta(ge=1, le=8)] = 1
    whole: tuple[Side, Side] = (1, 1)
    notes: tuple[str, ...] = ()

    @property
    def nbytes(self) -> int:
        return self.width * self.height * self.channels * int(self.numbers[1])


class PictureVectors(ReaderAnswer, frozen=True, tag="vectors"):
    """Name and shape of each tensor; their "f4" follow one after the other as raw bytes."""

    shapes: dict[str, tuple[int, int]]


class SidecarNotes(ReaderAnswer, frozen=True, tag="sidecar"):
    """In their authors' words, some of which are HTML; what is not said is ""."""

    model_name: str = ""
    notes: str = ""
    description: str = ""
    base: str = ""
    licence: str = ""
    activation_text: str = ""
    trained_words: tuple[str, ...] = ()


class PictureRefused(ReaderAnswer, frozen=True, tag="refused"):
    """`reason` completes "The picture cannot be read: "; `passing` is what another time may be
    otherwise."""

    reason: str
    passing: bool = False


Answer = (
    ReaderReady
    | PictureFields
    | PictureFacts
    | PictureHead
    | PicturePixels
    | PictureVectors
    | SidecarNotes
    | PictureRefused
)

_packed = msgspec.msgpack.Encoder().encode
_request = msgspec.msgpack.Decoder(Request).decode
_answer = msgspec.msgpack.Decoder(Answer).decode


def packed(message: Request | Answer, raw: int = 0) -> bytes:
    """A frame without its `raw` bytes, which are to follow."""
    body = _packed(message)
    return HEAD.pack(len(body), raw) + body


def request(body: bytes | bytearray) -> Request:
    """Raises msgspec.ValidationError or DecodeError."""
    asked: Request = _request(body)
    return asked


def answer(body: bytes | bytearray) -> Any:
    """An Answer. Raises msgspec.ValidationError or DecodeError."""
    return _answer(body)
