"""Which part a model had in a picture, in IPTC's words for where a picture comes from.

Laws on generated media ask for such a mark that machines read. The graph tells: pictures flow from
files and from models to the node that saves.

- A picture file that is loaded is somebody's own.
- What samples, or upscales by a network, makes pixels of a model's. A sampler that begins from a
  picture repaints all of it; with a mask on the way it keeps a part of it. What takes a picture and
  not its latent (an upscaler, a pack's detailer) is taken to keep some of it.
- All others pass on what they are given; where two pictures meet, both are in the result.

So a picture is TRAINED where models made all of it, COMPOSITE where something of a loaded one is
left in it, and neither where no model had a part: then nothing is claimed.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from ponystudio.api.spec import NodeSpec
from ponystudio.graph.model import Graph, Node
from ponystudio.graph.topology import ancestors, order

_VOCABULARY = "http://cv.iptc.org/newscodes/digitalsourcetype/"
TRAINED = f"{_VOCABULARY}trainedAlgorithmicMedia"
COMPOSITE = f"{_VOCABULARY}compositeWithTrainedAlgorithmicMedia"

_PIXELS = ("image", "latent", "any")
# A node that takes one of these and gives a picture has a model make it.
_MAKERS = ("guider", "upscaler")
# Files that hold pictures, and latents, which only a model's encoder makes.
_PICTURES, _LATENTS = "input", "latents"


class _Content(NamedTuple):
    """What is in a picture or latent: of a file, of a model; `masked`: a part of it is kept."""

    loaded: bool = False
    made: bool = False
    masked: bool = False

    def __or__(self, other: _Content) -> _Content:
        return _Content(*(one or two for one, two in zip(self, other, strict=True)))


def source_type(graph: Graph, catalog: Mapping[str, NodeSpec], node: str) -> str:
    """TRAINED, COMPOSITE or "" of what `node` saves; `graph` is the one that ran."""
    found: dict[tuple[str, str], _Content] = {}
    for id in order(graph, ancestors(graph, [node])):
        item, spec = graph.nodes[id], catalog.get(graph.nodes[id].type)
        if spec is None:
            continue
        if id == node:
            content = _given(item, spec, "", found)
            return "" if not content.made else COMPOSITE if content.loaded else TRAINED
        for output in spec.outputs:
            if output.type in _PIXELS:
                found[id, output.name] = _content(item, spec, output.name, output.type, found)
    return ""


def _content(
    node: Node, spec: NodeSpec, output: str, type: str, found: Mapping[tuple[str, str], _Content]
) -> _Content:
    content = _given(node, spec, output, found)
    kinds = {param.kind for param in spec.params if param.type == "file"}
    if type == "latent" and _is_masked(node, spec, output):
        content |= _Content(masked=True)
    if _PICTURES in kinds:
        content |= _Content(loaded=True)
    if _LATENTS in kinds:
        content |= _Content(made=True)
    if not _makes(node, spec):
        return content
    takes_latent = any(spec.input_by_name[name].type == "latent" for name in _linked(node, spec))
    kept = content.loaded and (content.masked or not takes_latent)
    return _Content(loaded=kept, made=True)


def _given(
    node: Node, spec: NodeSpec, output: str, found: Mapping[tuple[str, str], _Content]
) -> _Content:
    """Of all pictures that feed one of its outputs, or the node at all."""
    content = _Content()
    for name in _linked(node, spec):
        socket = spec.input_by_name[name]
        if socket.type in _PIXELS and (not output or output in (socket.affects or (output,))):
            link = node.inputs[name]
            content |= found.get((link.source, link.output), _Content())
    return content


def _makes(node: Node, spec: NodeSpec) -> bool:
    """Whether a model makes what it gives: with a model alone it may only draw a diagram of it."""
    types = {spec.input_by_name[name].type for name in _linked(node, spec)}
    prompted = bool(types & {"conditioning", "latent", "image"})
    return bool(types & set(_MAKERS)) or ("model" in types and prompted)


def _is_masked(node: Node, spec: NodeSpec, output: str) -> bool:
    """Whether it says where a model works; a mask called alpha is a picture's transparency."""
    sockets = [spec.input_by_name[name] for name in _linked(node, spec) if name != "alpha"]
    return any(
        socket.type == "mask" and output in (socket.affects or (output,)) for socket in sockets
    )


def _linked(node: Node, spec: NodeSpec) -> list[str]:
    return [name for name in node.inputs if name in spec.input_by_name]
