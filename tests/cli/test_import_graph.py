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
        "guide_size": 512
    }


def test_what_is_no_graph_is_refused(tmp_path, capsys):
    for name, text in (("a.json", "{}"), ("b.json", ""), ("c.txt", "words")):
        (tmp_path / name).write_text(text)
        assert main(["import", str(tmp_path / name)]) == 2
        said = capsys.readouterr()
        assert said.out == ""
        assert said.err.startswith("error: ")


def test_all_that_is_missing_is_told_also_what_prompts_name(tmp_path, capsys):
    """Where the text encoder is missing, too; what is bypassed needs nothing."""
    prompt = {
        "1": ("CheckpointLoaderSimple", {"ckpt_name": "no.safetensors"}),
        "2": ("CLIPTextEncode", {"clip": ["1", 1], "text": "a embedding:none, embedding:never"}),
        "3": ("LoraLoader", {"model": ["1", 0], "clip": ["1", 1], "lora_name": "gone.safetensors"}),
        "4": ("UpscaleModelLoader", {"model_name": "up.pth"}),
        "5": ("LoadImage", {"image": "mine 1.png"}),
        "6": ("LoadImage", {"image": "mine 1.png"}),
    }
    path = tmp_path / "prompt.json"
    path.write_text(json.dumps(
        {id: {"class_type": type, "inputs": inputs} for id, (type, inputs) in prompt.items()}
    ))  # fmt: skip
    for command, code in (("import", 0), ("validate", 2)):
        assert main([command, str(path)]) == code
        said = capsys.readouterr().err
        for name in ("no.safetensors", "none", "never", "gone.safetensors", "up.pth", "mine 1.png"):
            assert name in said, (command, name)
    assert main(["import", str(path)]) == 0
    assert "6 nodes, 6 mapped, 0 placeholders, 6 models missing" in capsys.readouterr().err


def test_what_no_placeholder_feeds_runs(tmp_path, capsys):
    prompt = {
        "1": ("EmptyImage", {"width": 8, "height": 8, "batch_size": 1, "color": 255}),
        "2": ("SaveImage", {"images": ["1", 0], "filename_prefix": "known"}),
        "3": ("Strange", {"image": ["1", 0]}),
        "4": ("SaveImage", {"images": ["3", 0], "filename_prefix": "unknown"}),
    }
    document = {id: {"class_type": type, "inputs": given} for id, (type, given) in prompt.items()}
    path, out = tmp_path / "prompt.json", tmp_path / "out"
    path.write_text(json.dumps(document))
    assert main(["run", str(path), "--output", str(out), "--no-disk-cache"]) == 0
    assert [file.name[:5] for file in out.glob("**/*.png")] == ["known"]
    assert "save_image_4 does not run" in capsys.readouterr().err
    del document["2"]
    path.write_text(json.dumps(document))
    assert main(["run", str(path), "--output", str(out)]) == 2
    assert "'Strange' of ComfyUI is not known here" in capsys.readouterr().err


def test_a_placeholder_says_which_pack_it_is_of(tmp_path, capsys):
    node = {"id": 1, "type": "FaceDetailer", "properties": {"cnr_id": "impact", "ver": "8.1"}}
    path = tmp_path / "theirs.json"
    path.write_text(json.dumps({"nodes": [node], "links": []}))
    assert main(["validate", str(path)]) == 2
    assert "it comes with the node pack impact 8.1" in capsys.readouterr().err


def test_validate_takes_it_as_it_is_and_names_what_is_not_known(theirs, capsys):
    assert main(["validate", str(theirs)]) == 2
    said = capsys.readouterr().err
    assert "placeholder: FaceDetailer_6" in said
    assert "not there.safetensors" in said


def test_a_text_of_a1111s_becomes_the_graph_that_makes_its_picture(tmp_path, capsys):
    path, out = tmp_path / "words.txt", tmp_path / "ours.json"
    path.write_text(
        "a pony <lora:nowhere:0.5>\nNegative prompt: bad\nSteps: 3, Sampler: Restart, CFG scale: 5,"
        " Seed: 3, Size: 64x64, Model: not there, Face restoration: GFPGAN"
    )
    assert main(["import", str(path), "-o", str(out)]) == 0
    said = capsys.readouterr()
    assert said.out == ""
    for line in (
        "note: Sampler: Restart is not known here: Euler in its place",
        "note: Face restoration: GFPGAN is not done here",
        "missing: checkpoint: There is no file not there.",
        "missing: loras: There is no file nowhere.",
        "8 nodes, 8 mapped, 0 placeholders, 2 models missing",
    ):
        assert line in said.err
    graph = graph_file.read(out)
    assert graph.nodes["positive"].params["text"] == "a pony"
    assert graph.nodes["sampler"].params["rules"] == "a1111"
