"""A real worker process: its life, its runs, its deaths."""

from __future__ import annotations

import queue
import shutil
import signal
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil
import pytest

from helpers import worker_nodes
from ponystudio.engine.protocol.frames import RATE
from ponystudio.engine.protocol.run_events import (
    NodePlan,
    NodePreview,
    NodeResult,
    NodeStarted,
    Note,
    Output,
    Progress,
    RunEvent,
    RunFailed,
    RunFinished,
    RunPlanned,
    RunRefused,
    RunStarted,
)
from ponystudio.engine.protocol.worker_messages import (
    MemoryUse,
    PlanAnswer,
    RunMessage,
    RunRequest,
    UpgradeAnswer,
    WorkerReady,
    WorkerSettings,
)
from ponystudio.graph.model import Graph, Link, Node
from ponystudio.graph.plain_json import DEPTH
from ponystudio.library.model_folders import ModelFolders
from ponystudio.studio.worker import worker_process as module
from ponystudio.studio.worker.worker_process import (
    ProcessMessage,
    WorkerExited,
    WorkerFailed,
    WorkerProcess,
)

SOON = 30.0


def make(id: str, type: str, /, **given: Any) -> Node:
    links = {k: Link(*v) for k, v in given.items() if isinstance(v, tuple)}
    params = {k: v for k, v in given.items() if not isinstance(v, tuple)}
    return Node(id, f"tiny.{type}", params=params, inputs=links)


def ending_in(type: str, **params: Any) -> Graph:
    return Graph.of(make("n", "number"), make("end", type, a=("n", "float"), **params))


class Listener:
    """A worker with all that it said, and ways to wait for more."""

    def __init__(self, root: Path, **more: Any) -> None:
        self.root = root
        self.messages: list[ProcessMessage] = []
        self._changed = threading.Condition()
        nodes = root / "nodes"
        nodes.mkdir(exist_ok=True)
        shutil.copy(worker_nodes.__file__, nodes / "tiny.py")
        settings = WorkerSettings("cpu", "fp32", cache_dir=root / "cache", nodes=nodes)
        # A file: what the worker prints is looked at, and never fills a pipe.
        self.log = (root / "log.txt").open("w+")
        self.worker = WorkerProcess(self._on_message, settings, log=self.log, **more)

    def _on_message(self, message: ProcessMessage) -> None:
        with self._changed:
            self.messages.append(message)
            self._changed.notify_all()

    def wait_for(self, test: Callable[[Any], object], seconds: float = SOON) -> Any:
        """The first message of which this is true."""
        deadline = time.monotonic() + seconds
        with self._changed:
            while True:
                for message in self.messages:
                    if test(message):
                        return message
                left = deadline - time.monotonic()
                assert left > 0, self.messages[-10:]
                self._changed.wait(left)

    def ready(self) -> WorkerReady:
        return self.wait_for(lambda message: isinstance(message, WorkerReady), 120)

    def wait_for_log(self, text: str) -> None:
        """Until the worker has printed this."""
        deadline = time.monotonic() + SOON
        while text not in Path(self.log.name).read_text():
            assert time.monotonic() < deadline
            time.sleep(0.01)

    def submit(self, graph: Graph, **more: Any) -> int:
        return self.worker.submit(self.request(graph, **more))

    def request(self, graph: Graph, **more: Any) -> RunRequest:
        output, previews = self.root / "output", self.root / "previews"
        more = {"always_write": False, "titled": True, **more}
        return RunRequest(graph, ModelFolders([self.root]), output, previews, **more)

    def wait(self, run: int, *kinds: type, node: str | None = None) -> Any:
        """The first event of one of these kinds (about this node) of a run."""

        def test(message: Any) -> bool:
            return (
                isinstance(message, RunMessage)
                and message.number == run
                and isinstance(message.event, kinds)
                and (node is None or message.event.node == node)
            )

        return self.wait_for(test).event

    def done(self, run: int) -> Any:
        """The event that it ends with."""
        return self.wait(run, RunFinished, RunFailed, RunRefused)

    def answer(self, number: int, seconds: float = SOON) -> Any:
        """The answer to a plan or an upgrade."""
        return self.wait_for(lambda message: getattr(message, "number", 0) == number, seconds)

    def events(self, run: int, kind: type = RunEvent) -> list[Any]:
        events = [m.event for m in self.messages if isinstance(m, RunMessage) and m.number == run]
        return [event for event in events if isinstance(event, kind)]

    def memory(self) -> list[MemoryUse]:
        return [message for message in self.messages if isinstance(message, MemoryUse)]

    def process(self) -> psutil.Process:
        pid = self.worker.pid
        assert pid is not None
        return psutil.Process(pid)

    def __enter__(self) -> Listener:
        self.worker.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.worker.close()
        self.log.close()


