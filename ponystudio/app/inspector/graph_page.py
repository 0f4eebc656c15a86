"""The inspector without a node: what is wrong with the graph, and what a run would do."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from PySide6.QtWidgets import QHBoxLayout, QWidget

from ponystudio.app.inspector.page_parts import label, new_page, problem_card, section
from ponystudio.errors import NothingToRun
from ponystudio.graph.topology import ancestors, effective
from ponystudio.graph.validation import effective_targets
from ponystudio.qt.i18n import tr
from ponystudio.studio.documents.document import Document
from ponystudio.studio.documents.node_state import NodeState, Problem
from ponystudio.studio.runs.run_texts import rough_duration, title
from ponystudio.studio.runs.runner import Runner

# Nodes that are called by name; more are counted.
NAMED = 3


def graph_page(
    document: Document, runner: Runner, key: str, go_to: Callable[[str], object]
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
    for problem in document.problems:
        box.addWidget(label(problem.what, "body", "warn"))
    for place, (id, problem) in enumerate(found):
        name = graph.nodes[id].title or title(graph, document.catalog, id)
        first = key if place == 0 else ""
        box.addWidget(problem_card(problem, name, first, partial(go_to, id)))
    if any(states[id].phase == "not_run" for id in graph.nodes):
        section(box, tr("What still works"), _what_works(document))
    else:
        section(box, tr("This graph"), _facts(document, runner))
    if not found:
        box.addWidget(label(tr("Select a node to see what it does."), "caption"))
    box.addStretch(1)
    return widget


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
    done = [title(document.graph, document.catalog, i) for i in nodes if states[i].phase == "done"]
    kept = sum(bool(states[id].tier) for id in nodes)
    rows = []
    if done:
        rows.append((tr("finished"), ", ".join(done) if len(done) <= NAMED else _count(len(done))))
    if kept:
        rows.append((tr("kept"), tr("results of {nodes}").format(nodes=_count(kept))))
    left = sum(states[id].phase == "not_run" for id in nodes)
    return [*rows, (tr("not run"), _count(left))]


def _count(nodes: int) -> str:
    return tr("1 node") if nodes == 1 else tr("{n} nodes").format(n=nodes)
