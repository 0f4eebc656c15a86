"""Where cards go: layers from left to right, rows, columns, frames around.

All of it is about boxes by node id and gives new top left corners, on the grid of 8. networkx is
loaded when something is laid out: it takes a quarter of a second.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Literal

from ponystudio.api.spec import NodeSpec
from ponystudio.graph.editing.edits import Edit, SetView
from ponystudio.graph.model import Graph
from ponystudio.graph.topology import dependents

if TYPE_CHECKING:
    from networkx import DiGraph

Point = tuple[float, float]
Size = tuple[float, float]
Specs = Mapping[str, NodeSpec]
Box = tuple[float, float, float, float]
"""x, y, width, height."""
Side = Literal["left", "right", "top", "bottom", "middle", "centre"]
"""middle: on one height; centre: one above the other."""

GRID = 8
GAP_X, GAP_Y = 64, 40
_SWEEPS = 6
_FRAME_PAD, _FRAME_TITLE = 24, 40
# From so many nodes on one edit of the whole layout is quicker than one for each.
_MANY = 64


def moves(graph: Graph, positions: Mapping[str, Point]) -> list[Edit]:
    """The edits that put nodes there; none for those that are there already."""
    looks = graph.view.get("nodes", {})
    new = {
        id: [_number(x), _number(y)]
        for id, (x, y) in positions.items()
        if id in graph.nodes and looks.get(id, {}).get("pos") != [x, y]
    }
    if len(new) < _MANY:
        return [SetView(("nodes", id, "pos"), pos) for id, pos in new.items()]
    everything = dict(looks)
    everything.update((id, {**looks.get(id, {}), "pos": pos}) for id, pos in new.items())
    return [SetView(("nodes",), everything)]


def missing_positions(
    graph: Graph, sizes: Mapping[str, Size], taken: Iterable[Box], specs: Specs | None = None
) -> dict[str, Point]:
    """Places for nodes that have none: laid out on their own, below all that is there."""
    boxes = {id: (0.0, 0.0, *size) for id, size in sizes.items()}
    there = list(taken)
    if not there:
        return layered(graph, boxes, (0.0, 0.0), specs)
    left, _, _, bottom = _span(there)
    return layered(graph, boxes, (left, bottom + 2 * GAP_Y), specs)


def tidy(graph: Graph, boxes: Mapping[str, Box], specs: Specs | None = None) -> dict[str, Point]:
    """Nodes in layers from left to right, their top left corner where it was."""
    if not boxes:
        return {}
    corner = min(b[0] for b in boxes.values()), min(b[1] for b in boxes.values())
    return layered(graph, boxes, corner, specs)


def layered(
    graph: Graph, boxes: Mapping[str, Box], corner: Point, specs: Specs | None = None
) -> dict[str, Point]:
    """Every node right of what feeds it, on one height with it where there is room.

    Parts that no wire joins come one below the other. Sources lie in the order of the sockets that
    they feed, as far as `specs` knows it.
    """
    if not boxes:
        return {}
    ports = _ports(graph, boxes, specs or {})
    wires = _wires(graph, boxes)
    depths = _depths(wires)
    x0, y = _snap(corner[0]), float(_snap(corner[1]))
    result: dict[str, Point] = {}
    for part in _parts(boxes, wires):
        layers = _ordered(_layers(part, wires, depths), boxes, wires, ports)
        xs = _columns(layers, boxes, x0)
        ys = _heights(layers, boxes, wires)
        shift = y - min(ys.values())
        for layer, x in zip(layers, xs, strict=True):
            for id in layer:
                result[id] = (x, _snap(ys[id] + shift))
        y = max(result[id][1] + boxes[id][3] for id in part) + 2 * GAP_Y
    return result


def align(boxes: Mapping[str, Box], side: Side) -> dict[str, Point]:
    """Nodes on one line, that of the outermost of them (middle, centre: of all together)."""
    if not boxes:
        return {}
    left, top, right, bottom = _span(boxes.values())
    result: dict[str, Point] = {}
    for id, (x, y, w, h) in boxes.items():
        match side:
            case "left":
                x = left
            case "right":
                x = right - w
            case "top":
                y = top
            case "bottom":
                y = bottom - h
            case "middle":
                y = (top + bottom - h) / 2
            case "centre":
                x = (left + right - w) / 2
        result[id] = (_snap(x), _snap(y)) if side in ("middle", "centre") else (x, y)
    return result


def distribute(boxes: Mapping[str, Box], axis: Literal["x", "y"]) -> dict[str, Point]:
    """Equal gaps between nodes, the outermost where they are unless there is no room."""
    i = 0 if axis == "x" else 1
    ids = sorted(boxes, key=lambda id: boxes[id][i] + boxes[id][i + 2] / 2)
    if len(ids) < 3:
        return {}
    first, last = boxes[ids[0]], boxes[ids[-1]]
    room = last[i] + last[i + 2] - first[i] - sum(boxes[id][i + 2] for id in ids)
    gap = max(room / (len(ids) - 1), GRID)
    at = first[i]
    result: dict[str, Point] = {}
    for id in ids:
        x, y, *size = boxes[id]
        place = _snap(at)
        result[id] = (place, y) if axis == "x" else (x, place)
        at += size[i] + gap
    return result


def frame_around(boxes: Iterable[Box]) -> tuple[list[int], list[int]]:
    """Position and size of a frame around boxes, with room for its title."""
    left, top, right, bottom = _span(boxes)
    x, y = _snap(left - _FRAME_PAD), _snap(top - _FRAME_TITLE)
    return [x, y], [_up(right + _FRAME_PAD - x), _up(bottom + _FRAME_PAD - y)]


def inside(frame: Box, boxes: Mapping[str, Box]) -> list[str]:
    """The nodes that lie wholly inside a frame: its contents."""
    x, y, w, h = frame
    return [
        id
        for id, (bx, by, bw, bh) in boxes.items()
        if x <= bx and y <= by and bx + bw <= x + w and by + bh <= y + h
    ]


def make_room(graph: Graph, boxes: Mapping[str, Box], node: str) -> dict[str, Point]:
    """New places for a node that was put into a wire and for all that needs it, so that it stands
    right of what feeds it and nothing covers it: what comes after moves right as far as it must.

    Nothing moves where a wire leads backwards, or where there is room already.
    """
    x, y, w, h = boxes[node]
    before = [boxes[id] for id in graph.nodes[node].sources if id in boxes and id != node]
    after = [boxes[id] for id in boxes if id != node and node in graph.nodes[id].sources]
    if not after or not before or min(b[0] for b in after) < max(b[0] for b in before):
        return {}
    beside = [b for b in before if b[1] < y + h and y < b[1] + b[3]]
    new_x = max([x, *(_up(b[0] + b[2] + GAP_Y) for b in beside)])
    result: dict[str, Point] = {node: (new_x, y)} if new_x != x else {}
    need = _up(new_x + w + GAP_Y - min(b[0] for b in after))
    if need <= 0:
        return result
    for id in (dependents(graph, [node]) - {node}) & boxes.keys():
        result[id] = (boxes[id][0] + need, boxes[id][1])
    return result


def free_place(box: Box, taken: Iterable[Box], gap: float = GAP_Y) -> Point:
    """Where a new box may stand without covering others: there, or further down."""
    x, y, w, h = box
    for bx, by, bw, bh in sorted(taken, key=lambda item: item[1]):
        if bx < x + w and x < bx + bw and by < y + h and y < by + bh:
            y = by + bh + gap
    return _snap(x), _up(y)


def _wires(graph: Graph, ids: Iterable[str]) -> DiGraph[str]:
    """These nodes and the wires between them, without those that close a circle, which only a
    damaged file has."""
    import networkx

    wires: DiGraph[str] = networkx.DiGraph()
    wires.add_nodes_from(ids)
    for id in ids:
        sources = graph.nodes[id].sources
        wires.add_edges_from((source, id) for source in sources if source in wires and source != id)
    if not networkx.is_directed_acyclic_graph(wires):
        edges = networkx.dfs_labeled_edges(wires)
        wires.remove_edges_from(_closing(edges))
    return wires


def _closing(edges: Iterable[tuple[str, str, str]]) -> list[tuple[str, str]]:
    """The wires that a search in depth comes back along to where it is."""
    found: list[tuple[str, str]] = []
    open_ids: set[str] = set()
    for source, id, label in edges:
        if label == "forward":
            open_ids.add(id)
        elif label == "reverse":
            open_ids.discard(id)
        elif id in open_ids:
            found.append((source, id))
    return found


def _parts(boxes: Mapping[str, Box], wires: DiGraph[str]) -> list[list[str]]:
    """The parts that wires join, from top to bottom; single nodes last, all of them as one."""
    import networkx

    rank = {id: number for number, id in enumerate(boxes)}
    parts = [
        sorted(part, key=rank.__getitem__) for part in networkx.weakly_connected_components(wires)
    ]
    joined = [part for part in parts if len(part) > 1]
    joined.sort(key=lambda part: min((boxes[id][1], boxes[id][0]) for id in part))
    single = [part[0] for part in parts if len(part) == 1]
    return [*joined, single] if single else joined


def _depths(wires: DiGraph[str]) -> dict[str, int]:
    """By node its layer: right of all that feed it; what has slack stays near its readers."""
    import networkx

    generations = list(networkx.topological_generations(wires))
    depths = {id: number for number, layer in enumerate(generations) for id in layer}
    for layer in reversed(generations):
        for id in layer:
            readers = wires.succ[id]
            # A long wire is better at the end of few inputs than of many outputs.
            if readers and len(wires.pred[id]) <= len(readers):
                depths[id] = max(depths[id], min(depths[reader] for reader in readers) - 1)
    return depths


def _layers(part: list[str], wires: DiGraph[str], depths: Mapping[str, int]) -> list[list[str]]:
    if len(part) > 1 and not any(wires.pred[id] for id in part):
        return [[id] for id in part] if len(part) <= 8 else _rows(part)
    layers: dict[int, list[str]] = {}
    for id in part:
        layers.setdefault(depths[id], []).append(id)
    return [layers[depth] for depth in sorted(layers)]


def _rows(part: list[str]) -> list[list[str]]:
    """Nodes without wires in eight columns."""
    return [part[i::8] for i in range(8)]


def _ports(graph: Graph, ids: Collection[str], specs: Specs) -> dict[tuple[str, str], float]:
    """By (source, reader) how far down the reader's sockets the wire ends, from 0 to 1."""
    result: dict[tuple[str, str], float] = {}
    for id in ids:
        node = graph.nodes[id]
        spec = specs.get(node.type)
        names = [*(item.name for item in spec.inputs), *sorted(node.inputs)] if spec else []
        names = names or sorted(node.inputs)
        places = {name: place for place, name in reversed([*enumerate(names)])}  # the first counts
        for name, link in node.inputs.items():
            share = places[name] / len(names)
            key = (link.source, id)
            result[key] = min(share, result.get(key, 1.0))
    return result


