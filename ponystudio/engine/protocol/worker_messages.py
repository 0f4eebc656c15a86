"""What the studio asks of its worker, all that one run needs among it, and what the worker says to
the studio. `number` comes back with all that answers a command.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from msgspec import Struct, field

from ponystudio.engine.protocol.run_events import ErrorInfo, Event, NodePlan
from ponystudio.graph.formats.metadata_policy import USUAL, MetadataPolicy
from ponystudio.graph.model import Graph
from ponystudio.library.model_folders import ModelFolders


@dataclass(frozen=True)
class RunRequest:
    """`targets` are the nodes to run; None: all that save or show something.

    `output` is where files are saved, `previews` where pictures go that are only shown. `scope`
    names the document, for telling what has changed since its last run. Without `always_write` a
    save is skipped when nothing it depends on changed and its files still stand.
    `denoiser_on_cpu`: when nothing else helps against a lack of memory, be slow. `titled`: errors
    call nodes as their cards do, not by their ids. `ignore_cache`: no result that is there is used.
    `metadata`: what saved files say of how they were made.
    """

    graph: Graph
    folders: ModelFolders
    output: Path
    previews: Path
    targets: tuple[str, ...] | None = None
    scope: str = ""
    always_write: bool = True
    denoiser_on_cpu: bool = False
    titled: bool = False
    ignore_cache: bool = False
    metadata: MetadataPolicy = USUAL


class WorkerMessage(Struct, frozen=True, tag_field="message"):
    pass


class WorkerReady(WorkerMessage, frozen=True):
    """The engine is there: on which `device` and why, its name in short, what it knows.

    `catalog` is the JSON of a `graph.catalog.Catalog`, `devices` are those that could be chosen,
    with their titles. `problem`: why it computes on another one than was asked for; "" if it does
    as it was told.
    """

    device: str
    device_title: str
    torch: str
    families: list[str]
    catalog: Mapping[str, Any]
    devices: Mapping[str, str] = field(default_factory=dict)
    problem: str = ""


class WorkerUnusable(WorkerMessage, frozen=True):
    """There can be no engine with these settings."""

    error: str


class Heartbeat(WorkerMessage, frozen=True):
    """A sign of life, every `frames.HEARTBEAT` seconds."""


class MemoryUse(WorkerMessage, frozen=True):
    """Who has how many bytes of the device's memory; `main_...` of the main memory.

    `device` is its name in short. Where the device is the CPU the two are the same.
    """

    device: str
    total: int
    free: int
    weights: int
    results: int
    main_total: int
    main_free: int
    main_weights: int
    main_results: int


class RunMessage(WorkerMessage, frozen=True):
    """An event of the run of this number, or the failure of what else was asked under it."""

    number: int
    event: Event


class PlanAnswer(WorkerMessage, frozen=True):
    """What a run would do with each node, by which keys its results are known, and the errors that
    are in the way of the rest."""

    number: int
    nodes: Mapping[str, NodePlan]
    keys: Mapping[str, str]
    errors: list[ErrorInfo]


class UpgradeAnswer(WorkerMessage, frozen=True):
    """The graph with its nodes in the versions that are installed, and a note on each."""

    number: int
    graph: Graph
    notes: list[str]


Answer = RunMessage | PlanAnswer | UpgradeAnswer
Message = WorkerReady | WorkerUnusable | Heartbeat | MemoryUse | Answer


class WorkerSettings(Struct, frozen=True):
    """What the worker computes with.

    `cache_bytes` is how much is kept on disk, None the engine's default. `memory`: bytes that the
    engine may take of its device's, 0 for what there is. `nodes`: a folder of node packs.
    `index_path`: the index of model files that all processes share.
    """

    device: str = "auto"
    dtype: str = "auto"
    cache_dir: Path | None = None
    cache_bytes: int | None = None
    memory: int = 0
    nodes: Path | None = None
    index_path: Path | None = None


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
