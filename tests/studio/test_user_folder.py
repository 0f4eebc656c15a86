"""What version 0.1.0 left in a person's folders is all there: documents with what can be undone in
them, settings and keys, the queue, results, recent files."""

from __future__ import annotations

import json

import pytest

from helpers.running import until
from helpers.user_folder import copy_user_folder
from helpers.window import open_window
from ponystudio.graph.formats import graph_file
from ponystudio.graph.model import Graph, Link
from ponystudio.studio.documents.document import Document
from ponystudio.studio.models import prompt_presets
from ponystudio.studio.results.result_table import Answer, Query
from ponystudio.studio.runs.duration_estimates import Work
from ponystudio.studio.settings import SETTINGS

SMALL, UNTITLED, CLOSED = (
    "20261130-134316-5b42643f",
    "20261130-134337-c8bdc1e6",
    "20261130-134338-a03e4157",
)


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        home = copy_user_folder(tmp_path_factory.mktemp("folders") / "user")
        patch.setenv("HOME", str(home))
        patch.setenv("PONYSTUDIO_HOME", str(home / "PonyStudio"))
        yield home


@pytest.fixture(scope="module")
def window(qapp, home):
    """The studio as it starts there, without its worker."""
    with open_window(theme="light") as window:
        window.runner.restore()
        window.results.start()
        yield window


@pytest.fixture
def small(window) -> Document:
    return next(iter(window.documents))


def texts_of(document: Document) -> list[str]:
    return [step.text for step in document.undo_record().steps]


def graphs_of(document: Document) -> list[Graph]:
    """The graph before the first step, after it, and so on; the document is then as it was."""
    index, graphs = document.undo_index, []
    for step in range(document.undo_count + 1):
        document.go_to(step)
        graphs.append(document.graph)
    document.go_to(index)
    return graphs


def test_documents_are_open_in_their_order(window, home):
    documents = list(window.documents)
    assert [document.id for document in documents] == [SMALL, UNTITLED]
    assert [document.title for document in documents] == ["small", "Untitled"]
    assert [document.path for document in documents] == [home / "graphs" / "small.json", None]
    assert all(document.dirty for document in documents)
    assert window.documents.current is documents[0]


def test_a_graph_is_as_it_was_left(window, small):
    nodes, looks = small.graph.nodes, small.graph.view["nodes"]
    assert sorted(nodes) == [
        *("checkpoint", "decode", "latent", "negative", "positive", "preview", "sampler", "save")
    ]
    assert nodes["positive"].title == "What to paint"
    assert nodes["positive"].params["text"] == "cat, flat, pink background"
    assert nodes["latent"].params == {"batch": 1, "height": 64, "width": 64}
    sampler = nodes["sampler"].params
    assert (sampler["seed"], sampler["steps"], sampler["cfg"]) == (4242, 2, 7.0)
    assert nodes["save"].params["prefix"] == "studies/small"
    assert nodes["preview"].mode == "muted"
    assert nodes["preview"].inputs == {"image": Link("decode", "image")}
    assert looks["save"]["pos"] == [1300, 40]
    assert looks["sampler"]["dots"] == {"latent": [[272, 632], [576, 632]], "model": [[560, -72]]}
    camera = window.page.view.camera().to_json()
    assert camera == {"center": [728.1, 260.3], "zoom": 0.4549}


def test_all_that_was_done_can_be_undone_and_done_again(small, home):
    assert (small.undo_index, small.undo_count) == (12, 13)
    assert texts_of(small) == [
        *("Change width", "Change height", "Change steps", "Change seed", "Change prefix"),
        *("Change text", "Change text", "Rename node", "Move", "Add Preview image", "Connect"),
        *("Mute", "Change guidance"),
    ]
    graphs = graphs_of(small)
    assert len(set(map(id, graphs))) == 14
    first, saved, last = graphs[0].nodes, graphs[7], graphs[13].nodes
    assert first["latent"].params["width"] == 256
    assert first["positive"].params["text"] == "unicorn, 3d, blue background"
    assert first["save"].params["prefix"] == "ponystudio"
    assert last["sampler"].params["cfg"] == 5.5
    in_file = graph_file.read(home / "graphs" / "small.json")
    assert saved == small.saved_graph
    assert saved.nodes == in_file.nodes
    assert saved.view["nodes"] == in_file.view["nodes"]


