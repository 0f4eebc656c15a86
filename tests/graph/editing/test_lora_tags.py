"""A1111's LoRA tags made into nodes."""

import json
from pathlib import Path
from time import process_time

import pytest

from ponystudio.graph.catalog import Catalog
from ponystudio.graph.editing.edits import AddNode, Compound, Connect, SetParam
from ponystudio.graph.editing.lora_tags import Tag, TagFiles, apply_tags, strip_tags, tags
from ponystudio.graph.formats.graph_file import read
from ponystudio.graph.model import Link, Node
from ponystudio.graph.validation import check
from ponystudio_resources import path

CATALOG = Catalog.from_json(json.loads(Path(path("catalog.json")).read_text(encoding="utf-8")))


@pytest.fixture
def graph():
    return read(Path(path("graphs")) / "text-to-picture.json")


def made(graph, text, prompt="positive"):
    """The graph after the step, which can be undone; and the node that applies the files."""
    graph = with_text(graph, text, prompt)
    files = {
        "loras": [f"{name}.safetensors" for name in ("mane", "hat", "tail")],
        "hypernetworks": ["mane.pt", "tail.pt"],
    }
    found = apply_tags(graph, CATALOG, prompt, files, lambda source: (8, len(source)))
    after, undo = Compound(found.edits).apply(graph)
    assert undo.apply(after)[0] == graph
    assert check(after, CATALOG) == []
    return after, after.nodes[found.node]


def with_text(graph, text, prompt="positive"):
    return SetParam(prompt, "text", text).apply(graph)[0]


@pytest.mark.parametrize(
    ("text", "tag"),
    [
        ("<lora:my mane:0.8>", Tag("my mane", 0.8, 0.8)),
        ("<LORA:mane>", Tag("mane", 1, 1)),
        ("<lyco:mane:.5:1.2>", Tag("mane", 1.2, 0.5)),
        ("<lora:mane:te=0.3:unet=-1>", Tag("mane", -1, 0.3)),
        ("<lora:mane:0.4:unet=0.9>", Tag("mane", 0.9, 0.4)),
        ("<lora:mane:often>", Tag("mane", 1, 1)),
        ("<lora:mane:1e9>", Tag("mane", 100, 100)),
        ("<hypernet:mane:0.4>", Tag("mane", 0.4, 0.4, "hypernetworks")),
    ],
)
def test_strengths_as_a1111_reads_them(text, tag):
    assert tags(f"a pony, {text}, hat") == [tag]


def test_other_networks_and_words_are_no_loras():
    assert tags("a <other:mane:1> b < lora:x:1> <lora:> <3 a > b") == []


def test_those_in_a_comment_are_left_alone():
    text = "a <lora:x:1> # not <lora:y:1>, <lora:z:1>\n, b"
    assert tags(text) == [Tag("x")]
    assert strip_tags(text) == "a # not <lora:y:1>, <lora:z:1>\n, b"


@pytest.mark.parametrize(
    ("text", "rest"),
    [
        ("a pony, <lora:x:1>, hat", "a pony, hat"),
        ("<lora:x:1> a pony", "a pony"),
        ("a pony, <lora:x:1> <lora:y:.5>", "a pony"),
        ("a pony <lora:x:1> hat", "a pony hat"),
        ("a pony,\n<lora:x:1>,\nhat", "a pony,\nhat"),
        ("a pony\n<lora:x:1>\nhat", "a pony\nhat"),
        ("a pony<lora:x:1>, hat", "a pony, hat"),
        ("(<lora:x:1>, hat:1.2)", "(hat:1.2)"),
        ("[hat, <lora:x:1>], tail", "[hat], tail"),
        ("<lora:x:1>", ""),
        ("a < b, <3", "a < b, <3"),
    ],
)
def test_the_rest_of_the_prompt(text, rest):
    assert strip_tags(text) == rest


def test_one_tag_becomes_one_node_before_all_readers(graph):
    after, lora = made(graph, "a pony, <lora:mane:0.8:0.6>, hat")
    assert after.nodes["positive"].params["text"] == "a pony, hat"
    assert lora.type == "core.apply_lora"
    assert (lora.params["file"], lora.params["strength"], lora.params["clip_strength"]) == (
        *("mane.safetensors", 0.6, 0.8),
    )
    assert lora.inputs == {"clip": Link("checkpoint", "clip"), "model": Link("checkpoint", "model")}
    assert after.nodes["sampler"].inputs["model"] == Link(lora.id, "model")
    for prompt in ("positive", "negative"):
        assert after.nodes[prompt].inputs["clip"] == Link(lora.id, "clip")
    assert after.nodes["decode"].inputs["vae"] == Link("checkpoint", "vae")
    assert after.view["nodes"][lora.id]["pos"] == [8, len("checkpoint")]


