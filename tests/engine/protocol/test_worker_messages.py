from __future__ import annotations

import io
import json
import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_args

import pytest

from ponystudio.engine.protocol.frames import (
    Frame,
    UnreadableCommand,
    encode,
    read_command,
    read_message,
    write_frame,
)
from ponystudio.engine.protocol.run_events import (
    ErrorInfo,
    Event,
    Memory,
    NodeFinished,
    NodePlan,
    NodePreview,
    NodeResult,
    NodesLeftOut,
    NodeStarted,
    Note,
    Output,
    Progress,
    ResultsRenamed,
    RunFailed,
    RunFinished,
    RunPlanned,
    RunRefused,
    RunStarted,
    WeightsEvent,
)
from ponystudio.engine.protocol.worker_messages import (
    CancelRun,
    ClearCache,
    Command,
    Heartbeat,
    MemoryUse,
    Message,
    PlanAnswer,
    PlanRun,
    RunMessage,
    RunRequest,
    ShowPreviews,
    StartEngine,
    SubmitRun,
    UnloadWeights,
    UpgradeAnswer,
    UpgradeGraph,
    WorkerReady,
    WorkerSettings,
    WorkerUnusable,
)
from ponystudio.errors import WorkerDied
from ponystudio.graph.model import Graph, Link, Node
from ponystudio.library.model_folders import ModelFolders

GRAPH = Graph.of(
    Node("a", "t.number", params={"seed": 2**64 - 1, "text": "žluť"}),
    Node("b", "t.end", 2, inputs={"x": Link("a", "float")}, mode="muted", title="End"),
)
REQUEST = RunRequest(
    GRAPH,
    ModelFolders([Path("/models"), Path("/more")], Path("/graphs")),
    Path("/output"),
    Path("/previews"),
    targets=("b",),
    scope="scope",
    always_write=False,
    titled=True,
    ignore_cache=True,
)
ERROR = ErrorInfo("MissingFile", "No file.", "b.x", "Choose one.", "b", "x")

COMMANDS = [
    StartEngine(WorkerSettings()),
    StartEngine(WorkerSettings("cuda:1", "bf16", Path("/cache"), 2**40, 2**33, Path("/nodes"))),
    SubmitRun(1, REQUEST),
    PlanRun(2, RunRequest(Graph(), ModelFolders([]), Path(), Path())),
    UpgradeGraph(3, GRAPH),
    CancelRun(4),
    ShowPreviews(False),
    ClearCache(),
    UnloadWeights(),
]
EVENTS = [
    RunStarted(3, 2, "CPU"),
    RunPlanned(["a", "b"], {"a": "key"}),
    ResultsRenamed({"key": "other key"}),
    NodesLeftOut([ERROR]),
    NodeStarted("a", "not run before"),
    Progress("a", 1, 20),
    NodePreview(node="a", jpeg=b"\xff\xd8\0"),
    NodeResult(node="a", output="image", shapes=[[1, 3, 8, 8]], bytes=768, jpeg=b"\xff"),
    NodeResult(node="a", output="text", text="'words'", seconds=0.5),
    NodeFinished("a", "memory", 0.0),
    NodeFinished("a", False, 1.5),
    WeightsEvent("a.safetensors", "load", 2**33, 0.25),
    Output("a", "/output/a.png", True),
    Memory("smaller tiles", "a"),
    Note("a", "No effect."),
    RunFinished(1.0),
    RunRefused([ERROR, ErrorInfo("NothingToRun", "Nothing.")]),
    RunFailed(ERROR),
]
MESSAGES = [
    WorkerReady("CPU, fp32", "CPU", "2.9", ["sdxl"], {"nodes": [{"id": "t.end"}]}),
    WorkerUnusable("There is no cuda."),
    Heartbeat(),
    MemoryUse("CPU", 8, 7, 6, 5, 4, 3, 2, 1),
    PlanAnswer(1, {"a": NodePlan("runs", "why")}, {"a": "key"}, [ERROR]),
    UpgradeAnswer(2, GRAPH, ["a is new"]),
    *(RunMessage(3, event) for event in EVENTS),
]


NAN = float("nan")


def pipe(*frames: Frame) -> io.BytesIO:
    stream = io.BytesIO()
    for frame in frames:
        write_frame(stream, frame)
    stream.seek(0)
    return stream


@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: type(command).__name__)
def test_commands_come_as_they_went(command):
    assert read_command(pipe(encode(command))) == command


@pytest.mark.parametrize("message", MESSAGES, ids=lambda message: type(message).__name__)
def test_messages_come_as_they_went(message):
    assert read_message(pipe(encode(message))) == message


def test_every_kind_is_tried():
    assert {*map(type, COMMANDS)} == {*get_args(Command)}
    assert {*map(type, MESSAGES)} == {*get_args(Message)}
    assert {*map(type, EVENTS)} == {*get_args(Event)}


def test_a_picture_is_no_part_of_the_json():
    frame = encode(RunMessage(1, NodePreview(node="a", jpeg=b"12345")))
    assert frame.blob == b"12345"
    assert frame.message["event"] == {"event": "preview", "jpeg": "", "node": "a"}


