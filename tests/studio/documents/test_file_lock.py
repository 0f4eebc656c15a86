"""Locks between processes."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from ponystudio.studio.documents.file_lock import FileLock


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
