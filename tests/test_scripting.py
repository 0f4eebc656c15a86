"""Graphs made by scripts, and the scripts that are written of graphs."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest
from PIL import Image, ImageChops

from helpers import checkpoints
from ponystudio.cli.arguments import main
from ponystudio.errors import MissingInput, UnknownNode
from ponystudio.graph.formats import graph_file
from ponystudio.graph.graph_shape import shape
from ponystudio.graph.model import Graph, Link, Node
from ponystudio.scripting import GraphScript


@pytest.fixture(scope="module")
def catalog():
    return GraphScript()._packs.catalog


def made(script):
    """Its nodes: type, params and links."""
    return {
        id: (
            node.type,
            dict(node.params),
            {k: (v.source, v.output) for k, v in node.inputs.items()},
        )
        for id, node in script.graph.nodes.items()
    }


def test_each_call_adds_a_node():
    graph = GraphScript()
    loaded = graph.load_checkpoint(file="a.safetensors")
    model, clip, vae, _ = loaded
    assert loaded.clip is clip
    words = graph.encode_prompt(clip=clip, text="a pony")
    nothing = graph.add("core.encode_prompt", clip=loaded.clip)
    latent = graph.sample(
        model=model, positive=words, negative=nothing, latent=graph.empty_latent(), steps=2
    )
    assert graph.save_image(image=graph.decode_latent(vae=vae, latent=latent)) is None
    found = made(graph)
    assert list(found) == [
        "load_checkpoint", "encode_prompt", "encode_prompt_2", "empty_latent", "sample",
        "decode_latent", "save_image",
    ]  # fmt: skip
    assert found["sample"] == (
        "core.sample",
        {"steps": 2},
        {
            "model": ("load_checkpoint", "model"),
            "positive": ("encode_prompt", "conditioning"),
            "negative": ("encode_prompt_2", "conditioning"),
            "latent": ("empty_latent", "latent"),
        },
    )


def test_a_node_that_is_none_is_told_by_its_near_name():
    graph = GraphScript()
    with pytest.raises(AttributeError, match=r"Did you mean core\.load_checkpoint"):
        graph.load_checkpont()
    with pytest.raises(UnknownNode, match=r"core\.sample"):
        graph.add("core.sampel")


def test_what_is_wrong_is_told_before_anything_runs(tmp_path):
    graph = GraphScript()
    graph.save_image()
    with pytest.raises(MissingInput):
        graph.run(output=tmp_path)
    assert not list(tmp_path.iterdir())


def test_it_gives_the_files_that_it_wrote(tmp_path):
    graph = GraphScript()
    graph.save_image(image=graph.empty_image(width=8, height=8, colour="#ff0000"), prefix="red")
    (path,) = graph.run(output=tmp_path)
    assert Image.open(path).convert("RGB").getpixel((3, 3)) == (255, 0, 0)
    assert path.parent == tmp_path


def test_a_script_that_was_written_of_a_graph_makes_the_same_pixels(tmp_path, catalog):
    (tmp_path / "models/checkpoints").mkdir(parents=True)
    checkpoints.micro(tmp_path / "models/checkpoints/m.safetensors")

    def node(id, type, inputs=(), /, **params):
        links = {name: Link(*link.split(".")) for name, link in dict(inputs).items()}
        return Node(id, f"core.{type}", params=params, inputs=links)

    graph = Graph.of(
        node("checkpoint", "load_checkpoint", file="m.safetensors"),
        node("positive", "encode_prompt", {"clip": "checkpoint.clip"}, text='a "pony"\nat dawn'),
        node("negative", "encode_prompt", {"clip": "checkpoint.clip"}, text="blurry"),
        node("latent", "empty_latent", width=64, height=64),
        node("steps", "int", value=2),
        node(
            "sampler", "sample",
            {"model": "checkpoint.model", "positive": "positive.conditioning",
             "negative": "negative.conditioning", "latent": "latent.latent", "steps": "steps.int"},
            seed=7, sampler="euler_ancestral",
        ),
        node("decode", "decode_latent", {"vae": "checkpoint.vae", "latent": "sampler.latent"}),
        node("save", "save_image", {"image": "decode.image"}, prefix="out"),
    )  # fmt: skip
    path, script = tmp_path / "graph.json", tmp_path / "script.py"
    graph_file.write(graph, path)
    models = ["--models", str(tmp_path / "models")]
    assert main(["export", str(path), "--to", "python", "-o", str(script)]) == 0
    run = ["run", str(path), *models, "--output", str(tmp_path / "run"), "--no-disk-cache"]
    assert main([*run, "--device", "cpu", "--dtype", "fp32"]) == 0
    # The models lie in the user's folder for a script.
    text = script.read_text("utf-8").replace(
        "graph.run(output=OUTPUT, folder=HERE)",
        'graph.run(output=OUTPUT, folder=HERE, models=[HERE / "models"], device="cpu",'
        ' dtype="fp32")',
    )
    script.write_text(text, "utf-8")
    env = {**os.environ, "HOME": str(tmp_path), "PYTHONPATH": os.pathsep.join(sys.path)}
    ended = subprocess.run(
        [sys.executable, str(script), str(tmp_path / "scripted")],
        capture_output=True, text=True, env=env, check=False,
    )  # fmt: skip
    assert ended.returncode == 0, ended.stderr
    (one,) = (tmp_path / "run").glob("*.png")
    (other,) = (tmp_path / "scripted").glob("*.png")
    assert ended.stdout.strip() == str(other)
    assert ImageChops.difference(Image.open(one), Image.open(other)).getbbox() is None
    assert shape(graph, catalog)
