"""What a run works with, and who watches it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from threading import Event as Flag
from typing import Any

from ponystudio.api import Image
from ponystudio.engine.cache.result_cache import ResultCache
from ponystudio.engine.cache.run_history import RunHistoryFile, SavedOutputs
from ponystudio.engine.memory.allocation_limit import AllocationLimit
from ponystudio.engine.memory.devices import DeviceChoice
from ponystudio.engine.memory.oom_fallbacks import OomFallbacks
from ponystudio.engine.memory.weights_pool import WeightsPool
from ponystudio.engine.plan import Plan, Step
from ponystudio.engine.protocol.run_events import Event
from ponystudio.engine.protocol.worker_messages import RunRequest
from ponystudio.engine.receipts import Receipts
from ponystudio.engine.run_files import RunFiles
from ponystudio.graph.name_tokens import NameValues


class RunObserver:
    """Is told of a run, on its thread, what its events do not say; this one does nothing."""

    def on_plan(self, plan: Plan) -> None:
        """The run begins, and this is what it will do."""

    def between_nodes(self) -> None:
        """The next node is about to begin: there is time for other things."""

    def on_preview(self, node: str, make: Callable[[], Image]) -> None:
        """A node is so far; `make` gives a picture of it, now or never."""

    def on_result(self, step: Step, outputs: Mapping[str, Any], seconds: float) -> None:
        """A node has given these, after so many seconds."""


@dataclass(frozen=True)
class RunServices:
    """What all nodes of one run share; `cancel` is set by whoever wants it to stop."""

    request: RunRequest
    plan: Plan
    choice: DeviceChoice
    files: RunFiles
    pool: WeightsPool
    results: ResultCache
    fallbacks: OomFallbacks
    allocation_limit: AllocationLimit
    history: RunHistoryFile
    saved_outputs: SavedOutputs
    receipts: Receipts
    names: NameValues
    emit: Callable[[Event], None]
    cancel: Flag
    observer: RunObserver

    def naming_lora(self, lora: Path) -> list[str]:
        """The nodes of the run that name this LoRA."""
        inputs = self.plan.inputs
        return self.files.naming_lora((inputs.graph.nodes[id] for id in inputs.order), lora)