def _ordered(
    layers: list[list[str]],
    boxes: Mapping[str, Box],
    wires: DiGraph[str],
    ports: Mapping[tuple[str, str], float],
) -> list[list[str]]:
    """The order within layers that keeps neighbours near, by sweeps of barycentres."""
    rank = {id: number for number, id in enumerate(id for layer in layers for id in layer)}
    readers = {id: sorted(wires.succ[id], key=rank.__getitem__) for id in rank}
    layers = [sorted(layer, key=lambda id: boxes[id][1]) for layer in layers]
    place = {id: float(i) for layer in layers for i, id in enumerate(layer)}

    def from_feeds(id: str) -> float:
        return _mean([place[n] for n in wires.pred[id]], place[id])

    def from_readers(id: str) -> float:
        return _mean([place[n] + ports[id, n] for n in readers[id]], place[id])

    for sweep in range(_SWEEPS):
        forwards = sweep % 2 == 0
        for layer in layers if forwards else reversed(layers):
            layer.sort(key=from_feeds if forwards else from_readers)
            place.update((id, float(i)) for i, id in enumerate(layer))
    return layers


def _columns(layers: list[list[str]], boxes: Mapping[str, Box], x: float) -> list[float]:
    xs = []
    for layer in layers:
        xs.append(x)
        x = _up(x + max(boxes[id][2] for id in layer) + GAP_X)
    return xs


