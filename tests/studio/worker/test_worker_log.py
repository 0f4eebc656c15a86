from __future__ import annotations

import subprocess
import sys

import pytest

from ponystudio.studio.worker.worker_session import WorkerLog


@pytest.fixture(autouse=True)
def _short(monkeypatch):
    monkeypatch.setattr("ponystudio.studio.worker.worker_session.LOG_LIMIT", 1000)


def test_the_log_of_a_worker_that_goes_on_and_on_is_bounded(tmp_path):
    """While another process writes to it."""
    path = tmp_path / "engine.log"
    log = WorkerLog(path)
    program = "import sys\nfor line in sys.stdin: print(line.strip() * 400, flush=True)"
    command = [sys.executable, "-c", program]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=log.open(), text=True) as worker:
        assert worker.stdin is not None
        for letter in "abcd":
            before = path.stat().st_size
            print(letter, file=worker.stdin, flush=True)
            while path.stat().st_size < before + 401:
                assert worker.poll() is None
            log.limit()
        worker.stdin.close()
    assert path.read_text() == "d" * 400 + "\n"
    older = (tmp_path / "engine.old.log").read_text()
    assert older == "".join(letter * 400 + "\n" for letter in "abc")
    log.close()


def test_a_long_log_of_an_earlier_process_is_put_aside(tmp_path):
    path = tmp_path / "engine.log"
    path.write_text("x" * 1001)
    log = WorkerLog(path)
    log.open()
    log.close()
    assert path.read_text() == ""
    assert (tmp_path / "engine.old.log").read_text() == "x" * 1001


@pytest.mark.parametrize("name", [None, "file/below/engine.log"])
def test_without_a_place_for_it_nothing_is_kept(tmp_path, name):
    (tmp_path / "file").write_text("")
    log = WorkerLog(name and tmp_path / name)
    assert log.open() == subprocess.DEVNULL
    log.limit()
    log.close()
