"""A real worker process: its life, its runs, its deaths."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil
import pytest

from helpers import worker_nodes
from ponystudio.graph.model import Graph, Link, Node
from ponystudio.studio.worker import worker_process as module
from ponystudio.studio.worker.worker_process import (
    Submission,
    WorkerProcess,
    WorkerSettings,
    worker_command,
)

SOON = 30.0


def make(id: str, type: str, /, **given: Any) -> Node:
    links = {k: Link(*v) for k, v in given.items() if isinstance(v, tuple)}
    params = {k: v for k, v in given.items() if not isinstance(v, tuple)}
    return Node(id, f"tiny.{type}", params=params, inputs=links)


def ending_in(type: str, **params: Any) -> Graph:
    return Graph.of(make("n", "number"), make("end", type, a=("n", "float"), **params))


class Listener:
    """A session with all that it told, and ways to wait for more."""

    def __init__(self, root: Path, **more: Any) -> None:
        self.root = root
        self.events: list[dict[str, Any]] = []
        self.blobs: list[bytes] = []
        self._changed = threading.Condition()
        nodes = root / "nodes"
        nodes.mkdir(exist_ok=True)
        shutil.copy(worker_nodes.__file__, nodes / "tiny.py")
        settings = WorkerSettings("cpu", "fp32", cache_dir=root / "cache", nodes=nodes)
        # A file: what the worker prints is looked at, and never fills a pipe.
        self.log = (root / "log.txt").open("w+")
        self.session = WorkerProcess(self._hear, settings, log=self.log, **more)

    def _hear(self, message: Any, blob: bytes) -> None:
        with self._changed:
            self.events.append(dict(message))
            self.blobs.append(blob)
            self._changed.notify_all()

    def wait(self, *wanted: str, run: int | None = None, seconds: float = SOON) -> dict[str, Any]:
        """The first event of one of these names (of this run)."""
        return self.wait_for(
            lambda e: e["event"] in wanted and (run is None or e.get("run") == run), seconds
        )

    def wait_for(self, test: Callable[[dict[str, Any]], bool], seconds: float) -> dict[str, Any]:
        deadline = time.monotonic() + seconds
        with self._changed:
            while True:
                for event in self.events:
                    if test(event):
                        return event
                left = deadline - time.monotonic()
                assert left > 0, self.events[-10:]
                self._changed.wait(left)

    def submit(self, graph: Graph, **more: Any) -> int:
        return self.session.submit(self.submission(graph, **more))

    def submission(self, graph: Graph, **more: Any) -> Submission:
        return Submission(graph, [self.root], self.root / "output", self.root / "previews", **more)

    def done(self, run: int) -> dict[str, Any]:
        return self.wait("run_finished", "run_failed", "refused", run=run)

    def of(self, run: int, event: str) -> list[dict[str, Any]]:
        return [e for e in self.events if e.get("run") == run and e["event"] == event]

    def process(self) -> psutil.Process:
        life = self.session._process
        assert life is not None
        return psutil.Process(life.popen.pid)

    def __enter__(self) -> Listener:
        self.session.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.session.close()
        self.log.close()


@pytest.fixture(scope="module")
def _shared(tmp_path_factory):
    """One worker for all tests that leave it alive: starting one takes seconds."""
    with Listener(tmp_path_factory.mktemp("session")) as listener:
        listener.wait("hello", seconds=120)
        yield listener


@pytest.fixture
def listener(_shared):
    return _shared


class TestLife:
    """The tests that share a worker."""

    def test_hello_brings_device_and_catalog(self, listener):
        hello = listener.wait("hello")
        assert "fp32" in hello["device"]
        ids = {item["id"] for item in hello["catalog"]["nodes"]}
        assert {"core.sample", "tiny.number"} <= ids

    def test_a_run_saves_and_tells_in_order(self, listener):
        graph = Graph.of(make("p", "picture"), make("save", "save", image=("p", "image")))
        run = listener.submit(graph)
        assert listener.done(run)["event"] == "run_finished"
        told = [e["event"] for e in listener.events if e.get("run") == run]
        assert told[0] == "run_started"
        assert told[-1] == "run_finished"
        (output,) = listener.of(run, "output")
        assert Path(output["path"]).read_bytes().startswith(b"\x89PNG")
        (result,) = listener.of(run, "result")
        assert result["shapes"] == [[1, 3, 64, 64]]
        assert listener.blobs[listener.events.index(result)].startswith(b"\xff\xd8")

    def test_an_unchanged_save_is_skipped(self, listener):
        graph = Graph.of(
            make("p", "picture", level=0.1), make("save", "save", image=("p", "image"))
        )
        listener.done(listener.submit(graph))
        run = listener.submit(graph)
        listener.done(run)
        assert listener.of(run, "node_started") == []
        assert [e["unchanged"] for e in listener.of(run, "output")] == [True]

    def test_anew_all_runs_again_and_old_nodes_are_made_new(self, listener):
        old = Node("n", "tiny.grown", version=1, params={"half": 2.0})
        graph = Graph.of(old, make("end", "steps", a=("n", "float"), count=1, pause=0.0))
        assert listener.done(listener.submit(graph))["event"] == "refused"
        for _ in range(2):
            run = listener.submit(graph, anew=True)
            assert listener.done(run)["event"] == "run_finished"
            assert [e["node"] for e in listener.of(run, "node_started")] == ["n", "end"]

    def test_prints_of_nodes_and_libraries_never_reach_the_pipe(self, listener):
        run = listener.submit(ending_in("steps", count=1, pause=0.0))
        assert listener.done(run)["event"] == "run_finished"
        log = Path(listener.log.name).read_text()
        assert "a print that must not reach the pipe" in log
        assert "nor this one" in log

    def test_progress_and_previews_are_coalesced_but_never_late(self, listener):
        run = listener.submit(ending_in("steps", count=200, pause=0.001))
        listener.done(run)
        progress = [e["step"] for e in listener.of(run, "progress")]
        assert progress == sorted(progress)
        assert progress[-1] == 200
        assert len(progress) < 60
        assert 1 <= len(listener.of(run, "preview")) < 60
        told = [e["event"] for e in listener.events if e.get("run") == run]
        assert told.index("run_finished") == len(told) - 1

    def test_errors_of_the_graph_are_all_told_with_their_places(self, listener):
        run = listener.submit(Graph.of(make("end", "steps", count="many")))
        refused = listener.done(run)
        assert refused["event"] == "refused"
        assert {(e["reason"], e["where"]) for e in refused["errors"]} == {
            ("ParamType", "end.count"),
            ("MissingInput", "end.a"),
        }

    def test_cancel_stops_the_run_and_the_queue_goes_on(self, listener):
        first = listener.submit(ending_in("steps", count=100_000))
        second = listener.submit(ending_in("steps", count=100_001))
        third = listener.submit(ending_in("steps", count=1, pause=0.0))
        listener.wait("progress", run=first)
        listener.session.cancel(second)
        assert listener.done(second)["reason"] == "Cancelled"
        start = time.monotonic()
        listener.session.cancel(first)
        assert listener.done(first)["reason"] == "Cancelled"
        assert time.monotonic() - start < 2
        assert listener.done(third)["event"] == "run_finished"

    def test_a_plan_says_what_would_run_and_why(self, listener):
        graph = ending_in("steps", count=1, pause=0.0)
        listener.done(listener.submit(graph))
        changed = graph.with_nodes([make("n", "number", value=123.0)])
        number = listener.session.plan(listener.submission(changed))
        planned = listener.wait("planned", run=number)["nodes"]
        assert planned == {
            "n": "runs: value changed",
            "end": "runs: upstream: a: value changed",
        }

    def test_plans_are_answered_during_a_run_and_cover_what_has_no_errors(self, listener):
        run = listener.submit(ending_in("steps", count=100_002))
        listener.wait("progress", run=run)
        graph = Graph.of(
            make("fresh", "picture", level=0.7),
            make("fresh_save", "save", image=("fresh", "image")),
            make("bad", "steps", count="many", a=("gone", "float")),
        )
        number = listener.session.plan(listener.submission(graph))
        planned = listener.wait("planned", run=number)
        assert planned["nodes"] == {
            "fresh": "runs: not run before",
            "fresh_save": "runs: not run before",
        }
        assert {e["where"] for e in planned["errors"]} == {"bad.count", "bad.a"}
        assert listener.of(run, "run_finished") == []
        listener.session.cancel(run)
        assert listener.done(run)["reason"] == "Cancelled"

    def test_memory_is_told_of_and_weights_are_let_go_of_between_nodes(self, listener):
        told = len([e for e in listener.events if e["event"] == "memory_use"])
        listener.session.unload()
        listener.session.clear_cache()
        listener.wait_for(
            lambda _: len([e for e in listener.events if e["event"] == "memory_use"]) > told, SOON
        )
        use = [e for e in listener.events if e["event"] == "memory_use"][-1]
        assert use["device"] == "CPU"
        assert 0 < use["free"] <= use["total"]
        assert use["weights"] == 0

    def test_a_run_tells_what_will_run(self, listener):
        run = listener.submit(ending_in("steps", count=1, pause=0.0))
        listener.done(run)
        (planned,) = listener.of(run, "run_planned")
        assert planned["steps"][-1] == "end"

    def test_it_runs_below_normal_priority_and_ignores_ctrl_c(self, listener):
        process = listener.process()
        assert process.nice() > psutil.Process().nice()
        process.send_signal(signal.SIGINT)
        run = listener.submit(ending_in("steps", count=1, pause=0.0))
        assert listener.done(run)["event"] == "run_finished"
        assert listener.process() == process


def test_a_worker_that_dies_fails_its_run_and_the_queue_goes_on_with_another(tmp_path):
    with Listener(tmp_path) as listener:
        dying = listener.submit(ending_in("die"))
        after = listener.submit(ending_in("steps", count=1, pause=0.0))
        failed = listener.done(dying)
        assert failed["reason"] == "WorkerDied"
        assert "exit code 7" in failed["error"]
        assert listener.done(after)["event"] == "run_finished"

        stuck = listener.submit(ending_in("kernel"))
        listener.wait_for(lambda e: e.get("node") == "end" and e.get("run") == stuck, SOON)
        listener.session.stop_now()
        assert listener.done(stuck)["reason"] == "WorkerDied"


def test_what_is_asked_before_there_is_a_worker_is_answered_and_settings_outlive_it(tmp_path):
    with Listener(tmp_path) as listener:
        listener.session.show_previews(False)
        early = listener.session.plan(listener.submission(ending_in("steps", count=1)))
        assert listener.wait("planned", "run_failed", run=early, seconds=120)["event"] == "planned"

        stuck = listener.submit(ending_in("hang"))
        time.sleep(1.0)  # from now on no thread of it gets a word in
        lost = listener.session.plan(listener.submission(ending_in("steps", count=1)))
        listener.session.stop_now()
        assert listener.done(stuck)["reason"] == "WorkerDied"
        assert listener.done(lost)["reason"] == "WorkerDied"

        run = listener.submit(ending_in("steps", count=20, pause=0.01))
        assert listener.done(run)["event"] == "run_finished"
        assert listener.of(run, "preview") == []


def test_a_worker_without_heartbeat_is_killed(tmp_path, monkeypatch):
    monkeypatch.setattr(module, "HEARTBEAT_TIMEOUT", 3.0)
    with Listener(tmp_path) as listener:
        hung = listener.submit(ending_in("hang"))
        assert listener.done(hung)["reason"] == "WorkerDied"


def test_the_worker_leaves_within_a_second_of_the_end_of_its_input(tmp_path):
    with Listener(tmp_path) as listener:
        run = listener.submit(ending_in("kernel"))
        listener.wait_for(lambda e: e.get("node") == "end" and e.get("run") == run, SOON)
        process = listener.process()
        start = time.monotonic()
        listener.session.close()
        assert time.monotonic() - start < 1.5
        assert not process.is_running()
        assert listener.session._process is None


def test_a_device_that_is_not_here_is_said_once_and_nothing_runs(tmp_path):
    events: list[Any] = []
    told = threading.Event()

    def hear(message: Any, _: bytes) -> None:
        events.append(message)
        told.set()

    with WorkerProcess(hear, WorkerSettings(device="cuda:99")) as session:
        assert told.wait(SOON)
        number = session.submit(Submission(Graph(), [], tmp_path, tmp_path))
    assert events[0]["event"] == "worker_failed"
    assert [e["reason"] for e in events if e.get("run") == number] == ["WorkerDied"]


def test_a_worker_that_cannot_start_is_given_up(tmp_path):
    events: list[Any] = []
    failed = threading.Event()

    def hear(message: Any, _: bytes) -> None:
        events.append(message)
        if message["event"] == "worker_failed":
            failed.set()

    with WorkerProcess(hear, command=[sys.executable, "-c", "raise SystemExit(3)"]) as session:
        assert failed.wait(SOON)
        assert session._process is None
    assert [e["event"] for e in events] == ["worker_died"] * 2 + ["worker_died", "worker_failed"]


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
        worker_command(), input=b"GET / HTTP/1.1\r\n\r\n", capture_output=True, timeout=60
    )
    assert process.returncode == 0
    assert process.stderr == b""
