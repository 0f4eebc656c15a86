"""Where nodes come to lie that ComfyUI's file has placed for its own, smaller cards.

The plane is stretched where cards grow: all that was right of a card, or below it, moves on by what
that has grown, so that rows stay rows, columns columns, and what stood apart stands apart. What is
inside of a subgraph becomes a frame, for which room is made like for a card.
"""

from __future__ import annotations

import math
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ponystudio.api.spec import NodeSpec
from ponystudio.graph.comfyui.source_graph import Bend, SourceGraph, SourceNode
from ponystudio.graph.editing.card_sizes import GRID, WIDTH, card_size, card_width
from ponystudio.graph.model import Graph

Point = tuple[float, float]
Dots = Mapping[str, Mapping[str, Sequence[Bend]]]

# Between cards at least, from left to right and down.
_APART = (40, 24)
# Between cards for one node of theirs.
_NEAR = (32, 16)
# Between a frame and what is in it: on the left, above, on the right, below.
_PADS = (24, 56, 24, 24)
# Theirs have their title above their place.
_TITLE = 30
# By so much theirs may cover each other and count as beside each other.
_TOUCHING = 8
_SIZE = (210.0, 100.0)
# Pairs of a frame and what may be in it that are looked at.
_MOST_PAIRS = 2_000_000


@dataclass(eq=False)
class _Item:
    """A box of theirs, and what takes its place: `size` is that one's, `place` where it comes."""

    low: Point
    high: Point
    size: Point
    place: list[float] = field(default_factory=lambda: [0.0, 0.0])
    frames: list[_Frame] = field(default_factory=list)


@dataclass(eq=False)
class _Frame(_Item):
    """A frame has what is in it within `pads`; its `size` comes of that."""

    end: list[float] = field(default_factory=lambda: [-math.inf, -math.inf])


def arranged(
    graph: Graph,
    source: SourceGraph,
    made: Mapping[str, Sequence[str]],
    dots: Dots,
    catalog: Mapping[str, NodeSpec],
) -> dict[str, Any]:
    """The view of a graph that was made of theirs: `made` has the ids of our nodes by theirs,
    `dots` where wires into our nodes bend, by input."""
    return _Arrangement(graph, source, made, dots, catalog).view()


