"""What is saved where, and what is not."""

from __future__ import annotations

import os
from pathlib import Path

from helpers.documents import change
from helpers.graphs import CATALOG, node, picture
from ponystudio.graph.editing.edits import SetModels, SetParam
from ponystudio.graph.formats import graph_file
from ponystudio.library.model_folders import ModelFolders
from ponystudio.studio.documents.documents import Documents


def test_saving(studio, file, tmp_path):
    documents = studio.documents
    document = documents.open_now(file)
    document.set_camera_source(lambda: {"center": [1, 2], "zoom": 0.5})
    change(document, 2**64 - 1)
    assert document.dirty
    assert documents.save(document)
    change(document, 7)
    documents.wait()
    assert document.dirty, "it was changed since"
    written = graph_file.read(file)
    assert written.nodes["sample"].params["seed"] == 2**64 - 1
    assert written.nodes["sample"].params["cfg"] == 7.0, "defaults are written"
    assert written.view["camera"] == {"center": [1, 2], "zoom": 0.5}
    document.undo()
    assert not document.dirty
    document.redo()
    documents.save_as(document, tmp_path / "other.json")
    documents.wait()
    assert (document.title, document.dirty) == ("other", False)
    assert graph_file.read(tmp_path / "other.json").nodes["sample"].params["seed"] == 7
    assert graph_file.read(file).nodes["sample"].params["seed"] == 2**64 - 1


def test_saving_twice_in_a_breath_is_no_conflict(studio, file):
    document = studio.documents.open_now(file)
    for value in (5, 6, 7):
        change(document, value)
        studio.documents.save(document)
    studio.documents.wait()
    assert studio.notices == []
    assert not document.dirty
    assert graph_file.read(file).nodes["sample"].params["seed"] == 7


def test_a_document_without_a_file_asks_for_one(studio):
    documents = studio.documents
    asked = []
    documents.path_wanted.connect(asked.append)
    document = documents.new()
    assert not documents.save(document)
    assert asked == [document]


def test_what_another_program_saved_is_not_overwritten(studio, file):
    documents = studio.documents
    document = documents.open_now(file)
    change(document, 5)
    other = picture().with_nodes([node("more", "t.number")])
    graph_file.write(other, file)
    documents.save(document)
    documents.wait()
    assert document.dirty
    assert graph_file.read(file) == other
    assert studio.notices == ["graph.json was changed by another program"]
    studio.actions["Save over it"]()
    documents.wait()
    assert not document.dirty
    assert "more" not in graph_file.read(file).nodes


def test_who_closes_while_it_is_saved_elsewhere_has_it_saved(studio, file):
    documents = studio.documents
    document = documents.open_now(file)
    change(document, 5)
    documents.save_as(document, file.parent / "other.json")
    documents.close(document)
    assert graph_file.read(file.parent / "other.json").nodes["sample"].params["seed"] == 5
    assert not documents.recent.last_unsaved()


def test_a_save_that_fails_leaves_file_and_document_as_they_were(studio, file):
    documents = studio.documents
    document = documents.open_now(file)
    change(document, 5)
    before = file.read_bytes()
    documents.save_as(document, file.parent / "nowhere" / "x.json")
    documents.wait()
    assert document.dirty
    assert document.path == file
    assert studio.notices == ["graph is not saved"]
    assert file.read_bytes() == before
    documents.save(document)
    documents.wait()
    assert not document.dirty


def test_names_of_model_files_lead_to_the_same_file_from_anywhere(qapp, tmp_path, file):
    root = tmp_path / "models"
    (root / "checkpoints").mkdir(parents=True)
    (root / "checkpoints" / "pony.safetensors").write_bytes(b"")
    (file.parent / "beside.safetensors").write_bytes(b"")
    documents = Documents(tmp_path / "data", CATALOG, lambda: ModelFolders([root]))
    try:
        document = documents.open_now(file)
        whole = str(root / "checkpoints" / "pony.safetensors")
        document.do(SetParam("load", "file", whole), "Choose")
        documents.save(document)
        documents.wait()
        assert graph_file.read(file).nodes["load"].params["file"] == "pony.safetensors"
        document.do(SetParam("load", "file", "beside.safetensors"), "Choose")
        (tmp_path / "elsewhere").mkdir()
        documents.save_as(document, tmp_path / "elsewhere" / "graph.json")
        documents.wait()
        expected = (file.parent / "beside.safetensors").as_posix()
        assert document.graph.nodes["load"].params["file"] == expected
        assert not document.dirty
    finally:
        documents.shutdown()


def test_names_are_saved_with_posix_slashes_and_what_is_known_of_a_file_goes_with_its_name(
    qapp, tmp_path, file
):
    root = tmp_path / "models"
    (root / "checkpoints" / "sub").mkdir(parents=True)
    (root / "checkpoints" / "sub" / "pony.safetensors").write_bytes(b"")
    documents = Documents(tmp_path / "data", CATALOG, lambda: ModelFolders([root]))
    facts = {"kind": "checkpoints", "autov2": "0123456789"}
    whole = str(root / "checkpoints" / "sub" / "pony.safetensors")
    try:
        document = documents.open_now(file)
        for name, is_saved in (
            ("sub\\pony.safetensors", "sub/pony.safetensors"),
            ("gone\\mane.safetensors", "gone/mane.safetensors"),
            (whole, "sub/pony.safetensors"),
        ):
            document.do(SetParam("load", "file", name), "Choose")
            document.do(SetModels({name: facts}), "Import")
            documents.save(document)
            documents.wait()
            saved = graph_file.read(file)
            assert saved.nodes["load"].params["file"] == is_saved
            assert saved.models == {is_saved: facts}
    finally:
        documents.shutdown()


def test_what_a_killed_process_left_beside_the_file_is_swept(studio, file):
    def left(name: str) -> Path:
        draft = file.with_name(name)
        draft.write_text("half")
        os.utime(draft, (0, 0))
        return draft

    draft, other = (
        left(f".{file.name}.0123abcd.ponystudio.tmp"),
        left(".other.json.0123abcd.ponystudio.tmp"),
    )
    document = studio.documents.open_now(file)
    assert not draft.exists()
    left(draft.name)
    change(document, 5)
    studio.documents.save(document)
    studio.documents.wait()
    assert not draft.exists()
    assert other.exists()  # of a file that nobody has asked for
