"""What happens in a run, its errors as they travel, and what a plan says of one node.

As JSON the events are the lines of `ponystudio run --events`. One more event is a class here, in
`Event`, and a case in whoever handles it.

Why a node runs is one of the words here, or how it differs from its last run: see
`graph.result_keys.why`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Annotated, Any, Literal

from msgspec import Meta, Struct, to_builtins

from ponystudio.errors import Cancelled, PonyStudioError

CANCELLED = Cancelled.__name__


class ErrorInfo(Struct, frozen=True):
    """The fields of a PonyStudioError; `reason` is its class's name ("Cancelled" when the user
    stopped what was going on)."""

    reason: str
    what: str
    where: str = ""
    remedy: str = ""
    node: str = ""
    socket: str = ""

    @classmethod
    def of(cls, error: BaseException) -> ErrorInfo:
        """Any error; one that is none of ours is named with its class."""
        reason = type(error).__name__
        if isinstance(error, PonyStudioError):
            return cls(reason, error.what, error.where, error.remedy, error.node, error.socket)
        if isinstance(error, Cancelled | KeyboardInterrupt):
            return cls(CANCELLED, "Cancelled.")
        return cls(reason, f"{reason}: {error}")

    @property
    def text(self) -> str:
        """Where, and what."""
        return f"{self.where}: {self.what}" if self.where else self.what


# Neither NaN nor infinite: whoever adds durations up or shows them relies on that.
Seconds = Annotated[float, Meta(ge=-1e15, le=1e15)]
Tier = Literal["device", "memory", "disk"]
_CAPITAL = re.compile(r"(?<!^)(?=[A-Z])")


def _snake(name: str) -> str:
    return _CAPITAL.sub("_", name).lower()


class RunEvent(Struct, frozen=True, tag_field="event", tag=_snake):
    """Its name is the class's in snake case (RunStarted is "run_started") unless it says another
    `tag`."""

    def as_json(self) -> dict[str, Any]:
        """{"event": its name, then its fields}."""
        return dict(to_builtins(self))


class PictureEvent(RunEvent, frozen=True):
    """Brings a picture, which travels beside the JSON; b"" where there is none."""

    jpeg: bytes = b""


class RunStarted(RunEvent, frozen=True):
    """`device` says in words what was chosen, and why."""

    nodes: int
    steps: int
    device: str


class RunPlanned(RunEvent, frozen=True):
    """`steps`: the nodes that will run, in order; `keys`: what results are known by in short."""

    steps: list[str]
    keys: Mapping[str, str] = {}


class ResultsRenamed(RunEvent, frozen=True, tag="results_renamed"):
    """Now all files of the run are read, and its results are known by what these hold: the `keys`
    of RunPlanned that are others now, each with what it is."""

    keys: Mapping[str, str]


class NodesLeftOut(RunEvent, frozen=True, tag="left_out"):
    """What depends on these errors is not run; the rest is."""

    errors: list[ErrorInfo]


class NodeStarted(RunEvent, frozen=True):
    """`why` it runs again, in a few words."""

    node: str
    why: str


class Progress(RunEvent, frozen=True):
    node: str
    step: int
    steps: int


class NodePreview(PictureEvent, frozen=True, tag="preview", kw_only=True):
    """How far a node is."""

    node: str


class NodeResult(PictureEvent, frozen=True, tag="result", kw_only=True):
    """What a node gave at one `output`, in short; `text` where that says more than `shapes`."""

    node: str
    output: str
    type: str = ""
    shapes: list[list[int]] = []
    text: str = ""
    bytes: int = 0
    seconds: Seconds = 0.0


class NodeFinished(RunEvent, frozen=True):
    """`cached` is where the result was found, False if it was made now."""

    node: str
    cached: Tier | bool
    seconds: Seconds


class WeightsEvent(RunEvent, frozen=True, tag="weights"):
    """`action`: load, patch, unpatch, offload, close, or stream: after a use in which blocks came
    as they were needed, the `bytes` that came, and the `seconds` that were spent waiting for them.
    `bytes` of weights that it concerned."""

    file: str
    action: str
    bytes: int
    seconds: Seconds


class Output(RunEvent, frozen=True):
    """`unchanged`: the file of an earlier run still stands and was not written again."""

    node: str
    path: str
    unchanged: bool = False


class Memory(RunEvent, frozen=True):
    """What is done because memory runs short."""

    action: str
    node: str = ""


class Note(RunEvent, frozen=True):
    """What a user may want to know and is no error: what of a prompt has no effect, say."""

    node: str
    text: str


class RunFinished(RunEvent, frozen=True):
    seconds: Seconds


class RunRefused(RunEvent, frozen=True, tag="refused"):
    """Nothing runs because of these errors."""

    errors: list[ErrorInfo]


class RunFailed(RunEvent, frozen=True):
    """The run ended early; its error's `reason` is "Cancelled" when the user stopped it."""

    error: ErrorInfo

    @classmethod
    def of(cls, error: BaseException) -> RunFailed:
        return cls(ErrorInfo.of(error))

    def as_json(self) -> dict[str, Any]:
        """{"event", "node", "error": where and what, "hint", "reason"}."""
        error = self.error
        event = {"event": "run_failed", "node": error.node, "error": error.text}
        return {**event, "hint": error.remedy, "reason": error.reason}


Event = (
    RunStarted
    | RunPlanned
    | ResultsRenamed
    | NodesLeftOut
    | NodeStarted
    | Progress
    | NodePreview
    | NodeResult
    | NodeFinished
    | WeightsEvent
    | Output
    | Memory
    | Note
    | RunFinished
    | RunRefused
    | RunFailed
)

SAVES = "it saves or shows something"
READS_LINKED_FILE = "it reads a file that a wire names"
NOT_KEPT = "its result was not kept"
FILES_STAND = "its files still stand"

NodeStatus = Literal["runs", "cached", "skipped", "not needed"]

RUNS: NodeStatus = "runs"
CACHED: NodeStatus = "cached"
UP_TO_DATE: NodeStatus = "skipped"
NOT_NEEDED: NodeStatus = "not needed"


class NodePlan(Struct, frozen=True, gc=False):
    """`detail`: why it runs, in which tier its result is, or why it is skipped."""

    status: NodeStatus
    detail: str = ""

    @property
    def text(self) -> str:
        """ "runs: seed changed", "cached: disk", "not needed"."""
        return f"{self.status}: {self.detail}" if self.detail else self.status
