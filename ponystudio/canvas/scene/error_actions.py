"""What can be pressed about a problem, besides reading what to do."""

from __future__ import annotations

from dataclasses import dataclass

from ponystudio.api.spec import NodeSpec
from ponystudio.graph.model import Node
from ponystudio.graph.topology import bypass_input
from ponystudio.qt.i18n import tr
from ponystudio.studio.documents.node_state import Problem

_FILES = frozenset(
    {"MissingFile", "WrongKind", "UnknownModel", "UnsupportedModel", "DamagedFile", "UnsafeFile"}
)
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
