"""Open documents: tabs, files, what is closed unsaved, and the next start."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image

from helpers.graphs import CATALOG, node, picture
from ponystudio.errors import GraphFileError
from ponystudio.graph.editing.edits import AddNode, SetParam, SetView
from ponystudio.graph.formats import graph_file as graph_file
from ponystudio.graph.formats.embedded_metadata import GRAPH, embed
from ponystudio.graph.model import Graph, Node
from ponystudio.library.model_folders import ModelFolders
from ponystudio.studio.documents.documents import Documents
from ponystudio.studio.documents.file_lock import for_file
from ponystudio.studio.documents.journal_format import packed
from ponystudio.studio.documents.templates import template, templates


class Studio:
    """Documents in a data folder that can end and start again."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.documents: Documents
        self.notices: list[str] = []
        self.actions: dict[str, object] = {}
        self.start()

    def start(self) -> None:
        self.documents = Documents(self.folder, CATALOG)
        self.documents.notice.connect(self._told)
        self.notices.clear()
        self.documents.restore()
        self.documents.wait()

    def end(self) -> None:
        assert self.documents.shutdown()

    def again(self) -> Documents:
        self.end()
        self.start()
        return self.documents

    def crash(self) -> Documents:
        """Go on with the files as they were in the midst of it."""
        self.documents.flush()
        crashed = self.folder.with_name("crashed")
        shutil.copytree(self.folder, crashed, ignore=shutil.ignore_patterns("*.tmp"))
        self.end()
        self.folder = crashed
        self.start()
        return self.documents

    def _told(self, notice) -> None:
        self.notices.append(notice.title)
        self.actions.update(notice.actions)


@pytest.fixture
def studio(qapp, tmp_path):
    studio = Studio(tmp_path / "data")
    yield studio
    studio.end()


@pytest.fixture
def file(tmp_path) -> Path:
    path = tmp_path / "graph.json"
    graph_file.write(picture(), path)
    return path


def titles(documents: Documents) -> list[str]:
    return [document.title for document in documents]


def seed(document) -> object:
    return document.graph.nodes["sample"].params["seed"]


def change(document, value: int) -> None:
    document.do(SetParam("sample", "seed", value), "Change seed")


def test_a_new_document_gives_way_to_one_that_is_opened(studio, file):
    documents = studio.documents
    empty = documents.new()
    assert (empty.title, empty.pristine, empty.dirty, empty.path) == ("Untitled", True, False, None)
    closed = []
    documents.closed.connect(closed.append)
    documents.open(file)
    documents.wait()
    assert titles(documents) == ["graph"]
    assert closed == [empty]
    assert documents.current.path == file
    documents.new()
    documents.new().do(AddNode(node("a", "t.number")), "Add")
    assert titles(documents) == ["graph", "Untitled", "Untitled 2"]


def test_templates_are_the_shipped_graphs(studio):
    assert [item.title for item in templates()][:1] == ["Text to picture"]
    document = studio.documents.new(template("text-to-picture"))
    assert document.title == "Text to picture"
    assert "sampler" in document.graph.nodes
    assert not document.dirty
    assert document.path is None


def test_a_file_is_open_once(studio, file):
    documents = studio.documents
    documents.open(file)
    documents.open(file)
    documents.wait()
    first = documents.current
    documents.new()
    assert documents.open_now(file) is first
    assert documents.current is first


def test_a_picture_opens_as_a_document_of_its_own(studio, tmp_path):
    path = tmp_path / "unicorn_00001.png"
    embed(Image.new("RGB", (8, 8)), path, "png", {GRAPH: graph_file.dumps(picture())})
    document = studio.documents.open_now(path)
    assert (document.title, document.path, document.dirty) == ("unicorn_00001", None, False)
    assert document.graph.nodes == picture().nodes


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("{}", "no PonyStudio graph"),
        ('{"last_node_id": 3, "nodes": []}', "ComfyUI workflow"),
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


def test_saving(studio, file, tmp_path):
    documents = studio.documents
    document = documents.open_now(file)
    document.camera_of = lambda: {"center": [1, 2], "zoom": 0.5}
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


def test_closing_asks_nothing_and_loses_nothing(studio, file):
    documents = studio.documents
    document = documents.open_now(file)
    change(document, 5)
    change(document, 6)
    document.undo()
    documents.close(document)
    assert len(documents) == 0
    assert documents.current is None
    assert studio.notices == ["graph is closed"]
    studio.actions["Open again"]()
    documents.wait()
    back = documents.current
    assert seed(back) == 5
    assert back.dirty
    assert not back.read_only
    back.redo()
    assert seed(back) == 6
    assert not [entry for entry in documents.recent.entries() if entry.unsaved]


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


