"""Where everything on a card is: geometry alone, in px from the card's top left corner."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from dataclasses import field as dataclass_field
from itertools import islice
from typing import Any, Literal

from PySide6.QtCore import QPointF, QRectF, QSizeF

from ponystudio.api.spec import NodeSpec, ParamSpec
from ponystudio.canvas.fields.base import Field
from ponystudio.graph.model import Node
from ponystudio.widgets import metrics, theme

SocketKind = Literal["connected", "required", "optional"]


# Of sockets that a spec does not know, so many have a row: more are no work of people.
MOST_UNKNOWN = 100

Fields = Callable[[ParamSpec], Field]


@dataclass(frozen=True, slots=True)
class SocketRow:
    """A socket: its centre, on the card's edge, and the area that takes the mouse.

    `kind` of an output is "connected" or "optional", which only the scene can know; here it is
    "optional". `param`: it belongs to a param, whose row it shares.
    """

    name: str
    title: str
    type: str
    is_output: bool
    centre: QPointF
    hit: QRectF
    kind: SocketKind
    is_list: bool = False
    param: bool = False


@dataclass(frozen=True, slots=True)
class ParamRow:
    spec: ParamSpec
    rect: QRectF
    field: Field


@dataclass(frozen=True, slots=True)
class CardLayout:
    """`picture` is None where the node shows none; `body_top` is where the header ends."""

    size: QSizeF
    header: QRectF
    inputs: tuple[SocketRow, ...]
    outputs: tuple[SocketRow, ...]
    params: tuple[ParamRow, ...]
    picture: QRectF | None
    status: QRectF | None
    collapsed: bool
    _by_name: dict[tuple[bool, str], SocketRow] = dataclass_field(
        init=False, repr=False, compare=False
    )

    def __post_init__(self) -> None:
        rows = {(row.is_output, row.name): row for row in reversed((*self.inputs, *self.outputs))}
        object.__setattr__(self, "_by_name", rows)

    @property
    def rect(self) -> QRectF:
        return QRectF(QPointF(), self.size)

    def input(self, name: str) -> SocketRow | None:
        return self._by_name.get((False, name))

    def output(self, name: str) -> SocketRow | None:
        return self._by_name.get((True, name))


def layout(
    node: Node,
    spec: NodeSpec | None,
    looks: Mapping[str, Any],
    fields: Fields,
    used: Iterable[str] = (),
    known: dict[tuple[Any, ...], CardLayout] | None = None,
) -> CardLayout:
    """Lay out a card. `used` are the outputs that links lead from: all that is known of a node
    without a spec. `known`: layouts that were made before with the same specs; cards that look
    alike share theirs."""
    width = metrics.card_width(looks.get("width"))
    if known is None or looks.get("sockets"):
        return _laid_out(node, spec, looks, fields, used, width)
    inside = width - 2 * metrics.INSET
    # All that a layout depends on.
    key = (
        id(spec),
        width,
        bool(looks.get("collapsed")),
        shows_picture(spec, looks),
        theme.density(),
        tuple(node.inputs),
        frozenset(used) if spec is None else frozenset(used).difference(spec.output_by_name),
        tuple(
            fields(param).height(inside, node.params.get(param.name, param.default))
            for param in (spec.params if spec else ())
        ),
    )
    if (found := known.get(key)) is None:
        found = known[key] = _laid_out(node, spec, looks, fields, used, width)
    return found


def _laid_out(
    node: Node,
    spec: NodeSpec | None,
    looks: Mapping[str, Any],
    fields: Fields,
    used: Iterable[str],
    width: int,
) -> CardLayout:
    inputs, outputs = _sockets(node, spec, used)
    if looks.get("collapsed"):
        return _collapsed(width, inputs, outputs, node, spec, looks)
    density = theme.density()
    row = density.row
    top = float(metrics.HEADER + metrics.PAD)
    in_rows = [_row(item, 0.0, top + row * (i + 0.5)) for i, item in enumerate(inputs)]
    out_rows = [_row(item, float(width), top + row * (i + 0.5)) for i, item in enumerate(outputs)]
    y = top + row * max(len(inputs), len(outputs)) + (metrics.PAD if inputs or outputs else 4)
    params, sockets, y = _params(node, spec, looks, fields, width, y)
    picture = None
    if shows_picture(spec, looks):
        side = float(width - 2 * metrics.INSET)
        picture = QRectF(metrics.INSET, y, side, side)
        y += side + density.param_gap
    y += metrics.FOOT_PAD - (density.param_gap if params or picture else metrics.PAD)
    status = QRectF(0, y, width, metrics.STATUS)
    return CardLayout(
        QSizeF(width, y + metrics.STATUS),
        QRectF(0, 0, width, metrics.HEADER),
        (*in_rows, *sockets),
        tuple(out_rows),
        params,
        picture,
        status,
        False,
    )


def shows_picture(spec: NodeSpec | None, looks: Mapping[str, Any]) -> bool:
    """Whether a card keeps room for a picture: for what it made, or for a preview of it.

    Room is kept before there is one, so that cards do not grow while they run.
    """
    if spec is None or looks.get("preview") is False:
        return False
    if looks.get("preview"):
        return True
    takes_image = any(item.type == "image" for item in spec.inputs)
    samples = any(param.type == "seed" for param in spec.params) and any(
        item.type == "latent" for item in spec.outputs
    )
    return (spec.effects and takes_image) or samples


def socket_type(spec: NodeSpec | None, name: str, is_output: bool) -> str:
    """The type of a node's socket or param, "any" if that is not known."""
    if spec is None:
        return "any"
    if is_output:
        output = spec.output_by_name.get(name)
        return output.type if output else "any"
    if found := spec.input_by_name.get(name):
        return found.type
    param = spec.param_by_name.get(name)
    return param.socket_type if param else "any"


