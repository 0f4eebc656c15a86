from __future__ import annotations

from dataclasses import replace

from helpers.pictures import text_to_picture
from ponystudio.graph.catalog import shipped_catalog
from ponystudio.graph.model import Link, Node
from ponystudio.studio.results.graph_diff import compare, own_phrases, sentence, values_edit, words


def test_values_that_differ_are_named_by_node_and_param():
    a = text_to_picture("fox, flat, green background", steps=20)
    b = text_to_picture("fox, 3d, green background", steps=30)
    found = compare(a, b, shipped_catalog())
    told = [(item.what, item.before, item.after) for item in found.differences]
    assert told[0][1:] == ("fox, flat, green background", "fox, 3d, green background")
    assert told[1] == ("Sample, steps", "20", "30")
    assert found.same == ("graph", "model", "seed", "sampler")
    assert sentence(found.same) == "Same graph, model, seed and sampler"
    assert found.values > 15


def test_equal_graphs_differ_in_nothing_whatever_defaults_are_written():
    a = text_to_picture()
    save = a.nodes["save"]
    b = a.with_nodes([replace(save, params={**save.params, "quality": 95}, title="Mine")])
    assert compare(a, b, shipped_catalog()).differences == ()


def test_nodes_wires_and_modes_are_differences_too():
    a = text_to_picture()
    lora = Node("lora", "core.apply_lora", inputs={"model": Link("checkpoint", "model")})
    sampler = a.nodes["sampler"]
    wired = replace(sampler, inputs={**sampler.inputs, "model": Link("lora", "model")})
    b = a.with_nodes([lora, wired, replace(a.nodes["save"], mode="muted")])
    told = {(item.kind, item.what, item.before, item.after) for item in compare(a, b).differences}
    assert told == {
        ("node", "Apply Lora", "not there", "there"),
        ("wire", "Sample, model", "from Load Checkpoint", "from Apply Lora"),
        ("mode", "Save Image", "on", "muted"),
    }
    assert "graph" not in compare(a, b).same


def test_renamed_nodes_are_still_the_same_nodes():
    a, b = text_to_picture(seed=1), text_to_picture(seed=2)
    renamed = replace(b.nodes["sampler"], id="sampler_2")
    decode = b.nodes["decode"]
    links = {**decode.inputs, "latent": Link("sampler_2", "latent")}
    b = b.without("sampler").with_nodes([renamed, replace(decode, inputs=links)])
    told = [(item.what, item.before, item.after) for item in compare(a, b).differences]
    assert told == [("Sample, seed", "1", "2")]


def test_words_mark_what_is_only_on_one_side():
    left, right = words("fox, flat, green", "fox, 3d, green")
    assert [text for text, own in left if own] == ["flat"]
    assert [text for text, own in right if own] == ["3d"]
    assert "".join(text for text, _ in left) == "fox, flat, green"
    assert own_phrases("fox, 3d", "fox, flat") == ["3d"]


def test_another_pictures_values_can_be_taken_over():
    mine, theirs = text_to_picture("cat", seed=1), text_to_picture("fox", seed=2**64 - 1)
    edit = values_edit(mine, theirs)
    assert edit is not None
    after, _ = edit.apply(mine)
    assert after.nodes == theirs.nodes
    assert values_edit(after, theirs) is None
