"""What a run tells of its nodes, written into a document's states."""

from __future__ import annotations

from collections import OrderedDict, defaultdict
from collections.abc import Iterable, Mapping
from typing import Any

from PySide6.QtGui import QImage

from ponystudio.engine.protocol.run_events import ErrorInfo, NodeResult
from ponystudio.qt.i18n import tr
from ponystudio.studio.documents.editable_graph import REST, EditableGraph, NodeState, Problem
from ponystudio.studio.runs.run_texts import reason_text, remedy_in_window, size, title

# Small pictures that are kept for when their results are used again.
PICTURES = 96


class PreviewPictures:
    """Small pictures of results, by what the results are known by."""

    def __init__(self) -> None:
        self._pictures: OrderedDict[str, QImage] = OrderedDict()
        self._renamed: dict[str, str] = {}

    def rename(self, keys: Mapping[str, str]) -> None:
        """Results are known by something else now; who still has what they were finds them."""
        self._renamed = dict(keys)  # only the run that has just ended is asked for by the old ones
        for old, new in keys.items():
            if picture := self._pictures.pop(old, None):
                self._pictures[new] = picture

    def key(self, key: str) -> str:
        """What the result is known by now."""
        return self._renamed.get(key, key)

    def keep(self, key: str, picture: QImage) -> None:
        key = self.key(key)
        self._pictures[key] = picture
        self._pictures.move_to_end(key)
        while len(self._pictures) > PICTURES:
            self._pictures.popitem(last=False)

    def get(self, key: str) -> QImage | None:
        return self._pictures.get(self.key(key))


