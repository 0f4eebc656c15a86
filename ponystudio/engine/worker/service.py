"""What the worker does with its engine: commands in, events and small pictures out."""

from __future__ import annotations

import io
from collections.abc import Callable, Mapping
from pathlib import Path
from threading import Event as Flag
from threading import Lock
from typing import Any

import torch
from PIL.Image import Image as Picture
from torch.nn.functional import interpolate

from ponystudio.api import Image, Recipe
from ponystudio.diffusion.families import families
from ponystudio.diffusion.images.picture_file import to_picture
from ponystudio.engine.cache.tensor_walk import tensors_of, weight
from ponystudio.engine.engine import Engine
from ponystudio.engine.memory.devices import choose, short_title
from ponystudio.engine.node_packs import load_packs
from ponystudio.engine.plan import Plan, Step
from ponystudio.engine.protocol.frame_writer import FrameWriter
from ponystudio.engine.protocol.frames import Frame
from ponystudio.engine.protocol.run_events import Event, Progress
from ponystudio.engine.protocol.run_request import RunRequest
from ponystudio.engine.run_services import RunObserver
from ponystudio.errors import BadInput, PonyStudioError
from ponystudio.graph.formats import graph_file as graph_format
from ponystudio.graph.formats.migrations import upgrade_nodes
from ponystudio.graph.model import Graph
from ponystudio.library.model_folders import ModelFolders

# Longest side of pictures that only show how far a run is, or what a node gave.
THUMBNAIL = 256
QUALITY = 85
# Documents whose last graph is kept, to know what of the next one is the same.
REMEMBERED = 16


