"""What the studio is told of one run: its events, and small pictures of how far it is."""

from __future__ import annotations

import io
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

from msgspec import structs
from PIL.Image import Image as Picture
from torch.nn.functional import interpolate

from ponystudio.api import Image, Recipe
from ponystudio.diffusion.images.picture_file import to_picture
from ponystudio.engine.cache.tensor_walk import tensors_of, weight
from ponystudio.engine.plan import Plan, Step
from ponystudio.engine.protocol.frame_writer import FrameWriter
from ponystudio.engine.protocol.run_events import (
    Event,
    NodePreview,
    NodeResult,
    Progress,
    RunPlanned,
)
from ponystudio.engine.protocol.worker_messages import RunMessage
from ponystudio.engine.run_services import RunObserver

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
                bytes=weight(value),
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


def _with_jpeg(result: NodeResult, picture: Picture | None) -> NodeResult:
    return result if picture is None else structs.replace(result, jpeg=_jpeg(picture))


def _jpeg(picture: Picture) -> bytes:
    file = io.BytesIO()
    picture.save(file, "JPEG", quality=QUALITY)
    return file.getvalue()