class _Arrangement:
    def __init__(
        self,
        graph: Graph,
        source: SourceGraph,
        made: Mapping[str, Sequence[str]],
        dots: Dots,
        catalog: Mapping[str, NodeSpec],
    ) -> None:
        self._graph, self._source, self._made, self._dots = graph, source, made, dots
        self._catalog = catalog
        self._nodes: dict[str, list[SourceNode]] = {}
        for node in source.nodes.values():
            self._nodes.setdefault(node.area, []).append(node)
        self._inner: dict[str, list[str]] = {}
        for key, area in source.areas.items():
            if key:
                self._inner.setdefault(area.around, []).append(key)
        self._used: dict[str, set[str]] = {}
        for ours in graph.nodes.values():
            for link in ours.inputs.values():
                self._used.setdefault(link.source, set()).add(link.output)
        self._looks: dict[str, dict[str, Any]] = {}
        self._frames: list[dict[str, Any]] = []
        self._notes: list[dict[str, Any]] = []
        self._planes: dict[str, _Plane] = {}

    def view(self) -> dict[str, Any]:
        if not self._source.areas:
            return {}
        # Those inside first: how large they are decides where all else comes.
        for key in sorted(self._source.areas, key=lambda key: key.count(":"), reverse=True):
            self._planes[key] = self._plane(key)
        self._settle("", (0.0, 0.0))
        self._bend()
        view: dict[str, Any] = {"nodes": self._looks} if self._looks else {}
        if self._frames:
            view["frames"] = self._frames
        if self._notes:
            view["notes"] = self._notes
        return view

    # --- An area by itself ------------------------------------------------------------------------

    def _plane(self, key: str) -> _Plane:
        area, plane = self._source.areas[key], _Plane()
        for node in self._nodes.get(key, ()):
            if ids := self._made.get(node.id):
                self._look(node, ids)
                if "pos" in node.place:
                    block = self._block(ids)
                    plane.add(node.place, block.size, block)
        for inner in self._inner.get(key, ()):
            if size := self._planes[inner].size:
                plane.add({"pos": [0, 0], **self._source.areas[inner].place}, size, inner)
        for note in area.notes:
            x, y = note["pos"]
            w, h = (max(length, 40) for length in note.get("size", (240, 120)))
            plane.put((x, y), (x + w, y + h), (w, h), note)
        plane.arrange(area.frames)
        return plane

    def _look(self, node: SourceNode, ids: Sequence[str]) -> None:
        """What is kept of how a node looks."""
        place = node.place
        look = {name: place[name] for name in ("collapsed", "pinned", "hue") if name in place}
        width = card_width(place.get("size", (WIDTH,))[0])
        if width > WIDTH:
            look["width"] = width
        for id in ids:
            self._looks[id] = dict(look)

    def _block(self, ids: Sequence[str]) -> _Block:
        """The cards for one node of theirs: in columns, each right of what feeds it."""
        sizes = {id: self._size(id) for id in ids}
        column: dict[str, int] = {}
        for id in ids:  # what feeds one was made before it
            feeding = [column[s] + 1 for s in self._graph.nodes[id].sources if s in column]
            column[id] = max(feeding, default=0)
        places: dict[str, Point] = {}
        x = height = 0.0
        for number in range(max(column.values()) + 1):
            there = [id for id in ids if column[id] == number]
            y = 0.0
            for id in there:
                places[id] = (x, y)
                y += sizes[id][1] + _NEAR[1]
            height = max(height, y - _NEAR[1])
            x += max(sizes[id][0] for id in there) + _NEAR[0]
        return _Block(places, (x - _NEAR[0], height))

    def _size(self, id: str) -> Point:
        node = self._graph.nodes[id]
        spec = self._catalog.get(node.type)
        return card_size(node, spec, self._looks[id], len(self._used.get(id, ())))

    # --- All of them together ---------------------------------------------------------------------

    def _settle(self, key: str, corner: Point) -> None:
        """Put what is in an area where it comes to lie as a whole."""
        plane = self._planes[key]
        plane.corner = corner
        for item, what in plane.items:
            x, y = _snapped(corner[0] + item.place[0]), _snapped(corner[1] + item.place[1])
            match what:
                case _Block():
                    for id, (dx, dy) in what.places.items():
                        self._looks[id]["pos"] = [x + _snapped(dx), y + _snapped(dy)]
                case str():
                    self._enter(what, item, (x, y))
                case _:
                    self._notes.append({**what, "pos": [x, y]})
        for frame, entry in plane.frames:
            self._frame(entry, frame, corner)

    def _enter(self, key: str, item: _Item, place: Point) -> None:
        plane = self._planes[key]
        entry = {"title": self._source.areas[key].title}
        if hue := self._source.areas[key].place.get("hue"):
            entry["hue"] = hue
        size = [_up(length) for length in item.size]
        self._frames.append({**entry, "pos": list(place), "size": size})
        left, top = plane.low
        self._settle(key, (place[0] + _PADS[0] - left, place[1] + _PADS[1] - top))

    def _frame(self, entry: Mapping[str, Any], frame: _Frame, corner: Point) -> None:
        pos = [_snapped(corner[i] + frame.place[i]) for i in (0, 1)]
        size = [_up(corner[i] + frame.end[i] - pos[i]) for i in (0, 1)]
        self._frames.append({**entry, "pos": pos, "size": size})

    def _bend(self) -> None:
        for id, inputs in self._dots.items():
            found = {name: list(self._bends(bends)) for name, bends in inputs.items()}
            if found := {name: points for name, points in found.items() if points}:
                self._looks.setdefault(id, {})["dots"] = found

    def _bends(self, bends: Iterable[Bend]) -> Iterator[list[float]]:
        for bend in bends:
            if plane := self._planes.get(bend.area):
                x, y = plane.moved((bend.x, bend.y))
                yield [_snapped(plane.corner[0] + x), _snapped(plane.corner[1] + y)]


