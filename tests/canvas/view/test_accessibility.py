"""The graph as a screen reader walks through it."""

from __future__ import annotations

import gc

import pytest
from PySide6.QtCore import QCoreApplication, QEvent, QPointF
from PySide6.QtGui import QAccessible

from helpers.scenes import chain
from ponystudio.canvas.scene.items import FocusRef
from ponystudio.canvas.scene.scene import GraphScene
from ponystudio.canvas.view import accessibility
from ponystudio.canvas.view.accessibility import GraphInterface, PartInterface
from ponystudio.canvas.view.camera_view import Camera
from ponystudio.canvas.view.view import GraphView
from ponystudio.graph.editing.edits import RemoveNode, SetView

NAME = QAccessible.Text.Name
Role = QAccessible.Role


@pytest.fixture
def view(qtbot) -> GraphView:
    view = GraphView(GraphScene(chain()))
    qtbot.addWidget(view)
    view.resize(1100, 700)
    view.show()
    qtbot.waitExposed(view)
    view.set_camera(Camera(QPointF(440, 200), 1.0))
    return view


@pytest.fixture
def graph(view: GraphView) -> GraphInterface:
    return QAccessible.queryAccessibleInterface(view)


def card(graph: GraphInterface, node: str) -> PartInterface:
    return graph.part(FocusRef("node", node))


def test_the_canvas_has_its_cards_for_children(view, graph):
    cards = [graph.child(index) for index in range(1, graph.childCount())]
    assert graph.role() == Role.Canvas
    assert [item.text(NAME).split(",")[0] for item in cards] == ["Source", "Sample", "Sample"]
    assert [graph.indexOfChild(item) for item in cards] == [1, 2, 3]
    assert all(item.parent() is graph and item.role() == Role.Grouping for item in cards)


def test_a_card_has_its_sockets_and_params(graph):
    rows = [card(graph, "sample").child(i) for i in range(card(graph, "sample").childCount())]
    assert [row.text(NAME) for row in rows] == [
        "Input model of Sample, Model, from Source",
        "Input latent of Sample, Latent, from Source",
        "Input mask of Sample, Mask, not connected",
        "Output latent of Sample, Latent, one wire",
        "steps, 20, Sample",
        "cfg, 7.0, Sample",
    ]
    assert [row.role() for row in rows] == [Role.Button] * 4 + [Role.SpinBox] * 2
    assert all(row.parent() is card(graph, "sample") for row in rows)


def test_rects_are_where_things_are_on_the_screen(view, graph):
    shown = card(graph, "sample").rect()
    corner = view.viewport().mapToGlobal(view.from_scene(QPointF(320, 0)).toPoint())
    assert shown.topLeft() == corner
    assert shown.width() == pytest.approx(240, abs=1)
    middle = shown.center()
    assert graph.childAt(middle.x(), middle.y()) is card(graph, "sample")
    steps = graph.part(FocusRef("param", "sample", "steps"))
    assert shown.contains(steps.rect())
    inside = steps.rect().center()
    assert card(graph, "sample").childAt(inside.x(), inside.y()) is steps


def test_states_are_told(view, graph):
    scene, sample = view.graph_scene, card(graph, "sample")
    assert not sample.state().selected
    scene.store.select(["sample"])
    scene.document.states.update("sample", phase="running")
    assert sample.state().selected
    assert sample.state().busy
    scene.document.do(SetView(("nodes", "sample", "collapsed"), True), "Collapse")
    assert sample.state().collapsed
    view.set_camera(Camera(QPointF(9000, 0), 1.0))
    assert sample.state().offscreen


def test_the_focus_is_announced(view, graph, qtbot, monkeypatch):
    told = []
    monkeypatch.setattr(QAccessible, "isActive", lambda: True)
    monkeypatch.setattr(QAccessible, "updateAccessibility", lambda event: told.append(event))
    view.activateWindow()
    view.setFocus()
    qtbot.waitUntil(view.hasFocus)
    view.graph_scene.set_focus(FocusRef("input", "sample", "latent"))
    event = told[-1]
    assert event.type() == QAccessible.Event.Focus
    assert event.accessibleInterface().text(NAME).startswith("Input latent of Sample")
    assert graph.focusChild().state().focused
    view.graph_scene.set_focus(FocusRef("wire", "sample", wire=("sample", "latent")))
    spoken = told[-1].accessibleInterface()
    assert (spoken.role(), spoken.text(NAME)) == (
        Role.Link,
        "Wire from Source, latent, to Sample, latent",
    )


def test_what_goes_is_forgotten(view, graph):
    sample = card(graph, "sample")
    id = QAccessible.uniqueId(sample)
    view.graph_scene.document.do(RemoveNode("sample"), "Delete")
    assert QAccessible.accessibleInterface(id) is None
    assert graph.childCount() == 3


def test_it_ends_with_its_view(qapp):
    view = GraphView(GraphScene(chain()))
    graph = QAccessible.queryAccessibleInterface(view)
    id = QAccessible.uniqueId(card(graph, "sample").child(0))
    view.deleteLater()
    del view
    QCoreApplication.sendPostedEvents(None, QEvent.Type.DeferredDelete)
    gc.collect()
    assert QAccessible.accessibleInterface(id) is None


def test_nobody_listening_costs_nothing(view, monkeypatch):
    monkeypatch.setattr(QAccessible, "isActive", lambda: False)
    monkeypatch.setattr(accessibility, "PartInterface", None)
    view.graph_scene.set_focus(FocusRef("node", "sample"))
