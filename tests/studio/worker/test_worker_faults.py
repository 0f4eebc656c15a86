"""What a worker may do wrong, each followed by a run that goes well."""

from __future__ import annotations

import queue
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from helpers import fake_worker
from helpers.fake_worker import FLOOD, GARBAGE, HARMLESS
from ponystudio.engine.protocol import frames
from ponystudio.engine.protocol.run_events import Note, RunFailed, RunFinished, RunRefused
from ponystudio.engine.protocol.worker_messages import (
    PlanAnswer,
    RunMessage,
    RunRequest,
    WorkerReady,
)
from ponystudio.graph.model import Graph, Node
from ponystudio.library.model_folders import ModelFolders
from ponystudio.studio.worker import worker_process as module
from ponystudio.studio.worker.worker_process import WorkerExited, WorkerFailed, WorkerProcess

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="signals and pipes of POSIX")
SOON = 60.0
ENDS = (RunFinished, RunFailed, RunRefused)


def request(scope: str, text: str = "", path: Path = Path("/nowhere")) -> RunRequest:
    graph = Graph.of(Node("n", "tiny.text", params={"text": text}))
    return RunRequest(graph, ModelFolders([]), path, path, scope=scope)


class Fake:
    """A worker process that is `fake_worker`, and all that was heard of it."""

    def __init__(self, folder: Path, *at_start: str) -> None:
        self.starts, self.runs = folder / "starts", folder / "starts.runs"
        command = [sys.executable, fake_worker.__file__, str(self.starts), *at_start]
        self.heard: queue.SimpleQueue[Any] = queue.SimpleQueue()
        self.exits: list[WorkerExited] = []
        self.worker = WorkerProcess(self.hear, command=command)

    def hear(self, message: Any) -> None:
        if isinstance(message, WorkerExited):
            self.exits.append(message)
        self.heard.put(message)

    def wait_for_start(self, number: int) -> None:
        deadline = time.monotonic() + SOON
        while not self.starts.exists() or len(self.starts.read_text().splitlines()) < number:
            assert time.monotonic() < deadline
            time.sleep(0.01)

    def next(self, *kinds: type) -> Any:
        """The next message of one of these kinds."""
        deadline = time.monotonic() + SOON
        while True:
            message = self.heard.get(timeout=max(0.0, deadline - time.monotonic()))
            if isinstance(message, kinds):
                return message

    def end_of(self, number: int) -> Any:
        while True:
            message = self.next(RunMessage, PlanAnswer)
            if message.number == number and isinstance(getattr(message, "event", None), ENDS):
                return message.event

    def run(self, scope: str, text: str = "") -> Any:
        """How a run ended in which the worker does this."""
        return self.end_of(self.worker.submit(request(scope, text)))


@pytest.fixture(autouse=True)
def _quick(monkeypatch):
    """No test waits for half a second and more between starts."""
    monkeypatch.setattr(module, "BACK_OFF", 0.05)


@pytest.fixture
def fake(tmp_path) -> Iterator[Fake]:
    fake = Fake(tmp_path)
    with fake.worker:
        yield fake


def fails(fake: Fake, scope: str) -> str:
    """Why the run failed; the next one is done."""
    failed = fake.run(scope)
    assert isinstance(failed, RunFailed), failed
    assert failed.error.reason == "WorkerDied"
    assert isinstance(fake.run(""), RunFinished)
    exited = fake.exits.pop()
    assert fake.exits == []
    assert exited.reason in failed.error.what
    if "perhaps" not in exited.reason:
        assert "memory" not in failed.error.text + failed.error.remedy
    return exited.reason


def test_garbage_costs_a_run_and_is_called_garbage(fake):
    reasons = {what: fails(fake, what) for what in GARBAGE}
    assert [what for what, reason in reasons.items() if "garbage" not in reason] == []


def test_what_another_version_may_say_costs_nothing(fake):
    ends = {what: fake.run(what) for what in HARMLESS}
    assert [what for what, end in ends.items() if not isinstance(end, RunFinished)] == []
    assert fake.exits == []


def test_however_it_ends_that_is_what_is_told(fake, monkeypatch):
    monkeypatch.setattr(module, "HEARTBEAT_TIMEOUT", 2.0)
    told = {
        "half a frame, end": "exit code 0",
        "half a frame, silence": "no sign of life",
        "silence": "no sign of life",
        "exit": "exit code 7",
        "SIGSEGV": "Segmentation fault",
        "SIGABRT": "Abort",
        "SIGKILL": "perhaps by the system for lack of memory",
        "closes its output": "it closed its output",
        "ends, its child has the pipes": "exit code 7",
    }
    reasons = {what: fails(fake, what) for what in told}
    assert {what: told[what] in reason for what, reason in reasons.items()} == dict.fromkeys(
        told, True
    )


def test_that_memory_was_short_is_said_for_sure_where_the_system_counts(fake, monkeypatch):
    monkeypatch.setattr(module, "oom_kills", lambda: 10_000)
    assert "exit code 7" in fake.run("exit").error.what
    assert isinstance(fake.run(""), RunFinished)  # of one that began with that count
    monkeypatch.setattr(module, "oom_kills", lambda: 10_001)
    assert "the system ended it for lack of memory" in fake.run("SIGKILL").error.what


