"""What the worker does with its engine: runs, plans and upgrades; and what the studio is told of a
run, its events, and small pictures of how far it is.
"""

from __future__ import annotations

import contextlib
import io
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from threading import Event as Flag
from threading import Lock
from typing import Any

import torch
from msgspec import structs
from PIL.Image import Image as Picture
from torch.nn.functional import interpolate

from ponystudio.api import Image, Merge, Recipe
from ponystudio.diffusion.families import families
from ponystudio.diffusion.images.picture_file import to_picture
from ponystudio.engine.cache.tensor_walk import size_in_bytes, tensors_of
from ponystudio.engine.engine import Engine
from ponystudio.engine.memory.devices import DeviceChoice, choose, present, short_title
from ponystudio.engine.node_packs import load_packs
from ponystudio.engine.plan import Plan, Step
from ponystudio.engine.protocol.frames import FrameWriter
from ponystudio.engine.protocol.run_events import (
    ErrorInfo,
    Event,
    NodePreview,
    NodeResult,
    NodesLeftOut,
    Progress,
    RunPlanned,
    RunRefused,
)
from ponystudio.engine.protocol.worker_messages import (
    PlanAnswer,
    PlanRun,
    RunMessage,
    RunRequest,
    UpgradeAnswer,
    UpgradeGraph,
    WorkerReady,
    WorkerSettings,
)
from ponystudio.engine.run_services import RunObserver
from ponystudio.errors import BadInput, PonyStudioError, UsageError
from ponystudio.graph.formats.graph_file import share_nodes
from ponystudio.graph.formats.migrations import upgrade_nodes
from ponystudio.graph.model import Graph

# Documents whose last graph is kept, to know what of the next one is the same.
REMEMBERED = 16


class Service:
    """`run`, `clear_cache`, `unload` are for the executor's thread; the rest for any other too."""

    def __init__(self, settings: WorkerSettings, outbox: FrameWriter, previews: Flag) -> None:
        """`previews` is set while they are wanted.

        On a device that is not here nothing can be computed, and without an engine nothing done:
        the one that fits takes its place, and `ready_message` says so. Raises UsageError for a
        dtype that there is not.
        """
        self._outbox, self._previews = outbox, previews
        self._reporter = self._new_reporter()
        self._last_graphs: dict[str, Graph] = {}
        self._graphs_lock = Lock()
        self.engine = Engine(
            load_packs(settings.nodes),
            self._choose(settings),
            cache_dir=settings.cache_dir,
            cache_bytes=settings.cache_bytes,
            index_path=settings.index_path,
            emit=lambda event: self._reporter.emit(event),
        )

    def _choose(self, settings: WorkerSettings) -> DeviceChoice:
        self._problem = ""
        try:
            return choose(settings.device, settings.dtype, settings.memory)
        except UsageError as error:
            choice = choose("auto", settings.dtype, settings.memory)
            self._problem = error.what
            return choice

    def ready_message(self) -> WorkerReady:
        return WorkerReady(
            device=self.engine.choice.why,
            device_title=short_title(self.engine.choice),
            torch=str(torch.__version__),
            families=sorted(families()),
            catalog=self.engine.packs.catalog.to_json(),
            devices=present(),
            problem=self._problem,
        )

    def clear_cache(self) -> None:
        self.engine.clear()
        self.report_memory()

    def unload(self) -> None:
        self.engine.unload()
        self.report_memory()

    def run(
        self, number: int, request: RunRequest, cancel: Flag, between_nodes: Callable[[], None]
    ) -> None:
        """Run what of it has no errors. Raises Cancelled, after saying so."""
        self._reporter = self._new_reporter(number, between_nodes)
        try:
            self._run(request, cancel)
        finally:
            self._reporter = self._new_reporter()
            self.report_memory()

    def answer(self, command: PlanRun | UpgradeGraph) -> None:
        match command:
            case UpgradeGraph(number, graph):
                packs = self.engine.packs
                graph, notes = upgrade_nodes(graph, packs.upgrades, packs.catalog)
                self._outbox.send(UpgradeAnswer(number, graph, notes))
            case PlanRun(number, request):
                self._outbox.send(self._plan(number, request))

    def report_memory(self) -> None:
        use = self.engine.memory()
        self._outbox.send_latest("memory_use", lambda: use)

    def _plan(self, number: int, request: RunRequest) -> PlanAnswer:
        """What a run would do, as far as the graph has no errors."""
        try:
            nodes, keys, errors = self.engine.preview_plan(self._prepare(request))
        except BadInput as error:
            return PlanAnswer(number, {}, {}, [ErrorInfo.of(error)])
        return PlanAnswer(number, nodes, keys, [*map(ErrorInfo.of, errors)])

    def _run(self, request: RunRequest, cancel: Flag) -> None:
        part: RunRequest | None = None
        errors: Sequence[PonyStudioError]
        try:
            part, errors = self.engine.runnable_part(self._prepare(request))
        except BadInput as error:
            errors = [error]
        if part is None:
            self._reporter.emit(RunRefused([*map(ErrorInfo.of, errors)]))
            return
        if errors:
            self._reporter.emit(NodesLeftOut([*map(ErrorInfo.of, errors)]))
        with contextlib.suppress(PonyStudioError):  # the engine has said so
            self.engine.run(part, cancel=cancel, observer=self._reporter)

    def _prepare(self, request: RunRequest) -> RunRequest:
        """The request with the nodes of its document's last graph wherever they are equal: what did
        not change is checked and keyed already."""
        graph = request.graph
        if request.ignore_cache:  # of a picture, which was opened by nobody: its nodes may be old
            packs = self.engine.packs
            graph, _ = upgrade_nodes(graph, packs.upgrades, packs.catalog)
        with self._graphs_lock:
            last = self._last_graphs.pop(request.scope, None)
            if last is not None:
                graph = share_nodes(graph, last)
            self._last_graphs[request.scope] = graph
            while len(self._last_graphs) > REMEMBERED:
                del self._last_graphs[next(iter(self._last_graphs))]
        return replace(request, graph=graph)

    def _new_reporter(
        self, number: int = 0, between_nodes: Callable[[], None] = lambda: None
    ) -> RunReporter:
        """Number 0 is of what happens between runs."""
        return RunReporter(
            number, self._outbox, self._previews.is_set, between_nodes, self.report_memory
        )


