"""What a card says at its foot: its state, why, how far, how long."""

from __future__ import annotations

from dataclasses import dataclass

from ponystudio.api.spec import NodeSpec
from ponystudio.graph.model import Node
from ponystudio.graph.placeholder import pack_of, stands_for
from ponystudio.graph.topology import bypass_input
from ponystudio.qt.i18n import tr
from ponystudio.studio.documents.editable_graph import NodeState

_TIERS = {"device": "chip", "memory": "ram", "disk": "disk"}


@dataclass(frozen=True)
class CardStatus:
    """`icon` and its colour token; `text`, and a shorter one for narrow cards; `right` is a time;
    `share` (0..1) is how far it is, None where no bar is shown."""

    icon: str
    color: str
    text: str
    short: str = ""
    right: str = ""
    share: float | None = None
    text_color: str = "text2"
    right_short: str = ""


def status(node: Node, spec: NodeSpec | None, state: NodeState) -> CardStatus:
    """The one thing that matters most about a node now."""
    if spec is None:
        return CardStatus("help", "text2", _why_unknown(node), tr("Missing"))
    if node.mode == "muted":
        return CardStatus("mute", "text2", tr("Muted"))
    if node.mode == "bypassed":
        return CardStatus("bypass", "text2", _passing(spec), tr("Bypassed"))
    if state.phase == "running":
        return _running(state)
    if state.phase == "failed":
        what = state.problem.what.rstrip(".") if state.problem else tr("Failed")
        return CardStatus("alert", "err", what, tr("Failed"))
    if state.phase == "not_run":
        text = state.reason or tr("Not run")
        return CardStatus("clock", "text2", text, tr("Not run"))
    if state.phase == "waiting":
        return CardStatus("clock", "text2", tr("Waiting"))
    if state.faults:
        what = state.faults[0].what.rstrip(".")
        return CardStatus("alert", "warn", what, tr("Not ready"))
    if state.tier:
        text = {
            "device": tr("On device"),
            "memory": tr("In memory"),
            "disk": tr("On disk"),
        }[state.tier]
        return CardStatus(_TIERS[state.tier], "text2", text, "", _took(state))
    if state.reason:
        return CardStatus("again", "warn", state.reason, tr("Will run"))
    if state.phase == "done":
        return CardStatus("check", "ok", tr("Done"), "", _took(state))
    return CardStatus("clock", "text3", tr("Not run yet"), "", "", None, "text3")


def seconds(value: float) -> str:
    """A time as a card shows it: "0.41 s", "6.3 s", "1 min 40 s"."""
    if value < 1:
        return f"{value:.2f} s"
    if value < 60:
        return f"{value:.1f} s"
    minutes, rest = divmod(round(value), 60)
    if minutes < 60:
        return f"{minutes} min {rest} s"
    return f"{minutes // 60} h {minutes % 60} min"


def percent(state: NodeState) -> str:
    """How far a running node is, for a collapsed card."""
    return f"{100 * state.step // state.steps} %" if state.steps else ""


def _running(state: NodeState) -> CardStatus:
    brief = seconds(state.left) if state.left else ""
    left = tr("%1 left").replace("%1", brief) if brief else ""
    if not state.steps:
        return CardStatus("play", "accent", tr("Running"), "", left, 0.0, "text2", brief)
    counted = f"{state.step}|{state.steps}".split("|")
    text = tr("Step %1 of %2").replace("%1", counted[0]).replace("%2", counted[1])
    short = tr("%1 of %2").replace("%1", counted[0]).replace("%2", counted[1])
    share = min(1.0, state.step / state.steps)
    return CardStatus("play", "accent", text, short, left, share, "text2", brief)


def _why_unknown(node: Node) -> str:
    if not stands_for(node):
        return tr("Pack is missing")
    if pack := pack_of(node):
        return tr("Of %1, not known here").replace("%1", pack)
    return tr("Of ComfyUI, not known here")


def _passing(spec: NodeSpec) -> str:
    """ "Passes latent": what comes out of a bypassed node."""
    names = [item.title or item.name for item in spec.outputs if bypass_input(spec, item.name)]
    if not names:
        return tr("Passes nothing")
    return tr("Passes %1").replace("%1", ", ".join(names))


def _took(state: NodeState) -> str:
    return seconds(state.seconds) if state.seconds is not None else ""
