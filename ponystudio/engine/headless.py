"""Runs without a window: what the command line does."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Event as Flag

from ponystudio.engine.engine import Engine
from ponystudio.engine.memory.devices import DeviceChoice, choose
from ponystudio.engine.node_packs import NodePacks, load_packs
from ponystudio.engine.protocol.run_events import Event, NodePlan
from ponystudio.engine.protocol.worker_messages import RunRequest
from ponystudio.graph.formats.metadata_policy import USUAL, MetadataPolicy
from ponystudio.graph.model import Graph
from ponystudio.library.model_folders import ModelFolders

OnEvent = Callable[[Event], None]


def run_graph(
    graph: Graph,
    *,
    folders: ModelFolders,
    output: Path,
    device: str = "auto",
    dtype: str = "auto",
    memory: int = 0,
    cache_dir: Path | None = None,
    index_path: Path | None = None,
    packs: NodePacks | None = None,
    targets: tuple[str, ...] | None = None,
    scope: str = "",
    always_write: bool = True,
    metadata: MetadataPolicy = USUAL,
    on_event: OnEvent = lambda _: None,
    cancel: Flag | None = None,
) -> None:
    """Run a graph and save into `output` what it saves; `on_event` gets the events of a run.

    `memory`: bytes that may be taken of the device's, 0 for what there is. `cache_dir` None keeps
    no results on disk, `index_path` None no hashes of model files. `targets` are the nodes to run,
    None those that save or show. `metadata`: what saved files say of how they were made. Raises
    the first error of the check (BadInput), RunError when a node fails, and Cancelled once `cancel`
    was set.
    """
    request = RunRequest(
        graph,
        folders,
        output,
        output / "previews",
        targets,
        scope,
        always_write,
        metadata=metadata,
    )
    with _engine(packs, choose(device, dtype, memory), cache_dir, index_path, on_event) as engine:
        if errors := engine.check(request):
            raise errors[0]
        engine.run(request, cancel=cancel)


def dry_run(
    graph: Graph,
    *,
    folders: ModelFolders,
    output: Path,
    device: str = "auto",
    dtype: str = "auto",
    memory: int = 0,
    cache_dir: Path | None = None,
    index_path: Path | None = None,
    packs: NodePacks | None = None,
    targets: tuple[str, ...] | None = None,
    scope: str = "",
) -> dict[str, NodePlan]:
    """For every node, in the order of the run, what the run would do with it.

    Raises the first error of the check.
    """
    request = RunRequest(graph, folders, output, output / "previews", targets, scope)
    with _engine(
        packs, choose(device, dtype, memory), cache_dir, index_path, lambda _: None
    ) as engine:
        if errors := engine.check(request):
            raise errors[0]
        return engine.explain(request)


@contextmanager
def _engine(
    packs: NodePacks | None,
    choice: DeviceChoice,
    cache_dir: Path | None,
    index_path: Path | None,
    on_event: OnEvent,
) -> Iterator[Engine]:
    engine = Engine(
        packs or load_packs(), choice, cache_dir=cache_dir, index_path=index_path, emit=on_event
    )
    try:
        yield engine
    finally:
        engine.close()
