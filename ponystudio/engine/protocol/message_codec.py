"""Commands and messages as frames, and back: the one place that knows how they look on the pipe.

A message is a JSON object with its name under "command" or "message". A graph is written as its own
file is, under "document"; a picture follows as raw bytes.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, BinaryIO, TypeVar, get_args

from msgspec import Struct, ValidationError, convert, structs, to_builtins

from ponystudio.engine.protocol.error_info import ErrorInfo
from ponystudio.engine.protocol.frames import Frame, garbled, read_frame
from ponystudio.engine.protocol.run_events import Event, PictureEvent, RunRefused
from ponystudio.engine.protocol.worker_commands import Command, PlanRun, SubmitRun, UpgradeGraph
from ponystudio.engine.protocol.worker_messages import Message, RunMessage, UpgradeAnswer
from ponystudio.errors import GraphFileError
from ponystudio.graph.formats import graph_file
from ponystudio.graph.model import Graph

_NO_GRAPH = Graph({}, {}, {}, {})
_WithGraph = SubmitRun | PlanRun | UpgradeGraph | UpgradeAnswer
_T = TypeVar("_T", bound=_WithGraph)


@dataclass(frozen=True)
class UnreadableCommand:
    """A command whose graph is none."""

    number: int
    error: ErrorInfo


def encode(message: Command | Message) -> Frame:
    graph, jpeg = None, b""
    match message:
        case SubmitRun() | PlanRun():
            graph = message.request.graph
            message = _with_graph(message, _NO_GRAPH)
        case UpgradeGraph() | UpgradeAnswer():
            graph = message.graph
            message = _with_graph(message, _NO_GRAPH)
        case RunMessage(event=PictureEvent(jpeg=jpeg)) if jpeg:
            event = structs.replace(message.event, jpeg=b"")
            message = structs.replace(message, event=event)
    body = to_builtins(message, enc_hook=_plain)
    if graph is not None:
        body["document"] = graph_file.to_json(graph)
    return Frame(body, jpeg)


def read_command(stream: BinaryIO) -> Command | UnreadableCommand | None:
    """The next command; None at the end. Raises WorkerDied for what is no frame of ours."""
    while (frame := read_frame(stream)) is not None:
        if frame.message.get("command") in _names(Command):
            command: Command = _converted(frame, Command)
            if not isinstance(command, _WithGraph):
                return command
            try:
                return _with_graph(command, graph_file.from_json(frame.message.get("document")))
            except GraphFileError as error:
                return UnreadableCommand(command.number, ErrorInfo.of(error))
    return None


def read_message(stream: BinaryIO) -> Message | None:
    """The next message; None at the end. Raises WorkerDied for what is no frame of ours."""
    while (frame := read_frame(stream)) is not None:
        if _is_known(frame.message):
            message: Message = _converted(frame, Message)
            match message:
                case RunMessage(event=PictureEvent()) if frame.blob:
                    event = structs.replace(message.event, jpeg=frame.blob)
                    return structs.replace(message, event=event)
                case UpgradeAnswer():
                    try:
                        graph = graph_file.from_json(frame.message.get("document"))
                        return _with_graph(message, graph)
                    except GraphFileError as error:
                        return RunMessage(message.number, RunRefused([ErrorInfo.of(error)]))
            return message
    return None


def _with_graph(message: _T, graph: Graph) -> _T:
    if isinstance(message, SubmitRun | PlanRun):
        return structs.replace(message, request=replace(message.request, graph=graph))
    return structs.replace(message, graph=graph)


def _converted(frame: Frame, kind: Any) -> Any:
    try:
        return convert(frame.message, kind, dec_hook=_typed)
    except ValidationError as error:
        raise garbled(f"what is no message ({error})") from None


def _is_known(message: Mapping[str, Any]) -> bool:
    """What is not is passed over: it has another program's name."""
    event = message.get("event")
    return message.get("message") in _names(Message) and (
        not isinstance(event, dict) or event.get("event") in _names(Event)
    )


def _names(union: Any) -> set[Any]:
    kinds: tuple[type[Struct], ...] = get_args(union)
    return {kind.__struct_config__.tag for kind in kinds}


def _plain(value: Any) -> Any:
    if isinstance(value, Path):
        return str(value)
    if isinstance(value, Mapping):
        return dict(value)
    raise NotImplementedError(f"{type(value)} does not travel")


def _typed(kind: type, value: Any) -> Any:
    if issubclass(kind, Path):
        return kind(value)
    raise NotImplementedError(f"{kind} does not travel")
