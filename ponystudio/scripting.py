"""Graphs made by a script: each call adds a node, and `run` makes what they describe.

    from ponystudio.scripting import GraphScript

    graph = GraphScript()
    model, clip, vae, _ = graph.load_checkpoint(file="starter.safetensors")
    words = graph.encode_prompt(clip=clip, text="unicorn, flat, blue background")
    nothing = graph.encode_prompt(clip=clip)
    latent = graph.empty_latent(width=256, height=256)
    latent = graph.sample(model=model, positive=words, negative=nothing, latent=latent, seed=1)
    graph.save_image(image=graph.decode_latent(vae=vae, latent=latent))
    print(*graph.run(output="pictures"))

Nodes run as they do in the studio: each once, with its results cached, checked before anything
starts. `ponystudio export --to python` writes such a script.
"""

from __future__ import annotations

from collections import namedtuple
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import chain, count
from pathlib import Path
from typing import Any

from ponystudio.api.spec import NodeSpec
from ponystudio.engine.node_packs import NodePacks, load_packs
from ponystudio.engine.protocol.run_events import Event, Output
from ponystudio.errors import UnknownNode
from ponystudio.graph.catalog import did_you_mean
from ponystudio.graph.model import Graph, Link, Node
from ponystudio.library.model_folders import ModelFolders, default_roots

# Whose nodes are called by their names alone.
_CORE = "core."


@dataclass(frozen=True)
class NodeOutput:
    """What an output of a node will give: hand it to another node."""

    link: Link


class GraphScript:
    """A graph in the making. Every node of `ponystudio nodes` is a method: those of the core by
    their names (`graph.load_checkpoint` is core.load_checkpoint), others by `add`."""

    def __init__(self, packs: NodePacks | None = None) -> None:
        self._packs = packs or load_packs()
        self._nodes: dict[str, Node] = {}

    @property
    def graph(self) -> Graph:
        """What was added so far."""
        return Graph(dict(self._nodes))

    def add(self, type: str, /, **given: Any) -> Any:
        """Add a node of a type, with its params and what its sockets are given, all by name.

        Gives the NodeOutput of it, of several a tuple that knows their names, of none None.
        Raises UnknownNode.
        """
        spec = self._packs.catalog.get(type)
        if spec is None:
            raise UnknownNode(
                f"There is no node {type}.", remedy=did_you_mean(type, self._packs.catalog)
            )
        name = type.rpartition(".")[2]
        ids = chain((name,), map(f"{name}_{{}}".format, count(2)))
        id = next(id for id in ids if id not in self._nodes)
        links = {k: value.link for k, value in given.items() if isinstance(value, NodeOutput)}
        params = {k: _plain(value) for k, value in given.items() if k not in links}
        self._nodes[id] = Node(id, type, spec.version, params, links)
        return _outputs(id, spec)

    def __getattr__(self, name: str) -> Callable[..., Any]:
        if name.startswith("_") or f"{_CORE}{name}" not in self._packs.catalog:
            known = did_you_mean(f"{_CORE}{name}", self._packs.catalog)
            raise AttributeError(f"There is no node {_CORE}{name}. {known}".rstrip())
        return partial(self.add, f"{_CORE}{name}")

    def run(
        self,
        *,
        output: str | Path,
        models: Sequence[str | Path] = (),
        folder: str | Path | None = None,
        device: str = "auto",
        dtype: str = "auto",
        on_event: Callable[[Event], None] = lambda _: None,
    ) -> list[Path]:
        """Run all that saves or shows something, and give the files that it wrote, in `output`.

        `models` are folders of models, before the user's own; `folder` is that in which pictures
        are looked for which the graph names without a folder. `device` and `dtype` are those of
        `ponystudio run`. Raises BadInput before anything runs, RunError when a node fails.
        """
        from ponystudio.engine.headless import run_graph

        written: list[Path] = []

        def heard(event: Event) -> None:
            if isinstance(event, Output):
                written.append(Path(event.path))
            on_event(event)

        run_graph(
            self.graph,
            folders=ModelFolders(
                [*map(Path, models), *default_roots()], Path(folder) if folder else None
            ),
            output=Path(output).absolute(),
            device=device,
            dtype=dtype,
            packs=self._packs,
            on_event=heard,
        )
        return written


def _outputs(id: str, spec: NodeSpec) -> Any:
    values = [NodeOutput(Link(id, output.name)) for output in spec.outputs]
    if len(values) < 2:
        return values[0] if values else None
    names = [output.name for output in spec.outputs]
    of: Callable[..., Any] = namedtuple  # mypy wants to read the names
    return of("Outputs", names)(*values)


def _plain(value: Any) -> Any:
    """A param as a graph has it."""
    return value.as_posix() if isinstance(value, Path) else value
