"""The reader's process: it decodes pictures that strangers made, and may do nothing else.

It is started with a socket as its standard input, or with pipes, takes them over before anything
else, loads all that it can need, gives up its rights, and says that it is ready. Then it answers
one request after the other, until nobody asks any more. Whatever goes wrong in a file ends in an
answer, or in the end of this process, which costs nobody anything.
"""

from __future__ import annotations

import array
import codecs
import contextlib
import importlib
import io
import os
import signal
import socket
import sys
from collections.abc import Callable
from typing import BinaryIO

from ponystudio.pictures.picture_bytes import NoPicture, format_of
from ponystudio.pictures.reader_protocol import (
    HEAD,
    MAX_CONTENT,
    MAX_MESSAGE,
    Answer,
    PictureFields,
    PictureRefused,
    ReaderReady,
    ReadFacts,
    ReadFields,
    ReadHead,
    ReadLevels,
    ReadPixels,
    ReadSidecar,
    ReadThumbnail,
    ReadVectors,
    Request,
    packed,
    request,
)

Raw = bytes | memoryview


def main(*, confined: bool = True) -> int:
    """Serve until nobody asks any more. `confined` off: without what some systems refuse."""
    link = _link()
    # Ctrl+C in a terminal reaches the whole group; the owner ends it.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    from ponystudio.pictures import picture_decoder

    given_up: tuple[str, ...] = ()
    sample = _warm_up()
    if confined:
        from ponystudio.pictures.reader_rights import give_up_rights

        given_up = give_up_rights()
    # That all of it still works; else whoever started it does so again, less confined.
    picture_decoder.thumbnail(io.BytesIO(sample), 2**26, 8)
    with contextlib.suppress(OSError):
        link.send(packed(ReaderReady(given_up=given_up)))
        while (asked := link.receive()) is not None:
            with asked[1] as file:
                _watch(asked[0].seconds)
                answer, raw = _answer(asked[0], file)
                _watch(0)
            link.send(packed(answer, len(raw)), raw)
    return 0


def _warm_up() -> bytes:
    """Have everything loaded that decoding may need, for no file can be opened later.

    Gives a small picture.
    """
    from PIL import Image

    from ponystudio.graph.formats import embedded_metadata
    from ponystudio.pictures import picture_decoder, picture_facts, picture_texts, sidecar_notes

    for encoding in ("latin-1", "utf-8", "utf-16-be", "utf-16-le"):
        codecs.lookup(encoding)
    for module in ("base64", "xml.parsers.expat", "PIL.ImageOps"):
        importlib.import_module(module)
    picture = Image.radial_gradient("L").convert("RGB")
    files = []
    for format in ("JPEG", "PNG", "GIF", "BMP", "TIFF", "WEBP"):
        file = io.BytesIO()
        picture.save(file, format)
        files.append(file.getvalue())
        picture_texts.read_texts(file, 2**26)
        picture_decoder.pixels(file, 2**26)
    picture_decoder.levels(file, 2**26, keep_colours=False)
    graph = '{"format": "ponystudio.graph", "version": 1, "nodes": {}}'
    infotext = "a\nSteps: 1, Sampler: Euler, Seed: 1, Size: 8x8"
    comfyui = '{"1": {"class_type": "EmptyLatentImage", "inputs": {"width": 8}}}'
    for texts in (
        {embedded_metadata.GRAPH: graph},
        {embedded_metadata.PARAMETERS: infotext},
        {"prompt": comfyui},
    ):
        picture_facts.facts_in(texts, None)
    sidecar_notes.notes_in(io.BytesIO(b"{}"))
    return files[0]


def _watch(seconds: float) -> None:
    """End this process after so much work, whatever it is doing then; 0: not any more."""
    if hasattr(signal, "setitimer"):
        signal.setitimer(signal.ITIMER_PROF, seconds and seconds + 1)


def _answer(asked: Request, file: BinaryIO) -> tuple[Answer, Raw]:
    try:
        return _decoded(asked, file)
    except MemoryError:
        return PictureRefused(reason="it takes more memory than is free", passing=True), b""
    except Exception as error:  # a decoder's, of which each has its own
        if isinstance(error, NoPicture):
            return PictureRefused(reason=str(error)), b""
        told = str(error)[:200] if isinstance(error, OSError | ValueError) else ""
        return PictureRefused(
            reason="it is damaged or cut off" + (f" ({told})" if told else ""),
            passing=isinstance(error, OSError) and error.errno is not None,  # the disk's
        ), b""