def _heights(
    layers: list[list[str]], boxes: Mapping[str, Box], wires: DiGraph[str]
) -> dict[str, float]:
    """Heights on which rows are straight: each node level with the topmost of its neighbours."""
    ys: dict[str, float] = {}
    for layer in layers:
        wanted = {id: min((ys[s] for s in wires.pred[id] if s in ys), default=0.0) for id in layer}
        _stack(layer, wanted, boxes, ys)
    for layer in reversed(layers):
        wanted = {id: min((ys[r] for r in wires.succ[id]), default=ys[id]) for id in layer}
        _stack(layer, wanted, boxes, ys)
    return ys


def _stack(
    layer: list[str], wanted: Mapping[str, float], boxes: Mapping[str, Box], ys: dict[str, float]
) -> None:
    at = min(wanted[id] for id in layer)
    for id in layer:
        ys[id] = max(at, wanted[id])
        at = ys[id] + boxes[id][3] + GAP_Y


def _span(boxes: Iterable[Box]) -> Box:
    """Left, top, right and bottom of all together."""
    found = list(boxes)
    return (
        min(b[0] for b in found),
        min(b[1] for b in found),
        max(b[0] + b[2] for b in found),
        max(b[1] + b[3] for b in found),
    )


def _mean(values: Sequence[float], otherwise: float) -> float:
    return sum(values) / len(values) if values else otherwise


def _snap(value: float) -> int:
    return round(value / GRID) * GRID


def _up(value: float) -> int:
    return -int(-value // GRID) * GRID


def _number(value: float) -> float:
    return int(value) if value == int(value) else value
