"""Small graphs of made-up nodes, shown in a scene and a view."""

from __future__ import annotations

from typing import Any

from ponystudio.api.spec import InputSpec, NodeSpec, OutputSpec, ParamSpec
from ponystudio.graph.catalog import Catalog
from ponystudio.graph.model import Graph, Link, Node
from ponystudio.studio.documents.editable_graph import EditableGraph

SOURCE = NodeSpec(
    "t.source",
    1,
    "Source",
    "Latent",
    outputs=(OutputSpec("latent", "latent"), OutputSpec("model", "model")),
)
SAMPLE = NodeSpec(
    "t.sample",
    1,
    "Sample",
    "Sampling",
    inputs=(
        InputSpec("model", "model"),
        InputSpec("latent", "latent"),
        InputSpec("mask", "mask", optional=True),
    ),
    outputs=(OutputSpec("latent", "latent"),),
    params=(
        ParamSpec("steps", "int", 20, low=1, high=100, soft=(1, 60)),
        ParamSpec("cfg", "float", 7.0, low=0, high=100, soft=(1, 15), step=0.5),
    ),
    help="Denoise a latent step by step.",
)
SHOW = NodeSpec("t.show", 1, "Show", "Image", inputs=(InputSpec("image", "image"),), effects=True)
CATALOG = Catalog([SOURCE, SAMPLE, SHOW])


def node(id: str, type: str, inputs: dict[str, tuple[str, str]] | None = None, **rest: Any) -> Node:
    links = {name: Link(*link) for name, link in (inputs or {}).items()}
    return Node(id, type, inputs=links, **rest)


def chain() -> EditableGraph:
    """source → sample → second, 80 px apart."""
    return EditableGraph(
        Graph(
            nodes={
                item.id: item
                for item in (
                    node("source", "t.source"),
                    node(
                        "sample",
                        "t.sample",
                        {"model": ("source", "model"), "latent": ("source", "latent")},
                    ),
                    node("second", "t.sample", {"latent": ("sample", "latent")}),
                )
            },
            view={
                "nodes": {
                    "source": {"pos": [0, 0]},
                    "sample": {"pos": [320, 0]},
                    "second": {"pos": [640, 0]},
                }
            },
        ),
        CATALOG,
    )
