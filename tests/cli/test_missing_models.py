"""Models that lie under other names than a graph says, for commands."""

from __future__ import annotations

import json

import pytest

from helpers import checkpoints
from ponystudio.cli.arguments import main
from ponystudio.graph.formats import graph_file
from ponystudio.graph.model import Graph, Node
from ponystudio.library.formats.content_id import hashes

NAME = "not there.safetensors"


@pytest.fixture
def models(tmp_path):
    (tmp_path / "models" / "checkpoints" / "sub").mkdir(parents=True)
    return tmp_path / "models"


@pytest.fixture
def lies(models):
    return checkpoints.micro(models / "checkpoints" / "sub" / "mane.safetensors")


def saved(path, name=NAME, **facts):
    """A graph with two loaders of one model, which the graph knows by these facts."""
    loader = {id: Node(id, "core.load_checkpoint", params={"file": name}) for id in ("a", "b")}
    known = {name: {"kind": "checkpoints", **facts}} if facts else {}
    graph_file.write(Graph(loader, models=known), path)
    return path


def test_import_tells_where_the_same_file_lies_and_takes_it_when_told_to(
    models, lies, tmp_path, capsys
):
    theirs, out = tmp_path / "theirs.json", tmp_path / "ours.json"
    said = {"name": NAME, "hash": hashes(lies)["sha256"], "hash_type": "SHA256"}
    node = {
        "id": 4,
        "type": "CheckpointLoaderSimple",
        "widgets_values": [NAME],
        "properties": {"models": [said]},
        "outputs": [{"name": "MODEL", "type": "MODEL"}],
    }
    theirs.write_text(json.dumps({"nodes": [node], "links": []}))
    command = ["import", str(theirs), "-o", str(out), "--models", str(models)]
    assert main(command) == 0
    assert capsys.readouterr().err.splitlines() == [
        f"missing: load_checkpoint_4: There is no file {NAME}. The same file lies here as"
        " sub/mane.safetensors: take it with --rebind, or set"
        " load_checkpoint_4.file=sub/mane.safetensors.",
        "1 node, 1 mapped, 0 placeholders, 1 model missing",
    ]
    assert graph_file.read(out).nodes["load_checkpoint_4"].params["file"] == NAME
    assert main([*command, "--rebind"]) == 0
    assert capsys.readouterr().err.splitlines() == [
        f"rebound: load_checkpoint_4.file: {NAME} is sub/mane.safetensors now (the same file)",
        "1 node, 1 mapped, 0 placeholders, 0 models missing",
    ]
    graph = graph_file.read(out)
    assert graph.nodes["load_checkpoint_4"].params["file"] == "sub/mane.safetensors"
    assert graph.models["sub/mane.safetensors"]["sha256"] == hashes(lies)["sha256"]


def test_run_and_validate_refuse_and_say_where_it_lies(models, lies, tmp_path, capsys):
    graph = saved(tmp_path / "g.json", autov2=hashes(lies)["autov2"])
    for command in ("validate", "run"):
        assert main([command, str(graph), "--models", str(models)]) == 2
        if command == "validate":
            assert "lies here as sub/mane.safetensors: take it with" in capsys.readouterr().err
    assert main(["validate", str(graph), "--models", str(models), "--rebind"]) == 2
    said = capsys.readouterr().err  # nothing is saved by it
    assert "rebound: a.file, b.file:" in said
    assert "There is no file" not in said


def test_a_file_of_the_right_name_and_another_hash_is_told(models, lies, tmp_path, capsys):
    checkpoints.micro(models / "checkpoints" / NAME, seed=5)
    other = hashes(models / "checkpoints" / NAME)["autov2"]
    meant = hashes(lies)["autov2"]
    graph = saved(tmp_path / "g.json", autov2=meant)
    assert main(["validate", str(graph), "--models", str(models)]) == 2
    assert (
        f"note: a: the file {NAME} here is another one than the graph means: its AutoV2 is {other},"
        f" not {meant}. The same file lies here as sub/mane.safetensors"
    ) in capsys.readouterr().err
    assert main(["validate", str(graph), "--models", str(models), "--rebind"]) == 2
    assert "is sub/mane.safetensors now (the same file)" in capsys.readouterr().err


def test_one_that_is_nowhere_is_told_with_its_page(models, tmp_path, capsys):
    graph = saved(tmp_path / "g.json", sha256="ab" * 32, url="https://example.org/mane")
    assert main(["validate", str(graph), "--models", str(models), "--rebind"]) == 2
    assert "It can be had at https://example.org/mane." in capsys.readouterr().err
