"""A graph of four nodes whose work can be told: a latent, sampled, grown, saved."""

from __future__ import annotations

from ponystudio.api.spec import InputSpec, NodeSpec, OutputSpec, ParamSpec
from ponystudio.graph.catalog import Catalog
from ponystudio.graph.model import Graph, Link, Node


def spec(id, inputs=(), params=(), **more):
    return NodeSpec(
        id,
        1,
        id.title(),
        "Test",
        inputs=tuple(InputSpec(name, "latent") for name in inputs),
        outputs=(OutputSpec("latent", "latent"),),
        params=tuple(ParamSpec(name, "float", value) for name, value in params),
        **more,
    )


CATALOG = Catalog(
    [
        spec("empty", params=(("width", 512), ("height", 512), ("batch", 1))),
        spec("sample", ["latent"], (("steps", 20), ("seed", 0))),
        spec("grow", ["latent"], (("factor", 2.0),)),
        spec("save", ["latent"], effects=True),
    ]
)
GRAPH = Graph.of(
    Node("e", "empty", params={"width": 64, "height": 32, "batch": 2}),
    Node("s", "sample", params={"steps": 10}, inputs={"latent": Link("e", "latent")}),
    Node("g", "grow", inputs={"latent": Link("s", "latent")}),
    Node("out", "save", inputs={"latent": Link("g", "latent")}),
)
