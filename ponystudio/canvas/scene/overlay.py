"""What lies over the graph while a gesture lasts: plain values that gestures set on the scene."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from PySide6.QtCore import QLineF, QPointF, QRectF

from ponystudio.canvas.scene.items import SocketRef, WireKey


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
