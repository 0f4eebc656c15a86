"""Ctrl+C, sent to processes of their own."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time

import psutil
import pytest

import ponystudio_resources
from ponystudio.cli.interrupts import cancellable, interruptible

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="sends POSIX signals")

START = """
import time
from ponystudio.cli.interrupts import cancellable

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


IMPORTS = """
import sys
sys.path.insert(0, {folder!r})
from ponystudio.cli.interrupts import cancellable, interruptible, leave
from ponystudio.errors import Cancelled
try:
    {how}
except (Cancelled, KeyboardInterrupt):
    print("cancelled", flush=True)
sys.exit(leave(130))
"""


@pytest.mark.parametrize(
    "how",
    ["cancellable(lambda cancel: __import__('slow'))", "interruptible(lambda: __import__('slow'))"],
)
def test_an_import_is_not_waited_for(tmp_path, how):
    (tmp_path / "slow.py").write_text(
        "import time\nprint('importing', flush=True)\nwhile True: time.sleep(0.01)"
    )
    program = IMPORTS.format(folder=str(tmp_path), how=how)
    process = subprocess.Popen(
        [sys.executable, "-c", program], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    assert process.stdout.readline() == "importing\n"
    process.send_signal(signal.SIGINT)
    out, _ = process.communicate(timeout=30)
    assert (process.returncode, out) == (130, "cancelled\n")


def test_what_only_looks_is_given_up_at_once():
    assert interruptible(lambda: 7) == 7
    with pytest.raises(TimeoutError):
        interruptible(lambda: (_ for _ in ()).throw(TimeoutError()))


@pytest.fixture
def nodes(tmp_path):
    folder = tmp_path / "data" / "nodes"
    folder.mkdir(parents=True)
    return folder


def validate(home):
    graph = ponystudio_resources.path("graphs", "text-to-picture.json")
    return subprocess.Popen(
        [sys.executable, "-m", "ponystudio", "validate", str(graph)],
        env={**os.environ, "PONYSTUDIO_HOME": str(home)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def test_a_pack_that_loops_keeps_nobody_from_cancelling(tmp_path, nodes):
    begun = tmp_path / "begun"
    (nodes / "loop.py").write_text(f"open({str(begun)!r}, 'w').close()\nwhile True: pass")
    process = validate(tmp_path)
    deadline = time.monotonic() + 60
    while not begun.exists():
        assert time.monotonic() < deadline
        time.sleep(0.01)
    children = psutil.Process(process.pid).children()
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=30)
    assert (process.returncode, out, err) == (130, "", "Cancelled.\n")
    assert psutil.wait_procs(children, 30)[1] == []


def test_a_thread_that_a_pack_leaves_behind_keeps_nothing_from_its_end(tmp_path, nodes):
    (nodes / "thread.py").write_text(
        "import threading, time\nthreading.Thread(target=time.sleep, args=(600,)).start()"
    )
    process = validate(tmp_path)
    out, err = process.communicate(timeout=60)
    assert (process.returncode, err) == (0, "")
    assert "nothing wrong" in out
