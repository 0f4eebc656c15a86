"""`ponystudio import`, and the commands that take another tool's file as it is."""

from __future__ import annotations

import json

import pytest

from ponystudio.cli.arguments import main
from ponystudio.graph.formats import graph_file

WORKFLOW = {
    "nodes": [
        {"id": 4, "type": "CheckpointLoaderSimple", "widgets_values": ["not there.safetensors"],
         "outputs": [{"name": "MODEL", "type": "MODEL"}]},
        {"id": 5, "type": "EmptyLatentImage", "pos": [10, 20], "widgets_values": [512, 512, 1]},
        {"id": 6, "type": "FaceDetailer", "widgets_values": [512]},
        {"id": 7, "type": "CLIPTextEncode", "mode": 4, "widgets_values": ["a pony"]},
    ],
    "links": [],
}  # fmt: skip


@pytest.fixture
def theirs(tmp_path):
    path = tmp_path / "theirs.json"
    path.write_text(json.dumps(WORKFLOW))
    return path


def test_the_graph_goes_into_a_file_and_what_is_to_be_said_to_stderr(theirs, tmp_path, capsys):
    out = tmp_path / "ours.json"
    assert main(["import", str(theirs), "-o", str(out)]) == 0
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err.splitlines() == [
        "placeholder: FaceDetailer_6: FaceDetailer is not known here",
        "missing: load_checkpoint_4: There is no file not there.safetensors.",
        "4 nodes, 3 mapped, 1 placeholder, 1 model missing",
    ]
    graph = graph_file.read(out)
    assert set(graph.nodes) == {
        *("load_checkpoint_4", "empty_latent_5", "FaceDetailer_6", "encode_prompt_7")
    }
    assert graph.nodes["encode_prompt_7"].mode == "bypassed"
    assert graph.nodes["empty_latent_5"].params == {"batch": 1, "height": 512, "width": 512}


def test_or_to_the_terminal(theirs, capsys):
    assert main(["import", str(theirs)]) == 0
    assert graph_file.loads(capsys.readouterr().out).nodes["FaceDetailer_6"].params == {
        "widgets_values": [512]
    }


def test_what_is_no_graph_is_refused(tmp_path, capsys):
    for name, text in (("a.json", "{}"), ("b.json", ""), ("c.txt", "words")):
        (tmp_path / name).write_text(text)
        assert main(["import", str(tmp_path / name)]) == 2
        said = capsys.readouterr()
        assert said.out == ""
        assert said.err.startswith("error: ")


def test_validate_takes_it_as_it_is_and_names_what_is_not_known(theirs, capsys):
    assert main(["validate", str(theirs)]) == 2
    said = capsys.readouterr().err
    assert "placeholder: FaceDetailer_6" in said
    assert "not there.safetensors" in said
