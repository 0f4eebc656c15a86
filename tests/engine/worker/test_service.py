"""The service with a real engine, in this process."""

from __future__ import annotations

import io
import shutil
import threading
from pathlib import Path
from typing import Any

import pytest

from helpers import worker_nodes
from ponystudio.engine.protocol.frames import FrameWriter, read_message
from ponystudio.engine.protocol.run_events import (
    NodePreview,
    NodeResult,
    NodesLeftOut,
    RunFinished,
    RunRefused,
    RunStarted,
)
from ponystudio.engine.protocol.worker_messages import (
    MemoryUse,
    PlanAnswer,
    PlanRun,
    RunMessage,
    RunRequest,
    UpgradeAnswer,
    UpgradeGraph,
    WorkerSettings,
)
from ponystudio.engine.worker.service import Service
from ponystudio.graph.model import Graph, Link, Node
from ponystudio.library.model_folders import ModelFolders

GOOD = Graph.of(
    Node("n", "tiny.number"),
    Node("end", "tiny.steps", params={"count": 3, "pause": 0.0}, inputs={"a": Link("n", "float")}),
)
HALF = GOOD.with_nodes([Node("bad", "tiny.steps")])


class Stream(io.BytesIO):
    """Holds what was written when it is closed."""

    def close(self) -> None:
        self.data = self.getvalue()
        super().close()


class Played:
    """A service and what it sent."""

    def __init__(self, root: Path) -> None:
        self.root, self.stream = root, Stream()
        shutil.copy(worker_nodes.__file__, root / "tiny.py")
        self.previews = threading.Event()
        self.outbox = FrameWriter(self.stream, on_broken=lambda: None)
        self.outbox.start()
        settings = WorkerSettings("cpu", "fp32", nodes=root)
        self.service = Service(settings, self.outbox, self.previews)

    def request(self, graph: Graph) -> RunRequest:
        return RunRequest(graph, ModelFolders([]), self.root, self.root)

    def run(self, graph: Graph) -> None:
        self.service.run(7, self.request(graph), threading.Event(), lambda: None)

    def sent(self) -> list[Any]:
        self.outbox.end()
        self.outbox.join()
        self.service.engine.close()
        stream = io.BytesIO(self.stream.data)
        return list(iter(lambda: read_message(stream), None))

    def events(self) -> list[Any]:
        sent = [message for message in self.sent() if isinstance(message, RunMessage)]
        assert {message.number for message in sent} == {7}
        return [message.event for message in sent]


@pytest.fixture
def played(tmp_path):
    return Played(tmp_path)


def test_it_says_what_it_is(played):
    ready = played.service.ready_message()
    assert (ready.device_title, "fp32" in ready.device) == ("CPU", True)
    assert "sdxl" in ready.families
    assert "tiny.number" in {node["id"] for node in ready.catalog["nodes"]}
    assert played.sent() == []


def test_what_has_errors_is_left_out_and_the_rest_runs(played):
    played.run(HALF)
    events = played.events()
    kinds = [type(event) for event in events]
    assert [error.node for error in events[0].errors] == ["bad"]
    assert kinds.index(NodesLeftOut) < kinds.index(RunStarted) < kinds.index(RunFinished)
    (result,) = [event for event in events if isinstance(event, NodeResult)]
    assert (result.node, result.text, result.jpeg) == ("n", "1.0", b"")


def test_without_a_sound_part_it_is_refused(played):
    played.run(Graph.of(Node("bad", "tiny.steps")))
    (event,) = played.events()
    assert isinstance(event, RunRefused)
    assert [error.reason for error in event.errors] == ["MissingInput"]


@pytest.mark.parametrize("wanted", [True, False])
def test_previews_are_made_where_they_are_wanted(played, wanted):
    if wanted:
        played.previews.set()
    played.run(GOOD)
    previews = [event for event in played.events() if isinstance(event, NodePreview)]
    assert bool(previews) == wanted
    assert all(event.jpeg.startswith(b"\xff\xd8") for event in previews)


def test_plans_and_upgrades_are_answered(played):
    played.service.answer(PlanRun(1, played.request(HALF)))
    played.service.answer(UpgradeGraph(2, Graph.of(Node("n", "tiny.grown", params={"half": 1.0}))))
    plan, upgrade = played.sent()
    assert isinstance(plan, PlanAnswer)
    texts = {id: plan.text for id, plan in plan.nodes.items()}
    assert texts == {"n": "runs: not run before", "end": "runs: not run before"}
    assert [error.node for error in plan.errors] == ["bad"]
    assert isinstance(upgrade, UpgradeAnswer)
    assert upgrade.graph.nodes["n"].version == 2


def test_the_memory_is_reported_when_something_is_let_go_of(played):
    played.service.unload()
    played.service.clear_cache()
    *_, use = [message for message in played.sent() if isinstance(message, MemoryUse)]
    assert (use.device, use.weights) == ("CPU", 0)


@pytest.mark.parametrize("device", ["rocm", "mps", "cuda:77", "abacus"])
def test_an_absent_device_is_no_end(device):
    """It computes on what there is, and says so."""
    outbox = FrameWriter(Stream(), on_broken=lambda: None)
    service = Service(WorkerSettings(device, "fp32"), outbox, threading.Event())
    ready = service.ready_message()
    assert device in ready.problem or device in ready.devices
    assert "cpu" in ready.devices
    service.engine.close()
