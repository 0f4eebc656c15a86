"""Graphs to begin with."""

from __future__ import annotations

from ponystudio.studio.documents.templates import template, templates


def test_templates_are_the_shipped_graphs(studio):
    assert [item.title for item in templates()][:1] == ["Text to picture"]
    document = studio.documents.new(template("text-to-picture"))
    assert document.title == "Text to picture"
    assert "sampler" in document.graph.nodes
    assert not document.dirty
    assert document.path is None
