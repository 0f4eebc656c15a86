"""What the worker says to the studio."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from msgspec import Struct

from ponystudio.engine.protocol.error_info import ErrorInfo
from ponystudio.engine.protocol.node_plan import NodePlan
from ponystudio.engine.protocol.run_events import Event
from ponystudio.graph.model import Graph


class WorkerMessage(Struct, frozen=True, tag_field="message"):
    pass


class WorkerReady(WorkerMessage, frozen=True):
    """The engine is there: on which `device` and why, its name in short, what it knows.

    `catalog` is the JSON of a `graph.catalog.Catalog`.
    """

    device: str
    device_title: str
    torch: str
    families: list[str]
    catalog: Mapping[str, Any]


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
