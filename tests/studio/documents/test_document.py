"""A document: what is wrong with it as a whole."""

from __future__ import annotations

from helpers.graphs import node
from ponystudio.graph.editing.edits import SetView
from ponystudio.graph.model import Graph, Node


def test_what_is_missing_is_a_problem_of_the_document(studio):
    document = studio.documents.new_from(
        Graph.of(node("a", "t.number"), Node("b", "gone.node")), "Mine"
    )
    assert [problem.reason for problem in document.problems] == ["UnknownNode"]
    assert "gone.node" in document.problems[0].what
    document.do(SetView(("notes",), []), "Notes")
    assert len(document.problems) == 1


def test_nodes_of_comfyui_that_are_not_known_are_told_by_their_classes(studio):
    theirs = Node("a", "comfyui.FaceDetailer"), Node("b", "comfyui.FaceDetailer")
    document = studio.documents.new_from(Graph.of(*theirs, Node("c", "gone.node")), "Mine")
    comfyui, gone = document.problems
    assert "of ComfyUI are not known here: FaceDetailer." in comfyui.what
    assert "gone.node." in gone.what
