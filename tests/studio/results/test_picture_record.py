from __future__ import annotations

import pytest
from PIL import Image

from helpers.pictures import drawn, save_picture, text_to_picture
from ponystudio.graph.editing.edits import SetParam, SetView
from ponystudio.graph.formats.embedded_metadata import PARAMETERS
from ponystudio.graph.formats.picture_writer import embed
from ponystudio.graph.model import Graph, Link, Node
from ponystudio.pictures.picture_facts import graph_hash
from ponystudio.studio.results.image_loader import decoded
from ponystudio.studio.results.picture_record import (
    is_picture_name,
    read_graph,
    read_picture,
)
from ponystudio.studio.results.thumbnail_cache import small

LARGEST_SEED = 2**64 - 1


@pytest.mark.parametrize("format", ["png", "webp", "jpeg"])
def test_a_picture_tells_how_it_was_made(tmp_path, format):
    graph = text_to_picture("fox, 3d", "blurry", LARGEST_SEED, steps=30, cfg=6.5)
    path = save_picture(tmp_path / f"fox.{format}", graph, drawn((64, 48)), 1000.0, format)
    picture = read_picture(path)
    assert picture is not None
    assert (picture.prompt, picture.negative) == ("fox, 3d", "blurry")
    assert (picture.seed, picture.steps, picture.cfg) == (LARGEST_SEED, 30, 6.5)
    assert (picture.sampler, picture.scheduler) == ("euler", "karras")
    assert (picture.model, picture.model_hash) == ("starter", "9f31c2d07a55")
    assert (picture.width, picture.height, picture.time) == (64, 48, 1000.0)
    assert (picture.device, picture.dtype, picture.receipt) == ("cuda:0", "fp16", True)
    assert picture.has_graph
    assert read_graph(path) == graph


def test_another_tools_picture_tells_what_its_parameters_say(tmp_path):
    text = "a horse\nNegative prompt: mud\nSteps: 12, Sampler: Euler a, CFG scale: 5, Seed: 9"
    embed(drawn(), tmp_path / "horse.png", "png", {PARAMETERS: text})
    picture = read_picture(tmp_path / "horse.png")
    assert picture is not None
    assert (picture.prompt, picture.negative, picture.seed) == ("a horse", "mud", 9)
    assert (picture.steps, picture.cfg, picture.sampler) == (12, 5.0, "euler_ancestral")
    assert not picture.has_graph


def test_the_model_is_what_is_loaded_and_not_the_lora_on_the_way(tmp_path):
    graph = text_to_picture()
    lora = Node(
        "lora",
        "core.apply_lora",
        params={"file": "style.safetensors"},
        inputs={"model": Link("checkpoint", "model"), "clip": Link("checkpoint", "clip")},
    )
    sampler = graph.nodes["sampler"]
    inputs = {**sampler.inputs, "model": Link("lora", "model")}
    wired = Node("sampler", sampler.type, params=sampler.params, inputs=inputs)
    path = save_picture(tmp_path / "a.png", graph.with_nodes([lora, wired]))
    picture = read_picture(path)
    assert picture is not None
    assert picture.model == "starter"


def test_every_file_that_had_a_part_is_known(tmp_path):
    loras = ("style/mane_v2.safetensors", "sub\\my hat.pt")
    picture = read_picture(save_picture(tmp_path / "a.png", text_to_picture(), loras=loras))
    assert picture is not None
    assert picture.files == ("mane_v2", "my hat", "starter")


def test_another_tools_picture_tells_its_loras(tmp_path):
    text = (
        "a horse\nSteps: 12, Sampler: Euler a, Seed: 9, Model: pony_v6, "
        'Lora hashes: "mane, v2: 0123456789ab, hat: 9f31c2d07a55"'
    )
    embed(drawn(), tmp_path / "horse.png", "png", {PARAMETERS: text})
    picture = read_picture(tmp_path / "horse.png")
    assert picture is not None
    assert picture.files == ("hat", "mane, v2", "pony_v6")


def test_a_photo_that_lies_on_its_side_has_the_size_that_is_seen(tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 6
    drawn((64, 48)).save(tmp_path / "photo.jpg", exif=exif)
    picture = read_picture(tmp_path / "photo.jpg")
    assert picture is not None
    assert (picture.width, picture.height) == (48, 64)
    thumbnail = small(tmp_path / "photo.jpg", 32)
    assert thumbnail is not None
    assert (thumbnail.width(), thumbnail.height()) == (24, 32)


def test_what_is_transparent_stays_so(tmp_path):
    Image.new("RGBA", (600, 300), (255, 0, 0, 0)).save(tmp_path / "a.png")
    thumbnail = small(tmp_path / "a.png")
    assert thumbnail is not None
    assert thumbnail.hasAlphaChannel()
    pyramid, _ = decoded(tmp_path / "a.png")
    assert pyramid is not None
    assert pyramid.levels[-1].pixelColor(5, 5).alpha() == 0


def test_what_is_no_picture_tells_nothing(tmp_path):
    (tmp_path / "a.png").write_bytes(b"\x89PNG\r\n\x1a\n" + b"\xff" * 40)
    picture = read_picture(tmp_path / "a.png")
    assert picture is not None
    assert (picture.width, picture.seed, picture.prompt) == (0, None, "")
    assert read_picture(tmp_path / "gone.png") is None
    assert read_graph(tmp_path / "gone.png") is None


def test_graphs_that_differ_in_their_layout_have_one_hash():
    graph = text_to_picture()
    moved, _ = SetView(("nodes", "sampler"), {"pos": [8, 8]}).apply(graph)
    other, _ = SetParam("sampler", "seed", 78).apply(graph)
    assert graph_hash(moved) == graph_hash(graph) != graph_hash(other)
    assert graph_hash(Graph()) != graph_hash(graph)


@pytest.mark.parametrize(
    ("name", "is_one"),
    [("a.png", True), ("a.JPG", True), (".a.tmp.png", False), ("a.txt", False), ("png", False)],
)
def test_drafts_are_no_pictures(name, is_one):
    assert is_picture_name(name) is is_one
