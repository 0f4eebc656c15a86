"""Locks between processes."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from ponystudio.studio.documents.file_lock import FileLock, LockHolder, for_file


def test_a_lock_is_one_process_s_until_it_dies(tmp_path):
    path = tmp_path / "x.lock"
    program = (
        "import sys, time; from pathlib import Path;"
        "from ponystudio.studio.documents.file_lock import FileLock;"
        "lock = FileLock(Path(sys.argv[1])); print(lock.acquire(), flush=True); time.sleep(60)"
    )
    other = subprocess.Popen(
        [sys.executable, "-c", program, str(path)], stdout=subprocess.PIPE, text=True
    )
    assert other.stdout.readline() == "True\n"
    lock = FileLock(path)
    assert not lock.acquire()
    assert lock.holder().pid == other.pid
    other.kill()
    other.wait()
    other.stdout.close()
    assert path.exists()
    assert lock.acquire()
    assert lock.held
    assert lock.holder().pid == os.getpid()
    assert not FileLock(path).acquire(), "not even the same process has it twice"
    lock.release()
    assert not path.exists()


@pytest.mark.parametrize("data", [b"", b"{", b"[]", b'{"pid": "x"}'])
def test_a_lock_that_is_not_signed_tells_nobody(tmp_path, data):
    path = tmp_path / "x.lock"
    path.write_bytes(data)
    assert FileLock(path).holder().pid == 0


posix = pytest.mark.skipif(sys.platform == "win32", reason="links and users of POSIX")


@posix
@pytest.mark.parametrize("kind", ["link", "hard link", "dangling link", "pipe"])
def test_what_others_put_in_the_place_of_a_lock_is_never_written_to(tmp_path, kind):
    """In a folder where others can write, as a data folder may be."""
    theirs, place = tmp_path / "theirs", tmp_path / "x.lock"
    theirs.write_text("a day's work")
    match kind:
        case "link":
            place.symlink_to(theirs)
        case "hard link":
            place.hardlink_to(theirs)
        case "dangling link":
            place.symlink_to(tmp_path / "new")
        case "pipe":
            os.mkfifo(place)
    lock = FileLock(place)
    assert lock.holder() == LockHolder()
    with pytest.raises(OSError):  # noqa: PT011 (of several kinds)
        lock.acquire()
    assert not lock.held
    assert theirs.read_text() == "a day's work"
    assert not (tmp_path / "new").exists()
    assert place.is_fifo() or place.is_symlink() or place.samefile(theirs)


@posix
def test_a_file_s_lock_is_where_no_other_user_can_be_first(tmp_path, monkeypatch):
    shared = tmp_path / "shared"
    shared.mkdir()
    shared.chmod(0o1777)
    monkeypatch.setattr(tempfile, "tempdir", str(shared))
    (shared / "work").mkdir()
    (shared / f"ponystudio-{os.getuid()}").symlink_to(shared / "work")
    lock = for_file(tmp_path / "graph.json")
    assert lock.acquire()
    assert lock.path.parent.stat().st_mode & 0o777 == 0o700
    assert not any((shared / "work").iterdir())
    assert lock.path.stat().st_mode & 0o777 == 0o600
    lock.release()


ATTACK = """
import os, sys
os.setgid(12345); os.setuid(12345)
for place in sys.argv[1:]:
    for act in (os.listdir, lambda p: open(os.path.join(p, "x"), "w"), os.rmdir):
        try:
            act(place)
        except PermissionError:
            continue
        print("could", act, place)
"""


@pytest.mark.skipif(sys.platform == "win32" or os.getuid() != 0, reason="needs a second user")
def test_another_user_can_do_nothing_to_locks(monkeypatch):
    with tempfile.TemporaryDirectory() as session:
        Path(session).chmod(0o755)  # pytest's own folders would keep others out
        monkeypatch.setenv("XDG_RUNTIME_DIR", session)
        lock = for_file(Path(session) / "graph.json")
        assert lock.acquire()
        assert lock.path.is_relative_to(session)
        said = subprocess.run(
            [sys.executable, "-c", ATTACK, str(lock.path.parent)], capture_output=True, text=True
        )
        assert (said.stdout, said.returncode) == ("", 0), said.stderr
        lock.release()