@pytest.fixture(scope="module")
def _shared(tmp_path_factory):
    """One worker for all tests that leave it alive: starting one takes seconds."""
    with Listener(tmp_path_factory.mktemp("session")) as listener:
        listener.ready()
        yield listener


@pytest.fixture
def listener(_shared):
    return _shared


class TestLife:
    """The tests that share a worker."""

    def test_hello_brings_device_and_catalog(self, listener):
        ready = listener.ready()
        assert "fp32" in ready.device
        ids = {item["id"] for item in ready.catalog["nodes"]}
        assert {"core.sample", "tiny.number"} <= ids

    def test_a_run_saves_and_tells_in_order(self, listener):
        graph = Graph.of(make("p", "picture"), make("save", "save", image=("p", "image")))
        run = listener.submit(graph)
        assert isinstance(listener.done(run), RunFinished)
        events = listener.events(run)
        assert isinstance(events[0], RunStarted)
        assert isinstance(events[-1], RunFinished)
        (output,) = listener.events(run, Output)
        assert Path(output.path).read_bytes().startswith(b"\x89PNG")
        (result,) = listener.events(run, NodeResult)
        assert result.shapes == [[1, 3, 64, 64]]
        assert result.jpeg.startswith(b"\xff\xd8")

    def test_an_unchanged_save_is_skipped(self, listener):
        graph = Graph.of(
            make("p", "picture", level=0.1), make("save", "save", image=("p", "image"))
        )
        listener.done(listener.submit(graph))
        run = listener.submit(graph)
        listener.done(run)
        assert listener.events(run, NodeStarted) == []
        assert [event.unchanged for event in listener.events(run, Output)] == [True]

    def test_anew_all_runs_again_and_old_nodes_are_made_new(self, listener):
        old = Node("n", "tiny.grown", version=1, params={"half": 2.0})
        graph = Graph.of(old, make("end", "steps", a=("n", "float"), count=1, pause=0.0))
        assert isinstance(listener.done(listener.submit(graph)), RunRefused)
        for _ in range(2):
            run = listener.submit(graph, ignore_cache=True)
            assert isinstance(listener.done(run), RunFinished)
            assert [event.node for event in listener.events(run, NodeStarted)] == ["n", "end"]

    def test_old_nodes_are_upgraded_with_a_note(self, listener):
        old = Graph.of(Node("n", "tiny.grown", version=1, params={"half": 2.0}))
        answer = listener.answer(listener.worker.upgrade(old))
        assert isinstance(answer, UpgradeAnswer)
        assert answer.graph.nodes["n"].params == {"value": 4.0}
        assert len(answer.notes) == 1

    def test_prints_of_nodes_and_libraries_never_reach_the_pipe(self, listener):
        run = listener.submit(ending_in("steps", count=1, pause=0.0))
        assert isinstance(listener.done(run), RunFinished)
        log = Path(listener.log.name).read_text()
        assert "a print that must not reach the pipe" in log
        assert "nor this one" in log

    def test_progress_and_previews_are_coalesced_but_never_late(self, listener):
        start = time.monotonic()
        run = listener.submit(ending_in("steps", count=200, pause=0.001))
        listener.done(run)
        most = RATE * (time.monotonic() - start) + 10
        progress = [event.step for event in listener.events(run, Progress)]
        assert progress == sorted(progress)
        assert progress[-1] == 200
        assert len(progress) < most
        assert 1 <= len(listener.events(run, NodePreview)) < most
        kinds = [type(event) for event in listener.events(run)]
        assert kinds.index(RunFinished) == len(kinds) - 1

    def test_what_a_pack_says_in_other_types_ends_no_worker(self, listener):
        process = listener.process()
        run = listener.submit(ending_in("loose"))
        assert isinstance(listener.done(run), RunFinished)
        assert listener.events(run, Progress) == [Progress("end", 0, 2)]
        assert [event.text for event in listener.events(run, Note)] == ["odd"]
        assert listener.process() == process

    def test_errors_of_the_graph_are_all_told_with_their_places(self, listener):
        run = listener.submit(Graph.of(make("end", "steps", count="many")))
        refused = listener.done(run)
        assert isinstance(refused, RunRefused)
        assert {(error.reason, error.where) for error in refused.errors} == {
            ("ParamType", "end.count"),
            ("MissingInput", "end.a"),
        }

    def test_a_graph_that_cannot_be_read_is_refused_and_the_worker_stays(self, listener):
        deep: Any = 1.0
        for _ in range(DEPTH + 1):
            deep = [deep]
        process = listener.process()
        run = listener.submit(ending_in("steps", count=deep))
        (error,) = listener.done(run).errors
        assert error.reason == "GraphFileError"
        assert listener.process() == process

    def test_cancel_stops_the_run_and_the_next_goes_on(self, listener):
        first = listener.submit(ending_in("steps", count=100_000))
        second = listener.submit(ending_in("steps", count=100_001))
        third = listener.submit(ending_in("steps", count=1, pause=0.0))
        listener.wait(first, Progress)
        listener.worker.cancel(second)
        start = time.monotonic()
        listener.worker.cancel(first)
        assert listener.done(first).error.reason == "Cancelled"
        assert time.monotonic() - start < 10, "all its steps take a quarter of an hour"
        assert listener.done(second).error.reason == "Cancelled"
        assert listener.events(second, RunStarted) == []
        assert isinstance(listener.done(third), RunFinished)

    def test_a_plan_says_what_would_run_and_why(self, listener):
        graph = ending_in("steps", count=1, pause=0.0)
        listener.done(listener.submit(graph))
        changed = graph.with_nodes([make("n", "number", value=123.0)])
        planned = listener.answer(listener.worker.plan(listener.request(changed)))
        assert planned.nodes == {
            "n": NodePlan("runs", "value changed"),
            "end": NodePlan("runs", "upstream: a: value changed"),
        }

    def test_plans_are_answered_during_a_run_and_cover_what_has_no_errors(self, listener):
        run = listener.submit(ending_in("steps", count=100_002))
        listener.wait(run, Progress)
        graph = Graph.of(
            make("fresh", "picture", level=0.7),
            make("fresh_save", "save", image=("fresh", "image")),
            make("bad", "steps", count="many", a=("gone", "float")),
        )
        planned = listener.answer(listener.worker.plan(listener.request(graph)))
        assert planned.nodes == {
            "fresh": NodePlan("runs", "not run before"),
            "fresh_save": NodePlan("runs", "not run before"),
        }
        assert {error.where for error in planned.errors} == {"bad.count", "bad.a"}
        assert listener.events(run, RunFinished) == []
        listener.worker.cancel(run)
        assert listener.done(run).error.reason == "Cancelled"

    def test_memory_is_told_of_and_weights_are_let_go_of_between_nodes(self, listener):
        before = len(listener.memory())
        listener.worker.unload()
        listener.worker.clear_cache()
        listener.wait_for(lambda _: len(listener.memory()) > before)
        use = listener.memory()[-1]
        assert use.device == "CPU"
        assert 0 < use.free <= use.total
        assert use.weights == 0

    def test_a_run_tells_what_will_run(self, listener):
        run = listener.submit(ending_in("steps", count=1, pause=0.0))
        listener.done(run)
        (planned,) = listener.events(run, RunPlanned)
        assert planned.steps[-1] == "end"

    def test_it_runs_below_normal_priority_and_ignores_ctrl_c(self, listener):
        process = listener.process()
        assert process.nice() > psutil.Process().nice()
        process.send_signal(signal.SIGINT)
        run = listener.submit(ending_in("steps", count=1, pause=0.0))
        assert isinstance(listener.done(run), RunFinished)
        assert listener.process() == process


