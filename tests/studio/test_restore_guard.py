"""What ended the program while it was restored is suspect at the next start, and nothing else."""

from __future__ import annotations

import errno
import json
import os
import threading

import pytest
from PySide6.QtTest import QTest

from helpers.frail_disk import FrailDisk, every_failure
from helpers.running import until
from ponystudio.studio import restore_guard
from ponystudio.studio.restore_guard import RestoreGuard

SETTLED = 0.3


@pytest.fixture
def file(qapp, tmp_path, monkeypatch):
    monkeypatch.setattr(restore_guard, "SETTLED", SETTLED)
    monkeypatch.setattr(restore_guard, "UNSEEN", 0.1)
    monkeypatch.setattr(restore_guard, "BEAT", 10)
    return tmp_path / "data" / "restoring.jsonl"


@pytest.fixture
def begun(file):
    """Makes guards as starts of the program do; their timers end with the test."""
    guards = []

    def begun() -> RestoreGuard:
        guards.append(RestoreGuard(file))
        return guards[-1]

    yield begun
    for guard in guards:
        guard.close()


def suspects(file) -> list[tuple[str, str, int]]:
    return [(s.kind, s.id, s.strikes) for s in RestoreGuard(file).suspects]


def test_what_was_begun_is_suspect_when_the_program_ends_in_the_midst_of_it(file, begun):
    guard = begun()
    assert guard.suspects == ()
    guard.begin("document", "one", "Ponies", "/graphs/ponies.json")
    (found,) = begun().suspects
    assert (found.title, found.path) == ("Ponies", "/graphs/ponies.json")
    assert suspects(file) == [("document", "one", 1)]  # until somebody decides


def test_once_the_window_has_drawn_and_gone_on_for_a_while_nothing_is(file, begun):
    guard = begun()
    guard.begin("document", "one")
    guard.drawn("document", "one")
    QTest.qWait(int(SETTLED * 400))
    assert suspects(file) == [("document", "one", 1)]
    file.write_bytes(b"")
    guard = begun()
    guard.begin("document", "one")
    guard.drawn("document", "one")
    until(lambda: not file.stat().st_size)
    assert suspects(file) == []


def test_a_window_that_stands_still_does_not_count_as_going_on(file, begun):
    guard = begun()
    guard.begin("document", "one")
    guard.drawn("document", "one")
    QTest.qWait(30)
    threading.Event().wait(2 * SETTLED)  # frozen
    QTest.qWait(30)
    assert suspects(file) == [("document", "one", 1)]


def test_what_is_not_seen_counts_as_drawn_after_a_while(file, begun):
    guard = begun()
    guard.begin("document", "one")
    until(lambda: not file.stat().st_size)


def test_no_time_counts_while_it_is_read(file, begun):
    guard = begun()
    guard.begin("document", "one", is_read=False)
    QTest.qWait(int(SETTLED * 3000))
    assert suspects(file) == [("document", "one", 1)]
    file.write_bytes(b"")
    guard = begun()
    guard.begin("document", "one", is_read=False)
    guard.begin("document", "one")
    until(lambda: not file.stat().st_size)


def test_an_orderly_end_leaves_no_suspects(file, begun):
    guard = begun()
    guard.begin("document", "one")
    guard.begin("queue", "queue")
    guard.close()
    assert suspects(file) == []
    guard.begin("document", "two", durable=True)  # what was on its way
    assert suspects(file) == []


