"""Which sockets fit together, why others do not, and the edits that wire them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from ponystudio.api.spec import NodeSpec, ParamSpec, can_feed
from ponystudio.graph.editing.edits import REMOVED, Connect, Disconnect, Edit, SetView
from ponystudio.graph.model import Graph, Link
from ponystudio.graph.topology import ancestors

Specs = Mapping[str, NodeSpec]
Wire = tuple[str, str]
"""(target node, input): a wire is named by the place it leads to, of which each has one at most."""

# What a node works with, rather than on: the same one serves many nodes.
TOOLS = frozenset(
    (
        *("model", "clip", "vae", "upscaler", "controlnet"),
        *("vision", "style_model", "gligen", "aesthetic_head"),
    )
)
_TITLES = {
    "int": "Integer",
    "bool": "Yes / no",
    "controlnet": "ControlNet",
    "gligen": "GLIGEN",
    "vision": "Image encoder",
    "vision_output": "Seen",
    "any": "Any",
}


@dataclass(frozen=True)
class Bridge:
    """A node that stands between two sockets which do not fit, and what of it to wire."""

    spec: NodeSpec
    input: str
    output: str


@dataclass(frozen=True)
class Fit:
    """Whether a wire may be, and if not why, in plain words. `bridge`: what would make it fit."""

    ok: bool
    reason: str = ""
    bridge: Bridge | None = None

    @property
    def remedy(self) -> str:
        return f"Put {self.bridge.spec.title} between" if self.bridge else ""


FITS = Fit(True)


@dataclass(frozen=True)
class Pair:
    """A wire that could be."""

    source: str
    output: str
    target: str
    input: str

    def connect(self) -> Connect:
        return Connect(self.source, self.output, self.target, self.input)


def type_title(type: str) -> str:
    """A socket type as people read it: "Latent", "Yes / no"."""
    name = type.removesuffix("[]")
    title = _TITLES.get(name) or name.replace("_", " ").capitalize()
    return f"{title} list" if name != type else title


def output_type(graph: Graph, specs: Specs, node: str, output: str) -> str:
    """The type of an output; "any" where it is not known."""
    spec = _spec(graph, specs, node)
    found = spec.output_by_name.get(output) if spec else None
    return found.type if found else "any"


def input_type(graph: Graph, specs: Specs, node: str, input: str) -> str:
    """The type of an input or of the socket that a param turns into; "any" if not known."""
    spec = _spec(graph, specs, node)
    return spec_input_type(spec, input) if spec else "any"


def spec_input_type(spec: NodeSpec, input: str) -> str:
    if socket := spec.input_by_name.get(input):
        return socket.type
    param = spec.param_by_name.get(input)
    return param.socket_type if param else "any"


def fit(graph: Graph, specs: Specs, source: str, output: str, target: str, input: str) -> Fit:
    """Whether a wire from an output to an input or param may be."""
    if source == target:
        return Fit(False, "A node cannot feed itself")
    spec = _spec(graph, specs, target)
    if spec and (param := spec.param_by_name.get(input)) and not takes_wire(param):
        return Fit(False, f"{param.title or param.name} cannot be fed by a wire")
    if target in ancestors(graph, (source,)):
        return Fit(False, "That would make a circle: the result would need itself")
    given, taken = (
        output_type(graph, specs, source, output),
        input_type(graph, specs, target, input),
    )
    if can_feed(given, taken):
        return FITS
    reason = f"{type_title(taken)} does not take {type_title(given)}"
    return Fit(False, reason, bridge(specs, given, taken))


def takes_wire(param: ParamSpec) -> bool:
    """Whether a param can be turned into a socket."""
    return param.type != "rows"


def bridge(specs: Specs, given: str, taken: str) -> Bridge | None:
    """The node that best turns one type into another: image into latent, clip into conditioning.

    It works on what is given, with tools at most, and does not want the other type itself (Apply
    LoRA does not turn a clip into a model).
    """
    found = [
        (len(spec.inputs), len(spec.outputs), index, Bridge(spec, socket.name, output.name))
        for index, spec in enumerate(specs.values())
        for output in spec.outputs[:1]
        if output.type == taken != "any" and all(item.type != taken for item in spec.inputs)
        for socket in spec.inputs
        if socket.type == given and _only_tools_beside(spec, socket.name)
    ]
    return min(found, key=lambda item: item[:3])[3] if found else None


def _only_tools_beside(spec: NodeSpec, name: str) -> bool:
    others = [item for item in spec.inputs if item.name != name and not item.optional]
    if not others:
        return True
    return spec.input_by_name[name].type not in TOOLS and all(o.type in TOOLS for o in others)


def connect(graph: Graph, pair: Pair) -> list[Edit]:
    """A wire, in place of the one that is there; the old one's dots go with it."""
    old = graph.nodes[pair.target].inputs.get(pair.input)
    if old == Link(pair.source, pair.output):
        return []
    return [*without_dots(graph, [(pair.target, pair.input)]), pair.connect()]


def disconnect(graph: Graph, wires: Iterable[Wire]) -> list[Edit]:
    """These wires away, with their dots."""
    found = [
        (target, input)
        for target, input in dict.fromkeys(wires)
        if target in graph.nodes and input in graph.nodes[target].inputs
    ]
    return [*without_dots(graph, found), *(Disconnect(*wire) for wire in found)]


def wires_from(graph: Graph, node: str, output: str | None = None) -> list[Wire]:
    """The wires out of a node, or out of one of its outputs."""
    return [
        (other.id, input)
        for other in graph.nodes.values()
        if node in other.sources
        for input, link in other.inputs.items()
        if link.source == node and output in (None, link.output)
    ]


