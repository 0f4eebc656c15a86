"""What saved pictures say of how they were made."""

from __future__ import annotations

import json
import threading
import time

import pytest
import torch

from helpers.engine_nodes import Studio, graph, make, names
from ponystudio.errors import Cancelled
from ponystudio.graph.formats.embedded_metadata import GRAPH, RECEIPT
from ponystudio.graph.formats.graph_file import loads
from ponystudio.library import file_contents, model_index
from ponystudio.library.formats import content_id
from ponystudio.pictures.picture_reader import read_fields


@pytest.fixture
def studio(tmp_path):
    with Studio(tmp_path) as studio:
        yield studio


def test_pictures_are_numbered_and_carry_graph_and_receipt(studio, tmp_path):
    g = graph(
        make("grey", "grey", batch=2),
        make("save", "save", image=("grey", "image"), prefix="sub/pony"),
    )
    studio.run(g)
    studio.run(g)
    folder = tmp_path / "output" / "sub"
    assert names(folder.iterdir()) == [f"pony_0000{i}.png" for i in (1, 2, 3, 4)]
    assert studio.told("output", "path") == [str(folder / f"pony_0000{i}.png") for i in (3, 4)]
    fields = read_fields(folder / "pony_00002.png")
    assert loads(fields[GRAPH]).nodes.keys() == g.nodes.keys()
    receipt = json.loads(fields[RECEIPT])
    assert receipt["batch"] == {"index": 1, "size": 2}
    assert receipt["environment"]["torch"] == torch.__version__
    # Of the second run: its grey was there already.
    assert receipt["seconds"].keys() == {"grey"}
    later = json.loads(read_fields(folder / "pony_00004.png")[RECEIPT])
    assert later["seconds"] == {}


def test_a_cancelled_run_does_not_wait_for_hashes(tmp_path, monkeypatch):
    cancel, release = threading.Event(), threading.Event()
    monkeypatch.setattr(file_contents, "AT_ONCE", 0)
    monkeypatch.setattr(content_id, "YOUNG_NS", 0)
    monkeypatch.setattr(model_index, "sha256_of", lambda *_: str(release.wait(30)))
    (tmp_path / "voices").mkdir()
    (tmp_path / "voices" / "a.txt").write_text("one")
    g = graph(
        make("model", "model_file", file="a.txt"),
        make("slow", "slow", a=("model", "float"), seconds=0.0),
        make("save", "save", image=("slow", "image")),
    )
    with Studio(tmp_path, cache=True) as studio:
        threading.Timer(0.3, cancel.set).start()
        start = time.monotonic()
        with pytest.raises(Cancelled):
            studio.run(g, cancel=cancel)
        release.set()
        assert time.monotonic() - start < 15, "the hash takes 30 seconds"
        assert not list(tmp_path.rglob("*.png"))
