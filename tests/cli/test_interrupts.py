"""Ctrl+C, sent to processes of their own."""

from __future__ import annotations

import signal
import subprocess
import sys

import pytest

from ponystudio.cli.progress import cancellable

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="sends POSIX signals")

START = """
import time
from ponystudio.cli.progress import cancellable

def work(cancel):
    print("started", flush=True)
    {body}

print(cancellable(work), flush=True)
"""


def start(body):
    process = subprocess.Popen(
        [sys.executable, "-c", START.format(body=body)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout.readline() == "started\n"
    return process


def test_the_first_cancels():
    process = start("return 'noticed' if cancel.wait(60) else 'missed'")
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=60)
    assert (process.returncode, out) == (0, "noticed\n")
    assert err.split() == ["Cancelling;", "Ctrl+C", "again", "ends", "it", "at", "once."]


def test_the_second_kills_work_that_does_not_listen():
    process = start("time.sleep(60)")
    process.send_signal(signal.SIGINT)
    assert process.stderr.readline() == "\n"
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=60)
    assert process.returncode == -signal.SIGINT  # a shell calls this 130


def test_results_and_errors_come_through():
    before = signal.getsignal(signal.SIGINT)
    assert cancellable(lambda cancel: cancel.is_set()) is False
    with pytest.raises(TimeoutError):
        cancellable(lambda cancel: (_ for _ in ()).throw(TimeoutError()))
    assert signal.getsignal(signal.SIGINT) is before
