"""What tokens in names of saved files stand for."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from time import process_time

import pytest

from ponystudio.errors import GraphError, MissingInput, ParamChoice, UnsafePath
from ponystudio.graph.catalog import Catalog
from ponystudio.graph.editing.edits import SetParam
from ponystudio.graph.formats.graph_file import read
from ponystudio.graph.model import Graph, Link, Node
from ponystudio.graph.name_tokens import LONGEST_VALUE, NUMBER, TOKENS, NameValues
from ponystudio.graph.output_names import checked_prefix, filled
from ponystudio.graph.validation import check
from ponystudio_resources import path

CATALOG = Catalog.from_json(json.loads(Path(path("catalog.json")).read_text(encoding="utf-8")))
NOW = datetime(2026, 3, 5, 9, 7, 30)


def graph(**params: object) -> Graph:
    """The default graph, with params of its nodes set: `sampler_seed=7`."""
    found = read(Path(path("graphs")) / "text-to-picture.json")
    found = SetParam("sampler", "scheduler", "karras").apply(found)[0]
    for name, value in params.items():
        node, _, param = name.partition("_")
        found = SetParam(node, param, value).apply(found)[0]
    return found


def name(prefix: str, of: Graph | None = None) -> str:
    checked_prefix(prefix)
    values = NameValues(of or graph(), CATALOG)
    return filled(
        prefix,
        lambda text: values.of_picture(text, "save", size=(512, 768), batch=(1, 4), now=NOW),
    )


@pytest.mark.parametrize(
    ("prefix", "said"),
    [
        ("pony", "pony"),
        ("%date%", "2026-03-05"),
        ("[date]", "2026-03-05"),
        ("%date:yyyy-MM-dd%", "2026-03-05"),
        ("%date:yyyy%", "2026"),
        ("%date:yy.M.d%", "26.3.5"),
        ("%date:hh:mm:ss%", "09-07-30"),
        ("%date:yyyyMMddhhmmss%", "20260305090730"),
        ("%date:yyyy/MM%/x", "2026/03/x"),
        ("%time%", "09-07-30"),
        ("[time]", "09-07-30"),
        ("%datetime%", "20260305090730"),
        ("[datetime]", "20260305090730"),
        ("[datetime<%Y-%m-%d_%H%M>]", "2026-03-05_0907"),
        ("[datetime<%d/%j>]", "05/064"),
        ("%year%%month%%day%_%hour%%minute%%second%", "20260305_090730"),
        ("%seed%", "7"),
        ("[seed]", "7"),
        ("[Seed]", "7"),
        ("%noise_seed%", "7"),
        ("%steps%-%cfg%-%sampler%-%scheduler%", "20-6.5-dpmpp_2m-karras"),
        ("[steps] [cfg] [sampler] [scheduler] [denoising]", "20 6.5 dpmpp_2m karras 1"),
        ("%model% [model_name] %vae%", "starter starter starter"),
        ("[width]x[height]", "512x768"),
        ("%width%x%height%", "512x768"),
        ("[batch_number] of %batch_size%, [generation_number]", "2 of 4, 2"),
        ("%counter%_a", f"{NUMBER}_a"),
        ("%prompt%", "a unicorn, by night"),
        ("%negative_prompt%", "fog"),
        ("%sampler.seed%", "7"),
        ("%Sample.seed%", "7"),
        ("%core.sample.seed%", "7"),
        ("%KSampler.seed%", "7"),
        ("%KSampler.sampler_name%", "dpmpp_2m"),
        ("%CheckpointLoaderSimple.ckpt_name%", "starter.safetensors"),
        ("%positive.text%", "a unicorn, by night"),
        ("%EmptyLatentImage.batch_size%", "1"),
        ("50% off 20%, [v2], [a.b], %%, %", "50% off 20%, [v2], [a.b], %%, %"),
        ("a/%seed%\\b%seed%", "a/7/b7"),
    ],
)
def test_what_each_stands_for(prefix, said):
    found = graph(
        sampler_seed=7, sampler_cfg=6.5, positive_text="a unicorn,\nby night", negative_text="fog"
    )
    assert name(prefix, found) == said


@pytest.mark.parametrize("token", TOKENS)
def test_both_spellings_know_the_same_names(token):
    assert name(f"a%{token}%") == name(f"a[{token}]")


@pytest.mark.parametrize(
    "prefix",
    ["%unicorn%", "[unicorn]", "[model_hash]", "%sampler%%nothing%", "[seed<x>]",
     "[datetime<%Q>]", "[datetime<%>]"],
)  # fmt: skip
def test_unknown_ones_are_refused_by_name(prefix):
    with pytest.raises(ParamChoice, match=r"There is no token|no form of a date"):
        checked_prefix(prefix)
    errors = check(graph(save_prefix=prefix), CATALOG)
    assert [(error.node, error.socket) for error in errors] == [("save", "prefix")]


def test_a_near_token_is_offered():
    with pytest.raises(ParamChoice, match="Did you mean steps"):
        checked_prefix("%step%")


@pytest.mark.parametrize(
    ("prefix", "said"),
    [
        ("%nobody.seed%", "there is no node nobody"),
        ("%sampler.sed%", "has no param sed.*seed"),
        ("%core.encode_prompt.text%", "may mean any of negative, positive.*%negative.text%"),
    ],
)
def test_what_names_no_param_is_seen_before_the_run(prefix, said):
    (error,) = check(graph(save_prefix=prefix), CATALOG)
    assert (error.node, error.socket) == ("save", "prefix")
    with pytest.raises(GraphError, match=said):
        name(prefix)


def test_of_a_node_that_is_gone_or_was_given_another_title():
    titled = graph(save_prefix="%My sampler.seed%")
    sampler = replace(titled.nodes["sampler"], title="My sampler")
    named = titled.with_nodes([*titled.nodes.values(), sampler])
    assert check(named, CATALOG) == []
    # The save node itself is the same: what was good of it is not remembered.
    assert len(check(titled, CATALOG)) == 1


def test_a_token_for_which_nothing_stands_there():
    graph_of_two = Graph.of(
        Node("load", "core.load_image", params={"file": "a.png"}),
        Node(
            "save", "core.save_image", params={"prefix": "%seed%"},
            inputs={"image": Link("load", "image")},
        ),
    )  # fmt: skip
    versions = {id: CATALOG[node.type].version for id, node in graph_of_two.nodes.items()}
    nodes = [replace(node, version=versions[id]) for id, node in graph_of_two.nodes.items()]
    (error,) = check(Graph.of(*nodes), CATALOG)
    assert isinstance(error, MissingInput)
    assert "no node that leads here has a seed" in error.what


def test_of_several_samplers_the_first_is_meant_and_the_nearest_by_its_type():
    found = graph(sampler_seed=1)
    again = replace(
        found.nodes["sampler"],
        id="again",
        params={**found.nodes["sampler"].params, "seed": 2},
        inputs={**found.nodes["sampler"].inputs, "latent": Link("sampler", "latent")},
    )
    decode = replace(
        found.nodes["decode"],
        inputs={**found.nodes["decode"].inputs, "latent": Link("again", "latent")},
    )
    found = found.with_nodes(
        [*(n for n in found.nodes.values() if n.id != "decode"), again, decode]
    )
    assert name("%seed%", found) == "1"
    assert name("%KSampler.seed%", found) == "2"
    assert name("%sampler.seed%", found) == "1"


def test_the_first_sampler_is_none_that_another_one_feeds():
    """However few wires lie between."""
    found = graph(sampler_seed=1)
    sampler = found.nodes["sampler"]
    inputs = {**sampler.inputs, "latent": Link("sampler", "latent")}
    again = replace(sampler, id="again", params={**sampler.params, "seed": 2}, inputs=inputs)
    scaled = Node("scaled", "core.scale_latent", inputs={"latent": Link("again", "latent")})
    decode = replace(found.nodes["decode"], inputs={"latent": Link("scaled", "latent")})
    save = found.nodes["save"]
    save = replace(save, inputs={**save.inputs, "beside": Link("sampler", "latent")})
    assert name("%seed%", found.with_nodes([again, scaled, decode, save])) == "1"


def test_the_nearest_of_two_that_are_called_alike():
    """One wire nearer is meant; of as near ones none is."""

    def loaded(*between):
        def load(id):
            return Node(id, "core.load_image", params={"file": f"{id}.png"}, title="Pony")

        def scale(id, source):
            return Node(id, "core.scale_image", inputs={"image": Link(source, "image")})

        inputs = {"image": Link(between[0], "image"), "alpha": Link(between[1], "image")}
        save = Node("save", "core.save_image", inputs=inputs)
        return Graph.of(load("a"), load("b"), scale("sa", "a"), scale("sb", "b"), save)

    assert name("%Pony.file%", loaded("sa", "b")) == "b.png"
    assert name("%Pony.file%", loaded("a", "sb")) == "a.png"
    for between in (("a", "b"), ("sa", "sb")):
        with pytest.raises(ParamChoice, match="may mean any of a, b"):
            name("%Pony.file%", loaded(*between))


@pytest.mark.parametrize(
    "prefix",
    [
        "%seed%",
        "%model%",
        "%prompt%",
        "%KSampler.seed%",
        "%Scale image.method%",
        "%n.x%",
        "%x{}.y%",
    ],
)
def test_names_of_many_pictures_on_the_way_cost_their_number_s_time(prefix):
    """Each of a long row is saved: what feeds them is not walked for each."""

    def row(count):
        nodes = [
            Node("sampler", "core.sample"),
            Node("n0", "core.decode_latent", inputs={"latent": Link("sampler", "latent")}),
        ]
        for n in range(count):
            image = {"image": Link(f"n{n}", "image")}
            nodes.append(Node(f"n{n + 1}", "core.scale_image", inputs=image))
            params = {"prefix": prefix.format(n)}
            nodes.append(Node(f"s{n}", "core.save_image", params=params, inputs=image))
        return Graph.of(*nodes)

    def seconds(count):
        taken = []
        for _ in range(3):
            made = row(count)
            began = process_time()
            check(made, CATALOG)
            taken.append(process_time() - began)
        return min(taken)

    seconds(10)  # loads what it needs
    # Eight times as many: 64 times as long, if each walked its row.
    assert seconds(2400) < 20 * max(seconds(300), 0.01)


@pytest.mark.parametrize(
    ("value", "said"),
    [
        ("../../etc/passwd", "x_.._etc_passwd"),
        ("C:\\con|a?*<b>\"'", "xC_con_a_b_'"),
        ("a\nb\tc\0d", "xa b c_d"),
        (" . ", "x"),
        ("ü" * 300, "x" + "ü" * (LONGEST_VALUE // 2)),
        ("\ud800", "x\ufffd"),
        ("", "x"),
    ],
)
def test_values_are_made_fit_for_file_systems(value, said):
    assert name("x%positive.text%", graph(positive_text=value)) == said


@pytest.mark.parametrize(
    ("value", "said"),
    [("con", "con_"), ("..", "_"), ("a.", "a"), ("", "_"), ("nul.png", "nul.png_")],
)
def test_a_value_that_is_a_whole_name(value, said):
    assert name("%positive.text%/y", graph(positive_text=value)) == f"{said}/y"


def test_many_long_values_are_cut_and_the_number_stays():
    found = name("%prompt%" * 5 + "%counter%", graph(positive_text="pony " * 100))
    assert len(found.encode()) <= 200
    assert found.endswith(f"_{NUMBER}")


@pytest.mark.parametrize("prefix", ["%counter%/a", "../%seed%", "/%seed%", "%seed%/", "a:%seed%"])
def test_tokens_lead_nowhere_else(prefix):
    with pytest.raises(UnsafePath):
        checked_prefix(prefix)


def test_a_prefix_of_thousands_of_letters_is_refused():
    assert checked_prefix("%prompt%/" * 400 + "a")
    for prefix in ("%prompt%/" * 500 + "a", "a/" * 5000 + "a"):
        with pytest.raises(UnsafePath, match="more than 4,096 letters"):
            checked_prefix(prefix)


def test_dates_lead_no_further():
    assert name("%date:../..%/x") == "_/_/x"
