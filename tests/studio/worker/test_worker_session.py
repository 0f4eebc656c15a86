from __future__ import annotations

import sys
import time

import pytest
from PySide6.QtCore import QTimer

from helpers import fake_worker
from helpers.running import PlayedWorker, tiny_catalog, until
from ponystudio.engine.protocol.run_events import Note, RunFinished
from ponystudio.engine.protocol.worker_messages import MemoryUse, RunRequest
from ponystudio.graph.model import Graph
from ponystudio.library.model_folders import ModelFolders
from ponystudio.studio.worker import worker_session
from ponystudio.studio.worker.worker_process import WorkerExited, WorkerFailed
from ponystudio.studio.worker.worker_session import WorkerSession

# A worker that says that it is ready, and then nothing; its file gets a letter at each start.
READY = """
import sys
from ponystudio.engine.protocol.frames import write_frame
from ponystudio.engine.protocol.frames import encode
from ponystudio.engine.protocol.worker_messages import WorkerReady
from ponystudio.graph.catalog import Catalog
open(sys.argv[1], "a").write("x")
ready = WorkerReady("CPU, fp32", "CPU", "", [], Catalog([]).to_json())
write_frame(sys.stdout.buffer, encode(ready))
sys.stdin.read()
"""


def test_a_question_during_a_restart_starts_no_further_worker(qapp, tmp_path):
    starts = tmp_path / "starts"
    session = WorkerSession(command=[sys.executable, "-c", READY, str(starts)])
    session.start()
    until(lambda: session.is_ready)
    asking = session.ready_changed.connect(lambda _: session.upgrade(Graph()))
    session.restart()
    assert not session.is_ready
    until(lambda: session.is_ready)
    assert starts.read_text() == "xx"
    session.disconnect(asking)
    session.close()


def test_it_says_what_the_worker_said(qapp):
    session = PlayedWorker()
    said = []
    session.ready_changed.connect(said.append)
    session.died.connect(said.append)
    session.failed.connect(said.append)
    session.memory.connect(said.append)
    session.become_ready(tiny_catalog())
    use = MemoryUse("CPU", 4, 3, 2, 1, 4, 3, 2, 1)
    session.receive(use)
    session.receive(WorkerExited(7, "exit code 7"))
    session.receive(WorkerExited(-9, "it was stopped", wanted=True))
    session.receive(WorkerFailed("No such device."))
    assert said == [
        True,
        use,
        False,
        "It ended unexpectedly (exit code 7).",
        "No such device.",
    ]
    assert session.memory_in_use == use
    assert (session.device, session.device_choice) == ("CPU", "CPU, fp32")
    assert session.failure == "No such device."


def test_a_catalog_that_is_new_is_kept_for_the_next_start(qapp, tmp_path):
    changed = []
    for _ in range(2):
        session = WorkerSession(
            command=[sys.executable, "-c", READY, str(tmp_path / "starts")],
            catalog_file=tmp_path / "catalog.json",
        )
        session.catalog_changed.connect(changed.append)
        session.start()
        until(lambda session=session: session.is_ready)
        assert list(session.catalog) == []
        session.close()
    assert len(changed) == 1


@pytest.mark.skipif(sys.platform == "win32", reason="its program is for POSIX")
def test_a_flood_of_messages_neither_holds_up_the_window_nor_gathers(qapp, tmp_path, monkeypatch):
    monkeypatch.setattr(worker_session, "MOST_WAITING", 100)
    command = [sys.executable, fake_worker.__file__, str(tmp_path / "starts")]
    session = WorkerSession(command=command)
    session.start()
    until(lambda: session.is_ready)
    heard, ticks = [], []
    session.message_received.connect(lambda message: heard.append(message.event))
    beat = QTimer(interval=5)
    beat.timeout.connect(lambda: ticks.append(time.monotonic()))
    beat.start()
    session.submit(RunRequest(Graph(), ModelFolders([]), tmp_path, tmp_path, scope="flood"))
    until(lambda: RunFinished(0.0) in heard[-1:])
    beat.stop()
    assert heard[:-1] == [Note("n", str(at)) for at in range(fake_worker.FLOOD)]
    assert len(ticks) > 20, "what the window has to do is done in between"
    session.close()


@pytest.mark.skipif(sys.platform == "win32", reason="its program is for POSIX")
def test_a_session_that_floods_can_be_closed(qapp, tmp_path, monkeypatch):
    monkeypatch.setattr(worker_session, "MOST_WAITING", 100)
    command = [sys.executable, fake_worker.__file__, str(tmp_path / "starts")]
    session = WorkerSession(command=command)
    session.start()
    until(lambda: session.is_ready)
    session.submit(RunRequest(Graph(), ModelFolders([]), tmp_path, tmp_path, scope="flood"))
    time.sleep(0.5)  # its messages wait, and nobody takes them
    start = time.monotonic()
    session.close()
    assert time.monotonic() - start < 10


@pytest.mark.log_warnings
def test_a_message_that_cannot_be_taken_is_followed_by_the_next(qapp, monkeypatch, tmp_path):
    monkeypatch.setattr(WorkerSession, "_on_ready", lambda *_: 1 / 0)
    command = [sys.executable, fake_worker.__file__, str(tmp_path / "starts")]
    session = WorkerSession(command=command)
    ended = []
    session.message_received.connect(ended.append)
    session.submit(RunRequest(Graph(), ModelFolders([]), tmp_path, tmp_path))
    until(lambda: ended)
    session.close()
