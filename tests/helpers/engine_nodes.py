"""Tiny nodes through the public API, with counters, and what runs them."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import Any, NamedTuple

from ponystudio.api import (
    Affects,
    Annotated,
    Choice,
    Context,
    File,
    Image,
    NodeType,
    Seed,
    Text,
    node,
)
from ponystudio.engine.engine import Engine
from ponystudio.engine.memory.devices import choose
from ponystudio.engine.node_packs import NodePacks
from ponystudio.engine.protocol.worker_messages import RunRequest
from ponystudio.graph.model import Graph, Link, Node
from ponystudio.library.model_folders import ModelFolders

CALLS: Counter[str] = Counter()
# What nodes were handed, where a test wants to know.
SEEN: list[list[Path]] = []


@node("test.number")
def number(*, value: float = 1.0, seed: Annotated[int, Seed()] = 0) -> float:
    CALLS["number"] += 1
    return value + seed


@node("test.add")
def add(a: float, b: float, *, bias: float = 0.0) -> float:
    CALLS["add"] += 1
    return a + b + bias


@node("test.slow")
def slow(a: float, *, seconds: float = 0.5) -> Image:
    """A grey picture that takes its time."""
    import torch

    CALLS["slow"] += 1
    time.sleep(seconds)
    return Image(torch.full((1, 3, 8, 8), a))


@node("test.grey")
def grey(*, level: float = 0.5, side: int = 8, batch: int = 1) -> Image:
    import torch

    CALLS["grey"] += 1
    return Image(torch.full((batch, 3, side, side), level))


class Halves(NamedTuple):
    left: Image
    right: Image


@node("test.halves")
def halves(
    image: Image,
    *,
    dim: Annotated[float, Affects("left")] = 1.0,
    bright: Annotated[float, Affects("right")] = 1.0,
) -> Halves:
    CALLS["halves"] += 1
    return Halves(Image(image.pixels * dim), Image(image.pixels * bright))


@node("test.spoil")
def spoil(image: Image) -> Image:
    image.pixels.mul_(0)
    return Image(image.pixels.clone())


@node("test.spoil_and_fail")
def spoil_and_fail(image: Image) -> Image:
    image.pixels.mul_(0)
    raise ValueError("after the damage was done")


@node("test.quit")
def quit(a: float) -> float:
    raise SystemExit(0)


class Row(NamedTuple):
    file: Annotated[Path, File("voices")] = Path("a.txt")


@node("test.read_rows")
def read_rows(*, files: list[Row] = []) -> str:  # noqa: B006 (an empty stack)
    CALLS["read_rows"] += 1
    SEEN.append([row.file for row in files])
    return str(len(files))


@node("test.nan")
def nan(image: Image) -> Image:
    return Image(image.pixels / 0 * 0)


@node("test.fail")
def fail(a: float, *, message: str = "the message") -> float:
    raise ValueError(message)


@node("test.first")
def first(image: Image, *, count: int = 1, height: int = 8) -> Image:
    return Image(image.pixels[:count, :, :height])


@node("test.mistyped")
def mistyped(a: float, *, nothing: bool = False) -> Image:
    return None if nothing else 5  # type: ignore[return-value]


@node("test.wait")
def wait(a: float, *, steps: int = 100, ctx: Context) -> float:
    for step in range(steps):
        time.sleep(0.02)
        ctx.progress(step + 1, steps)
    return a


@node("test.read")
def read(*, file: Annotated[Path, File("voices")] = Path("a.txt")) -> str:
    CALLS["read"] += 1
    return file.read_text()


@node("test.model_file")
def model_file(*, file: Annotated[Path, File("voices")] = Path("a.txt")) -> float:
    return float(len(file.read_text()))


@node("test.name")
def name(*, text: str = "a.txt") -> str:
    return text


@node("test.prompt")
def prompt(*, text: Annotated[str, Text(prompt=True)] = "") -> str:
    CALLS["prompt"] += 1
    return text


@node("test.hungry")
def hungry(
    image: Image, *, needs: Annotated[str, Choice(("frugal", "more"))] = "frugal", ctx: Context
) -> Image:
    import torch

    CALLS["hungry"] += 1
    if needs == "more" or not ctx.frugal:
        raise torch.OutOfMemoryError("CUDA out of memory")
    return Image(image.pixels * 0.5)


@node("test.save", effects=True)
def save(image: Image, *, prefix: str = "picture", ctx: Context) -> None:
    CALLS["save"] += 1
    ctx.save_picture(image, prefix=prefix, format="png")


@node("test.save_named", effects=True)
def save_named(
    image: Image, *, prefix: Annotated[str, Text(file_name=True)] = "picture", ctx: Context
) -> None:
    ctx.save_picture(image, prefix=prefix, format="png")


@node("test.note", effects=True)
def note(a: float) -> None:
    CALLS["note"] += 1
    SEEN.append(a)


SEEN: list[float] = []


def types() -> list[NodeType]:
    return [
        value.__ponystudio_node__
        for value in globals().values()
        if hasattr(value, "__ponystudio_node__")
    ]


def packs() -> NodePacks:
    return NodePacks.of(types(), sources={"": (Path(__file__),)})


def make(id: str, type: str, /, *, mode: str = "normal", **given: Any) -> Node:
    """A node; ("other", "output") is a link, everything else a param."""
    links = {k: Link(*v) for k, v in given.items() if isinstance(v, tuple)}
    params = {k: v for k, v in given.items() if not isinstance(v, tuple)}
    return Node(id, f"test.{type}", params=params, inputs=links, mode=mode)  # type: ignore[arg-type]


def graph(*nodes: Node) -> Graph:
    return Graph.of(*nodes)


class Studio:
    """An engine on the CPU with its events recorded."""

    def __init__(self, root: Path, *, cache: bool = False, disk: Path | None = None) -> None:
        self.root = root
        self.events: list[dict[str, Any]] = []
        self.engine = Engine(
            packs(),
            choose("cpu", "fp32"),
            cache_dir=disk or (root / "cache" if cache else None),
            index_path=root / "models.sqlite" if cache or disk else None,
            emit=lambda event: self.events.append(event.as_json()),
        )

    def request(self, graph: Graph, **more: Any) -> RunRequest:
        return RunRequest(
            graph,
            ModelFolders([self.root]),
            self.root / "output",
            self.root / "previews",
            **more,
        )

    def run(self, graph: Graph, *, cancel: Any = None, **more: Any) -> list[str]:
        """Runs; the ids of the nodes that ran."""
        self.events.clear()
        request = self.request(graph, **more)
        errors = self.engine.check(request)
        assert not errors, errors
        self.engine.run(request, cancel=cancel)
        return self.told("node_started")

    def explain(self, graph: Graph, **more: Any) -> dict[str, str]:
        plans = self.engine.explain(self.request(graph, **more))
        return {id: plan.text for id, plan in plans.items()}

    def told(self, event: str, field: str = "node") -> list[Any]:
        return [item[field] for item in self.events if item["event"] == event]

    def cached(self) -> dict[str, str]:
        return {
            item["node"]: item["cached"]
            for item in self.events
            if item["event"] == "node_finished" and item["cached"]
        }

    def __enter__(self) -> Studio:
        CALLS.clear()
        SEEN.clear()
        return self

    def __exit__(self, *_: object) -> None:
        self.engine.close()


def names(paths: Iterable[Path]) -> list[str]:
    return sorted(path.name for path in paths)
