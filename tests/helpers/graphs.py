"""A small catalog of arithmetic nodes, and graphs of them, for the tests of ponystudio.graph."""

from __future__ import annotations

from dataclasses import replace

from ponystudio.api import InputSpec, NodeSpec, OutputSpec, ParamSpec
from ponystudio.graph.catalog import Catalog
from ponystudio.graph.model import Graph, Link, Mode, Node

STACK = ParamSpec(
    "stack",
    "rows",
    default=[],
    fields=(
        ParamSpec("file", "file", "", kind="loras"),
        ParamSpec("strength", "float", 1.0, low=-2, high=2, affects=("model",)),
    ),
)
SPECS = (
    NodeSpec(
        "t.load",
        1,
        "Load",
        "Test",
        outputs=(OutputSpec("model", "model"), OutputSpec("clip", "clip")),
        params=(ParamSpec("file", "file", "a.safetensors", kind="checkpoints"),),
        pack="pack",
    ),
    NodeSpec(
        "t.patch",
        1,
        "Patch",
        "Test",
        inputs=(
            InputSpec("model", "model", affects=("model",)),
            InputSpec("clip", "clip", affects=("clip",)),
        ),
        outputs=(OutputSpec("model", "model"), OutputSpec("clip", "clip")),
        params=(
            ParamSpec("file", "file", "l.safetensors", kind="loras"),
            ParamSpec("strength", "float", 1.0, affects=("model",)),
            ParamSpec("clip_strength", "float", 1.0, affects=("clip",)),
            STACK,
        ),
        pack="pack",
    ),
    NodeSpec(
        "t.encode",
        1,
        "Encode",
        "Test",
        inputs=(InputSpec("clip", "clip"),),
        outputs=(OutputSpec("conditioning", "conditioning"),),
        params=(ParamSpec("text", "text", ""),),
        pack="pack",
    ),
    NodeSpec(
        "t.sample",
        2,
        "Sample",
        "Test",
        inputs=(
            InputSpec("model", "model"),
            InputSpec("positive", "conditioning"),
            InputSpec("latent", "latent", optional=True),
        ),
        outputs=(OutputSpec("latent", "latent"),),
        params=(
            ParamSpec("seed", "seed", 0, low=0, high=2**64 - 1),
            ParamSpec("steps", "int", 20, low=1, high=1000),
            ParamSpec("cfg", "float", 7.0, low=0, high=100),
            ParamSpec("sampler", "choice", "euler", choices=("euler", "heun", "dpmpp_2m")),
            ParamSpec("verbose", "bool", False, cosmetic=True),
        ),
        pack="pack",
    ),
    NodeSpec(
        "t.blend",
        1,
        "Blend",
        "Test",
        inputs=(
            InputSpec("a", "latent"),
            InputSpec("mask", "mask", True),
            InputSpec("b", "latent"),
        ),
        outputs=(
            OutputSpec("first", "latent"),
            OutputSpec("second", "latent"),
            OutputSpec("image", "image"),
        ),
        params=(ParamSpec("by", "float", 0.5, low=0, high=1),),
        exact=True,
        pack="pack",
    ),
    NodeSpec(
        "t.number",
        1,
        "Number",
        "Test",
        outputs=(OutputSpec("int", "int"),),
        pack="other",
        exact=True,
    ),
    NodeSpec(
        "t.save",
        1,
        "Save",
        "Test",
        inputs=(InputSpec("latent", "latent"),),
        params=(ParamSpec("prefix", "text", "out"),),
        effects=True,
        pack="pack",
    ),
)
CATALOG = Catalog(SPECS)


def node(id: str, type: str, mode: Mode = "normal", /, **values: object) -> Node:
    """A node of the tiny catalog: "other.output" texts for sockets are links, the rest params."""
    spec = CATALOG[type]
    links = {k: v for k, v in values.items() if k in spec.input_by_name}
    inputs = {k: Link(*str(v).split(".")) for k, v in links.items()}
    params = {k: v for k, v in values.items() if k not in links}
    return Node(id, type, spec.version, params=params, inputs=inputs, mode=mode)


def picture(**sampler: object) -> Graph:
    """load → encode → sample → save."""
    values = {"model": "load.model", "positive": "text.conditioning", "seed": 1, **sampler}
    return Graph.of(
        node("load", "t.load", file="pony.safetensors"),
        node("text", "t.encode", clip="load.clip", text="a pony"),
        node("sample", "t.sample", **values),
        node("save", "t.save", latent="sample.latent"),
    )


def with_mode(graph: Graph, id: str, mode: Mode) -> Graph:
    return graph.with_nodes([replace(graph.nodes[id], mode=mode)])


def linked(graph: Graph, target: str, socket: str, source: str, output: str) -> Graph:
    node = graph.nodes[target]
    return graph.with_nodes([replace(node, inputs={**node.inputs, socket: Link(source, output)})])
