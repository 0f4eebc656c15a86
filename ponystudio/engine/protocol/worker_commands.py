"""What the studio asks of its worker. `number` comes back with all that answers a command."""

from __future__ import annotations

from pathlib import Path

from msgspec import Struct

from ponystudio.engine.protocol.run_request import RunRequest
from ponystudio.graph.model import Graph


class WorkerSettings(Struct, frozen=True):
    """What the worker computes with.

    `cache_bytes` is how much is kept on disk, None the engine's default. `memory`: bytes that the
    engine may take of its device's, 0 for what there is. `nodes`: a folder of node packs.
    """

    device: str = "auto"
    dtype: str = "auto"
    cache_dir: Path | None = None
    cache_bytes: int | None = None
    memory: int = 0
    nodes: Path | None = None


class WorkerCommand(Struct, frozen=True, tag_field="command"):
    pass


class StartEngine(WorkerCommand, frozen=True):
    """The first command; answered by WorkerReady or WorkerUnusable."""

    settings: WorkerSettings


class SubmitRun(WorkerCommand, frozen=True):
    """Answered by the events of a run, RunFinished, RunRefused or RunFailed the last."""

    number: int
    request: RunRequest


class PlanRun(WorkerCommand, frozen=True):
    """Answered by PlanAnswer, also while a run goes on; by RunRefused or RunFailed if at fault."""

    number: int
    request: RunRequest


class UpgradeGraph(WorkerCommand, frozen=True):
    """Answered by UpgradeAnswer, otherwise as PlanRun."""

    number: int
    graph: Graph


class CancelRun(WorkerCommand, frozen=True):
    """Stop a run at its next block or step."""

    number: int


class ShowPreviews(WorkerCommand, frozen=True):
    """Whether runs show how far they are in small pictures; at first they do."""

    on: bool


class ClearCache(WorkerCommand, frozen=True):
    """Forget every result; done before the next node of a run."""


class UnloadWeights(WorkerCommand, frozen=True):
    """Let go of the weights that no node is using; done before the next node of a run."""


Command = (
    StartEngine
    | SubmitRun
    | PlanRun
    | UpgradeGraph
    | CancelRun
    | ShowPreviews
    | ClearCache
    | UnloadWeights
)