class Service(RunObserver):
    """`execute` is for the executor's thread; `answer`, `report_memory` for any other one too."""

    def __init__(self, settings: Mapping[str, Any], outbox: FrameWriter, previews: Flag) -> None:
        """`settings` is the start command; `previews` is set while they are wanted.

        Raises UsageError for a device that is not here.
        """
        self._outbox, self._previews = outbox, previews
        self._run: int | None = None
        self._between: Callable[[], None] = lambda: None
        self._last_graphs: dict[str, Graph] = {}
        self._graphs_lock = Lock()
        nodes, cache = settings.get("nodes"), settings.get("cache_dir")
        self.engine = Engine(
            load_packs(Path(nodes) if nodes else None),
            choose(
                settings.get("device", "auto"),
                settings.get("dtype", "auto"),
                settings.get("memory", 0),
            ),
            cache_dir=Path(cache) if cache else None,
            cache_bytes=settings.get("cache_bytes"),
            emit=self._emit,
        )

    def hello(self) -> dict[str, Any]:
        return {
            "device": self.engine.choice.why,
            "device_title": short_title(self.engine.choice),
            "torch": torch.__version__,
            "families": sorted(families()),
            "catalog": self.engine.packs.catalog.to_json(),
        }

    def execute(
        self, message: Mapping[str, Any], cancel: Flag, between: Callable[[], None] = lambda: None
    ) -> None:
        """Carry out one command; `between` is called before each node of a run."""
        command = message["command"]
        if command == "clear":
            self.engine.clear()
            self.report_memory()
        elif command == "unload":
            self.engine.unload()
            self.report_memory()
        elif command == "submit":
            self._run = int(message["run"])
            try:
                self._run_graph(message, cancel, between)
            finally:
                self._run = None
            self.report_memory()

    def answer(self, message: Mapping[str, Any]) -> None:
        """Answer a plan or an upgrade."""
        if message["command"] == "upgrade":
            self._upgrade(message)
        else:
            self._plan(message)

    def _upgrade(self, message: Mapping[str, Any]) -> None:
        packs = self.engine.packs
        graph = graph_format.from_json(message["graph"])
        graph, notes = upgrade_nodes(graph, packs.upgrades, packs.catalog)
        answer = {"event": "upgraded", "graph": graph_format.to_json(graph), "notes": notes}
        self._outbox.send(Frame({**answer, "run": int(message["run"])}))

    def _plan(self, message: Mapping[str, Any]) -> None:
        """Tell what a run would do, as far as the graph has no errors."""
        errors: list[PonyStudioError] = []
        nodes: Mapping[str, str] = {}
        keys: Mapping[str, str] = {}
        try:
            nodes, keys, errors = self.engine.preview_plan(self._request(message))
        except BadInput as error:
            errors = [error]
        reports = [error.as_json() for error in errors]
        answer = {"event": "planned", "nodes": nodes, "keys": keys, "errors": reports}
        if errors and not nodes:
            answer = {"event": "refused", "errors": reports}
        self._outbox.send(Frame({**answer, "run": int(message["run"])}))

    def report_memory(self) -> None:
        message = {"event": "memory_use", **self.engine.memory().as_json()}
        self._outbox.send_latest("memory_use", lambda: Frame(message))

    def _run_graph(
        self, message: Mapping[str, Any], cancel: Flag, between: Callable[[], None]
    ) -> None:
        try:
            request, errors = self.engine.runnable_part(self._request(message))
        except BadInput as error:
            request, errors = None, [error]
        reports = [error.as_json() for error in errors]
        if request is None:
            self._send({"event": "refused", "errors": reports})
            return
        if reports:
            self._send({"event": "left_out", "errors": reports})
        try:
            self._between = between
            self.engine.run(request, cancel=cancel, observer=self)
        except PonyStudioError:
            pass  # the engine has told of it

    def _request(self, message: Mapping[str, Any]) -> RunRequest:
        scope = str(message.get("scope", ""))
        graph = graph_format.from_json(message["graph"])
        ignore_cache = bool(message.get("anew", False))
        if ignore_cache:  # of a picture: no document, whose old nodes are upgraded on opening
            packs = self.engine.packs
            graph, _ = upgrade_nodes(graph, packs.upgrades, packs.catalog)
        with self._graphs_lock:
            if scope in self._last_graphs:  # what did not change is checked and keyed already
                graph = graph_format.share_nodes(graph, self._last_graphs[scope])
            self._last_graphs.pop(scope, None)
            self._last_graphs[scope] = graph
            while len(self._last_graphs) > REMEMBERED:
                del self._last_graphs[next(iter(self._last_graphs))]
        targets, graph_dir = message.get("targets"), message.get("graph_dir")
        return RunRequest(
            graph=graph,
            folders=ModelFolders(
                [Path(root) for root in message["models"]], Path(graph_dir) if graph_dir else None
            ),
            output=Path(message["output"]),
            previews=Path(message["previews"]),
            targets=None if targets is None else tuple(targets),
            scope=scope,
            always_write=bool(message.get("always_write", False)),
            denoiser_on_cpu=bool(message.get("denoiser_on_cpu", False)),
            titled=True,
            ignore_cache=ignore_cache,
        )

    def _emit(self, event: Event) -> None:
        if isinstance(event, Progress):
            frame = Frame({**event.as_json(), "run": self._run})
            self._outbox.send_latest(("progress", self._run, event.node), lambda: frame)
        else:
            self._send(event.as_json())

    def _send(self, message: Mapping[str, Any], blob: bytes = b"") -> None:
        self._outbox.send(Frame({**message, "run": self._run}, blob))

    def between_nodes(self) -> None:
        self._between()

    def on_preview(self, node: str, make: Callable[[], Image]) -> None:
        if self._previews.is_set():
            message = {"event": "preview", "node": node, "run": self._run}
            self._outbox.send_latest(
                ("preview", self._run, node), _with_jpeg(message, _thumbnail(make()))
            )

    def on_plan(self, plan: Plan) -> None:
        """Which nodes will run: only then can it be said how long it will take."""
        steps = [step.node.id for step in plan.steps]
        self._send({"event": "run_planned", "steps": steps, "keys": plan.short_keys})

    def on_result(self, step: Step, outputs: Mapping[str, Any], seconds: float) -> None:
        """What the node gave, in short, and a small picture of pictures."""
        for name, value in outputs.items():
            message = {
                "event": "result",
                "run": self._run,
                "node": step.node.id,
                "output": name,
                "type": step.spec.output_by_name[name].type,
                "shapes": [list(tensor.shape) for tensor in tensors_of(value)],
                "text": _in_words(value),
                "bytes": weight(value),
                "seconds": round(seconds, 4),
            }
            key = ("result", self._run, step.node.id, name)
            if isinstance(value, Image):
                self._outbox.send_latest(key, _with_jpeg(message, _thumbnail(value)))
            else:
                frame = Frame(message)
                self._outbox.send_latest(key, lambda frame=frame: frame)  # type: ignore[misc]
        self.report_memory()


def _in_words(value: Any) -> str:
    """A value in words, where it is not best told by its shape."""
    if isinstance(value, Recipe):
        patches = f" + {len(value.patches)} LoRA" if value.patches else ""
        return f"{Path(value.path).stem}{patches}"
    return repr(value)[:200] if isinstance(value, str | int | float) else ""


def _thumbnail(image: Image) -> Picture:
    """The first picture of a batch, no longer than THUMBNAIL a side, off the device."""
    pixels = image.pixels[:1].float()
    longest = max(pixels.shape[-2:])
    if longest > THUMBNAIL:
        sides = [max(1, side * THUMBNAIL // longest) for side in pixels.shape[-2:]]
        pixels = interpolate(pixels, size=sides, mode="area")
    return to_picture(pixels[0])


def _with_jpeg(message: Mapping[str, Any], picture: Picture) -> Callable[[], Frame]:
    def make() -> Frame:
        file = io.BytesIO()
        picture.save(file, "JPEG", quality=QUALITY)
        return Frame(message, file.getvalue())

    return make