def test_a_document_without_a_file_has_its_steps_too(window):
    document = list(window.documents)[1]
    assert list(document.graph.nodes) == [
        *("picture", "scale", "darker", "picture_2", "scale_2", "darker_2")
    ]
    assert (document.undo_index, document.undo_count) == (5, 7)
    assert texts_of(document) == [
        *("Add Load image", "Add Scale image", "Connect", "Add Darken", "Duplicate 3 nodes"),
        *("Add frame", "Tidy 6 nodes"),
    ]
    graphs = graphs_of(document)
    assert [len(graph.nodes) for graph in graphs] == [0, 1, 2, 2, 3, 6, 6, 6]
    assert len(graphs[6].view["frames"]) == 1


def test_nodes_of_ones_own_are_known_before_there_is_a_worker(window):
    document = list(window.documents)[1]
    spec = document.spec("darker")
    assert spec is not None
    assert (spec.id, spec.title) == ("mypack.darken", "Darken")
    assert document.graph.nodes["darker"].params == {"by": 0.25}
    assert document.problems == []


def test_settings_are_as_they_were_chosen(window, home):
    settings = window.settings
    assert {row.name: settings.get(row.name) for row in SETTINGS if row.name != "window"} == {
        "theme": "light",
        "ui_scale": 1.25,
        "density": "compact",
        "reduced_motion": True,
        "shapes_on_wires": True,
        "output_folder": str(home / "results"),
        "file_name_pattern": "studies/small",
        "model_folders": [str(home / "models")],
        "device": "cpu",
        "dtype": "fp32",
        "device_memory_gb": 0.0,
        "disk_cache_gb": 1.5,
        "previews": False,
        "notify": False,
        "keep_awake": False,
        "key_preset": "comfyui",
        "keys": {"panel.log": [], "run.run": ["F5", "Ctrl+R"]},
        "seed_mode": "fixed",
        "starred_models": ["checkpoints/starter.safetensors"],
        "model_order": "newest",
        "welcomed": True,
        # Of a later version than the file.
        "metadata": "everything",
        "disclosure": True,
        "signed": False,
    }
    assert {"geometry", "panel", "right", "upper"} <= settings.get("window").keys()
    assert settings.get("window")["panel"] == window.shell.panel == "nodes"


def test_keys_are_those_of_the_preset_and_ones_own(window):
    keys = {spec.id: spec.keys for spec in window.actions_.specs()}
    assert keys["run.run"] == ("F5", "Ctrl+R")
    assert keys["panel.log"] == ()
    assert keys["panel.models"] == ("M",)
    assert keys["edit.mute"] == ("Ctrl+M",)
    assert keys["file.save"] == ("Ctrl+S",)


def test_the_queue_waits_to_be_resumed(window, small, home):
    assert window.runner.paused
    first, second = window.runner.queue.jobs
    assert (first.id, first.title, first.done, first.count) == (3, "small", 1, 3)
    assert first.seed_sets == tuple((("sampler", "seed", seed),) for seed in (4242, 4243, 4244))
    assert first.graph_now.nodes["sampler"].params["seed"] == 4243
    assert (first.targets, first.graph_dir) == (None, home / "graphs")
    assert (second.id, second.title, second.done, second.count) == (4, "small", 0, 1)
    assert second.targets == ("decode",)
    for job in (first, second):
        assert job.status == "waiting"
        assert job.graph.nodes == small.graph.nodes
        assert window.runner.document_of(job) is small


