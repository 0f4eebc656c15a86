"""Files that nodes name: read again when they change, wherever they are named."""

from __future__ import annotations

import pytest

from helpers.engine_nodes import SEEN, Studio, graph, make


@pytest.fixture
def studio(tmp_path):
    with Studio(tmp_path) as studio:
        yield studio


def test_a_file_that_changes_is_read_again(studio, tmp_path):
    (tmp_path / "input").mkdir()
    file = tmp_path / "input" / "a.txt"
    file.write_text("one")
    g = graph(make("read", "read", file="a.txt"))
    assert studio.run(g, targets=("read",)) == ["read"]
    assert studio.run(g, targets=("read",)) == []
    file.write_text("three")
    assert studio.run(g, targets=("read",)) == ["read"]


def test_a_file_that_changes_is_read_again_where_a_row_names_it(studio, tmp_path):
    (tmp_path / "input").mkdir()
    file = tmp_path / "input" / "a.txt"
    file.write_text("one")
    g = graph(make("read", "read_rows", files=[{"file": "a.txt"}]))
    assert studio.run(g, targets=("read",)) == ["read"]
    assert studio.run(g, targets=("read",)) == []
    file.write_text("three")
    assert studio.run(g, targets=("read",)) == ["read"]
    file.unlink()
    assert [
        type(e).__name__ for e in studio.engine.check(studio.request(g, targets=("read",)))
    ] == ["MissingFile"]


def test_a_node_gets_its_rows_that_are_on_with_their_files_found(studio, tmp_path):
    (tmp_path / "input").mkdir()
    for name in "ab":
        (tmp_path / "input" / f"{name}.txt").write_text(name)
    rows = [{"file": "b.txt"}, {"file": "gone.txt", "on": False}, {"file": "a.txt"}]
    SEEN.clear()
    studio.run(graph(make("read", "read_rows", files=rows)), targets=("read",))
    assert SEEN == [[tmp_path / "input" / "b.txt", tmp_path / "input" / "a.txt"]]  # noqa: SIM300


def test_a_file_named_by_a_wire_is_always_read(studio, tmp_path):
    (tmp_path / "input").mkdir()
    (tmp_path / "input" / "a.txt").write_text("one")
    g = graph(make("name", "name", text="a.txt"), make("read", "read", file=("name", "text")))
    assert studio.run(g, targets=("read",)) == ["name", "read"]
    assert studio.run(g, targets=("read",)) == ["read"]
    assert "wire" in studio.told("node_started", "why")[0]


def test_an_embedding_that_a_prompt_names_counts_for_its_result(studio, tmp_path):
    (tmp_path / "embeddings").mkdir()
    file = tmp_path / "embeddings" / "easyPony.pt"
    file.write_bytes(b"one")
    g = graph(
        make("with", "prompt", text="a photo, EasyPony"),
        make("hidden", "prompt", text=r"easy<lora:style:1>\Pony"),
        make("without", "prompt", text="a photo"),
    )
    targets = ("with", "hidden", "without")
    assert sorted(studio.run(g, targets=targets)) == ["hidden", "with", "without"]
    assert studio.run(g, targets=targets) == []
    file.write_bytes(b"three")
    assert sorted(studio.run(g, targets=targets)) == ["hidden", "with"]