def test_what_has_an_unknown_name_is_passed_over():
    unknown = [
        Frame({}),
        Frame({"message": "Greeting"}),
        Frame({"message": []}),
        Frame({"message": "RunMessage", "number": 1, "event": {"event": {}}}),
        Frame({"message": "RunMessage", "number": 1, "event": {"event": "danced"}}),
        encode(ClearCache()),
    ]
    assert read_message(pipe(*unknown, encode(Heartbeat()))) == Heartbeat()
    assert read_message(pipe(*unknown)) is None
    assert read_command(pipe(Frame({"command": "Dance"}), encode(ClearCache()))) == ClearCache()
    assert read_command(pipe(encode(Heartbeat()))) is None


@pytest.mark.parametrize(
    "message",
    [
        {"command": "CancelRun"},
        {"command": "CancelRun", "number": "7"},
        {"command": "ShowPreviews", "on": 1},
        {"command": "StartEngine", "settings": None},
    ],
)
def test_a_command_without_its_fields_is_no_command(message):
    with pytest.raises(WorkerDied):
        read_command(pipe(Frame(message)))


@pytest.mark.parametrize(
    "message",
    [
        {"message": "MemoryUse", "device": "CPU"},
        {"message": "RunMessage", "number": 1, "event": {"event": "progress"}},
        {"message": "RunMessage", "number": 1, "event": 1},
        {"message": "RunMessage", "event": {"event": "run_finished", "seconds": 1}},
        {"message": "RunMessage", "number": 1, "event": {"event": "run_finished", "seconds": NAN}},
    ],
)
def test_a_message_without_its_fields_is_no_message(message):
    with pytest.raises(WorkerDied):
        read_message(pipe(Frame(message)))


@pytest.mark.parametrize("command", [SubmitRun(5, REQUEST), UpgradeGraph(5, GRAPH)])
def test_a_graph_that_is_none_is_said_with_the_number_of_its_command(command):
    frame = encode(command)
    unreadable = read_command(pipe(Frame({**frame.message, "document": {"format": "other"}})))
    assert isinstance(unreadable, UnreadableCommand)
    assert (unreadable.number, unreadable.error.reason) == (5, "GraphFileError")


def test_an_answer_with_a_graph_that_is_none_is_a_refusal():
    frame = encode(UpgradeAnswer(5, GRAPH, []))
    answer = read_message(pipe(Frame({**frame.message, "document": None})))
    assert isinstance(answer, RunMessage)
    assert answer.number == 5
    assert isinstance(answer.event, RunRefused)


def test_numbers_and_texts_that_json_is_poor_at_travel_all_the_same():
    """A file or another pack may hold them; to refuse them is the check's."""
    params = {"huge": 10**40, "infinite": float("inf"), "half": "\ud800"}
    command = read_command(pipe(encode(UpgradeGraph(1, Graph.of(Node("a", "t", params=params))))))
    assert isinstance(command, UpgradeGraph)
    assert command.graph.nodes["a"].params == {**params, "half": "?"}


@pytest.mark.parametrize("frame", [encode(ClearCache()), encode(Heartbeat())])
def test_bytes_that_belong_to_nothing_are_garbage(frame):
    stream = pipe(Frame(frame.message, b"12345"))
    with pytest.raises(WorkerDied):
        read_command(stream) if "command" in frame.message else read_message(stream)


def test_names_of_files_that_are_no_text_travel():
    settings = WorkerSettings(cache_dir=Path("/caf\udce9"))
    assert read_command(pipe(encode(StartEngine(settings)))) == StartEngine(settings)
    saved = RunMessage(1, Output("a", "/caf\udce9/a.png"))
    assert read_message(pipe(encode(saved))) == saved


def _places(value: Any, place: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    inner = value.items() if isinstance(value, dict) else enumerate(value)
    for key, item in inner:
        yield (*place, key)
        if isinstance(item, dict | list):
            yield from _places(item, (*place, key))


ODD = [None, 1, "x", [], {}, [1], {"a": 1}, -1.5, True, NAN, 10**400, "\ud800", {"event": []}]


@pytest.mark.parametrize(
    ("read", "known"), [(read_command, COMMANDS), (read_message, MESSAGES)], ids=["to", "from"]
)
def test_whatever_is_changed_is_read_or_is_garbage(read, known):
    chance = random.Random(12)
    outcomes = set()
    for _ in range(2000):
        frame = encode(chance.choice(known))
        body = json.loads(json.dumps(frame.message))
        *way, last = chance.choice(list(_places(body)))
        inner = body
        for key in way:
            inner = inner[key]
        inner[last] = chance.choice(ODD)
        data = bytearray(pipe(Frame(body, frame.blob)).getvalue())
        if chance.random() < 0.3:
            data[chance.randrange(len(data))] = chance.randrange(256)
        try:
            read(io.BytesIO(data))
            outcomes.add("read")
        except WorkerDied:
            outcomes.add("garbage")
    assert outcomes == {"read", "garbage"}