def _decoded(asked: Request, file: BinaryIO) -> tuple[Answer, Raw]:
    from ponystudio.graph.formats.embedded_metadata import read_fields
    from ponystudio.pictures import picture_decoder, picture_facts, sidecar_notes
    from ponystudio.pictures.picture_texts import read_texts

    match asked:
        case ReadFields():
            return PictureFields(fields=read_texts(file, asked.memory)), b""
        case ReadFacts():
            found = None
            with contextlib.suppress(Exception):  # it may be damaged in its pixels alone
                found = picture_decoder.head(file, asked.memory)
            return picture_facts.facts_in(read_texts(file, asked.memory), found), b""
        case ReadHead():
            return picture_decoder.head(file, asked.memory), b""
        case ReadThumbnail(side=side, fill=fill):
            return picture_decoder.thumbnail(file, asked.memory, side, fill=fill)
        case ReadPixels(most=most):
            return picture_decoder.pixels(file, asked.memory, most)
        case ReadLevels(keep_colours=keep):
            said, numbers = picture_decoder.levels(file, asked.memory, keep_colours=keep)
            return said, numbers.data.cast("B")
        case ReadSidecar():
            return sidecar_notes.notes_in(file), b""
        case ReadVectors():
            format_of(file)  # which says what it is instead
            text = read_fields(file).get(picture_decoder.VECTORS_FIELD, "")
            return picture_decoder.vectors(text)


# --- The way in and out ---------------------------------------------------------------------------


class HandedFile(io.RawIOBase):
    """An open file by its number alone: it is asked nothing that takes a right."""

    def __init__(self, handle: int) -> None:
        self._handle = handle

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        return os.readv(self._handle, [buffer])

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        return os.lseek(self._handle, offset, whence)

    def close(self) -> None:
        if not self.closed:
            os.close(self._handle)
        super().close()


class _Link:
    """Frames in and out. `take` fills a buffer and gives the file that came beside it, if any."""

    def __init__(
        self, take: Callable[[memoryview], tuple[int, int | None]], give: Callable[[Raw], object]
    ) -> None:
        self._take, self._give = take, give

    def send(self, *pieces: Raw) -> None:
        for piece in pieces:
            self._give(piece)

    def receive(self) -> tuple[Request, BinaryIO] | None:
        """The next request with its file; None at the end, also of all sense."""
        head, handle = self._exactly(HEAD.size)
        if head is None:
            return None
        length, raw = HEAD.unpack(head)
        if length > MAX_MESSAGE or raw > MAX_CONTENT:
            return None
        body, _ = self._exactly(length)
        content, _ = self._exactly(raw)
        if body is None or content is None:
            return None
        asked = request(body)
        if asked.fd and handle is not None:
            return asked, io.BufferedReader(HandedFile(handle), 2**16)
        return asked, io.BytesIO(content)

    def _exactly(self, count: int) -> tuple[bytearray | None, int | None]:
        data, handle, place = bytearray(count), None, 0
        view = memoryview(data)
        while place < count:
            taken, found = self._take(view[place:])
            handle = handle if found is None else found
            if not taken:
                return None, None
            place += taken
        return data, handle


def _link() -> _Link:
    """Over what is the standard input and output, under numbers that no library knows."""
    incoming, outgoing = os.dup(0), os.dup(1)
    for number, flags in ((0, os.O_RDONLY), (1, os.O_WRONLY), (2, os.O_WRONLY)):
        nothing = os.open(os.devnull, flags)
        os.dup2(nothing, number)
        os.close(nothing)
    if sys.platform != "win32":
        try:
            connection = socket.socket(fileno=incoming)
            connection.setblocking(True)
            return _Link(lambda buffer: _take_with_file(connection, buffer), connection.sendall)
        except OSError:  # no socket
            pass
    else:
        import msvcrt

        msvcrt.setmode(incoming, os.O_BINARY)
        msvcrt.setmode(outgoing, os.O_BINARY)

    def give(data: Raw) -> None:
        view = memoryview(data)
        while view:
            view = view[os.write(outgoing, view[: 2**20]) :]

    def take(buffer: memoryview) -> tuple[int, None]:
        data = os.read(incoming, len(buffer))
        buffer[: len(data)] = data
        return len(data), None

    return _Link(take, give)


def _take_with_file(connection: socket.socket, buffer: memoryview) -> tuple[int, int | None]:
    room = socket.CMSG_SPACE(4)
    count, beside, _, _ = connection.recvmsg_into([buffer], room)
    handles = array.array("i")
    for level, kind, data in beside:
        if (level, kind) == (socket.SOL_SOCKET, socket.SCM_RIGHTS):
            handles.frombytes(data[: len(data) - len(data) % handles.itemsize])
    return count, handles[0] if handles else None