class NodeStateWriter:
    """Writes one run of a document; `nodes` are those that the run may concern."""

    def __init__(self, document: EditableGraph, nodes: set[str], pictures: PreviewPictures) -> None:
        self._document, self._nodes, self._pictures = document, nodes, pictures
        self._before: dict[str, NodeState] = {}
        self._keys: Mapping[str, str] = {}
        self._titles = {id: title(document.graph, document.catalog, id) for id in nodes}

    def start(self) -> None:
        """The run is on its way: its nodes wait."""
        for id in self._present_nodes():
            before = self._document.states[id]
            self._before[id] = before
            self._document.states.set(
                id,
                NodeState(
                    phase="waiting",
                    tier=before.tier,
                    reason=before.reason,
                    seconds=before.seconds,
                    picture=before.picture,
                    stale=before.picture is not None,
                    notes=before.notes,
                    offer=before.offer,
                    outputs=before.outputs,
                ),
            )

    def on_planned(self, steps: set[str], keys: Mapping[str, str]) -> None:
        """What will run is known; the rest is there or not needed."""
        self._keys = keys
        for id in self._present_nodes():
            state = self._document.states[id]
            if id not in steps and state.phase == "waiting":
                self._update(id, phase="done" if state.tier else "rest", **self._known_picture(id))

    def on_started(self, id: str, reason: str) -> None:
        spec = self._document.spec(id) if id in self._document.graph.nodes else None
        text = reason_text(reason, spec)
        self._update(id, phase="running", tier="", reason=text, step=0, steps=0, notes=())

    def on_progress(self, id: str, step: int, steps: int, left: float | None) -> None:
        self._update(id, phase="running", step=step, steps=steps, left=left)

    def on_preview(self, id: str, picture: QImage) -> None:
        if self._phase(id) == "running":
            self._update(id, picture=picture, live=True, stale=False)

    def on_result(self, result: NodeResult, picture: QImage | None) -> None:
        id = result.node
        outputs = dict(self._state(id).outputs)
        outputs[result.output] = summary(result)
        self._update(id, outputs=tuple(outputs.items()))
        if picture is not None and not picture.isNull():
            self.set_picture(id, picture)

    def set_picture(self, id: str, picture: QImage) -> None:
        """A picture that the run made, or found."""
        if id in self._keys:
            self._pictures.keep(self._keys[id], picture)
        self._update(id, picture=picture, live=False, stale=False)

    def on_finished(self, id: str, cached: str | bool, seconds: float) -> None:
        if cached:
            self._update(id, phase="done", tier=cached, reason="", **self._known_picture(id))
            return
        state = self._state(id)
        if state.live and state.picture is not None and id in self._keys:
            self._pictures.keep(self._keys[id], state.picture)  # the last it showed on its way
        self._update(id, phase="done", reason="", seconds=seconds, left=None, live=False)

    def add_note(self, id: str, text: str) -> None:
        state = self._state(id)
        if text not in state.notes:
            self._update(id, notes=(*state.notes, text))

    def end(self) -> None:
        """The run is done: what waited in vain was not needed."""
        for id in self._present_nodes():
            if self._phase(id) in ("waiting", "running"):
                self._update(id, phase="rest", live=False, left=None)

    def stop(self) -> None:
        """The user stopped it: what was not done is as it was."""
        for id in self._present_nodes():
            if self._phase(id) in ("waiting", "running"):
                before = self._before.get(id, REST)
                phase = before.phase if before.phase == "done" else "rest"
                stale = before.picture is not None
                self._update(
                    id, phase=phase, picture=before.picture, live=False, stale=stale, left=None
                )

    def fail(self, id: str, problem: Problem) -> None:
        """A node failed, or the worker died at it ("": at whatever ran)."""
        here = self._present_nodes()
        at = id or next((node for node in here if self._phase(node) == "running"), "")
        name = self._titles.get(at, at)
        for node in here:
            if node == at:
                self._update(node, phase="failed", problem=problem, live=False, left=None)
            elif self._phase(node) in ("waiting", "running"):
                reason = tr("Not run: {node} failed").format(node=name) if at else problem.what
                self._update(node, phase="not_run", reason=reason, tier="", live=False, left=None)

    def refuse(
        self, problems: Mapping[str, tuple[Problem, ...]], blocked: Mapping[str, str]
    ) -> None:
        """The check found errors: nothing ran, and who asked for it is shown why."""
        self.stop()
        self.leave_out(problems, blocked)

    def leave_out(
        self, problems: Mapping[str, tuple[Problem, ...]], blocked: Mapping[str, str]
    ) -> None:
        """These have errors, and `blocked` says what needs which of them; the rest is run."""
        for id in self._present_nodes():
            if id in blocked and id not in problems:
                name = self._titles.get(blocked[id], blocked[id])
                reason = tr("Not run: {node} is not ready").format(node=name)
                self._update(id, phase="not_run", reason=reason, tier="")
        for id, faults in problems.items():
            self._update(id, phase="failed", problem=faults[0], faults=faults)

    def _known_picture(self, id: str) -> dict[str, Any]:
        """A result that is used again brings its picture again, if that is still known."""
        picture = self._pictures.get(self._keys.get(id, ""))
        return {"picture": picture, "live": False, "stale": False} if picture else {}

    def _present_nodes(self) -> list[str]:
        """Its nodes, as far as they are still in the document."""
        return [id for id in self._document.graph.nodes if id in self._nodes]

    def _state(self, id: str) -> NodeState:
        return self._document.states[id]

    def _phase(self, id: str) -> str:
        return self._document.states[id].phase

    def _update(self, id: str, **changes: Any) -> None:
        if id in self._document.graph.nodes:
            self._document.states.update(id, **changes)


def summary(result: NodeResult) -> str:
    """What a node gave, in short: "1×4×64×64, 64 KB"."""
    if result.text:
        return result.text
    parts = ["×".join(map(str, result.shapes[0]))] if result.shapes else []
    if result.bytes:
        parts.append(size(result.bytes))
    return ", ".join(parts)


def problem_of(error: ErrorInfo) -> Problem:
    """The failure of a run, without its place, which the card itself is."""
    what, place = error.text, f"{error.node}.{error.socket}" if error.socket else error.node
    if place and f"{error.where}: ".startswith(f"{place}: "):
        what = what[len(place) + 2 :]
    return Problem(
        what=what[:1].upper() + what[1:],
        remedy=remedy_in_window(error.remedy),
        reason=error.reason,
        socket=error.socket,
        details=error.text,
    )


def faults_of(errors: Iterable[ErrorInfo]) -> dict[str, tuple[Problem, ...]]:
    """The errors of a check by node; those of none under ""."""
    found: defaultdict[str, list[Problem]] = defaultdict(list)
    for error in errors:
        remedy = remedy_in_window(error.remedy)
        found[error.node].append(Problem(error.what, remedy, error.reason, error.socket))
    return {node: tuple(problems) for node, problems in found.items()}
