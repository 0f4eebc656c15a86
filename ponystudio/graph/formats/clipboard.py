"""Parts of a graph as text on the clipboard: a readable graph itself, that any document takes.

It keeps the wires that came from outside, with the kinds of nodes they came from, so that a paste
may connect to the same sources where they are.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from ponystudio.errors import GraphError, GraphFileError
from ponystudio.graph.editing.edits import AddNode, Edit, SetView, edit_between
from ponystudio.graph.editing.node_ids import fresh_ids
from ponystudio.graph.formats import graph_file as files
from ponystudio.graph.formats.graph_file import lay_out
from ponystudio.graph.model import FARTHEST, Graph, Node, position
from ponystudio.graph.plain_json import plain
from ponystudio.graph.topology import find_cycle, order
from ponystudio.system.json_reader import read_json

FORMAT = "ponystudio.clipboard"
MIME = "application/x-ponystudio-graph"
_GRID = 8
_MANY = 64
_BORDER = int(FARTHEST) - _GRID


@dataclass(frozen=True)
class PasteResult:
    """What a paste does: its edits, and the ids and places (index in the view) of what it adds."""

    edits: list[Edit]
    nodes: list[str] = field(default_factory=list)
    frames: list[int] = field(default_factory=list)
    notes: list[int] = field(default_factory=list)


def extract(
    graph: Graph, ids: Iterable[str], frames: Iterable[int] = (), notes: Iterable[int] = ()
) -> Graph:
    """A part of a graph, with links from outside, whose sources' kinds stand in `extra`."""
    wanted = [id for id in dict.fromkeys(ids) if id in graph.nodes]
    nodes = {id: graph.nodes[id] for id in wanted}
    outside = {
        link.source: graph.nodes[link.source].type
        for node in nodes.values()
        for link in node.inputs.values()
        if link.source not in nodes and link.source in graph.nodes
    }
    all_looks = graph.view.get("nodes", {})
    view = {
        "nodes": {id: all_looks[id] for id in wanted if id in all_looks},
        "frames": _chosen(graph, "frames", frames),
        "notes": _chosen(graph, "notes", notes),
    }
    return Graph(nodes, {}, view, {"sources": outside} if outside else {})


def dumps(part: Graph) -> str:
    """A part of a graph as text."""
    return lay_out({**files.to_json(part), "format": FORMAT}) + "\n"


def loads(text: str) -> Graph | None:
    """The nodes in a text: what `dumps` wrote, or a whole graph; None for any other text.

    Raises GraphFileError for one that is damaged.
    """
    if '"ponystudio.' not in text:
        return None
    if '"' + FORMAT + '"' in text:
        try:
            data = read_json(text)
        except ValueError:
            return None
        if not isinstance(data, dict) or data.get("format") != FORMAT:
            return None
        return _placeable(files.loads(json.dumps({**data, "format": files.FORMAT})))
    try:
        return _placeable(files.loads(text))
    except GraphFileError:
        if f'"{files.FORMAT}"' in text:
            raise
        return None


def _placeable(part: Graph) -> Graph:
    """The part, whose view edits can take: they carry plain values alone."""
    try:
        plain(part.view)
    except GraphError as error:
        raise GraphFileError(error.what, where="view", remedy="Copy it again.") from None
    return part


def paste(
    graph: Graph,
    part: Graph,
    at: tuple[float, float] | None = None,
    *,
    incoming: bool = False,
    offset: tuple[float, float] = (0, 0),
) -> PasteResult:
    """Add a part to a graph, its middle `at` a place, or moved by `offset` from where it was.

    `incoming`: links from outside are kept where this graph has their sources. Ids are kept where
    they are free; everything snaps to the grid.
    """
    frames, notes = _entries(part, "frames"), _entries(part, "notes")
    dx, dy = offset if at is None else _to(at, part, [*frames, *notes])
    dx, dy = _snap(dx), _snap(dy)
    names = fresh_ids(part.nodes, graph.nodes)
    kept = _without_circle(part)
    added: list[AddNode] = []
    for id in order(kept):
        node = _renamed(kept.nodes[id], names, graph, part if incoming else None)
        looks = part.view.get("nodes", {}).get(id, {})
        added.append(AddNode(node, _moved_looks(looks, node, dx, dy)))
    result = PasteResult([*added], [names[id] for id in part.nodes])
    view = dict(graph.view)
    for kind, entries, places in (
        ("frames", frames, result.frames),
        ("notes", notes, result.notes),
    ):
        there = graph.view.get(kind, ())
        places += range(len(there), len(there) + len(entries))
        moved = [
            {**entry, "pos": _moved(position(entry.get("pos")) or (0, 0), dx, dy)}
            for entry in entries
        ]
        if moved:
            view[kind] = [*there, *moved]
        if there:
            ways = zip(places, moved, strict=True)
            result.edits.extend(SetView((kind, index), entry) for index, entry in ways)
        elif moved:
            result.edits.append(SetView((kind,), moved))
    if len(added) + len(frames) + len(notes) > _MANY:
        result.edits[:] = [_together(graph, added, view)]
    return result


