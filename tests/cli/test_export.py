"""`ponystudio export`."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from ponystudio.cli.arguments import main
from ponystudio.graph.comfyui.importer import import_document
from ponystudio.graph.formats import graph_file
from ponystudio.pictures.graph_opening import open_file
from ponystudio_resources import path as resource

GRAPH = str(resource("graphs") / "text-to-picture.json")


def test_a_graph_for_the_editor_goes_into_a_file(tmp_path, capsys):
    out = tmp_path / "theirs.json"
    assert main(["export", GRAPH, "--to", "comfyui", "-o", str(out)]) == 0
    said = capsys.readouterr()
    # The starter model is there, so that all is known of it.
    assert (said.out, said.err) == ("", "")
    document = json.loads(out.read_text("utf-8"))
    assert document["version"] == 0.4
    assert "KSampler" in {node["type"] for node in document["nodes"]}


def test_or_for_the_server_to_the_terminal(capsys):
    words = ["export", GRAPH, "--to", "comfyui-api", "--set", "sampler.seed=5"]
    assert main(words) == 0
    document = json.loads(capsys.readouterr().out)
    (sampler,) = [data for data in document.values() if data["class_type"] == "KSampler"]
    assert sampler["inputs"]["seed"] == 5
    assert import_document(document).placeholders == {}


def test_what_cannot_be_said_there_is_named(tmp_path, capsys):
    graph = {
        "format": "ponystudio.graph",
        "version": 1,
        "nodes": {"edge": {"type": "core.pad_image", "params": {"fill": "edge"}}},
    }
    (tmp_path / "graph.json").write_text(json.dumps(graph))
    assert main(["export", str(tmp_path / "graph.json"), "--to", "comfyui-api"]) == 0
    assert "note: edge: fill 'edge' is 'grey' there" in capsys.readouterr().err.splitlines()


@pytest.mark.parametrize("words", [["--to", "blender"], []])
def test_what_it_cannot_be_is_refused(words, capsys):
    with pytest.raises(SystemExit) as leaving:
        raise SystemExit(main(["export", GRAPH, *words]))
    assert leaving.value.code == 2
    assert capsys.readouterr().err


@pytest.mark.parametrize(("kind", "said"), [("infotext", "Steps: "), ("python", "GraphScript()")])
def test_a_text_for_galleries_and_a_script(kind, said, capsys):
    assert main(["export", GRAPH, "--to", kind]) == 0
    assert said in capsys.readouterr().out


def test_a_picture_of_the_graph_opens_as_the_graph(qapp, tmp_path):
    out = tmp_path / "graph.png"
    assert main(["export", GRAPH, "--to", "picture", "-o", str(out)]) == 0
    assert open_file(out).graph.nodes.keys() == graph_file.read(Path(GRAPH)).nodes.keys()
    assert main(["export", GRAPH, "--to", "picture", "-o", str(tmp_path / "graph.svg")]) == 0
    assert (tmp_path / "graph.svg").read_bytes().startswith(b"<?xml")


def test_a_picture_needs_a_file_of_its_kind(qapp, tmp_path, capsys):
    assert main(["export", GRAPH, "--to", "picture"]) == 2
    assert main(["export", GRAPH, "--to", "picture", "-o", str(tmp_path / "graph.gif")]) == 2
    assert capsys.readouterr().err.count("error: ") == 2