def test_several_become_one_stack(graph):
    _, stack = made(graph, "<lora:mane:0.8>, a pony <lora:hat:1:0.2>")
    assert stack.type == "core.apply_loras"
    assert stack.params["loras"] == [
        {"on": True, "file": "mane.safetensors", "strength": 0.8, "clip_strength": 0.8},
        {"on": True, "file": "hat.safetensors", "strength": 0.2, "clip_strength": 1.0},
    ]


def test_a_stack_that_is_there_takes_what_another_prompt_has(graph):
    graph, stack = made(graph, "a <lora:mane:1> <lora:hat:1>")
    after, same = made(graph, "ugly <lora:tail:-1>", "negative")
    assert same.id == stack.id
    assert [row["file"] for row in same.params["loras"]] == [
        *("mane.safetensors", "hat.safetensors", "tail.safetensors"),
    ]
    assert after.nodes.keys() == graph.nodes.keys()


def test_hypernetworks_become_nodes_behind_each_other(graph):
    after, first = made(graph, "a <hypernet:mane:0.5>, pony <hypernet:tail>")
    assert after.nodes["positive"].params["text"] == "a, pony"
    assert first.type == "core.apply_hypernetwork"
    assert (first.params["file"], first.params["strength"]) == ("mane.pt", 0.5)
    assert first.inputs == {"model": Link("checkpoint", "model")}
    last = after.nodes[after.nodes["sampler"].inputs["model"].source]
    assert (last.params["file"], last.params["strength"]) == ("tail.pt", 1.0)
    assert last.inputs == {"model": Link(first.id, "model")}


def test_a_hypernetwork_stands_behind_the_loras(graph):
    after, lora = made(graph, "<hypernet:mane:0.5> a pony <lora:hat:1>")
    assert lora.type == "core.apply_lora"
    last = after.nodes[after.nodes["sampler"].inputs["model"].source]
    assert last.type == "core.apply_hypernetwork"
    assert last.inputs == {"model": Link(lora.id, "model")}
    assert after.nodes["positive"].inputs["clip"] == Link(lora.id, "clip")


def test_another_lora_before_it_stays(graph):
    graph, first = made(graph, "a <lora:mane:1>")
    after, second = made(graph, "b <lora:hat:1>")
    assert second.inputs == {"clip": Link(first.id, "clip"), "model": Link(first.id, "model")}
    assert after.nodes["sampler"].inputs["model"] == Link(second.id, "model")


def test_a_text_encoder_of_its_own_goes_with_the_model_that_is_sampled(graph):
    edits = [
        AddNode(Node("own", "core.load_clip")),
        *(Connect("own", "clip", prompt, "clip") for prompt in ("positive", "negative")),
    ]
    graph, _ = Compound(edits).apply(graph)
    after, lora = made(graph, "a <lora:mane:1>")
    assert lora.inputs == {"clip": Link("own", "clip"), "model": Link("checkpoint", "model")}
    assert after.nodes["sampler"].inputs["model"] == Link(lora.id, "model")


@pytest.mark.parametrize(
    ("name", "file"),
    [
        ("mane_v1.5", "mane_v1.5.safetensors"),
        ("Mane_V1.5", "mane_v1.5.safetensors"),
        ("hat", "style/hat.pt"),
        ("style\\hat", "style/hat.pt"),
        ("style/hat.pt", "style/hat.pt"),
        ("nowhere", "nowhere"),
        ("Poke\u0301", "Pok\u00e9.pt"),
        ("POKÉ", "Pok\u00e9.pt"),
        ("TAIL", "TAIL"),
        ("tail", "tail.pt"),
    ],
)
def test_the_file_that_a_name_means(name, file):
    files = ["mane_v1.5.safetensors", "style/hat.pt", "Pok\u00e9.pt", "tail.pt", "Tail.pt"]
    assert TagFiles(files).find(name) == file


def test_tags_of_files_that_are_not_there_cost_no_look_at_each(graph):
    """Thousands of files are looked at once for all tags of a prompt."""
    files = [f"style {n % 50}/Póny {n}.v{n % 3}.safetensors" for n in range(2000)]

    def seconds(count):
        text = " ".join(f"<lora:unicorn {n}:1>" for n in range(count))
        asked, taken = with_text(graph, text), []
        for _ in range(3):
            began = process_time()
            assert apply_tags(asked, CATALOG, "positive", {"loras": files})
            taken.append(process_time() - began)
        return min(taken)

    seconds(1)  # loads what it needs
    assert seconds(10) < 3 * seconds(1)


def test_nothing_to_do(graph):
    def asked(graph):
        return apply_tags(graph, CATALOG, "positive", {})

    assert asked(with_text(graph, "a pony")) is None
    cut = Node("positive", "core.encode_prompt", params={"text": "<lora:x:1>"})
    assert asked(graph.with_nodes([cut])) is None
