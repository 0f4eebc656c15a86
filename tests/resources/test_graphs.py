"""The shipped graphs are sound, and stand as a save would write them."""

from __future__ import annotations

from pathlib import Path

import pytest

import ponystudio_resources
from ponystudio.engine.node_packs import load_packs
from ponystudio.graph.formats.graph_file import dumps, loads
from ponystudio.graph.validation import check, effective_targets

GRAPHS = sorted(ponystudio_resources.path("graphs").glob("*.json"))


@pytest.mark.parametrize("path", GRAPHS, ids=lambda path: path.stem)
def test_every_shipped_graph(path: Path, tmp_path: Path) -> None:
    catalog = load_packs(tmp_path).catalog
    text = path.read_text(encoding="utf-8")
    graph = loads(text)
    assert check(graph, catalog) == []
    assert effective_targets(graph, catalog)
    # Every param is written, so that a changed default leaves them as they are.
    assert dumps(graph, catalog) == text


def test_the_default_graph_has_the_nodes_that_others_rely_on() -> None:
    path = ponystudio_resources.path("graphs", "text-to-picture.json")
    graph = loads(path.read_text(encoding="utf-8"))
    named = {"checkpoint", "positive", "negative", "latent", "sampler", "decode", "save"}
    assert graph.nodes.keys() == named
    assert graph.nodes["save"].params["format"] == "png"
