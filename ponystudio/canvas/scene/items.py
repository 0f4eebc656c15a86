"""What stands in the scene: cards, wires, frames and notes, each mirroring its part of the graph;
and what a gesture shows over them.

They are plain values that painters read, no QGraphicsItems: Qt asks each of those for its box,
through Python, with every event and frame, which thousands of them do not stand.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Generic, Literal, TypeVar

from PySide6.QtCore import QLineF, QPointF, QRectF
from PySide6.QtGui import QPainterPath

from ponystudio.api.spec import NodeSpec
from ponystudio.canvas.scene import wire_geometry
from ponystudio.canvas.scene.card_layout import CardLayout, SocketRow
from ponystudio.canvas.scene.message_layout import Message
from ponystudio.graph.model import Node, position
from ponystudio.graph.placeholder import stands_for
from ponystudio.studio.documents.editable_graph import REST
from ponystudio.widgets import metrics

Value = TypeVar("Value")


class lazy(Generic[Value]):  # a decorator
    """functools.cached_property without its lock, which until Python 3.12 costs more than many
    of the values here."""

    def __init__(self, make: Callable[[Any], Value]) -> None:
        self._make, self._name = make, make.__name__

    def __get__(self, item: Any, kind: type | None = None) -> Value:
        value = item.__dict__[self._name] = self._make(item)
        return value


WireKey = tuple[str, str]


@dataclass(frozen=True)
class SocketRef:
    """One socket of one node."""

    node: str
    name: str
    is_output: bool
    type: str


@dataclass(frozen=True)
class FocusRef:
    """Where the keyboard is. `name` is a socket's or param's; `wire` is set for a wire."""

    kind: Literal["node", "input", "output", "param", "wire"]
    node: str = ""
    name: str = ""
    wire: WireKey | None = None


Part = Literal[
    "socket", "run", "more", "header", "param", "picture", "status", "body", "message",
    "dot", "wire", "frame_title", "frame_edge", "frame", "note", "empty",
]  # fmt: skip


@dataclass(frozen=True)
class Hit:
    """What is under a point. `dot` is the number of a reroute dot on `wire`, `index` a frame's or
    note's, `button` what of a message card: "choose", "bypass", "details", "copy", ..."""

    part: Part
    node: str = ""
    socket: SocketRef | None = None
    param: str = ""
    wire: WireKey | None = None
    dot: int = -1
    index: int = -1
    button: str = ""


NOTHING = Hit("empty")


class NodeItem:
    """A card: the node, what is known of it, its place and its layout."""

    __slots__ = (
        "id",
        "layout",
        "looks",
        "message",
        "node",
        "rect",
        "selected",
        "spec",
        "state",
        "used",
        "x",
        "y",
        "z",
    )  # fmt: skip

    def __init__(self, node: Node, spec: NodeSpec | None, looks: Mapping[str, Any]) -> None:
        self.id = node.id
        self.node, self.spec, self.looks = node, spec, looks
        self.x = self.y = 0.0
        self.z = 0
        self.selected = False
        self.used: frozenset[str] = frozenset()
        self.layout: CardLayout = _NO_LAYOUT
        self.rect = QRectF()
        self.message: Message | None = None
        """The message card below, None if none hangs there."""
        self.state = REST

    @property
    def title(self) -> str:
        if self.node.title:
            return self.node.title
        if self.spec:
            return self.spec.title
        return stands_for(self.node) or self.node.type.rpartition(".")[2]

    @property
    def hue(self) -> str:
        """The group whose colours the card has: its node's, or another that was chosen; "" for a
        node that is not known."""
        chosen = self.looks.get("hue")
        if isinstance(chosen, str) and chosen:
            return chosen
        return self.spec.group if self.spec else ""

    def place(self, x: float, y: float) -> None:
        self.x, self.y = x, y
        self.rect = QRectF(QPointF(x, y), self.layout.size)

    def pos(self) -> QPointF:
        return QPointF(self.x, self.y)

    def input_pos(self, name: str) -> QPointF:
        return self._socket_pos(self.layout.input(name), 0.0)

    def output_pos(self, name: str) -> QPointF:
        return self._socket_pos(self.layout.output(name), self.rect.width())

    def _socket_pos(self, row: SocketRow | None, x: float) -> QPointF:
        centre = row.centre if row else QPointF(x, metrics.HEADER / 2)
        return QPointF(self.x + centre.x(), self.y + centre.y())