# Longest side of pictures that only show how far a run is, or what a node gave.
THUMBNAIL = 256
QUALITY = 85


class RunReporter(RunObserver):
    """Sends what happens in the run of this number.

    `previews_wanted` is asked before a preview is made; `between_nodes` and `report_memory` are
    called between nodes, and when there are new results.
    """

    def __init__(
        self,
        number: int,
        outbox: FrameWriter,
        previews_wanted: Callable[[], bool],
        between_nodes: Callable[[], None],
        report_memory: Callable[[], None],
    ) -> None:
        self._number, self._outbox = number, outbox
        self._previews_wanted, self._between_nodes = previews_wanted, between_nodes
        self._report_memory = report_memory

    def emit(self, event: Event) -> None:
        if isinstance(event, Progress):
            self._emit_latest(("progress", event.node), lambda: event)
        else:
            self._outbox.send(RunMessage(self._number, event))

    def on_plan(self, plan: Plan) -> None:
        """Which nodes will run: only then can it be said how long it will take."""
        self.emit(RunPlanned([step.node.id for step in plan.steps], plan.short_keys))

    def between_nodes(self) -> None:
        self._between_nodes()

    def on_preview(self, node: str, make: Callable[[], Image]) -> None:
        if self._previews_wanted():
            picture = _thumbnail(make())
            self._emit_latest(
                ("preview", node), lambda: NodePreview(node=node, jpeg=_jpeg(picture))
            )

    def on_result(self, step: Step, outputs: Mapping[str, Any], seconds: float) -> None:
        """What the node gave, in short, and a small picture of pictures."""
        for name, value in outputs.items():
            result = NodeResult(
                node=step.node.id,
                output=name,
                type=step.spec.output_by_name[name].type,
                shapes=[list(tensor.shape) for tensor in tensors_of(value)],
                text=_in_words(value),
                bytes=size_in_bytes(value),
                seconds=round(seconds, 4),
            )
            picture = _thumbnail(value) if isinstance(value, Image) else None
            self._emit_latest(("result", step.node.id, name), partial(_with_jpeg, result, picture))
        self._report_memory()

    def _emit_latest(self, key: tuple[str, ...], make: Callable[[], Event]) -> None:
        self._outbox.send_latest((self._number, *key), lambda: RunMessage(self._number, make()))


def _in_words(value: Any) -> str:
    """A value in words, where its shape does not say it best."""
    if isinstance(value, Recipe):
        merges = [patch for patch in value.patches if isinstance(patch, Merge)]
        others = "".join(f" × {Path(merge.other.path).stem}" for merge in merges)
        loras = len(value.patches) - len(merges)
        return f"{Path(value.path).stem}{others}{f' + {loras} LoRA' if loras else ''}"
    return repr(value)[:200] if isinstance(value, str | int | float) else ""


def _thumbnail(image: Image) -> Picture:
    """The first picture of a batch, no longer than THUMBNAIL a side, off the device."""
    pixels = image.pixels[:1].float()
    longest = max(pixels.shape[-2:])
    if longest > THUMBNAIL:
        sides = [max(1, side * THUMBNAIL // longest) for side in pixels.shape[-2:]]
        pixels = interpolate(pixels, size=sides, mode="area")
    return to_picture(pixels[0])


def _with_jpeg(result: NodeResult, picture: Picture | None) -> NodeResult:
    return result if picture is None else structs.replace(result, jpeg=_jpeg(picture))


def _jpeg(picture: Picture) -> bytes:
    file = io.BytesIO()
    picture.save(file, "JPEG", quality=QUALITY)
    return file.getvalue()