def test_a_flood_of_messages_is_all_heard(fake):
    number = fake.worker.submit(request("flood"))
    said = [fake.next(RunMessage).event for _ in range(FLOOD + 1)]
    assert said[:-1] == [Note("n", str(at)) for at in range(FLOOD)]
    assert isinstance(said[-1], RunFinished)
    assert number
    assert fake.exits == []


@pytest.mark.log_warnings
def test_whoever_listens_may_fail_at_every_message(tmp_path):
    fake = Fake(tmp_path)
    hear = fake.hear

    def fail(message: Any) -> None:
        hear(message)
        raise RuntimeError("a fault of the window")

    worker = WorkerProcess(fail, command=fake.worker._command)
    fake.worker = worker
    with worker:
        assert isinstance(fake.run(""), RunFinished)
        assert isinstance(fake.run("no JSON"), RunFailed)
        assert isinstance(fake.run(""), RunFinished)
        worker.plan(request(""))
        fake.next(PlanAnswer)


def test_a_graph_of_seventy_megabytes_arrives(fake, monkeypatch):
    monkeypatch.setattr(module, "HEARTBEAT_TIMEOUT", SOON)  # the fake one has no heart
    assert isinstance(fake.run("", "x" * (70 * 2**20)), RunFinished)
    assert int(fake.runs.read_text().split()[-1]) > 70 * 2**20
    assert fake.exits == []


@pytest.mark.log_warnings
def test_a_graph_that_is_too_large_is_refused_before_it_is_sent(fake, monkeypatch):
    monkeypatch.setattr(frames, "MAX_JSON", 3 * 2**20)
    failed = fake.run("", "x" * (4 * 2**20))
    assert "4 MB are too long, 3 MB is the most" in failed.error.what
    assert isinstance(fake.run("", "x" * (2 * 2**20)), RunFinished)
    assert fake.exits == []


@pytest.mark.log_warnings
@pytest.mark.parametrize("value", [{1, 2}, object()], ids=["set", "object"])
def test_a_graph_that_does_not_travel_costs_itself_alone(fake, value):
    failed = fake.run("", value)
    assert "cannot be handed to the engine" in failed.error.what
    assert isinstance(fake.run(""), RunFinished)
    assert fake.exits == []


@pytest.mark.parametrize(
    "what", ["exit", "SIGSEGV", "no JSON", "no number", "half a frame, end", "closes its output"]
)
def test_what_ends_a_start_or_two_keeps_nobody_from_the_third(tmp_path, what):
    fake = Fake(tmp_path, what, what)
    with fake.worker:
        number = fake.worker.submit(request(""))
        assert isinstance(fake.end_of(number), RunFinished)
    assert len(fake.exits) == 2


def test_one_that_is_never_ready_is_given_up(tmp_path, monkeypatch):
    """However often it says that it is alive."""
    monkeypatch.setattr(module, "READY_TIMEOUT", 1.5)
    fake = Fake(tmp_path, *["waits"] * 3)
    with fake.worker:
        number = fake.worker.submit(request(""))
        failed = fake.next(WorkerFailed)
        assert "not ready" in failed.reason
        assert isinstance(fake.end_of(number), RunFailed)


def test_one_that_ends_at_every_question_is_not_started_for_ever(tmp_path):
    """As after a restart every open document is planned anew, which nobody asked for."""
    fake, began = Fake(tmp_path), time.monotonic()
    with fake.worker:
        while not isinstance(message := fake.next(WorkerReady, WorkerFailed), WorkerFailed):
            fake.worker.plan(request("exit"))
        assert "3 times in a row (exit code 7)" in message.reason
        assert time.monotonic() - began > (1 + 3) * module.BACK_OFF  # longer and longer pauses
        assert message.remedy
        assert isinstance(fake.run(""), RunFailed)
    assert len(fake.starts.read_text().splitlines()) == 3


def test_one_that_ends_at_every_run_is_started_for_the_next(fake):
    for _ in range(2 * module.START_ATTEMPTS):
        assert isinstance(fake.run("exit"), RunFailed)
    assert isinstance(fake.run(""), RunFinished)


def test_what_is_stopped_before_there_is_a_worker_is_not_run(tmp_path):
    fake = Fake(tmp_path, "waits", "waits", "waits", "waits")
    with fake.worker:
        for start in range(1, module.START_ATTEMPTS + 1):  # of which none counts as failed
            fake.wait_for_start(start)
            number = fake.worker.submit(request("stopped"))
            fake.worker.stop_now()
            assert fake.end_of(number).error.reason == "Cancelled"
            fake.next(WorkerExited)
        fake.starts.with_suffix(".go").write_text("")
        assert isinstance(fake.run("wanted"), RunFinished)
    assert {line.split()[0] for line in fake.runs.read_text().splitlines()} == {"wanted"}
    assert all(exited.wanted for exited in fake.exits)


def test_a_program_that_is_not_there_is_said_to_be_so(tmp_path):
    fake = Fake(tmp_path)
    fake.worker = WorkerProcess(fake.hear, command=[str(tmp_path / "gone")])
    with fake.worker:
        number = fake.worker.submit(request(""))
        assert "cannot be started" in fake.next(WorkerFailed).reason
        assert isinstance(fake.end_of(number), RunFailed)


def test_in_a_working_folder_that_is_gone_it_starts_all_the_same(tmp_path, monkeypatch):
    gone = tmp_path / "gone"
    gone.mkdir()
    monkeypatch.chdir(gone)
    gone.rmdir()
    fake = Fake(tmp_path)
    with fake.worker:
        assert isinstance(fake.run(""), RunFinished)