def test_results_are_listed_with_what_made_them(window, home):
    answers: list[Answer] = []
    window.results.index.answered.connect(answers.append)
    window.results.index.ask(Query())
    until(lambda: answers)
    window.results.index.answered.disconnect(answers.append)
    late, early = answers[-1].pictures
    assert late.path == home / "results" / "studies" / "small_00002.png"
    assert early.path == home / "results" / "studies" / "small_00001.png"
    assert (late.prompt, early.prompt) == ("cat, flat, pink background", "unicorn, flat")
    assert (late.starred, early.starred) == (True, False)
    assert (late.graph_hash, early.graph_hash) == ("eb8a138d7acb9b68", "e5126f5545946431")
    for picture in (late, early):
        assert (picture.width, picture.height, picture.format) == (64, 64, "PNG")
        assert (picture.sampler, picture.scheduler) == ("dpmpp_2m", "karras")
        assert (picture.seed, picture.steps, picture.cfg) == (4242, 2, 7.0)
        assert (picture.model, picture.model_hash) == ("starter", "b89c514e172a")
        assert (picture.device, picture.node, picture.receipt) == ("cpu", "save", True)


def test_what_the_last_run_left_is_on_the_cards(window, small, home):
    assert window.runner.last_seed(small, "sampler", "seed") == 4242
    last = window.runner.pictures.last.of(SMALL)
    picture = home / "results" / "studies" / "small_00002.png"
    assert {node: (made.path, made.key) for node, made in last.items()} == {
        "save": (str(picture), "97e41ec4a6af5bb8")
    }
    until(lambda: small.states["save"].picture is not None)
    assert small.states["save"].stale
    estimate = window.runner.estimates.of("CPU", "core.sample", Work(64 * 64, 2))
    assert estimate.runs == 2
    assert estimate.seconds == pytest.approx(2 * 2.328775)


def test_ones_own_presets_are_offered(home):
    assert [preset.text for preset in prompt_presets.own()] == [
        "flat colours, thick outline",
        "score_9, score_8_up, soft light",
    ]


def test_recent_files_lead_to_what_was_closed(window, home):
    unsaved, file = window.documents.recent.entries()
    assert (unsaved.title, unsaved.path, unsaved.id) == ("Untitled 2", "", CLOSED)
    assert (file.title, file.path) == ("small", str(home / "graphs" / "small.json"))


def test_it_is_left_as_it_was_found_and_unsaved_work_comes_back(qapp, tmp_path, monkeypatch):
    """What is not changed is written as it was, so that an older version goes on with it."""
    home = copy_user_folder(tmp_path / "user")
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setenv("PONYSTUDIO_HOME", str(home / "PonyStudio"))
    data = home / "PonyStudio" / "data"
    kept = [data / "session.json", data / "recent.json", *sorted((data / "queue").iterdir())]
    before = [json.loads(path.read_bytes()) for path in kept]
    with open_window(theme="light") as window:
        window.runner.restore()
    assert [json.loads(path.read_bytes()) for path in kept] == before

    with open_window(theme="light") as window:
        window.documents.reopen()
        window.documents.wait()
        document = window.documents.current
        assert document is not None
        assert (document.id, document.title, document.dirty) == (CLOSED, "Untitled 2", True)
        assert texts_of(document) == ["Add Load upscaler"]
        loader = document.graph.nodes["loader"]
        assert loader.type == "core.load_upscaler"
        assert loader.params == {"file": "realesr-animevideov3-x4.safetensors"}
        assert not window.runner.queue.jobs  # nobody asked for them
    assert json.loads((data / "session.json").read_bytes()) == {
        "version": 1,
        "open": [SMALL, UNTITLED, CLOSED],
        "current": CLOSED,
        "clean": True,
    }
    assert [entry["id"] for entry in json.loads(kept[1].read_bytes())["entries"]] == [""]
    order = json.loads((data / "queue" / "order.json").read_bytes())
    assert order == {"jobs": [[3, 1], [4, 0]]}