def test_a_saved_document_leaves_nothing_behind(studio, file):
    documents = studio.documents
    documents.close(documents.open_now(file))
    documents.flush()
    assert not list((studio.folder / "documents").iterdir())
    assert [(entry.title, entry.unsaved) for entry in documents.recent.entries()] == [
        ("graph", False)
    ]


def test_the_next_start_shows_the_same_tabs(studio, file, tmp_path):
    documents = studio.documents
    documents.new().do(AddNode(node("a", "t.number")), "Add")
    opened = documents.open_now(file)
    change(opened, 3)
    opened.camera_of = lambda: {"center": [5, 5], "zoom": 2.0}
    documents.new(template("upscale"))
    documents.move(documents.current, 0)
    documents.set_current(opened)
    expected = titles(documents)
    documents = studio.again()
    assert titles(documents) == expected == ["Upscale", "Untitled", "graph"]
    assert documents.current.title == "graph"
    assert documents.current.camera == {"center": [5, 5], "zoom": 2.0}
    assert documents.current.dirty
    assert documents.current.undo_text == "Change seed"
    assert studio.notices == []


def test_after_a_crash_all_is_there_and_it_is_said(studio, file):
    documents = studio.documents
    change(documents.open_now(file), 3)
    documents.new(template("upscale"))
    documents = studio.crash()
    assert titles(documents) == ["graph", "Upscale"]
    assert seed(next(iter(documents))) == 3
    assert studio.notices == ["Everything is back"]
    assert not next(iter(documents)).read_only


def test_a_saved_document_follows_its_file(studio, file):
    change(studio.documents.open_now(file), 3)
    studio.documents.save(studio.documents.current)
    studio.end()
    newer = graph_file.read(file)
    newer = newer.with_nodes([node("more", "t.number")])
    graph_file.write(newer, file)
    studio.start()
    document = studio.documents.current
    assert "more" in document.graph.nodes
    assert not document.dirty
    document.undo()
    assert "more" not in document.graph.nodes
    assert seed(document) == 3


def test_a_document_outlives_its_file(studio, file):
    studio.documents.open_now(file)
    studio.end()
    file.unlink()
    studio.start()
    document = studio.documents.current
    assert document.graph.nodes == picture().nodes
    assert document.dirty
    assert studio.notices == ["The file of graph is not there any more"]
    studio.documents.save(document)
    studio.documents.wait()
    assert graph_file.read(file).nodes.keys() == picture().nodes.keys()


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


def test_a_journal_of_a_newer_version_is_left_alone(studio, file):
    document = studio.documents.open_now(file)
    path = document.journal.path
    studio.end()
    newer = packed({"format": "ponystudio.journal", "version": 2}) + path.read_bytes()
    path.write_bytes(newer)
    studio.start()
    assert len(studio.documents) == 0
    assert path.read_bytes() == newer


def test_what_is_missing_is_a_problem_of_the_document(studio):
    document = studio.documents.new_from(
        Graph.of(node("a", "t.number"), Node("b", "gone.node")), "Mine"
    )
    assert [problem.reason for problem in document.problems] == ["UnknownNode"]
    assert "gone.node" in document.problems[0].what
    document.do(SetView(("notes",), []), "Notes")
    assert len(document.problems) == 1


def test_a_folder_that_takes_nothing_is_told_and_work_goes_on(qapp, tmp_path, file):
    (tmp_path / "data").write_text("a file in its place")
    documents = Documents(tmp_path / "data", CATALOG)
    told = []
    documents.notice.connect(told.append)
    documents.restore()
    document = documents.open_now(file)
    change(document, 5)
    documents.flush()
    documents.save(document)
    documents.wait()
    qapp.processEvents()
    assert {notice.title for notice in told} == {"What you do now could be lost"}
    assert graph_file.read(file).nodes["sample"].params["seed"] == 5
    assert not documents.shutdown()


def test_session_and_recent_survive_nonsense(qapp, tmp_path):
    for text in ("", "{", "[]", json.dumps({"open": 3})):
        (tmp_path / "session.json").write_text(text)
        (tmp_path / "recent.json").write_text(text)
        documents = Documents(tmp_path)
        restored = []
        documents.restored.connect(lambda restored=restored: restored.append(True))
        documents.restore()
        documents.wait()
        assert restored == [True]
        assert documents.recent.entries() == ()
        documents.shutdown()
