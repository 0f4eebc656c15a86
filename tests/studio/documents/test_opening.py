"""What is opened: files, pictures, journals, and who may write them."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest
from PIL import Image

from helpers.documents import change, seed
from helpers.graphs import node, picture
from ponystudio.errors import GraphFileError
from ponystudio.graph.formats import graph_file
from ponystudio.graph.formats.embedded_metadata import GRAPH
from ponystudio.graph.formats.picture_writer import embed
from ponystudio.studio.documents import opening
from ponystudio.studio.documents.file_lock import for_file
from ponystudio.studio.documents.journal_format import pack


def test_a_picture_opens_as_a_document_of_its_own(studio, tmp_path):
    path = tmp_path / "unicorn_00001.png"
    embed(Image.new("RGB", (8, 8)), path, "png", {GRAPH: graph_file.dumps(picture())})
    document = studio.documents.open_now(path)
    assert (document.title, document.path, document.dirty) == ("unicorn_00001", None, False)
    assert document.graph.nodes == picture().nodes


def test_a_graph_of_comfyuis_opens_translated_as_a_document_of_its_own(studio, tmp_path):
    path = tmp_path / "theirs.json"
    known = {"class_type": "EmptyLatentImage", "inputs": {"width": 512}}
    path.write_text(json.dumps({"1": known, "2": {"class_type": "FaceDetailer", "inputs": {}}}))
    told = []
    studio.documents.notice.connect(told.append)
    document = studio.documents.open_now(path)
    assert (document.title, document.path, document.dirty) == ("theirs", None, False)
    assert set(document.graph.nodes) == {"empty_latent_1", "FaceDetailer_2"}
    (notice,) = told
    assert notice.title == "theirs was translated"
    assert notice.text == "2 nodes of ComfyUI, of which 1 are known here"
    assert notice.rows == (("item", "FaceDetailer", "1"),)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("{}", "no PonyStudio graph"),
        ('{"last_node_id": 3, "nodes": []}', "no nodes that run"),
        ("not json", "no JSON"),
    ],
)
def test_what_cannot_be_opened_is_told_and_changes_nothing(studio, tmp_path, text, words):
    path = tmp_path / "other.json"
    path.write_text(text)
    told = []
    studio.documents.notice.connect(lambda notice: told.append(notice.text))
    studio.documents.open(path)
    studio.documents.wait()
    assert words in told[0]
    assert len(studio.documents) == 0
    with pytest.raises(GraphFileError):
        studio.documents.open_now(path)


def test_opening_the_file_brings_back_what_was_not_saved(studio, file):
    documents = studio.documents
    change(documents.open_now(file), 5)
    documents.close(documents.current)
    documents = studio.again()
    document = documents.open_now(file)
    assert seed(document) == 5
    assert studio.notices == ["What was not saved in graph is back"]
    studio.actions["Show what is saved"]()
    assert seed(document) == 1
    assert not document.dirty
    document.undo()
    assert seed(document) == 5


def test_a_file_that_others_changed_does_not_get_old_work_laid_over_it(studio, file):
    documents = studio.documents
    change(documents.open_now(file), 5)
    documents.close(documents.current)
    graph_file.write(picture().with_nodes([node("more", "t.number")]), file)
    document = documents.open_now(file)
    assert "more" in document.graph.nodes
    assert not document.dirty
    assert studio.notices[-1] == "graph was changed by another program"
    studio.actions["Open that"]()
    documents.wait()
    assert seed(documents.current) == 5
    assert documents.current.path is None, "its file is open in the other tab"


def test_one_writer_at_a_time(studio, file, tmp_path):
    program = (
        "import sys, time; from pathlib import Path;"
        "from ponystudio.studio.documents.file_lock import for_file;"
        "lock = for_file(Path(sys.argv[1])); print(lock.acquire(), flush=True); time.sleep(60)"
    )
    other = subprocess.Popen(
        [sys.executable, "-c", program, str(file)], stdout=subprocess.PIPE, text=True
    )
    try:
        assert other.stdout.readline() == "True\n"
        document = studio.documents.open_now(file)
        assert document.read_only == f"It is open in another PonyStudio (process {other.pid})."
        change(document, 3)
        asked = []
        studio.documents.path_wanted.connect(asked.append)
        assert not studio.documents.save(document)
        assert asked == [document]
        studio.documents.save_as(document, tmp_path / "mine.json")
        studio.documents.wait()
        assert (document.read_only, document.dirty) == ("", False)
    finally:
        other.kill()
        other.wait()
        other.stdout.close()
    lock = for_file(file)
    assert lock.acquire(), "a dead process keeps no lock"
    lock.release()


@pytest.mark.skipif(os.name == "nt" or os.geteuid() == 0, reason="root may write everything")
def test_a_write_protected_file_is_read_only(studio, file):
    file.chmod(0o444)
    assert studio.documents.open_now(file).read_only


def test_damaged_journals_are_put_aside_and_told(studio, file):
    document = studio.documents.open_now(file)
    for number in range(5):
        change(document, number + 10)
        studio.documents.flush()
    path = document.journal.path
    studio.end()
    lines = path.read_bytes().splitlines(keepends=True)
    lines[5] = b"0" + lines[5][1:] if lines[5][:1] != b"0" else b"1" + lines[5][1:]
    path.write_bytes(b"".join(lines))
    studio.start()
    assert 10 <= seed(studio.documents.current) < 14
    assert studio.notices == ["The last changes to graph are lost"]
    assert path.with_suffix(".damaged").exists()


def test_a_journal_of_a_newer_version_is_left_alone(studio, file):
    document = studio.documents.open_now(file)
    path = document.journal.path
    studio.end()
    newer = pack({"format": "ponystudio.journal", "version": 2}) + path.read_bytes()
    path.write_bytes(newer)
    studio.start()
    assert len(studio.documents) == 0
    assert path.read_bytes() == newer


def test_a_file_as_letters_is_bounded_in_every_way(tmp_path):
    path = tmp_path / "graph.json"
    path.write_bytes(b"\xff{\0" + b"a" * 1000 + b"\n" + "é".encode() * 2**20)
    text = opening.as_letters(path)
    first, _, *lines = text.split("\n")
    assert first == str(path)
    assert lines[0].startswith("\ufffd{\ufffdaaa")
    assert max(map(len, lines)) <= opening.LONGEST_LINE
    assert len(text) < opening.MOST_LETTERS + 5000
    assert lines[-1] == "…"
    path.write_bytes(b"\n" * opening.MOST_LETTERS)
    assert opening.as_letters(path).count("\n") < opening.MOST_LINES + 5
    os.mkfifo(tmp_path / "pipe")
    assert "pipe" in opening.as_letters(tmp_path / "pipe")
    assert "No such file" in opening.as_letters(tmp_path / "none")


def test_the_graph_of_a_journal_is_copied_without_opening_it(studio, file, tmp_path):
    document = studio.documents.open_now(file)
    change(document, 7)
    studio.documents.flush()
    opening.copy_graph(document.journal.path, tmp_path / "copy.json")
    assert seed_of(graph_file.read(tmp_path / "copy.json")) == 7
    (tmp_path / "half.journal").write_text("half")
    for broken in ("half.journal", "none.journal"):
        with pytest.raises(GraphFileError):
            opening.copy_graph(tmp_path / broken, tmp_path / "other.json")


def seed_of(graph) -> object:
    return graph.nodes["sample"].params["seed"]
