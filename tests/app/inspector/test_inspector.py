"""The inspector: of the selected node, and of the graph when none is."""

from __future__ import annotations

import pytest
from PySide6.QtCore import Qt

from helpers.running import until
from helpers.studio import text_to_picture
from helpers.window import press, show_graph, texts
from ponystudio.graph.editing.edits import Connect, SetParam
from ponystudio.studio.documents.editable_graph import Problem


@pytest.fixture
def document(window):
    """The graph in front, whose states nobody writes but the test."""
    show_graph(window, text_to_picture())
    window.runner.planner.unwatch(window.documents.current)
    return window.documents.current


def test_of_a_node_its_problem_stands_once(window, document):
    document.states.update("decode", faults=(Problem("The VAE is missing", "Wire one"),))
    window.page.scene.store.select(["decode"])
    until(lambda: "The VAE is missing" in texts(window.inspector))
    said = texts(window.inspector)
    assert said.count("The VAE is missing") == 1
    assert "Show it" not in said


def test_it_follows_the_values_of_its_node(window):
    show_graph(window, text_to_picture())
    window.page.scene.store.select(["sampler"])
    window.documents.current.do(SetParam("sampler", "steps", 33), "Change steps")
    until(lambda: "33" in texts(window.inspector).split("\n"))
    window.documents.current.do(Connect("latent", "latent", "sampler", "steps"), "Connect")
    until(lambda: "← Empty latent" in texts(window.inspector).split("\n"))


def test_a_node_that_goes_leaves_no_trace(window):
    show_graph(window, text_to_picture())
    window.page.scene.store.select(["sampler"])
    press(window.page.view, Qt.Key.Key_Delete)
    until(lambda: "Select a node to see what it does." in texts(window.inspector))
