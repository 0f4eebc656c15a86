"""Seeds and values of a picture, taken over into the present graph."""

from __future__ import annotations

from helpers.pictures import text_to_picture
from ponystudio.graph.catalog import shipped_catalog
from ponystudio.graph.model import Graph, Node
from ponystudio.studio.documents.editable_graph import EditableGraph
from ponystudio.studio.results.picture_actions import apply_values, seed_places, use_seed

LARGEST = 2**64 - 1


def test_a_pictures_seed_goes_to_the_node_that_it_belongs_to(qapp, tmp_path):
    document = EditableGraph(text_to_picture("cat", seed=1), shipped_catalog())
    fox = text_to_picture("fox", seed=LARGEST)
    path = tmp_path / "a.png"
    assert use_seed(document, LARGEST, path, fox) == 1
    assert document.graph.nodes["sampler"].params["seed"] == LARGEST
    assert document.graph.nodes["positive"].params["text"] == "cat"
    assert document.undo_text == "Use the seed of a.png"
    assert use_seed(document, LARGEST, path, fox) == 0
    assert document.undo_count == 1


def test_without_a_graph_the_only_seed_takes_it(qapp, tmp_path):
    document = EditableGraph(
        Graph.of(Node("mine", "core.sample", params={"seed": 3})), shipped_catalog()
    )
    assert seed_places(document) == [("mine", "seed")]
    assert use_seed(document, 9, tmp_path / "gone.png", None) == 1
    assert document.graph.nodes["mine"].params["seed"] == 9


def test_all_values_are_one_step_to_undo(qapp, tmp_path):
    before = text_to_picture("cat", seed=1)
    document = EditableGraph(before, shipped_catalog())
    path, fox = tmp_path / "a.png", text_to_picture("fox", seed=2, steps=9)
    assert apply_values(document, path, fox) == 3
    assert document.graph.nodes["sampler"].params["steps"] == 9
    document.undo()
    assert document.graph == before
    assert apply_values(document, path, None) == 0
