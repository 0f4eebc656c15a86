"""Nodes in their own words."""

from __future__ import annotations

import pytest

from helpers.studio import CATALOG
from ponystudio.app.panels.help_panel import node_help


@pytest.mark.parametrize("spec", CATALOG.values(), ids=lambda spec: spec.id)
def test_every_node_explains_itself(spec):
    said = node_help(spec)
    assert spec.title in said
    assert spec.help.split("\n")[0][:20].replace("'", "&#x27;") in said
    for item in (*spec.inputs, *spec.params, *spec.outputs):
        assert (item.title or item.name) in said


def test_words_are_no_markup():
    from ponystudio.api.spec import NodeSpec

    assert "<b>&" not in node_help(NodeSpec("a.b", 1, "A <i>", "X", help="1 < 2 & 3"))
    assert "1 &lt; 2 &amp; 3" in node_help(NodeSpec("a.b", 1, "A <i>", "X", help="1 < 2 & 3"))