@dataclass(frozen=True)
class _Block:
    """Cards that stand together, by id, from their corner."""

    places: Mapping[str, Point]
    size: Point


class _Plane:
    """What stands in an area, first where theirs does, then where there is room for it."""

    def __init__(self) -> None:
        self.items: list[tuple[_Item, Any]] = []
        self.frames: list[tuple[_Frame, Mapping[str, Any]]] = []
        self.corner: Point = (0.0, 0.0)
        # By axis: from which place on things moved by how much.
        self._moves: list[tuple[list[float], list[float]]] = [([], []), ([], [])]

    def add(self, place: Mapping[str, Any], size: Point, what: Any) -> None:
        """A card of theirs, and what comes in its place."""
        (x, y), (w, h) = place["pos"], place.get("size", _SIZE)
        if place.get("collapsed"):
            w, h = min(w, _SIZE[0]), 0
        self.put((x, y - _TITLE), (x + w, y + h), size, what)

    def put(self, low: Point, high: Point, size: Point, what: Any) -> None:
        high = tuple(max(high[i], low[i] + 2 * _TOUCHING) for i in (0, 1))  # type: ignore[assignment]
        self.items.append((_Item(low, high, size), what))

    @property
    def low(self) -> Point:
        there = [item.place for item, _ in (*self.items, *self.frames)]
        return (min(x for x, _ in there), min(y for _, y in there))

    @property
    def size(self) -> Point | None:
        """Of a frame around all."""
        if not self.items:
            return None
        ends = [_end(item) for item, _ in (*self.items, *self.frames)]
        left, top = self.low
        right, bottom = (max(end[i] for end in ends) for i in (0, 1))
        return (right - left + _PADS[0] + _PADS[2], bottom - top + _PADS[1] + _PADS[3])

    def arrange(self, frames: Sequence[Mapping[str, Any]]) -> None:
        for entry in frames:
            (x, y), (w, h) = entry["pos"], entry["size"]
            w, h = max(w, 2 * _TOUCHING), max(h, 2 * _TOUCHING)
            self.frames.append((_Frame((x, y), (x + w, y + h), (0, 0)), entry))
        self._find_contents()
        for axis in (0, 1):
            self._stretch(axis)
        self._part()
        for frame, _ in sorted(self.frames, key=lambda pair: _area(pair[0])):
            for outer in frame.frames:
                _widen(outer, frame)

    def moved(self, point: Point) -> Point:
        """Where a point of theirs comes."""
        x, y = (self._moved(axis, point[axis]) for axis in (0, 1))
        return x, y

    def _moved(self, axis: int, value: float) -> float:
        places, shifts = self._moves[axis]
        index = bisect_right(places, value) - 1
        return value + (shifts[index] if index >= 0 else 0.0)

    def _find_contents(self) -> None:
        """What has its middle in a frame is in it, or begins there and has it in none; and frames
        that lie in it whole."""
        if (len(self.items) + len(self.frames)) * len(self.frames) > _MOST_PAIRS:
            return
        frames = [frame for frame, _ in self.frames]
        for item, _ in self.items:
            for point in (_middle(item), item.low):
                item.frames = item.frames or [f for f in frames if _holds(f, point, point)]
        for frame in frames:
            for inner, _ in self.frames:
                if _area(inner) < _area(frame) and _holds(frame, inner.low, inner.high):
                    inner.frames.append(frame)

    def _stretch(self, axis: int) -> None:
        """Along one axis everything in its order: where a thing begins it is where its place has
        moved to, and where it ends all beyond moves by what it has grown."""
        begins, ends = 1, 0
        events = []
        for number, (item, _) in enumerate((*self.items, *self.frames)):
            is_frame = isinstance(item, _Frame)
            # Of those that begin in one place frames come first, of those that end last.
            events.append((item.low[axis], begins, not is_frame, number, item))
            events.append((item.high[axis] - _TOUCHING, ends, is_frame, number, item))
        events.sort(key=lambda event: event[:4])
        shift, reach = 0.0, -math.inf
        places, shifts = self._moves[axis]
        for place, kind, _, _, item in events:
            if kind == begins:
                shift = max(shift, reach + _APART[axis] - place)
                for frame in item.frames:
                    if frame.low[axis] <= place:
                        shift = max(shift, frame.place[axis] + _PADS[axis] - place)
                item.place[axis] = place + shift
            else:
                end = item.place[axis] + item.size[axis]
                if isinstance(item, _Frame):
                    end = item.end[axis] = max(item.high[axis] + shift, item.end[axis])
                for frame in item.frames:
                    frame.end[axis] = max(frame.end[axis], end + _PADS[axis + 2])
                shift = max(shift, end - item.high[axis])
                reach = max(reach, end)
            places.append(place)
            shifts.append(shift)

    def _part(self) -> None:
        """Push down what still covers another: theirs did, too."""
        taken = _Skyline()
        for item, _ in sorted(self.items, key=lambda pair: (pair[0].place[1], pair[0].place[0])):
            x, y = (_snapped(place) for place in item.place)
            bottom = taken.bottom(x, x + item.size[0])
            if bottom > y:
                y = _up(bottom + _APART[1])
            item.place[:] = [x, y]
            taken.cover(x, x + item.size[0], y + item.size[1])
            for frame in item.frames:
                _widen(frame, item)


