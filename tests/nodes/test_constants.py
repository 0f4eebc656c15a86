"""Constants and texts: what they give, and that a value counts as if it stood where it leads."""

from __future__ import annotations

from datetime import datetime

import pytest
import torch

from helpers.core_graphs import checkpoint, core, picture
from helpers.node_context import FakeContext
from ponystudio.api import Latent, Mask
from ponystudio.engine.node_packs import load_packs
from ponystudio.engine.preflight import check_models
from ponystudio.errors import ParamChoice
from ponystudio.graph.generation.infotext_writer import infotext
from ponystudio.graph.model import Graph
from ponystudio.graph.name_tokens import NameValues
from ponystudio.graph.validation import check
from ponystudio.library.model_folders import ModelFolders, default_roots
from ponystudio_nodes.constants import (
    float_constant,
    int_constant,
    join_texts,
    replace_text,
    seed_constant,
    show_value,
    text_constant,
)


@pytest.fixture(scope="module")
def catalog(tmp_path_factory):
    return load_packs(tmp_path_factory.mktemp("none")).catalog


def test_they_give_what_is_written() -> None:
    assert int_constant(value=2**64 - 1) == seed_constant(value=2**64 - 1) == 2**64 - 1
    assert float_constant(value=0.5) == 0.5
    assert text_constant(value=" a\nb ") == " a\nb "


def test_texts_of_texts() -> None:
    assert join_texts(a="a pony", b="on the moon") == "a pony, on the moon"
    assert join_texts(a="", b="b") == "b"
    assert join_texts(a="", b="b", skip_empty=False) == ", b"
    assert join_texts(a="a", b="b", separator="\n") == "a\nb"
    assert replace_text(text="a pony, a Pony", find="pony", replace="cat") == "a cat, a Pony"
    assert replace_text(text="a pony", find="", replace="x") == "a pony"
    assert replace_text(text="a, b", find=", ") == "ab"


def test_values_are_shown_as_people_read_them() -> None:
    context = FakeContext()
    latent = Latent(torch.zeros(2, 16, 4, 5))
    for value in ("seen", "", 7, 0.25, True, Mask(torch.zeros(1, 1, 2, 3)), latent):
        show_value(value, ctx=context)
    assert context.notes == [
        "seen", "The text is empty.", "7", "0.25", "yes",
        "Mask, 1 of 3×2 pixels.", "Latent of 16 channels, 2 of 5×4 cells.",
    ]  # fmt: skip


def wired(*nodes, **sampling):
    return Graph.of(*nodes, *picture(*checkpoint("starter.safetensors"), **sampling))


def test_a_constant_is_checked_where_it_leads(catalog) -> None:
    graph = wired(core("steps", "int", value=0), steps=("steps", "int"))
    (error,) = check(graph, catalog)
    assert (error.node, error.socket) == ("sampler", "steps")
    assert "0 is out of range" in error.what
    # The sampler itself stays as it is: what it knows of itself must not hide the change.
    assert check(graph.with_nodes([core("steps", "int", value=20)]), catalog) == []
    assert len(check(graph.with_nodes([core("steps", "int", value=-1)]), catalog)) == 1
    name = wired(core("name", "text", value="no such"), sampler=("name", "text"))
    (error,) = check(name, catalog)
    assert error.socket == "sampler"
    assert check(wired(core("cfg", "int", value=5), cfg=("cfg", "int")), catalog) == []


def test_names_and_infotext_know_constants(catalog) -> None:
    graph = wired(
        core("number", "int", value=7),
        core("dice", "seed", value=11),
        core("words", "text", value="a cat"),
        steps=("number", "int"), seed=("dice", "int"),
    )  # fmt: skip
    positive = core(
        "positive", "encode_prompt", clip=("checkpoint", "clip"), text=("words", "text")
    )
    graph = graph.with_nodes([positive])
    assert check(graph, catalog) == []
    values = NameValues(graph, catalog)
    named = values.of_picture(
        "%seed%-%KSampler.steps%-%prompt%-%Empty Latent Image.width%-%date:yyyy-MM-dd%/%year%",
        "save", size=(64, 64), batch=(0, 1), now=datetime(2026, 11, 30),
    )  # fmt: skip
    assert named == "11-7-a cat-64-2026-11-30/2026"
    text = infotext(graph, "save", size=(64, 64), catalog=catalog)
    assert text.startswith("a cat\n")
    assert "Steps: 7" in text
    assert "Seed: 11" in text
    joined = graph.with_nodes(
        [core("words", "join_texts", a="a cat"), core("other", "int", value=1)]
    )
    with pytest.raises(ParamChoice, match="not known before the run"):
        NameValues(joined, catalog).of_graph("%prompt%", "save")
    assert not infotext(joined, "save", size=(64, 64), catalog=catalog).startswith("a cat")


def test_what_a_constant_says_is_looked_at_before_the_run(tmp_path) -> None:
    packs, folders = load_packs(tmp_path / "none"), ModelFolders(default_roots())
    graph = wired(core("words", "text", value="a pony, embedding:nowhere"))
    positive = core(
        "positive", "encode_prompt", clip=("checkpoint", "clip"), text=("words", "text")
    )
    graph = graph.with_nodes([positive])
    (error,) = check_models(graph, packs, folders, graph.nodes)
    assert (error.node, error.socket) == ("positive", "text")
    assert "nowhere" in error.what
    edges = Graph.of(
        core("low", "float", value=0.9),
        core("grey", "empty_image"),
        core("edges", "find_edges", image=("grey", "image"), low=("low", "float"), high=0.5),
    )
    (error,) = check_models(edges, packs, folders, edges.nodes)
    assert (error.node, error.socket) == ("edges", "low")