def test_a_worker_that_dies_fails_its_run_and_another_does_the_next(tmp_path):
    with Listener(tmp_path) as listener:
        failed = listener.done(listener.submit(ending_in("die"))).error
        assert failed.reason == "WorkerDied"
        assert "exit code 7" in failed.what
        after = listener.submit(ending_in("steps", count=1, pause=0.0))
        assert isinstance(listener.done(after), RunFinished)

        stuck = listener.submit(ending_in("kernel"))
        listener.wait(stuck, NodeStarted, node="end")
        listener.worker.stop_now()
        assert listener.done(stuck).error.reason == "WorkerDied"


def test_what_is_asked_before_there_is_a_worker_is_answered_and_settings_outlive_it(tmp_path):
    with Listener(tmp_path) as listener:
        listener.worker.show_previews(False)
        cancelled = listener.submit(ending_in("steps", count=1))
        early = listener.worker.plan(listener.request(ending_in("steps", count=1)))
        listener.worker.cancel(cancelled)
        assert listener.done(cancelled).error.reason == "Cancelled"
        assert isinstance(listener.answer(early, 120), PlanAnswer)

        stuck = listener.submit(ending_in("hang"))
        listener.wait_for_log("hangs")
        time.sleep(1.0)  # from now on no thread of it gets a word in
        lost = listener.worker.plan(listener.request(ending_in("steps", count=1)))
        listener.worker.stop_now()
        assert listener.done(stuck).error.reason == "WorkerDied"
        assert listener.done(lost).error.reason == "WorkerDied"

        run = listener.submit(ending_in("steps", count=20, pause=0.01))
        assert isinstance(listener.done(run), RunFinished)
        assert listener.events(run, NodePreview) == []


