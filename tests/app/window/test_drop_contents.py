"""Drops on the canvas: what a file, a picture, a model or a text becomes."""

from __future__ import annotations

import json

from PySide6.QtCore import QPoint, QPointF

from helpers import foreign_pictures as foreign
from helpers.drops import png, text
from helpers.graphs import picture
from ponystudio.app.window.drop_contents import is_material
from ponystudio.graph.editing.edits import AddNode
from ponystudio.graph.formats import graph_file
from ponystudio.graph.formats.embedded_metadata import GRAPH
from ponystudio.graph.model import Node
from ponystudio_resources import path as resource


def test_a_graph_opens_in_a_tab_or_joins_this_one(canvas, tmp_path):
    file = tmp_path / "mine.json"
    graph_file.write(picture(), file)
    canvas.drop(file)
    titles = [action.text() for action in canvas.drops.menu.actions()]
    assert titles == ["Open its graph", "Add its nodes here"]
    canvas.choose("Add its nodes here")
    assert set(canvas.document.graph.nodes) == set(picture().nodes)
    assert canvas.document.undo_count == 1
    canvas.drop(file)
    canvas.choose("Open its graph")
    assert canvas.documents.current.path == file


def test_a_picture_with_a_graph_opens_or_is_an_input(canvas, tmp_path):
    file = png(tmp_path / "made.png", {GRAPH: graph_file.dumps(picture())})
    canvas.drop(file)
    canvas.choose("Use as input")
    assert canvas.nodes == [("core.load_image", {"file": file.as_posix(), "colours": "convert"})]
    assert canvas.document.graph.view["nodes"]["image"]["pos"] == [80, 80]
    canvas.drop(file)
    canvas.choose("Open its graph")
    assert canvas.documents.current.title == "made"


def test_a_picture_without_a_graph_is_an_input(canvas):
    (canvas.models / "input").mkdir()
    canvas.drop(png(canvas.models / "input" / "cat.png"))
    assert canvas.nodes == [("core.load_image", {"file": "cat.png", "colours": "convert"})]


def test_a_model_gets_the_node_that_loads_it(canvas):
    canvas.drop(resource("models", "upscale_models", "realesrgan-x4plus-anime.safetensors"))
    assert canvas.nodes == [("core.load_upscaler", {"file": "realesrgan-x4plus-anime.safetensors"})]


def test_what_is_material_is_told_by_its_name(tmp_path):
    told = {name: is_material(tmp_path / name) for name in ("a.SFT", "b.png", "c.latent", "d.json")}
    assert told == {"a.SFT": True, "b.png": True, "c.latent": True, "d.json": False}
    assert is_material(tmp_path)


def test_what_is_no_model_is_refused_in_words(canvas, tmp_path):
    file = tmp_path / "x.safetensors"
    file.write_bytes(b"nothing")
    canvas.drop(file)
    assert canvas.nodes == []
    assert canvas.notices[0].title == "x.safetensors cannot be used here"
    assert canvas.notices[0].text


def test_a_folder_is_one_of_models(canvas, tmp_path):
    folder = tmp_path / "ComfyUI"
    folder.mkdir()
    (folder / "extra_model_paths.yaml").write_text("")
    told = []
    canvas.drops.folder_dropped.connect(told.append)
    canvas.drop(folder)
    canvas.drop(folder / "extra_model_paths.yaml")
    assert told == [folder, folder]


THEIRS = """{
    "5": {"class_type": "EmptyLatentImage", "inputs": {"width": 512, "depth": 3}},
    "6": {"class_type": "Sharper", "inputs": {"samples": ["5", 0]}}
}"""


def told_of_theirs(canvas):
    """What was said of the nodes above, and the ids that it names."""
    notice = canvas.notices.pop()
    assert notice.text == "2 nodes of ComfyUI, of which 1 are known here"
    assert notice.kind == "warn"
    [unknown, (_, remark, _)] = notice.rows
    assert unknown == ("item", "Sharper", "1")
    id, _, said = remark.partition(": ")
    assert "depth" in said
    return notice.title, id


def test_a_graph_of_another_tool_s_opens_or_joins_too(canvas, tmp_path):
    file = tmp_path / "workflow.json"
    file.write_text(THEIRS)
    canvas.drop(file)
    canvas.choose("Add its nodes here")
    assert list(canvas.document.graph.nodes) == ["empty_latent_5", "Sharper_6"]
    assert told_of_theirs(canvas) == ("workflow.json was translated", "empty_latent_5")
    picture = png(tmp_path / "theirs.png", {"prompt": THEIRS})
    canvas.drop(picture)
    canvas.choose("Open its graph")
    assert canvas.documents.current.title == "theirs"


def test_so_does_its_text(canvas):
    for id in ("empty_latent_5", "empty_latent_6"):
        canvas.drop(mime=text(THEIRS))
        assert list(canvas.document.graph.nodes)[-2] == id
        assert told_of_theirs(canvas) == ("The pasted text was translated", id)


def test_words_become_a_prompt_or_a_note(canvas):
    canvas.drop(mime=text("a pony, (sky:1.2)\n"))
    canvas.choose("Add Prompt")
    [(type, params)] = canvas.nodes
    assert (type, params["text"]) == ("core.encode_prompt", "a pony, (sky:1.2)")
    canvas.drop(mime=text("remember"))
    canvas.choose("Add as a note")
    [note] = canvas.document.graph.view["notes"]
    assert note["text"] == "remember"


def test_words_without_end_are_refused(canvas):
    canvas.drop(mime=text("[]," * 400_000))
    assert canvas.nodes == []
    assert "1,200,000 letters" in canvas.notices[0].text


def test_nodes_are_pasted_into_the_graph_that_there_is_by_then(canvas):
    part = graph_file.dumps(picture())
    canvas.drops.drop(text(part), canvas.document, QPointF(0, 0), QPoint())
    canvas.drops.drop(text(part), canvas.document, QPointF(0, 0), QPoint())
    canvas.document.do(AddNode(Node("mine", "core.load_vae")), "Add")
    canvas.drops.wait()
    assert len(canvas.document.graph.nodes) == 2 * len(picture().nodes) + 1
    assert canvas.document.undo_count == 3


def test_what_other_programs_write_of_a_picture_becomes_the_graph_that_makes_it(canvas, tmp_path):
    for said in (foreign.INFOTEXT, json.dumps(foreign.SWARM), json.dumps(foreign.CIVITAI)):
        before = set(canvas.document.graph.nodes)
        canvas.drop(mime=text(said))
        added = canvas.document.graph.nodes.keys() - before
        types = {canvas.document.graph.nodes[id].type for id in added}
        assert {"core.load_checkpoint", "core.apply_loras", "core.sample"} <= types
    file = tmp_path / "stealthy.png"
    file.write_bytes(foreign.stealthy(foreign.INFOTEXT))
    canvas.drop(file)
    canvas.choose("Open its graph")
    assert canvas.documents.current.title == "stealthy"
