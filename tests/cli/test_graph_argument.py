"""Bad input: one plain message that names the node and what to do, before anything runs.

Called in this process, since refusals are many and quick; test_run has processes of their own.
"""

from __future__ import annotations

import json

import pytest

import ponystudio_resources
from helpers.checkpoints import micro, micro_lora
from helpers.processes import events_in, ponystudio
from ponystudio.cli.arguments import main

GRAPH = ponystudio_resources.path("graphs", "text-to-picture.json")


@pytest.fixture(scope="module")
def models(tmp_path_factory):
    """A folder of models, most of which are none."""
    root = tmp_path_factory.mktemp("models")
    checkpoints = root / "checkpoints"
    checkpoints.mkdir()
    good = micro(checkpoints / "good.safetensors").read_bytes()
    (checkpoints / "truncated.safetensors").write_bytes(good[: len(good) // 2])
    (checkpoints / "text.safetensors").write_text("Once upon a time there was a pony.\n")
    (checkpoints / "empty.ckpt").write_bytes(b"")
    micro_lora(checkpoints / "lora.safetensors")
    return root


def changed(tmp_path, change):
    """The default graph with a change, as a file."""
    document = json.loads(GRAPH.read_text("utf-8"))
    document["nodes"]["checkpoint"]["params"]["file"] = "good.safetensors"
    change(document["nodes"])
    path = tmp_path / "graph.json"
    path.write_text(json.dumps(document))
    return path


@pytest.fixture
def refused(capsys):
    """What the command says on stderr when it leaves with 2, with nothing on stdout."""

    def call(*words):
        assert main(list(map(str, words))) == 2
        said = capsys.readouterr()
        assert said.out == ""
        assert "Traceback" not in said.err
        return said.err

    return call


def test_a_forgotten_node_refuses_the_command(tmp_path, models, refused):
    """The window would leave it out and say so; a script must not get half of what it asked for."""
    forgotten = {"type": "core.preview_image", "version": 1}
    path = changed(tmp_path, lambda nodes: nodes.update(forgotten=forgotten))
    said = refused("run", path, "--models", models, "--output", tmp_path / "out", "--device", "cpu")
    assert "forgotten.image" in said
    assert not (tmp_path / "out").exists()


def cycle(nodes):
    nodes["sampler"]["inputs"]["latent"] = ["sampler", "latent"]


def unknown_node(nodes):
    nodes["decode"]["type"] = "core.decode_latnet"


def node_of_comfyui(nodes):
    nodes["decode"]["type"] = "VAEDecode"


def wrong_type(nodes):
    nodes["sampler"]["params"]["steps"] = "twenty"


def out_of_range(nodes):
    nodes["sampler"]["params"]["cfg"] = -1


def missing_input(nodes):
    del nodes["decode"]["inputs"]["vae"]


def mismatch(nodes):
    nodes["save"]["inputs"]["image"] = ["sampler", "latent"]


def missing_file(nodes):
    nodes["checkpoint"]["params"]["file"] = "godo.safetensors"


def network_path(nodes):
    nodes["checkpoint"]["params"]["file"] = "//host/share/model.safetensors"


def prefix_out_of_the_folder(nodes):
    nodes["save"]["params"]["prefix"] = "../evil"


def nothing_to_run(nodes):
    del nodes["save"]


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (cycle, ["error: sampler"]),
        (unknown_node, ["error: decode: ", "core.decode_latent"]),
        (node_of_comfyui, ["error: decode: ", "VAEDecode in other tools is core.decode_latent"]),
        (wrong_type, ["error: sampler.steps: ", "whole number"]),
        (out_of_range, ["error: sampler.cfg: ", "0 to 100"]),
        (missing_input, ["error: decode.vae: "]),
        (mismatch, ["error: save.image: ", "latent", "image"]),
        (missing_file, ["error: checkpoint.file: ", "good.safetensors"]),
        (network_path, ["error: checkpoint.file: "]),
        (prefix_out_of_the_folder, ["error: save.prefix: ", "output folder"]),
        (nothing_to_run, ["error: ", "Save image"]),
    ],
    ids=lambda item: getattr(item, "__name__", ""),
)
@pytest.mark.parametrize("command", ["validate", "run"])
def test_graphs(command, change, said, models, tmp_path, refused):
    output = ("--output", tmp_path / "out") if command == "run" else ()
    message = refused(command, changed(tmp_path, change), "--models", models, *output)
    assert message.count("error: ") == 1
    assert message.count("\n") >= 2, "there is no remedy"
    for words in said:
        assert words in message
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("file", "said"),
    [
        ("truncated.safetensors", "truncated"),
        ("text.safetensors", "text"),
        ("empty.ckpt", "empty"),
        ("lora.safetensors", "core.apply_lora"),
    ],
)
def test_files_that_are_no_checkpoints(file, said, models, tmp_path, refused):
    setting = ("--set", f"checkpoint.file={file}")
    message = refused("run", GRAPH, "--models", models, *setting, "--output", tmp_path)
    assert message.startswith("error: checkpoint.file: ")
    assert message.count("error: ") == 1
    assert said in message
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("file", ["truncated.safetensors", "text.safetensors", "empty.ckpt", "no"])
def test_inspect_refuses_too(file, models, refused):
    path = models / "checkpoints" / file
    assert f"error: {path}: " in refused("inspect", path)