class WireItem:
    """A wire into an input, through its reroute dots; its course is worked out when needed."""

    __slots__ = (
        "__dict__", "dots", "key", "output", "selected", "source", "source_pos", "target_pos",
        "type",
    )  # fmt: skip

    def __init__(self, key: WireKey, source: str, output: str, type: str) -> None:
        self.key, self.source, self.output, self.type = key, source, output, type
        self.source_pos = self.target_pos = QPointF()
        self.dots: tuple[wire_geometry.Point, ...] = ()
        self.selected = False

    @property
    def target(self) -> str:
        return self.key[0]

    @property
    def input(self) -> str:
        return self.key[1]

    def route(
        self, source: QPointF, target: QPointF, dots: tuple[wire_geometry.Point, ...]
    ) -> None:
        self.source_pos, self.target_pos, self.dots = source, target, dots
        self.__dict__.clear()

    @lazy
    def curves(self) -> list[wire_geometry.Curve]:
        return wire_geometry.curves(self.source_pos, self.target_pos, self.dots)

    @lazy
    def hull(self) -> QRectF:
        """A box that it does not leave; cheaper to know than `box`."""
        return wire_geometry.hull(self.curves)

    @lazy
    def path(self) -> QPainterPath:
        return wire_geometry.path(self.curves)

    @lazy
    def points(self) -> list[wire_geometry.Point]:
        return wire_geometry.flattened(self.curves)

    @lazy
    def box(self) -> QRectF:
        return wire_geometry.box(self.points, 1.0)

    @lazy
    def _lines(self) -> dict[int, list[QLineF]]:
        return {}

    def lines(self, steps: int) -> list[QLineF]:
        """The wire as it is drawn from far away: so many straight lines a curve."""
        if steps == 1 and not self.dots:  # of tens of thousands at once
            return [QLineF(self.source_pos, self.target_pos)]
        found = self._lines.get(steps)
        if found is None:
            points = wire_geometry.flattened(self.curves, steps)
            found = self._lines[steps] = [QLineF(*a, *b) for a, b in pairwise(points)]
        return found

    @lazy
    def _pieces(self) -> list[QRectF]:
        return self.boxes(2.0)

    def runs_through(self, rects: list[QRectF]) -> bool:
        box = self.box
        return any(
            box.intersects(rect) and any(rect.intersects(piece) for piece in self._pieces)
            for rect in rects
        )

    def boxes(self, margin: float) -> list[QRectF]:
        """Small boxes along the wire: what changes on screen when the wire does."""
        points = self.points
        return [wire_geometry.box(points[i : i + 5], margin) for i in range(0, len(points) - 1, 4)]


class FrameItem:
    """A frame around cards."""

    __slots__ = ("counted", "hue", "index", "rect", "selected", "title")

    def __init__(self, index: int, entry: Mapping[str, Any]) -> None:
        self.index = index
        self.rect = _rect(entry, (480, 320))
        self.title = str(entry.get("title", ""))
        self.hue = str(entry.get("hue", "util"))
        self.selected = False
        self.counted = -1
        """How many cards are inside, -1 if that must be counted."""

    @property
    def title_rect(self) -> QRectF:
        return QRectF(self.rect.topLeft(), self.rect.topRight() + QPointF(0, metrics.FRAME_TITLE))


class NoteItem:
    """A note in Markdown."""

    __slots__ = ("index", "rect", "selected", "text")

    def __init__(self, index: int, entry: Mapping[str, Any]) -> None:
        self.index = index
        self.rect = _rect(entry, (240, 120))
        self.text = str(entry.get("text", ""))
        self.selected = False


def dots(looks: Mapping[str, Any], name: str) -> tuple[wire_geometry.Point, ...]:
    """The reroute dots on the wire into an input."""
    entry = looks.get("dots")
    found = entry.get(name, ()) if isinstance(entry, Mapping) else ()
    if not isinstance(found, list | tuple):
        return ()
    return tuple(point for item in found if (point := position(item)))


def _rect(entry: Mapping[str, Any], size: tuple[float, float]) -> QRectF:
    x, y = position(entry.get("pos")) or (0.0, 0.0)
    w, h = position(entry.get("size")) or size
    return QRectF(x, y, max(w, 40.0), max(h, 40.0))


_NO_LAYOUT: CardLayout = None  # type: ignore[assignment]  # set before the item is used


@dataclass(frozen=True)
class WireDrag:
    """A wire, or several, being dragged.

    `fixed` are the ends that stay, `pointer` (scene) is where the other end is, unless it is
    caught by `target`. `fits` tells which sockets light up; all other sockets fade. `lifted` wires
    are not drawn: they are the ones in hand. `insert` is a wire that the drop would be put into.
    """

    fixed: tuple[SocketRef, ...]
    pointer: QPointF
    fits: Callable[[SocketRef], bool]
    target: SocketRef | None = None
    lifted: frozenset[WireKey] = frozenset()


@dataclass(frozen=True)
class Refusal:
    """Why a drop is refused, at the pointer (scene), and the remedy as a link, or ""."""

    pos: QPointF
    text: str
    remedy: str = ""


@dataclass(frozen=True)
class Overlay:
    """All in scene px. `ghosts` are outlines of what would land there; `insert` the wire that a
    dropped card would be put into; `link` a straight line from card to card (lazy connect)."""

    rubber: QRectF | None = None
    snap_lines: tuple[QLineF, ...] = ()
    cut: tuple[QPointF, ...] = ()
    reroute: tuple[QPointF, ...] = ()
    link: QLineF | None = None
    insert: WireKey | None = None
    ghosts: tuple[QRectF, ...] = ()
    refusal: Refusal | None = None


NO_OVERLAY = Overlay()
