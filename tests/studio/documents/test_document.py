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