def test_a_worker_without_heartbeat_is_killed(tmp_path, monkeypatch):
    monkeypatch.setattr(module, "HEARTBEAT_TIMEOUT", 3.0)
    with Listener(tmp_path) as listener:
        hung = listener.submit(ending_in("hang"))
        assert listener.done(hung).error.reason == "WorkerDied"


def test_the_worker_leaves_by_itself_at_the_end_of_its_input(tmp_path, monkeypatch):
    monkeypatch.setattr(module, "SHUTDOWN_TIMEOUT", 40.0)  # then it is killed
    with Listener(tmp_path) as listener:
        run = listener.submit(ending_in("kernel"))
        listener.wait(run, NodeStarted, node="end")
        process = listener.process()
        start = time.monotonic()
        listener.worker.close()
        assert time.monotonic() - start < 20, "it leaves after a second"
        assert not process.is_running()
        assert listener.worker.pid is None


def test_a_device_that_is_not_here_is_said_and_runs_go_on_another(tmp_path):
    heard: queue.SimpleQueue[ProcessMessage] = queue.SimpleQueue()
    request = RunRequest(Graph(), ModelFolders([]), tmp_path, tmp_path)
    with WorkerProcess(heard.put, WorkerSettings(device="cuda:99")) as worker:
        ready = heard.get(timeout=SOON)
        assert isinstance(ready, WorkerReady)
        assert "cuda:99" in ready.problem
        number = worker.submit(request)
        while not isinstance(message := heard.get(timeout=SOON), RunMessage):
            pass
    assert message.number == number
    assert isinstance(message.event, RunRefused), "there is nothing in that graph"


def test_a_worker_that_cannot_start_is_given_up():
    messages: list[ProcessMessage] = []
    failed = threading.Event()

    def on_message(message: ProcessMessage) -> None:
        messages.append(message)
        if isinstance(message, WorkerFailed):
            failed.set()

    with WorkerProcess(on_message, command=[sys.executable, "-c", "raise SystemExit(3)"]) as worker:
        assert failed.wait(SOON)
        assert worker.pid is None
    assert [type(message) for message in messages] == [WorkerExited] * 3 + [WorkerFailed]


def test_answers_of_an_earlier_worker_are_nobody_elses():
    numbers = [WorkerProcess(lambda _: None).upgrade(Graph()) for _ in range(2)]
    assert len(set(numbers)) == 2
