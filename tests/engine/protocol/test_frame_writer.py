from __future__ import annotations

import io
import os
import threading

import pytest

from ponystudio.engine.protocol import frames
from ponystudio.engine.protocol.frames import FrameWriter, read_message
from ponystudio.engine.protocol.run_events import Note, Progress
from ponystudio.engine.protocol.worker_messages import RunMessage


class Kept(io.BytesIO):
    """Holds what was written when it is closed."""

    def close(self) -> None:
        self.data = self.getvalue()
        super().close()


def written(stream: Kept) -> list[object]:
    back = io.BytesIO(stream.data)
    return list(iter(lambda: read_message(back), None))


def progress(step: int) -> RunMessage:
    return RunMessage(1, Progress("a", step, 9))


def test_all_is_sent_in_order_and_of_what_is_outdated_the_latest():
    stream, note = Kept(), RunMessage(1, Note("a", "b"))
    writer = FrameWriter(stream, on_broken=lambda: None)
    for step in range(9):
        writer.send_latest("progress", lambda step=step: progress(step))
    writer.send(note)
    writer.send_latest("progress", lambda: progress(9))
    writer.end()
    writer.start()
    writer.join()
    assert written(stream) == [progress(9), note]


def test_nobody_waits_for_a_pipe_that_nobody_reads():
    reading, writing = os.pipe()
    broken = threading.Event()
    writer = FrameWriter(os.fdopen(writing, "wb", buffering=0), on_broken=broken.set)
    writer.start()
    for step in range(10_000):
        writer.send(progress(step))
    os.close(reading)
    assert broken.wait(10)
    writer.join()


@pytest.mark.log_warnings
def test_what_cannot_be_sent_holds_up_nothing_else(monkeypatch):
    monkeypatch.setattr(frames, "MAX_JSON", 1000)
    stream, unsent = Kept(), []

    def fail() -> RunMessage:
        raise MemoryError

    def refuse(message: object, error: Exception) -> None:
        unsent.append((message, str(error)))
        raise RuntimeError("and its listener is at fault, too")

    long, odd = RunMessage(1, Note("a", "x" * 1000)), RunMessage(1, Note("a", object()))
    writer = FrameWriter(stream, on_broken=lambda: None, on_unsent=refuse)
    writer.start()
    writer.send(progress(1))
    writer.send(long)
    writer.send(odd)
    writer.send_latest("broken", fail)
    writer.send(progress(2))
    writer.end()
    writer.join()
    assert written(stream) == [progress(1), progress(2)]
    assert [message for message, _ in unsent] == [long, odd]
    assert "too long" in unsent[0][1]


def test_what_is_long_goes_in_pieces_through_a_pipe_that_takes_little():
    reading, writing = os.pipe()
    note = RunMessage(1, Note("ž", "xž" * frames.PIECE))
    writer = FrameWriter(os.fdopen(writing, "wb", buffering=0), on_broken=lambda: None)
    writer.start()
    writer.send(note)
    writer.send(progress(1))
    with os.fdopen(reading, "rb", buffering=0) as stream:
        assert read_message(stream) == note
        assert read_message(stream) == progress(1)
        writer.end()
        assert read_message(stream) is None
    writer.join()