def test_every_error_is_told(models, tmp_path, refused):
    def several(nodes):
        for change in (wrong_type, missing_file, missing_input):
            change(nodes)

    message = refused("validate", changed(tmp_path, several), "--models", models)
    for place in ("sampler.steps", "checkpoint.file", "decode.vae"):
        assert f"error: {place}: " in message


def test_errors_elsewhere_do_not_block_a_run(models, tmp_path, refused):
    def beside(nodes):
        nodes["lonely"] = {"type": "core.decode_latent", "version": 1}

    graph = changed(tmp_path, beside)
    assert "error: lonely" in refused("validate", graph, "--models", models)
    result = ponystudio("run", graph, "--models", models, "--no-disk-cache", "--dry-run")
    assert result.returncode == 0, result.stderr
    assert "lonely" not in result.stdout


def test_a_plan_is_told_as_events(models, tmp_path, capsys):
    graph = changed(tmp_path, lambda nodes: None)
    words = ["run", str(graph), "--models", str(models), "--no-disk-cache", "--dry-run"]
    assert main([*words, "--events"]) == 0
    events = events_in(capsys.readouterr().out)
    assert {event["event"] for event in events} == {"planned"}
    assert {event["node"] for event in events} == set(json.loads(graph.read_text())["nodes"])
    assert all(event["what"].startswith("runs: ") for event in events)


def test_a_refusal_is_an_event_too(models, tmp_path, capsys):
    graph = changed(tmp_path, wrong_type)
    assert main(["run", str(graph), "--models", str(models), "--events"]) == 2
    (event,) = events_in(capsys.readouterr().out)
    assert event["event"] == "run_failed"
    assert event["node"] == "sampler"
    assert event["hint"]


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("missing.json", None, "no such file"),
        ("broken.json", '{"format": ', "line 1"),
        ("other.json", "[]", ""),
        ("newer.json", '{"format": "ponystudio.graph", "version": 99, "nodes": {}}', "99"),
        ("plain.png", b"\x89PNG\r\n\x1a\n", "carries no graph"),
    ],
)
def test_files_that_are_no_graphs(name, content, said, tmp_path, refused):
    if content is not None:
        data = content if isinstance(content, bytes) else content.encode()
        (tmp_path / name).write_bytes(data)
    message = refused("validate", tmp_path / name)
    assert f"error: {tmp_path / name}" in message
    assert said in message


def test_a_models_folder_that_is_not_there(tmp_path, refused):
    assert "no such folder" in refused("validate", GRAPH, "--models", tmp_path / "nowhere")


def test_a_device_that_is_not_there(models, tmp_path, refused):
    graph = changed(tmp_path, lambda nodes: None)
    words = ["run", graph, "--models", models, "--device", "cuda:64", "--output", tmp_path / "out"]
    assert "cuda:64" in refused(*words)
    assert not (tmp_path / "out").exists()
