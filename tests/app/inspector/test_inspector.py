"""The inspector: of the selected node, and of the graph when none is."""

from __future__ import annotations

import json

import pytest
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QFrame, QPushButton

from helpers.running import until
from helpers.studio import text_to_picture
from helpers.window import press, show_graph, texts
from ponystudio.app.inspector import inspector
from ponystudio.app.inspector.inspector import MOST_PROBLEMS
from ponystudio.app.inspector.page_parts import RemarkList
from ponystudio.graph.editing.edits import AddNode, Connect, SetParam
from ponystudio.graph.model import Graph, Node
from ponystudio.studio.documents.editable_graph import Problem
from ponystudio.studio.runs.duration_estimates import works

LEFT = Qt.MouseButton.LeftButton


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


def test_without_a_node_it_tells_what_is_wrong(window, document):
    states = document.states
    states.update("decode", faults=(Problem("The VAE is missing", "Wire one"),))
    until(lambda: "The VAE is missing" in texts(window.inspector))
    assert "Wire one" in texts(window.inspector)
    show = next(b for b in window.inspector.findChildren(QPushButton) if b.text() == "Show it")
    QTest.mouseClick(show, LEFT)
    assert window.page.scene.store.selected_nodes() == ["decode"]


def test_the_first_problem_names_the_key_that_leads_there(window, document):
    states = document.states
    for id in ("checkpoint", "decode"):
        states.update(id, faults=(Problem(f"{id} is wrong"),))
    until(lambda: "decode is wrong" in texts(window.inspector))
    assert texts(window.inspector).split("\n").count("F8") == 1
    window.actions_.rebind("view.problems", ["Ctrl+Alt+P"])
    states.update("decode", faults=(Problem("Still wrong"),))
    window.inspector.refresh()
    assert "Ctrl+Alt+P" in texts(window.inspector).split("\n")
    cards = [f for f in window.inspector.findChildren(QFrame) if f.property("surface") == "problem"]
    assert len(cards) == 2


def test_what_a_run_would_do_and_how_long_it_takes(window, document):
    runner = window.runner
    for id in document.graph.nodes:
        document.states.update(id, tier="memory")
    for id, seconds in (("sampler", 40.0), ("decode", 2.0), ("save", 0.0)):
        kind = document.graph.nodes[id].type
        work = works(document.graph, document.catalog)[id]
        runner.estimates.learn(runner.worker.device, kind, work, seconds)
        document.states.update(id, tier="", reason="Seed changed")
    until(lambda: "3 nodes, in about 42\u00a0s" in texts(window.inspector))
    assert f"{len(document.graph.nodes) - 3} nodes" in texts(window.inspector).split("\n")
    document.do(AddNode(Node("loose", "core.load_vae")), "Add a node that nothing needs")
    document.states.update("loose", reason="Not run yet")
    window.inspector.refresh()
    assert "3 nodes, in about 42\u00a0s" in texts(window.inspector)


def test_after_a_failure_it_says_what_still_works(window, document):
    states = document.states
    states.update("checkpoint", phase="done", tier="memory")
    states.update("sampler", phase="failed", problem=Problem("Too large"))
    states.update("decode", phase="not_run")
    until(lambda: "What still works" in texts(window.inspector))
    said = texts(window.inspector).split("\n")
    assert said[said.index("finished") + 1] == "Load checkpoint"
    assert said[said.index("kept") + 1] == "results of 1 node"
    assert said[said.index("not run") + 1] == "1 node"


def test_of_thousands_of_problems_the_first_are_told(window):
    """A card for each of 3,000 would take as many seconds as the window then stands still."""
    nodes = [Node(f"n{i}", "core.decode_latent") for i in range(3000)]
    show_graph(window, Graph(nodes={node.id: node for node in nodes}))
    document = window.documents.current
    window.runner.planner.unwatch(document)
    with document.states.at_once():
        for node in nodes:
            document.states.update(node.id, faults=(Problem("The VAE is missing"),))
    more = f"and {3000 - MOST_PROBLEMS} more"
    until(lambda: more in texts(window.inspector))
    assert len(window.inspector.findChildren(QPushButton)) < 3 * MOST_PROBLEMS
    assert "3000" in texts(window.inspector)


def test_of_a_graph_that_comes_to_the_front_the_page_is_made_once(window, monkeypatch):
    """Of 20,000 nodes it takes a tenth of a second."""
    made = []
    make = inspector.graph_page
    monkeypatch.setattr(inspector, "graph_page", lambda *all: made.append(all[0]) or make(*all))
    show_graph(window, Graph())
    assert made == [window.documents.current]


def test_what_an_import_says_leads_to_its_nodes(window, tmp_path):
    source = {
        "1": {"class_type": "CheckpointLoaderSimple", "inputs": {"ckpt_name": "a.safetensors"}},
        "2": {"class_type": "CLIPTextEncode", "inputs": {"clip": ["1", 1], "text": "a", "odd": 1}},
        "3": {"class_type": "SaveImage", "inputs": {"images": ["4", 0]}},
        "4": {"class_type": "ADetailerOfSomebody", "inputs": {"conditioning": ["2", 0]}},
    }
    path = tmp_path / "theirs.json"
    path.write_text(json.dumps(source))
    window.documents.open(path)
    until(lambda: window.documents.current.graph.nodes)
    document, select = window.documents.current, window.page.scene.store.select
    select([])
    until(lambda: window.inspector.findChildren(RemarkList))
    (rows,) = window.inspector.findChildren(RemarkList)
    lines = [rows.item(i).text() for i in range(rows.count())]
    odd = next(i for i, line in enumerate(lines) if "odd" in line)
    about = rows.item(odd).data(Qt.ItemDataRole.UserRole)
    assert document.graph.nodes[about].type == "core.encode_prompt"
    QTest.mouseClick(rows.viewport(), LEFT, pos=rows.visualItemRect(rows.item(odd)).center())
    until(lambda: window.page.scene.store.selected_nodes() == [about])
