from __future__ import annotations

import os
import subprocess
import sys

import pytest

from ponystudio.engine.protocol.frames import encode, read_message, write_frame
from ponystudio.engine.protocol.worker_messages import (
    Heartbeat,
    StartEngine,
    WorkerReady,
    WorkerSettings,
    WorkerUnusable,
)

WORKER = [sys.executable, "-m", "ponystudio", "worker"]


@pytest.mark.skipif(not hasattr(os, "fork"), reason="POSIX pipes")
def test_without_a_standard_error_the_pipes_are_taken_over_all_the_same():
    code = (
        "import os, sys; from ponystudio.engine.worker.worker_main import take_over_pipes\n"
        "incoming, outgoing = take_over_pipes()\n"
        "print('lost'); print('lost too', file=sys.stderr, flush=True)\n"
        "outgoing.write(incoming.read())"
    )
    process = subprocess.run(
        ["sh", "-c", 'exec "$0" -c "$1" 2>&-', sys.executable, code],
        input=b"through the pipe",
        stdout=subprocess.PIPE,
        timeout=60,
    )
    assert process.returncode == 0
    assert process.stdout == b"through the pipe"


@pytest.mark.skipif(not hasattr(os, "fork"), reason="POSIX pipes")
def test_nonsense_on_the_pipe_ends_the_worker():
    process = subprocess.run(
        WORKER, input=b"GET / HTTP/1.1\r\n\r\n", capture_output=True, timeout=60
    )
    assert process.returncode == 0
    assert process.stderr == b""


def test_a_device_that_is_not_here_is_said_and_another_computes():
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    with subprocess.Popen(WORKER, **pipes) as process:
        write_frame(process.stdin, encode(StartEngine(WorkerSettings("cuda:99"))))
        while isinstance(message := read_message(process.stdout), Heartbeat):
            pass
        assert isinstance(message, WorkerReady)
        assert "cuda:99" in message.problem
        process.stdin.close()
        assert process.wait(10) == 0


def test_a_torch_that_is_damaged_is_said_to_be_so(tmp_path):
    (tmp_path / "torch").mkdir()
    (tmp_path / "torch" / "__init__.py").write_text("raise RuntimeError('half of it is missing')")
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.DEVNULL}
    environment = {**os.environ, "PYTHONPATH": str(tmp_path)}
    with subprocess.Popen(WORKER, env=environment, **pipes) as process:
        write_frame(process.stdin, encode(StartEngine(WorkerSettings())))
        while isinstance(message := read_message(process.stdout), Heartbeat):
            pass
        assert isinstance(message, WorkerUnusable)
        assert "half of it is missing" in message.error
        process.stdin.close()


@pytest.mark.skipif(sys.platform == "win32", reason="there a folder that is in use stays")
def test_in_a_working_folder_that_is_gone_the_engine_starts(tmp_path):
    """Libraries ask where they are while they are loaded."""
    gone = tmp_path / "gone"
    gone.mkdir()
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    shell = ["sh", "-c", 'rmdir "$PWD"; exec "$@"', "sh", *WORKER]
    with subprocess.Popen(shell, cwd=gone, **pipes) as process:
        write_frame(process.stdin, encode(StartEngine(WorkerSettings("cpu", "fp32"))))
        while isinstance(message := read_message(process.stdout), Heartbeat):
            pass
        assert isinstance(message, WorkerReady), message
        process.stdin.close()
        assert process.wait(10) == 0
