"""What a run tells, as it happens. As JSON these are the lines of `ponystudio run --events`."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

from ponystudio.errors import PonyStudioError

Tier = Literal["device", "memory", "disk"]
_CAPITAL = re.compile(r"(?<!^)(?=[A-Z])")


@dataclass(frozen=True)
class Event:
    """`name` is the class's in snake case (RunStarted is "run_started") unless it says another."""

    name: ClassVar[str]

    def __init_subclass__(cls, name: str = "") -> None:
        cls.name = name or _CAPITAL.sub("_", cls.__name__).lower()

    def as_json(self) -> dict[str, Any]:
        return {"event": self.name, **vars(self)}


@dataclass(frozen=True)
class RunStarted(Event):
    """`device` says in words what was chosen, and why."""

    nodes: int
    steps: int
    device: str


@dataclass(frozen=True)
class NodeStarted(Event):
    """`why` it runs again, in a few words."""

    node: str
    why: str


@dataclass(frozen=True)
class Progress(Event):
    node: str
    step: int
    steps: int


@dataclass(frozen=True)
class NodeFinished(Event):
    """`cached` is where the result was found, False if it was made now."""

    node: str
    cached: Tier | Literal[False]
    seconds: float


@dataclass(frozen=True)
class WeightsEvent(Event, name="weights"):
    """`action`: load, patch, unpatch, offload, close, or stream: after a use in which blocks came
    as they were needed, the `bytes` that came, and the `seconds` that were spent waiting for them.
    `bytes` of weights that it concerned."""

    file: str
    action: str
    bytes: int
    seconds: float


@dataclass(frozen=True)
class Output(Event):
    """`unchanged`: the file of an earlier run still stands and was not written again."""

    node: str
    path: str
    unchanged: bool = False


@dataclass(frozen=True)
class Memory(Event):
    """What is done because memory runs short."""

    action: str
    node: str = ""


@dataclass(frozen=True)
class Note(Event):
    """What a user may want to know and is no error: what of a prompt has no effect, say."""

    node: str
    text: str


@dataclass(frozen=True)
class RunFinished(Event):
    seconds: float


@dataclass(frozen=True)
class RunFailed(Event):
    """`reason` is the error's class ("Cancelled" when the user stopped the run)."""

    node: str
    error: str
    hint: str
    reason: str = ""

    @classmethod
    def of(cls, error: PonyStudioError) -> RunFailed:
        place = f"{error.where}: " if error.where else ""
        return cls(error.node, f"{place}{error.what}", error.remedy, type(error).__name__)


JsonEvent = Mapping[str, Any]
