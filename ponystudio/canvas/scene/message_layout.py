"""The card below a node, laid out: what happened and what mends it, or what is offered."""

from __future__ import annotations

from dataclasses import dataclass

from PySide6.QtCore import QPointF, QRectF

from ponystudio.api.spec import NodeSpec
from ponystudio.graph.model import Node
from ponystudio.graph.topology import bypass_input
from ponystudio.qt.i18n import tr
from ponystudio.studio.documents.editable_graph import Offer, Problem
from ponystudio.widgets import metrics, text_layout

PAD = 12.0
_WIDTH = 240.0  # at least; wide cards have wide messages
LINE, TITLE_LINE = 16.0, 20.0
_BUTTON = 28.0
_DETAIL_LINES = 14


@dataclass(frozen=True)
class Button:
    """`rect` from the message's corner; `kind`: primary, plain or link."""

    name: str
    text: str
    kind: str
    icon: str
    rect: QRectF


@dataclass(frozen=True)
class Message:
    """The layout of a message; `rect` in scene px. `tone`: "err" or "info"."""

    rect: QRectF
    title: tuple[str, ...]
    lines: tuple[str, ...]
    details: tuple[str, ...]
    details_top: float
    buttons: tuple[Button, ...]
    tone: str = "err"

    def button_at(self, pos: QPointF) -> str:
        local = pos - self.rect.topLeft()
        return next((item.name for item in self.buttons if item.rect.contains(local)), "")


def layout(
    node: Node, spec: NodeSpec | None, card: QRectF, problem: Problem, open_details: bool
) -> Message:
    """The message of a node whose card is there (scene px)."""
    width = max(_WIDTH, card.width())
    room = int(width - 2 * PAD)
    title = text_layout.wrapped(problem.what.rstrip("."), "title", room)
    lines = text_layout.wrapped(problem.remedy, "body", room) if problem.remedy else ()
    y = PAD + len(title) * TITLE_LINE + 4 + len(lines) * LINE + 10
    buttons: list[Button] = []
    x = PAD
    for found in remedies(node, spec, problem):
        wide = text_layout.width(found.text, "group") + 20
        if x > PAD and x + wide > width - PAD:
            x, y = PAD, y + _BUTTON + 6
        rect = QRectF(x, y, wide, _BUTTON)
        buttons.append(Button(found.name, found.text, found.kind, "", rect))
        x += wide + 8
    if buttons:
        y += _BUTTON + 8
    foot = y
    if problem.details:
        text = tr("Hide details") if open_details else tr("Show details")
        wide = text_layout.width(text, "body") + 26
        icon = "down" if open_details else "right"
        rect = QRectF(PAD - 4, foot, wide, 22)
        buttons.append(Button("details", text, "link", icon, rect))
    copy = tr("Copy")
    wide = text_layout.width(copy, "body") + 26
    rect = QRectF(width - PAD - wide + 4, foot, wide, 22)
    buttons.append(Button("copy", copy, "link", "copy", rect))
    y = foot + 22 + 8
    details: tuple[str, ...] = ()
    if open_details:
        end = problem.details.strip()[-text_layout.LONGEST :]
        details = text_layout.wrapped(end, "mono_caption", room)[-_DETAIL_LINES:]
        y += len(details) * LINE + 8
    rect = QRectF(card.left(), card.bottom() + metrics.MESSAGE_GAP, width, y)
    return Message(rect, title, lines, details, foot + 22 + 8, tuple(buttons))


def layout_offer(card: QRectF, offer: Offer) -> Message:
    """What hangs below a card (scene px) that offers values."""
    width = max(_WIDTH, card.width())
    room = int(width - 2 * PAD)
    title = text_layout.wrapped(offer.title, "title", room)
    lines = text_layout.wrapped(offer.text, "body", room)
    y = PAD + len(title) * TITLE_LINE + 4 + len(lines) * LINE + 10
    wide = min(text_layout.width(offer.button, "group") + 20, width - 2 * PAD)
    accept = Button("accept", offer.button, "primary", "", QRectF(PAD, y, wide, _BUTTON))
    no = tr("Not here")
    x, wide = PAD + wide + 8, text_layout.width(no, "group") + 20
    if x + wide > width - PAD:
        x, y = PAD, y + _BUTTON + 6
    dismiss = Button("dismiss", no, "plain", "", QRectF(x, y, wide, _BUTTON))
    y += _BUTTON + PAD
    rect = QRectF(card.left(), card.bottom() + metrics.MESSAGE_GAP, width, y)
    return Message(rect, title, lines, (), y, (accept, dismiss), "info")


_FILES = frozenset({"MissingFile", "WrongKind", "UnknownModel", "UnsupportedModel"})
_FILES |= {"DamagedFile", "UnreadFile", "UnsafeFile"}
_AGAIN = frozenset({"WorkerDied", "OutOfMemory", "StorageFull", "NotWritable", "NodeFailed"})


@dataclass(frozen=True)
class Remedy:
    """`name` is what `scene.remedy_requested` carries: choose, focus, run, turn_on (the node
    that a wire comes from) or bypass."""

    name: str
    text: str
    kind: str


def remedies(node: Node, spec: NodeSpec | None, problem: Problem) -> list[Remedy]:
    """One that helps, first, and one way around."""
    socket = problem.socket.split("[")[0].split(".")[0]
    param = spec.param_by_name.get(socket) if spec else None
    found: list[Remedy] = []
    if problem.reason in _FILES or (param and param.type == "file"):
        fits = problem.reason in ("WrongKind", "MismatchedValues", "UnsupportedModel")
        text = tr("Choose one that fits") if fits else tr("Choose a file")
        if _file_param(spec):
            found.append(Remedy("choose", text, "primary"))
    elif param:
        text = tr("Change %1").replace("%1", (param.title or param.name).replace("_", " "))
        found.append(Remedy("focus", text, "primary"))
    elif problem.reason == "MissingInput" and socket in node.inputs:
        found.append(Remedy("turn_on", tr("Turn on again"), "primary"))
    elif problem.reason in _AGAIN:
        found.append(Remedy("run", tr("Run again"), "primary"))
    if (
        spec
        and node.mode == "normal"
        and any(bypass_input(spec, item.name) for item in spec.outputs)
    ):
        found.append(Remedy("bypass", tr("Bypass"), "plain"))
    return found


def _file_param(spec: NodeSpec | None) -> bool:
    return any(param.type == "file" for param in spec.params) if spec else False