class _Skyline:
    """How far down the plane is taken, along it; what comes next begins no higher than what came
    before, so no more is to be known."""

    def __init__(self) -> None:
        # Each holds from its edge to the next.
        self._edges, self._bottoms = [-math.inf], [-math.inf]

    def bottom(self, left: float, right: float) -> float:
        first, last = bisect_right(self._edges, left) - 1, bisect_left(self._edges, right)
        return max(self._bottoms[first:last])

    def cover(self, left: float, right: float, bottom: float) -> None:
        first, last = bisect_left(self._edges, left), bisect_left(self._edges, right)
        edges, bottoms = [left, right], [bottom, self._bottoms[last - 1]]
        if self._edges[last : last + 1] == [right]:
            edges, bottoms = edges[:1], bottoms[:1]
        self._edges[first:last], self._bottoms[first:last] = edges, bottoms


def _end(item: _Item) -> Point:
    if isinstance(item, _Frame):
        return item.end[0], item.end[1]
    return item.place[0] + item.size[0], item.place[1] + item.size[1]


def _widen(frame: _Frame, item: _Item) -> None:
    """Have a frame go around an item, which lies right of where the frame begins, and below, or
    stands out there as it does in theirs."""
    for axis, end in enumerate(_end(item)):
        frame.end[axis] = max(frame.end[axis], end + _PADS[axis + 2])


def _middle(item: _Item) -> Point:
    return (item.low[0] + item.high[0]) / 2, (item.low[1] + item.high[1]) / 2


def _holds(frame: _Frame, low: Sequence[float], high: Sequence[float]) -> bool:
    (left, top), (right, bottom) = frame.low, frame.high
    return left <= low[0] and high[0] <= right and top <= low[1] and high[1] <= bottom


def _area(item: _Item) -> float:
    return (item.high[0] - item.low[0]) * (item.high[1] - item.low[1])


def _snapped(value: float) -> int:
    return round(value / GRID) * GRID


def _up(value: float) -> int:
    return -int(-value // GRID) * GRID