def best_input(graph: Graph, specs: Specs, source: str, output: str, target: str) -> Pair | None:
    """The input of a node that an output is most likely meant for, or None."""
    return best_pair(graph, specs, source, target, output=output)


def best_output(graph: Graph, specs: Specs, target: str, input: str, source: str) -> Pair | None:
    """The output of a node that most likely feeds an input, or None."""
    return best_pair(graph, specs, source, target, input=input)


def best_pair(
    graph: Graph,
    specs: Specs,
    source: str,
    target: str,
    output: str | None = None,
    input: str | None = None,
) -> Pair | None:
    """The wire most likely meant between two nodes: into what is needed and free, type by type.

    With `output` or `input` only from or into that one. Params are taken only if they are shown as
    sockets, or asked for by name.
    """
    if source == target or target in ancestors(graph, (source,)):
        return None
    found = [
        (rank, Pair(source, out_name, target, in_name))
        for o, (out_name, given) in enumerate(outputs(graph, specs, source))
        if output in (None, out_name)
        for i, (in_name, taken, optional) in enumerate(_inputs(graph, specs, target, input))
        if can_feed(given, taken)
        for rank in [(in_name in graph.nodes[target].inputs, given != taken, optional, o, i)]
    ]
    return min(found, key=lambda item: item[0])[1] if found else None


def outputs(graph: Graph, specs: Specs, node: str) -> list[tuple[str, str]]:
    """(name, type) of a node's outputs; of an unknown node those that are in use."""
    spec = _spec(graph, specs, node)
    if spec:
        return [(item.name, item.type) for item in spec.outputs]
    used = {
        link.output
        for other in graph.nodes.values()
        for link in other.inputs.values()
        if link.source == node
    }
    return [(name, "any") for name in sorted(used)]


def _inputs(
    graph: Graph, specs: Specs, node: str, only: str | None
) -> Iterator[tuple[str, str, bool]]:
    spec = _spec(graph, specs, node)
    if spec is None:
        yield from (
            (name, "any", True) for name in graph.nodes[node].inputs if only in (None, name)
        )
        return
    shown = _names(looks(graph, node).get("sockets"))
    for item in spec.inputs:
        if only in (None, item.name):
            yield item.name, item.type, item.optional
    for param in spec.params:
        wanted = only == param.name or (only is None and param.name in shown)
        if wanted and takes_wire(param):
            yield param.name, param.socket_type, True


def show_socket(graph: Graph, node: str, param: str) -> list[Edit]:
    """A param shown as a socket, ready for a wire."""
    shown = _names(looks(graph, node).get("sockets"))
    if param in shown:
        return []
    return [SetView(("nodes", node, "sockets"), [*shown, param])]


def hide_socket(graph: Graph, node: str, param: str) -> list[Edit]:
    """A param's socket back to its value; a wire into it goes."""
    edits = disconnect(graph, [(node, param)])
    shown = _names(looks(graph, node).get("sockets"))
    if param in shown:
        rest = [name for name in shown if name != param]
        edits.append(SetView(("nodes", node, "sockets"), rest or REMOVED))
    return edits


def looks(graph: Graph, node: str) -> Mapping[str, object]:
    found = graph.view.get("nodes", {}).get(node, {})
    return found if isinstance(found, Mapping) else {}


def dots(graph: Graph, wire: Wire) -> list[list[float]]:
    """The reroute dots of a wire, from source to target."""
    entry = looks(graph, wire[0]).get("dots")
    found = entry.get(wire[1]) if isinstance(entry, Mapping) else None
    return [list(dot) for dot in found] if isinstance(found, list | tuple) else []


def set_dots(graph: Graph, wire: Wire, points: Iterable[Iterable[float]]) -> list[Edit]:
    """Other dots on a wire; none: no entry."""
    new = [[float(value) for value in point] for point in points]
    old = dots(graph, wire)
    if new == old:
        return []
    if not new:
        return without_dots(graph, [wire])
    return [SetView(("nodes", wire[0], "dots", wire[1]), new)]


def with_dot(graph: Graph, wire: Wire, index: int, pos: tuple[float, float]) -> list[Edit]:
    """One dot more on a wire, as its `index`-th."""
    found = dots(graph, wire)
    return set_dots(graph, wire, [*found[:index], list(pos), *found[index:]])


def without_dot(graph: Graph, wire: Wire, index: int) -> list[Edit]:
    found = dots(graph, wire)
    return set_dots(graph, wire, [*found[:index], *found[index + 1 :]])


def without_dots(graph: Graph, wires: Iterable[Wire]) -> list[Edit]:
    """No dots on these wires; a card with none left has no entry for them."""
    gone: dict[str, set[str]] = {}
    for target, input in wires:
        gone.setdefault(target, set()).add(input)
    edits: list[Edit] = []
    for node, names in gone.items():
        entry = looks(graph, node).get("dots")
        if not isinstance(entry, Mapping) or names.isdisjoint(entry):
            continue
        path = ("nodes", node, "dots")
        if names >= entry.keys():
            edits.append(SetView(path, REMOVED))
        else:
            edits += [SetView((*path, name), REMOVED) for name in sorted(names & entry.keys())]
    return edits


def _names(value: object) -> list[str]:
    return [name for name in value if isinstance(name, str)] if isinstance(value, list) else []


def _spec(graph: Graph, specs: Specs, node: str) -> NodeSpec | None:
    found = graph.nodes.get(node)
    return specs.get(found.type) if found else None
