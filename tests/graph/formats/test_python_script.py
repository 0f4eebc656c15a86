"""Graphs as Python scripts: what is written; that they make the same, `tests/test_scripting.py`."""

from __future__ import annotations

import ast

import pytest

from helpers.drops import CATALOG
from ponystudio.errors import Cycle
from ponystudio.graph.formats import graph_file
from ponystudio.graph.formats.python_script import python_script
from ponystudio.graph.model import Graph, Link, Node
from ponystudio_resources import path as resource


def node(id, type, inputs=None, /, *, state="normal", title="", **params):
    links = {name: Link(*link.split(".")) for name, link in (inputs or {}).items()}
    return Node(id, type, params=params, inputs=links, mode=state, title=title)


def script(*nodes):
    text = python_script(Graph.of(*nodes), CATALOG, title="mine")
    ast.parse(text)
    return text


def test_values_stand_on_top_and_nodes_are_calls():
    text = script(
        node("checkpoint", "core.load_checkpoint", file="a.safetensors"),
        node("words", "core.encode_prompt", {"clip": "checkpoint.clip"}, title="What to paint",
             text="a pony\nin a meadow", clip_skip=2),
        node("noted", "core.show_value", {"value": "words.conditioning"}),
    )  # fmt: skip
    assert 'FILE = "a.safetensors"' in text
    assert 'TEXT = (\n    "a pony\\n"\n    "in a meadow"\n)' in text
    body = text[text.index("graph = GraphScript()") :]
    assert body.splitlines()[1:5] == [
        "_, clip, _, _ = graph.load_checkpoint(file=FILE)",
        "# What to paint",
        "conditioning = graph.encode_prompt(clip=clip, text=TEXT, clip_skip=2)",
        "graph.show_value(value=conditioning)",
    ]


def test_values_of_the_same_name_are_told_apart():
    text = script(
        node("a", "core.int", value=1),
        node("one", "core.empty_latent", {"width": "a.int"}, height=64),
        node("two", "core.empty_latent", width=32),
        node("sum", "core.add_latents", {"latent": "one.latent", "other": "two.latent"}),
    )
    assert "ONE_HEIGHT = 64" in text
    assert "TWO_HEIGHT = 512" in text
    assert "one = graph.empty_latent(width=int_2," in text
    assert "graph.add_latents(latent=one, other=two)" in text


def test_muted_and_bypassed_nodes_are_not_in_it():
    text = script(
        node("picture", "core.load_image"),
        node("blur", "core.blur_image", {"image": "picture.image"}, state="bypassed"),
        node("shown", "core.preview_image", {"image": "blur.image"}),
        node("saved", "core.save_image", {"image": "blur.image"}, state="muted"),
    )
    assert "blur" not in text
    assert "save_image" not in text
    assert "graph.preview_image(image=image)" in text


@pytest.mark.parametrize(
    "hostile",
    ['"""\nimport os', "'); import os; ('", "\\", "\N{LINE SEPARATOR}import os", "\x0cimport os",
     "\ud800", "a\rimport os", "{}", "%s\n\n"],
)  # fmt: skip
def test_what_strangers_write_stays_a_text(hostile):
    nodes = [
        node("n", "core.text", title=hostile, value=hostile),
        node("m", f"pack.{hostile}", {hostile: "n.text"}, **{hostile: hostile}),
        node("o", "core.join_texts", {hostile: "n.text"}, a=hostile),
    ]
    text = python_script(Graph.of(*nodes), CATALOG, title=hostile)
    tree = ast.parse(text)
    imported = [item for item in ast.walk(tree) if isinstance(item, ast.Import)]
    assert [item.names[0].name for item in imported] == ["sys"]
    known = {item.value for item in ast.walk(tree) if isinstance(item, ast.Constant)}
    assert hostile in known
    statements = {type(item).__name__ for item in tree.body}
    assert statements <= {"Expr", "Import", "ImportFrom", "Assign", "For"}


def test_nodes_in_a_circle_are_refused():
    with pytest.raises(Cycle):
        script(
            node("a", "core.invert_mask", {"mask": "b.mask"}),
            node("b", "core.invert_mask", {"mask": "a.mask"}),
        )


@pytest.mark.parametrize("path", sorted(resource("graphs").glob("*.json")), ids=lambda p: p.stem)
def test_graphs_that_ship_are_scripts_too(path):
    ast.parse(python_script(graph_file.read(path), CATALOG, title=path.name))
