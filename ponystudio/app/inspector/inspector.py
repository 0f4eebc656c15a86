"""What the selected node is, does and costs; without one, what is wrong with the graph, and what a
run would do.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import NamedTuple

from PySide6.QtCore import Qt, QTimer, Signal
from PySide6.QtWidgets import QFrame, QHBoxLayout, QScrollArea, QVBoxLayout, QWidget

from ponystudio.api.spec import NodeSpec
from ponystudio.app.inspector.page_parts import (
    RemarkList,
    label,
    new_page,
    problem_card,
    section,
    state_card,
)
from ponystudio.app.inspector.token_view import TokenView
from ponystudio.canvas.fields.field_context import FieldContext
from ponystudio.canvas.fields.field_painting import label_of, text_of
from ponystudio.canvas.fields.prompt import prompt_in
from ponystudio.canvas.scene.card_status import seconds
from ponystudio.errors import NothingToRun
from ponystudio.graph.editing import lora_tags
from ponystudio.graph.model import Node
from ponystudio.graph.placeholder import stands_for
from ponystudio.graph.topology import ancestors, effective
from ponystudio.graph.validation import effective_targets
from ponystudio.qt.i18n import tr
from ponystudio.studio.documents.document import Document
from ponystudio.studio.documents.editable_graph import NodeState, Problem
from ponystudio.studio.models.field_services import FieldServices
from ponystudio.studio.models.token_counts import PromptState
from ponystudio.studio.runs.run_texts import rough_duration, title
from ponystudio.studio.runs.runner import Runner
from ponystudio.widgets import theme
from ponystudio.widgets.primitives import PaintedButton, px

LONGEST = 60
SOON = 80


class Inspector(QFrame):
    """Tells of a node or of the graph; `problem_key` gives the keys that walk through problems.

    `run_requested`, `bypass_requested`, `help_requested`, `loras_requested` (its `<lora:…>` are to
    be nodes), `offer_taken` (what its card offers is to be) and `node_requested` (it is to be
    shown) carry a node's id, `words_chosen` a node, and from where to where in its prompt,
    `folder_requested` the kind of files that it holds. `models_taken`: all that were found.
    """

    run_requested = Signal(str)
    bypass_requested = Signal(str)
    node_requested = Signal(str)
    help_requested = Signal(str)
    loras_requested = Signal(str)
    offer_taken = Signal(str)
    models_taken = Signal()
    folder_requested = Signal(str)
    words_chosen = Signal(str, int, int)

    def __init__(
        self,
        runner: Runner,
        services: FieldServices,
        problem_key: Callable[[], str] = str,
        parent: QWidget | None = None,
    ) -> None:
        super().__init__(parent)
        self._runner, self._counts, self._problem_key = runner, services.counts, problem_key
        self._document: Document | None = None
        self.node = ""
        self.tokens = TokenView(self)
        self.tokens.hide()
        self.tokens.chosen.connect(lambda *span: self.words_chosen.emit(self.node, *span))
        self.setProperty("surface", "panel")
        self.setAccessibleName(self.tr("Inspector"))
        self.area = QScrollArea()
        self.area.setWidgetResizable(True)
        self.area.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        box = QVBoxLayout(self)
        box.setContentsMargins(0, 0, 0, 0)
        box.addWidget(self.area)
        self._soon = QTimer(self, singleShot=True, interval=SOON)
        self._soon.timeout.connect(self.refresh)
        self._counts.changed.connect(self._later)
        theme.hub.changed.connect(self.refresh)

    def show_document(self, document: Document | None, node: str = "") -> None:
        """Tell of another document, or of one of its nodes."""
        before, self._document = self._document, document
        if before is document:
            self.show_node(node)
            return
        if before is not None:
            before.states.changed.disconnect(self._state_changed)
            before.changed.disconnect(self._graph_changed)
            before.remarked.disconnect(self._later)
        if document is not None:
            document.states.changed.connect(self._state_changed)
            document.changed.connect(self._graph_changed)
            document.remarked.connect(self._later)
        self.show_node(node)

    def show_node(self, node: str) -> None:
        """Tell of a node of the document; "" tells of all of it."""
        self.node = node
        self.refresh()

    def show_tokens(self) -> None:
        """Bring them into sight."""
        self.refresh()
        if self.tokens.isVisibleTo(self) and (page := self.area.widget()):
            page.adjustSize()
            self.area.ensureWidgetVisible(self.tokens, 0, self.area.height())

    def refresh(self) -> None:
        document = self._document
        self.tokens.setParent(self)  # or it would go with what it stood in
        self.tokens.hide()
        if document is None:
            content: QWidget = QWidget()
        elif self.node in document.graph.nodes:
            content = self._of_node(document, self.node)
        else:
            content = graph_page(
                document,
                self._runner,
                self._problem_key(),
                self.node_requested.emit,
                ModelHelp(
                    self.offer_taken.emit, self.models_taken.emit, self.folder_requested.emit
                ),
            )
        bar = self.area.verticalScrollBar()
        place = bar.value()
        if before := self.area.takeWidget():
            before.deleteLater()  # later: it may be one of its buttons that led here
        self.area.setWidget(content)
        bar.setValue(place)

    def _state_changed(self, node: str) -> None:
        if node in ("", self.node) or not self.node:
            self._later()

    def _graph_changed(self, change: object) -> None:
        if getattr(change, "nodes", None) or self.node:
            self._later()

    def _later(self) -> None:
        """A run tells more often than anybody reads."""
        if not self._soon.isActive():
            self._soon.start()

    # Of a node

    def _of_node(self, document: Document, id: str) -> QWidget:
        node, spec, state = document.graph.nodes[id], document.spec(id), document.states[id]
        page, box = new_page()
        head = QHBoxLayout()
        kind = spec.title if spec else stands_for(node) or node.type
        head.addWidget(label(node.title or kind, "title"), 1)
        help = PaintedButton("icon", icon="help", name=self.tr("Help on this node"))
        help.setToolTip(self.tr("Help on this node"))
        help.clicked.connect(lambda: self.help_requested.emit(id))
        head.addWidget(help, 0, Qt.AlignmentFlag.AlignTop)
        box.addLayout(head)
        box.addWidget(label(f"{node.type} v{node.version}", "mono_caption", "text3"))
        if spec and spec.help:
            box.addWidget(label(spec.help.split("\n\n")[0], "body", "text2"))
        problems = problems_of(state)
        for problem in problems:
            links = folder_links(spec, problem, self.folder_requested.emit)
            box.addWidget(problem_card(problem, links=links))
        if not problems or state.phase in ("running", "waiting"):
            box.addWidget(state_card(node, spec, state))
        if state.offer:
            box.addWidget(label(state.offer.text, "body", "text2"))
            take = PaintedButton("plain", state.offer.button, "check")
            take.clicked.connect(lambda: self.offer_taken.emit(id))
            box.addWidget(take, 0, Qt.AlignmentFlag.AlignLeft)
        prompt = _prompt(document, node, spec)
        count = self._counts.get(prompt, "inspector") if prompt else None
        for note in dict.fromkeys((*state.notes, *(count.notes if count else ()))):
            box.addWidget(label(note, "body", "text2"))
        if prompt and lora_tags.has_tags(prompt.text):
            make = PaintedButton("plain", self.tr("Make LoRA nodes"), "models")
            make.clicked.connect(lambda: self.loras_requested.emit(id))
            box.addWidget(make, 0, Qt.AlignmentFlag.AlignLeft)
        section(box, self.tr("Parameters"), _params(document, node, spec))
        if prompt:
            self.tokens.show_prompt(self._counts, prompt)
            box.addSpacing(px(4))
            box.addWidget(self.tokens)
            self.tokens.show()
        section(box, self.tr("Cost"), self._cost(document, id, state))
        section(box, self.tr("Output"), list(state.outputs))
        box.addLayout(self._buttons(id, node))
        box.addStretch(1)
        return page

    def _cost(self, document: Document, id: str, state: NodeState) -> list[tuple[str, str]]:
        rows = []
        (known,) = self._runner.costs(document, [id])
        if known.runs:
            if known.per_step:
                rows.append((self.tr("per step"), seconds(known.per_step)))
            one = known.runs == 1
            runs = self.tr("in 1 run") if one else self.tr("over {n} runs").format(n=known.runs)
            rows.append((self.tr("usually"), f"{seconds(known.seconds)} {runs}"))
        if state.seconds is not None:
            rows.append((self.tr("last time"), seconds(state.seconds)))
        return rows

    def _buttons(self, id: str, node: Node) -> QHBoxLayout:
        row = QHBoxLayout()
        row.setSpacing(px(8))
        off = node.mode == "bypassed"
        wanted: tuple[tuple[str, str, Callable[[], object]], ...] = (
            (self.tr("Run to here"), "run", lambda: self.run_requested.emit(id)),
            (
                self.tr("Use again") if off else self.tr("Bypass"),
                "bypass",
                lambda: self.bypass_requested.emit(id),
            ),
        )
        for text, icon, run in wanted:
            button = PaintedButton("plain", text, icon)
            button.clicked.connect(lambda _=False, run=run: run())
            row.addWidget(button)
        row.addStretch(1)
        return row


def _params(document: Document, node: Node, spec: NodeSpec | None) -> list[tuple[str, str]]:
    if spec is None:
        return [(name, _short(text_of(value))) for name, value in node.params.items()]
    rows = []
    for param in spec.params:
        name = label_of(param)
        if param.name in node.inputs:
            source = node.inputs[param.name].source
            rows.append((name, f"← {title(document.graph, document.catalog, source)}"))
        elif param.type != "rows" and not param.prompt:  # that one is shown by its tokens
            value = text_of(node.params.get(param.name, param.default))
            rows.append((name, _short(value) or tr("none")))
    return rows


def _prompt(document: Document, node: Node, spec: NodeSpec | None) -> PromptState | None:
    """The first prompt of its own that a node has."""
    own = (p for p in spec.params if p.prompt and p.name not in node.inputs) if spec else ()
    param = next(iter(own), None)
    return prompt_in(FieldContext.of(document, node.id, param)) if param else None


def _short(text: str) -> str:
    line = " ".join(text[: 10 * LONGEST].split())
    return line if len(line) <= LONGEST else line[: LONGEST - 1] + "…"


# Nodes that are called by name; more are counted.
MOST_PROBLEMS = 20  # cards: each takes two milliseconds to lay out, and nobody reads more
NAMED = 3


class ModelHelp(NamedTuple):
    """What is done about model files: take what the card of a node offers, take all that was found,
    open the folder of a kind."""

    take: Callable[[str], object]
    take_all: Callable[[], object]
    open_folder: Callable[[str], object]


def graph_page(
    document: Document,
    runner: Runner,
    key: str,
    go_to: Callable[[str], object],
    help: ModelHelp,
) -> QWidget:
    """`key` is what walks through the problems, `go_to` shows a node."""
    widget, box = new_page()
    graph, states = document.graph, document.states
    found = [(id, p) for id in graph.nodes for p in problems_of(states[id])]
    head = QHBoxLayout()
    head.addWidget(label(tr("Problems") if found else document.title, "title"), 1)
    if found:
        head.addWidget(label(str(len(found)), "mono_caption", "text3"))
    box.addLayout(head)
    if document.read_only:
        box.addWidget(label(document.read_only, "body", "warn"))
    for problem in document.problems[:MOST_PROBLEMS]:
        box.addWidget(label(problem.what, "body", "warn"))
    files = {file for id in graph.nodes if (o := states[id].offer) for file in o.files}
    if len(files) > 1:
        text = tr("Use what was found ({n})").format(n=len(files))
        take_all = PaintedButton("plain", text, "check")
        take_all.clicked.connect(lambda: help.take_all())
        box.addWidget(take_all, 0, Qt.AlignmentFlag.AlignLeft)
    for place, (id, problem) in enumerate(found[:MOST_PROBLEMS]):
        name = graph.nodes[id].title or title(graph, document.catalog, id)
        first = key if place == 0 else ""
        links = folder_links(document.spec(id), problem, help.open_folder)
        if (offer := states[id].offer) and links:
            problem = replace(problem, remedy=offer.text)
            links.insert(0, (offer.button, partial(help.take, id)))
        box.addWidget(problem_card(problem, name, first, partial(go_to, id), links))
    if (more := len(found) - MOST_PROBLEMS) > 0:
        box.addWidget(label(tr("and {n} more").format(n=more), "caption"))
    if said := _remarks(document):
        box.addSpacing(px(4))
        box.addWidget(label(tr("What the import says"), "group"))
        box.addWidget(RemarkList(said, lambda id: id and go_to(id)))
    if any(states[id].phase == "not_run" for id in graph.nodes):
        section(box, tr("What still works"), _what_works(document))
    else:
        section(box, tr("This graph"), _facts(document, runner))
    if not found:
        box.addWidget(label(tr("Select a node to see what it does."), "caption"))
    box.addStretch(1)
    return widget


def folder_links(
    spec: NodeSpec | None, problem: Problem, open_folder: Callable[[str], object]
) -> list[tuple[str, Callable[[], object]]]:
    """What leads to the folder into which a missing file belongs."""
    param = spec.param_by_name.get(problem.socket.split("[")[0].split(".")[0]) if spec else None
    if problem.reason != "MissingFile" or param is None:
        return []
    kinds = [param.kind, *(field.kind for field in param.fields if field.type == "file")]
    kind = next(filter(None, kinds), "")
    return [(tr("Open the folder"), partial(open_folder, kind))] if kind else []


def _remarks(document: Document) -> list[tuple[str, str]]:
    """What was said of graphs of other tools, each with the node that it is about, if that is still
    there."""
    nodes, rows = document.graph.nodes, []
    for remark in document.remarks:
        there = remark.node in nodes
        name = title(document.graph, document.catalog, remark.node) if there else ""
        line = f"{name}: {remark.text}" if there else remark.text
        rows.append((line, remark.node if there else ""))
    return rows


def next_problem(document: Document, after: str) -> str:
    """The node with a problem that follows another, round and round; "" without any."""
    nodes = [id for id in document.graph.nodes if problems_of(document.states[id])]
    if not nodes:
        return ""
    return nodes[(nodes.index(after) + 1) % len(nodes)] if after in nodes else nodes[0]


def problems_of(state: NodeState) -> list[Problem]:
    """What its card shows in red."""
    return [state.problem] if state.problem else list(state.faults)


def _facts(document: Document, runner: Runner) -> list[tuple[str, str]]:
    states, nodes = document.states, document.graph.nodes
    rows = [(tr("graph"), _count(len(nodes)))]
    if document.path is not None:
        rows.append((tr("file"), document.path.name))
    if any(states[id].phase in ("running", "waiting") for id in nodes):
        return rows  # which is told of below the canvas
    runs = [id for id in _needed(document) if states[id].reason]
    will = _count(len(runs))
    if runs and (seconds := _forecast(document, runner, runs)):
        whole = rough_duration(seconds).replace(" ", "\u00a0")  # on one line
        will += tr(", in about {time}").format(time=whole)
    rows.append((tr("will run"), will))
    rows.append((tr("kept"), _count(sum(bool(states[id].tier) for id in nodes))))
    return rows


def _needed(document: Document) -> list[str]:
    """The nodes that a run is made for, and what they need."""
    try:
        targets = effective_targets(document.graph, document.catalog)
    except NothingToRun:
        return []
    wanted = ancestors(effective(document.graph, document.catalog), targets)
    return [id for id in document.graph.nodes if id in wanted]


def _forecast(document: Document, runner: Runner, nodes: list[str]) -> float:
    """The seconds that these usually take; 0 where it is not known of one of them."""
    costs = runner.costs(document, nodes)
    return sum(cost.seconds for cost in costs) if all(cost.runs for cost in costs) else 0.0


def _what_works(document: Document) -> list[tuple[str, str]]:
    """What a run that failed, or left something out, has done nevertheless."""
    states, nodes = document.states, document.graph.nodes
    done = [id for id in nodes if states[id].phase == "done"]
    kept = sum(bool(states[id].tier) for id in nodes)
    rows = []
    if done:
        named = (title(document.graph, document.catalog, id) for id in done[: NAMED + 1])
        rows.append((tr("finished"), ", ".join(named) if len(done) <= NAMED else _count(len(done))))
    if kept:
        rows.append((tr("kept"), tr("results of {nodes}").format(nodes=_count(kept))))
    left = sum(states[id].phase == "not_run" for id in nodes)
    return [*rows, (tr("not run"), _count(left))]


def _count(nodes: int) -> str:
    return tr("1 node") if nodes == 1 else tr("{n} nodes").format(n=nodes)
