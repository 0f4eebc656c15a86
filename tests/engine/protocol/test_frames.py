import io
import struct

import pytest

from ponystudio.engine.protocol import frames
from ponystudio.engine.protocol.frames import MAX_JSON, PIECE, Frame, read_frame, write_frame
from ponystudio.errors import WorkerDied
from ponystudio.graph.formats import graph_file


def written(*frames: Frame) -> bytes:
    stream = io.BytesIO()
    for frame in frames:
        write_frame(stream, frame)
    return stream.getvalue()


def test_frames_come_back_in_order():
    frames = [
        Frame({"event": "a", "text": "žluť\n"}),
        Frame({}, b"\0\xff" * 70_000),
        Frame({"b": 2**63}),
        Frame({"long": "ž" * PIECE, "name": "no text \udcff"}, b"x" * (3 * PIECE)),
        Frame({"even": "x" * (2 * PIECE - len('{"even":""}'))}, b"x" * PIECE),
    ]
    stream = io.BytesIO(written(*frames))
    assert [read_frame(stream) for _ in range(len(frames) + 1)] == [*frames, None]


class Dribble(io.RawIOBase):
    """Gives one byte at a time, as a pipe may."""

    def __init__(self, data: bytes) -> None:
        self._data = io.BytesIO(data)

    def read(self, size: int = -1) -> bytes:
        return self._data.read(min(size, 1))


def test_short_reads_are_put_together():
    frame = Frame({"event": "x"}, b"blob")
    assert read_frame(Dribble(written(frame))) == frame


@pytest.mark.parametrize("cut", [1, 7, 9, 20])
def test_a_cut_frame_is_the_end(cut):
    assert read_frame(io.BytesIO(written(Frame({"event": "hello"}, b"12345"))[:cut])) is None


@pytest.mark.parametrize(
    "data",
    [
        struct.pack(">II", MAX_JSON + 1, 0),
        struct.pack(">II", 2, 2**32 - 1),
        struct.pack(">II", 2, 0) + b"no",
        struct.pack(">II", 2, 0) + b"[]",
        struct.pack(">II", 1, 0) + b"\xff",
        struct.pack(">II", 200_000, 0) + b"[" * 200_000,
        b"Traceback (most recent call last):",
    ],
)
def test_what_is_no_frame_is_refused(data):
    with pytest.raises(WorkerDied):
        read_frame(io.BytesIO(data))


def test_pieces_that_never_end_are_refused(monkeypatch):
    monkeypatch.setattr(frames, "MAX_JSON", 3 * PIECE)
    more = struct.pack(">II", 2**31 | PIECE, 0) + b" " * PIECE
    with pytest.raises(WorkerDied):
        read_frame(io.BytesIO(more * 4))
    with pytest.raises(WorkerDied):
        read_frame(io.BytesIO(struct.pack(">II", 2**31, 0) * 9))


def test_a_graph_as_large_as_a_file_may_be_fits():
    assert MAX_JSON > graph_file.MAX_BYTES


def test_too_long_a_frame_is_not_sent(monkeypatch):
    monkeypatch.setattr(frames, "MAX_JSON", 1000)
    for frame in (Frame({"text": "x" * 1000}), Frame({}, b"x" * 1001)):
        stream = io.BytesIO()
        with pytest.raises(ValueError, match="too long"):
            write_frame(stream, frame)
        assert stream.getvalue() == b""