@pytest.mark.parametrize(
    ("steps", "at_fault"),
    [
        # What was not drawn yet, whatever else was going on.
        ([("begin", "a"), ("seen", "a"), ("begin", "b")], ["b"]),
        ([("begin", "a"), ("begin", "b")], ["a", "b"]),
        # Else what was seen, rather than what waits behind it.
        ([("begin", "a"), ("seen", "a"), ("begin", "b"), ("drawn", "b")], ["a"]),
        ([("begin", "a"), ("drawn", "a")], ["a"]),
        # And of what was seen, what is in front.
        ([("begin", "a"), ("begin", "b"), ("seen", "b"), ("seen", "a")], ["a"]),
        ([("begin", "a"), ("seen", "a"), ("end", "a")], []),
    ],
)
def test_who_is_at_fault(file, begun, steps, at_fault):
    guard = begun()
    guard.begin("settings", "look")
    guard.drawn("settings", "look")
    for did, id in steps:
        if did == "seen":
            guard.drawn("document", id)
        elif did == "drawn":
            guard.drawn("document", id, seen=False)
        else:
            getattr(guard, did)("document", id)
    expected = [("document", id, 1) for id in at_fault] or [("settings", "look", 1)]
    assert suspects(file) == expected


def test_to_try_again_is_to_be_at_fault_again(file, begun):
    begun().begin("document", "one", path="/a.json")
    guard = begun()
    assert not guard.refuses(restore_guard.Path("/a.json"))
    guard.begin("file", "/a.json", "a", "/a.json")  # the same one, opened by name
    assert guard.suspects == ()
    guard.begin("document", "two", "a", "/a.json")
    guard.end("file", "/a.json")
    assert suspects(file) == [("document", "two", 2)]
    assert begun().refuses(restore_guard.Path("/a.json"))
    assert not begun().refuses(restore_guard.Path("/b.json"))


def test_who_is_forgiven_is_no_suspect_any_more(file, begun):
    begun().begin("document", "one")
    guard, told = begun(), []
    guard.changed.connect(lambda: told.append(len(guard.suspects)))
    guard.forgive(guard.suspects[0])
    assert told == [0]
    assert suspects(file) == []


@pytest.mark.parametrize(
    "text",
    [
        *(b"", b"{", b"[]\n", b'["begin", 3]\n', b"\xff\n", b"[" * 99_999, b'["end", []]\n'),
        b'["suspect", {"kind": "mood", "id": "a"}]\n',
        b'["suspect", {"kind": "document", "id": 3}]\n',
    ],
)
def test_a_damaged_file_accuses_nobody(file, begun, text):
    file.parent.mkdir(parents=True)
    file.write_bytes(text)
    assert suspects(file) == []
    begun().begin("document", "one")
    assert suspects(file) == [("document", "one", 1)]


def test_a_torn_last_line_hides_no_other(file, begun):
    guard = begun()
    guard.begin("document", "one")
    guard.begin("document", "two")
    file.write_bytes(file.read_bytes()[:-5])
    assert suspects(file) == [("document", "one", 1)]


def test_half_a_line_of_a_full_disk_hides_no_later_one(file, begun, monkeypatch):
    guard, write, room = begun(), os.write, [20]

    def short(handle: int, data: bytes) -> int:
        if not room:
            raise OSError(errno.ENOSPC, "Full")
        return write(handle, data[: room.pop()])

    guard.begin("document", "one")
    monkeypatch.setattr(os, "write", short)
    guard.begin("document", "two")
    monkeypatch.setattr(os, "write", write)
    guard.drawn("document", "two")
    guard.begin("document", "three")
    assert suspects(file) == [("document", "one", 1), ("document", "three", 1)]


@pytest.mark.parametrize("code", [errno.EIO, errno.ENOSPC, errno.EROFS])
def test_where_nothing_can_be_noted_nobody_is_kept_from_working(file, code):
    file.parent.mkdir(parents=True)
    file.write_text(json.dumps(["begin", {"kind": "document", "id": "old"}]) + "\n")

    def scenario(number: int) -> FrailDisk:
        with FrailDisk(file.parent, number, code) as disk:
            guard = RestoreGuard(file)
            for known in guard.suspects:
                guard.forgive(known)
            guard.begin("document", "one", durable=True)
            guard.drawn("document", "one")
            guard.end("document", "one")
            guard.close()
        return disk

    every_failure(scenario)


def test_without_a_file_there_is_no_guard(qapp):
    guard = RestoreGuard(None)
    guard.begin("document", "one", durable=True)
    guard.close()
    assert guard.suspects == ()