def duplicate(
    graph: Graph,
    ids: Iterable[str],
    offset: tuple[float, float] = (32, 32),
    *,
    incoming: bool = False,
    frames: Iterable[int] = (),
    notes: Iterable[int] = (),
) -> PasteResult:
    """Copies of nodes beside them, wired among themselves; `incoming`: with their inputs too."""
    part = extract(graph, ids, frames, notes)
    return paste(graph, part, incoming=incoming, offset=offset)


def _together(graph: Graph, added: list[AddNode], view: dict[str, Any]) -> Edit:
    """Many new things as one edit of the whole graph: one by one each copies what is there."""
    if added:
        looks = {edit.node.id: edit.view for edit in added}
        view["nodes"] = {**graph.view.get("nodes", {}), **looks}
    after = graph.with_nodes(edit.node for edit in added)
    return edit_between(graph, replace(after, view=view))


def _renamed(node: Node, names: Mapping[str, str], graph: Graph, part: Graph | None) -> Node:
    inputs = {}
    for socket, link in node.inputs.items():
        if link.source in names:
            inputs[socket] = replace(link, source=names[link.source])
        elif part is not None and _same_source(graph, part, link.source):
            inputs[socket] = link
    return replace(node, id=names[node.id], inputs=inputs)


def _same_source(graph: Graph, part: Graph, id: str) -> bool:
    sources = part.extra.get("sources")
    kind = sources.get(id) if isinstance(sources, Mapping) else None
    return id in graph.nodes and graph.nodes[id].type == kind


def _without_circle(part: Graph) -> Graph:
    """The part without the links that close a circle, which only a damaged file has."""
    while cycle := find_cycle(part):
        source, target = cycle[-1], cycle[0]
        node = part.nodes[target]
        inputs = {name: link for name, link in node.inputs.items() if link.source != source}
        part = part.with_nodes([replace(node, inputs=inputs)])
    return part


def _moved_looks(looks: Any, node: Node, dx: int, dy: int) -> dict[str, Any]:
    moved: dict[str, Any] = dict(looks) if isinstance(looks, Mapping) else {}
    if pos := position(moved.pop("pos", None)):
        moved["pos"] = _moved(pos, dx, dy)
    if isinstance(dots := moved.pop("dots", None), Mapping):
        kept = {
            name: [_moved(dot, dx, dy) for item in found if (dot := position(item))]
            for name, found in dots.items()
            if name in node.inputs and isinstance(found, list | tuple)
        }
        if kept:
            moved["dots"] = kept
    return moved


def _to(
    at: tuple[float, float], part: Graph, others: list[Mapping[str, Any]]
) -> tuple[float, float]:
    """How far the part's middle is from a place, by its top left corners and usual card sizes."""
    boxes = [
        (*pos, *(position(entry.get("size")) or (240, 160)))
        for entry in [*part.view.get("nodes", {}).values(), *others]
        if isinstance(entry, Mapping) and (pos := position(entry.get("pos")))
    ]
    if not boxes:
        return at
    left, top = min(b[0] for b in boxes), min(b[1] for b in boxes)
    right, bottom = max(b[0] + b[2] for b in boxes), max(b[1] + b[3] for b in boxes)
    return at[0] - (left + right) / 2, at[1] - (top + bottom) / 2


def _chosen(graph: Graph, kind: str, indices: Iterable[int]) -> list[Any]:
    entries = graph.view.get(kind, ())
    return [entries[i] for i in sorted(set(indices)) if 0 <= i < len(entries)]


def _entries(part: Graph, kind: str) -> list[Mapping[str, Any]]:
    return [entry for entry in part.view.get(kind, ()) if isinstance(entry, Mapping)]


def _moved(pos: tuple[float, float], dx: int, dy: int) -> list[float]:
    """The place that is so far away, at the border of all places at most."""
    moved = (max(-_BORDER, min(_BORDER, value + by)) for value, by in ((pos[0], dx), (pos[1], dy)))
    return [int(value) if value == int(value) else value for value in moved]


def _snap(value: float) -> int:
    return round(max(-_BORDER, min(_BORDER, value)) / _GRID) * _GRID