@dataclass(frozen=True, slots=True)
class _Socket:
    name: str
    title: str
    type: str
    is_output: bool
    kind: SocketKind
    param: bool = False


def _sockets(
    node: Node, spec: NodeSpec | None, used: Iterable[str]
) -> tuple[list[_Socket], list[_Socket]]:
    """The sockets that have a row of their own. Links into sockets that the spec does not know
    keep a row too, the first MOST_UNKNOWN of them, so that nothing hides."""
    known_in = spec.inputs if spec else ()
    known_out = spec.outputs if spec else ()
    names = {item.name for item in known_in} | (set(spec.param_by_name) if spec else set())
    inputs = [
        _Socket(
            item.name,
            item.title or item.name,
            item.type,
            False,
            "connected"
            if item.name in node.inputs
            else ("optional" if item.optional else "required"),
        )
        for item in known_in
    ]
    unknown = (name for name in node.inputs if name not in names)
    inputs += [
        _Socket(name, name, "any", False, "connected") for name in islice(unknown, MOST_UNKNOWN)
    ]
    outputs = [
        _Socket(item.name, item.title or item.name, item.type, True, "optional")
        for item in known_out
    ]
    gone = sorted(set(used) - {item.name for item in known_out})
    outputs += [_Socket(name, name, "any", True, "optional") for name in gone[:MOST_UNKNOWN]]
    return inputs, outputs


def _row(socket: _Socket, x: float, y: float) -> SocketRow:
    wide, high = theme.density().socket
    return SocketRow(
        socket.name,
        socket.title.replace("_", " "),
        socket.type,
        socket.is_output,
        QPointF(x, y),
        QRectF(x - wide / 2, y - high / 2, wide, high),
        socket.kind,
        socket.type.endswith("[]"),
        socket.param,
    )


def _params(
    node: Node,
    spec: NodeSpec | None,
    looks: Mapping[str, Any],
    fields: Fields,
    width: int,
    y: float,
) -> tuple[tuple[ParamRow, ...], list[SocketRow], float]:
    rows, sockets, density = [], [], theme.density()
    inside = width - 2 * metrics.INSET
    for param in spec.params if spec else ():
        field = fields(param)
        value = node.params.get(param.name, param.default)
        height = float(field.height(inside, value))
        rect = QRectF(metrics.INSET, y, inside, height)
        rows.append(ParamRow(param, rect, field))
        if socket := _param_socket(node, param, looks):
            sockets.append(_row(socket, 0.0, y + min(height, density.row) / 2))
        y += height + density.param_gap
    return tuple(rows), sockets, y


def _param_socket(node: Node, param: ParamSpec, looks: Mapping[str, Any]) -> _Socket | None:
    """The socket beside a param that is wired, or that is shown as one."""
    linked = param.name in node.inputs
    if not linked and param.name not in looks.get("sockets", ()):
        return None
    kind: SocketKind = "connected" if linked else "optional"
    title = param.title or param.name
    return _Socket(param.name, title, param.socket_type, False, kind, True)


def _collapsed(
    width: int,
    inputs: list[_Socket],
    outputs: list[_Socket],
    node: Node,
    spec: NodeSpec | None,
    looks: Mapping[str, Any],
) -> CardLayout:
    """Only the header; all sockets of a side lie on top of each other at its middle."""
    for param in spec.params if spec else ():
        if socket := _param_socket(node, param, looks):
            inputs.append(socket)
    middle = metrics.COLLAPSED / 2
    return CardLayout(
        QSizeF(width, metrics.COLLAPSED),
        QRectF(0, 0, width, metrics.COLLAPSED),
        tuple(_row(item, 0.0, middle) for item in inputs),
        tuple(_row(item, float(width), middle) for item in outputs),
        (),
        None,
        None,
        True,
    )
