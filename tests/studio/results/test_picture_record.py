from __future__ import annotations

import pytest
from PIL import Image

from helpers.pictures import drawn, save_picture, text_to_picture
from ponystudio.graph.editing.edits import SetParam, SetView
from ponystudio.graph.formats.embedded_metadata import PARAMETERS, embed
from ponystudio.graph.model import Graph, Link, Node
from ponystudio.studio.results.image_loader import decoded
from ponystudio.studio.results.picture_record import (
    graph_hash,
    is_picture,
    read_graph,
    read_picture,
)
from ponystudio.studio.results.result_table import Query, ResultTable, made_with
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
    assert (picture.steps, picture.cfg, picture.sampler) == (12, 5.0, "Euler a")
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


@pytest.mark.parametrize(("width", "height"), [(2049, 31), (4097, 1501), (1, 5000), (3000, 3000)])
def test_smaller_sizes_show_all_of_the_picture(tmp_path, width, height):
    """Red at the left end, blue at the right, green at the bottom; also at odd sizes."""
    picture = Image.new("RGB", (width, height), "red")
    picture.paste("blue", (width // 2, 0, width, height))
    picture.paste("lime", (0, height - height // 3, width, height))
    picture.save(tmp_path / "a.png")
    pyramid, _ = decoded(tmp_path / "a.png")
    assert pyramid is not None
    for level in pyramid.levels[1:]:
        assert level.pixelColor(level.width() - 1, 0).name() == "#0000ff"
        if level.height() >= 9:
            assert level.pixelColor(0, level.height() - 1).name() == "#00ff00"
    image, scale = pyramid.level(0.5)
    assert image.width() >= width * 0.5 - 1
    assert scale <= 1


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
    assert is_picture(name) is is_one


def found(store: ResultTable, text: str = "", starred: bool = False) -> list[str]:
    return [picture.name for picture in store.find(Query(text, starred)).pictures]


def test_the_store_finds_by_words_and_keeps_stars(tmp_path):
    paths = [
        save_picture(tmp_path / "a.png", text_to_picture("fox, 3d", seed=77), time=1000),
        save_picture(
            tmp_path / "b.png", text_to_picture("fox, flat", seed=LARGEST_SEED), time=2000
        ),
    ]
    store = ResultTable(tmp_path / "data" / "results.sqlite")
    try:
        store.put(picture for path in paths if (picture := read_picture(path)))
        assert found(store) == ["b.png", "a.png"]
        assert found(store, "3d fox") == ["a.png"]
        assert found(store, "FOX 1844") == ["b.png"]
        assert found(store, "seed:77") == ["a.png"]
        assert found(store, "100%") == []
        store.star([str(paths[0])], True)
        assert found(store, starred=True) == ["a.png"]
        store.mark_gone([str(paths[0])])
        assert found(store) == ["b.png"]
        store.put([read_picture(paths[0])])  # it came back, and so does its star
        assert store.find(Query("3d")).pictures[0].starred
        assert store.find(Query(limit=1)).total == 2
    finally:
        store.close()


def test_results_are_found_by_each_of_their_files(tmp_path):
    lora = {"a": ("my mane.safetensors",), "b": ("my mane 2.safetensors", "100%.pt"), "c": ()}
    paths = [
        save_picture(tmp_path / f"{name}.png", text_to_picture(), time=n, loras=files)
        for n, (name, files) in enumerate(lora.items())
    ]
    store = ResultTable(tmp_path / "results.sqlite")
    store.put(picture for path in paths if (picture := read_picture(path)))
    assert found(store, made_with("my mane")) == ["a.png"]
    assert found(store, made_with("100%")) == ["b.png"]
    assert found(store, made_with("starter")) == ["c.png", "b.png", "a.png"]
    assert found(store, "file:mane") == ["b.png", "a.png"]
    assert found(store, '"mane 2" fox') == ["b.png"]
    assert store.find(Query("file:100")).pictures[0].files == ("100%", "my mane 2", "starter")
    store.close()


def test_an_index_that_knew_no_files_has_its_pictures_read_again(tmp_path):
    import sqlite3

    picture = read_picture(save_picture(tmp_path / "a.png", text_to_picture()))
    assert picture is not None
    store = ResultTable(tmp_path / "results.sqlite")
    store.put([picture])
    stamp = {str(picture.path): (picture.mtime, picture.bytes)}
    assert store.stamps(tmp_path) == stamp
    store.close()
    with sqlite3.connect(tmp_path / "results.sqlite") as connection:
        connection.execute("ALTER TABLE pictures DROP COLUMN files")
    connection.close()
    store = ResultTable(tmp_path / "results.sqlite")
    assert store.stamps(tmp_path) != stamp
    assert found(store, "fox") == ["a.png"]
    store.put([picture])
    assert store.stamps(tmp_path) == stamp
    store.close()


def test_a_damaged_index_is_begun_anew(tmp_path):
    file = tmp_path / "results.sqlite"
    file.write_bytes(b"no database" * 100)
    store = ResultTable(file)
    assert found(store) == []
    store.close()
    assert (tmp_path / "results.sqlite.damaged").exists()


def test_an_index_of_another_version_keeps_its_columns(tmp_path):
    import sqlite3

    file = tmp_path / "results.sqlite"
    with sqlite3.connect(file) as connection:
        connection.execute("CREATE TABLE pictures (path TEXT PRIMARY KEY, time REAL, mood TEXT)")
        connection.execute("INSERT INTO pictures VALUES ('/x/a.png', 5, 'calm')")
    connection.close()
    store = ResultTable(file)
    assert found(store) == ["a.png"]
    assert found(store, "x") == []  # a folder is no name
    store.close()
    with sqlite3.connect(file) as connection:
        assert connection.execute("SELECT mood FROM pictures").fetchone() == ("calm",)
    connection.close()
