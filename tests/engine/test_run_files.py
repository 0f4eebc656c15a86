"""Files that nodes name: read again when they change, wherever they are named."""

from __future__ import annotations

import hashlib
import json
import os
import threading
import time
from contextlib import closing

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from helpers import model_kinds
from helpers.engine_nodes import CALLS, SEEN, Studio, graph, make
from ponystudio.engine.engine import Engine
from ponystudio.engine.memory.devices import choose
from ponystudio.engine.node_packs import load_packs
from ponystudio.engine.protocol.worker_messages import RunRequest
from ponystudio.errors import Cancelled, ChangedFile
from ponystudio.graph.formats.embedded_metadata import RECEIPT
from ponystudio.library import file_contents
from ponystudio.library.formats import content_id
from ponystudio.library.model_folders import ModelFolders
from ponystudio.pictures.picture_reader import read_fields


@pytest.fixture
def studio(tmp_path):
    with Studio(tmp_path) as studio:
        yield studio


def test_a_file_that_changes_is_read_again(studio, tmp_path):
    (tmp_path / "voices").mkdir()
    file = tmp_path / "voices" / "a.txt"
    file.write_text("one")
    g = graph(make("read", "read", file="a.txt"))
    assert studio.run(g, targets=("read",)) == ["read"]
    assert studio.run(g, targets=("read",)) == []
    file.write_text("three")
    assert studio.run(g, targets=("read",)) == ["read"]


def test_a_file_that_changes_is_read_again_where_a_row_names_it(studio, tmp_path):
    (tmp_path / "voices").mkdir()
    file = tmp_path / "voices" / "a.txt"
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
    (tmp_path / "voices").mkdir()
    for name in "ab":
        (tmp_path / "voices" / f"{name}.txt").write_text(name)
    rows = [{"file": "b.txt"}, {"file": "gone.txt", "on": False}, {"file": "a.txt"}]
    SEEN.clear()
    studio.run(graph(make("read", "read_rows", files=rows)), targets=("read",))
    assert SEEN == [[tmp_path / "voices" / "b.txt", tmp_path / "voices" / "a.txt"]]  # noqa: SIM300


def test_a_file_named_by_a_wire_is_always_read(studio, tmp_path):
    (tmp_path / "voices").mkdir()
    (tmp_path / "voices" / "a.txt").write_text("one")
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


# --- Every byte counts ----------------------------------------------------------------------------


FIRST, OTHER = b"the first model", b"the other model"


class AllKinds:
    """A file of every kind, and the keys of the nodes that name them."""

    def __init__(self, root):
        self.files = model_kinds.write_all(root)
        self.graph = model_kinds.graph_of_all()
        self.engine = Engine(load_packs(root / "nodes"), choose("cpu", "fp32"), emit=lambda _: None)
        folders = ModelFolders([root])
        self.request = RunRequest(
            self.graph, folders, root / "output", root, targets=tuple(self.graph.nodes)
        )

    def keys(self):
        return self.engine.plan(self.request).short_keys


@pytest.fixture(scope="module")
def all_kinds(tmp_path_factory):
    kinds = AllKinds(tmp_path_factory.mktemp("models"))
    with closing(kinds.engine):
        yield kinds


def change(file, at, by):
    """Another byte there, and nothing else that a user can see: size, name and time stay."""
    found = file.stat()
    with file.open("r+b") as opened:
        opened.seek(at)
        (byte,) = opened.read(1)
        opened.seek(at)
        opened.write(bytes([byte ^ by]))
    os.utime(file, ns=(found.st_atime_ns, found.st_mtime_ns))
    while file.stat().st_ctime_ns == found.st_ctime_ns:  # until the file system's clock has ticked
        os.utime(file, ns=(found.st_atime_ns, found.st_mtime_ns))
    assert file.stat().st_mtime_ns == found.st_mtime_ns


def test_no_tick_of_the_clock_hides_a_change(all_kinds):
    """Changes of a file within the time in which its times stay the same."""
    file, seen = all_kinds.files["lora"][0], set()
    times = file.stat()
    for level in (1, 2) * 20:
        file.write_bytes(file.read_bytes()[:-1] + bytes([level]))
        os.utime(file, ns=(times.st_atime_ns, times.st_mtime_ns))
        seen.add((level, all_kinds.keys()["lora"]))
    assert len(seen) == 2
    assert len({key for _, key in seen}) == 2


def each_file(kinds):
    return [(node, file) for node, files in kinds.files.items() for file in files]


@pytest.mark.parametrize("size", ["small", "large"])
@pytest.mark.parametrize("age", ["young", "old"])
@settings(
    max_examples=75,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.differing_executors],
)
@given(st.data())
def test_any_byte_of_any_file_counts(size, age, all_kinds, request, data):
    """Whether a file is read before the run or only looked at, and remembered or not."""
    if size == "large":
        request.getfixturevalue("large")
    if age == "old":
        request.getfixturevalue("old")
    node, file = data.draw(st.sampled_from(each_file(all_kinds)))
    at = data.draw(st.integers(0, file.stat().st_size - 1))
    by = data.draw(st.integers(1, 255))
    before = all_kinds.keys()
    change(file, at, by)
    try:
        after = all_kinds.keys()
    finally:
        change(file, at, by)
    assert after[node] != before[node]
    if (size, age) != ("large", "young"):  # of those nothing is known for sure
        assert {id for id in after if after[id] != before[id]} == {node}
    if size == "small":
        assert all_kinds.keys() == before


def test_keys_are_the_same_wherever_the_files_lie(all_kinds, tmp_path):
    moved = AllKinds(tmp_path)
    with closing(moved.engine):
        for (_, old), (_, new) in zip(each_file(all_kinds), each_file(moved), strict=True):
            new.write_bytes(old.read_bytes())
        assert moved.keys() == all_kinds.keys()


def test_folders_behind_links_count_too(all_kinds, tmp_path):
    before = all_kinds.keys()
    unet = next(f for f in all_kinds.files["diffusers"] if f.parent.name == "unet").parent
    elsewhere = tmp_path / "unet"
    unet.rename(elsewhere)
    unet.symlink_to(elsewhere)
    try:
        assert all_kinds.keys() == before
        change(elsewhere / "config.json", 3, 1)
        assert all_kinds.keys()["diffusers"] != before["diffusers"]
        change(elsewhere / "config.json", 3, 1)
    finally:
        unet.unlink()
        elsewhere.rename(unet)


# --- Large files, of which nobody has read all ----------------------------------------------------


@pytest.fixture
def large(monkeypatch):
    """Any file is too large to be read before a run."""
    monkeypatch.setattr(file_contents, "AT_ONCE", 0)


@pytest.fixture
def old(monkeypatch):
    """All files were written long ago."""
    monkeypatch.setattr(content_id, "YOUNG_NS", 0)


@pytest.fixture
def model(tmp_path):
    (tmp_path / "voices").mkdir()
    file = tmp_path / "voices" / "a.txt"
    file.write_bytes(FIRST)
    return file


def slow_picture(seconds=0.5):
    return graph(
        make("model", "model_file", file="a.txt"),
        make("slow", "slow", a=("model", "float"), seconds=seconds),
        make("save", "save", image=("slow", "image")),
    )


def forget_what_was_read(monkeypatch):
    """As in another process."""
    monkeypatch.setattr(content_id, "_sha256", content_id.Remembered())


@pytest.mark.usefixtures("large", "old")
def test_the_first_run_is_found_again_by_the_next_and_by_other_processes(
    tmp_path, model, monkeypatch
):
    with Studio(tmp_path, cache=True) as studio:
        assert studio.run(slow_picture()) == ["model", "slow", "save"]
        assert studio.run(slow_picture(), always_write=False) == []
        first = studio.engine.plan(studio.request(slow_picture())).short_keys
    forget_what_was_read(monkeypatch)
    monkeypatch.setattr(file_contents, "AT_ONCE", 10**6)
    with Studio(tmp_path, cache=True) as studio:
        assert studio.engine.plan(studio.request(slow_picture())).short_keys == first
        assert studio.explain(slow_picture())["slow"] == "cached: disk"
        assert studio.run(slow_picture(), always_write=False) == []


@pytest.mark.usefixtures("large", "old")
def test_nothing_is_kept_on_disk_by_what_is_not_read_to_its_end(tmp_path, model, monkeypatch):
    def unreadable(*_):
        raise Cancelled

    monkeypatch.setattr(file_contents, "sha256_of", unreadable)
    monkeypatch.setattr("ponystudio.library.model_index.sha256_of", unreadable)
    with Studio(tmp_path, cache=True) as studio:
        studio.run(slow_picture())
        assert studio.run(slow_picture()) == ["save"]  # by what is known in this process alone
        (picture, *_) = sorted((tmp_path / "output").glob("*.png"))
        (about,) = json.loads(read_fields(picture)[RECEIPT])["models"].values()
        assert about == {"kind": "voices"}
    assert not list((tmp_path / "cache").glob("??/*"))


@pytest.mark.usefixtures("large", "old")
def test_what_a_run_that_failed_has_made_is_found_once_all_is_read(tmp_path, model):
    broken = slow_picture().with_nodes(
        [make("fail", "fail", a=("model", "float")), make("note", "note", a=("fail", "float"))]
    )
    with Studio(tmp_path, cache=True) as studio:
        request = studio.request(broken, targets=("slow", "note"))
        with pytest.raises(Exception, match="the message"):
            studio.engine.run(request)
        before = content_id.identity(model)
        while not content_id.known_sha256(before):
            time.sleep(0.01)
        assert studio.run(slow_picture()) == ["save"]
        assert CALLS["slow"] == 1


@pytest.mark.parametrize("size", ["small", "large"])
@pytest.mark.parametrize("age", ["young", "old"])
def test_a_picture_s_receipt_names_the_bytes_that_made_it(
    tmp_path, model, request, monkeypatch, size, age
):
    """Where size, name and time of both files are the same; whatever a second file looks like."""
    if size == "large":
        request.getfixturevalue("large")
    monkeypatch.setattr(content_id, "YOUNG_NS", 5 * 10**8 if age == "young" else 0)
    seen = []
    with Studio(tmp_path, cache=True) as studio:
        for text in (FIRST, OTHER, FIRST):
            before = model.stat()
            model.write_bytes(text)
            os.utime(model, ns=(before.st_atime_ns, before.st_mtime_ns))
            while age == "old" and model.stat().st_ctime_ns == before.st_ctime_ns:
                os.utime(model, ns=(before.st_atime_ns, before.st_mtime_ns))
            studio.run(slow_picture(), scope=str(len(seen)))
            newest = studio.told("output", "path")[-1]
            (about,) = json.loads(read_fields(tmp_path / newest)[RECEIPT])["models"].values()
            seen.append((about["sha256"], about["content"]))
    one, other = (hashlib.sha256(text).hexdigest() for text in (FIRST, OTHER))
    assert seen == [(one, one), (other, other), (one, one)]
    # Of a large file that came back it is not known at once that it is the first one again.
    assert CALLS["slow"] == (2 if size == "small" else 3)


@pytest.mark.parametrize("size", ["small", "large"])
def test_a_file_that_changes_during_the_run_ends_it_and_leaves_nothing(
    tmp_path, model, request, size
):
    if size == "large":
        request.getfixturevalue("large")
    with Studio(tmp_path, cache=True) as studio:
        run_request = studio.request(slow_picture())
        plan = studio.engine.plan(run_request)
        emit = studio.engine._emit

        def meddle(event):
            emit(event)
            if getattr(event, "node", "") == "model" and type(event).__name__ == "NodeStarted":
                model.write_bytes(OTHER)

        studio.engine._emit = meddle
        with pytest.raises(ChangedFile, match="changed while the run was using it") as caught:
            studio.engine.run(run_request)
        assert (caught.value.node, caught.value.where) == ("model", str(model))
        studio.engine._emit = emit
        assert studio.run(slow_picture()) == ["model", "slow", "save"]
        assert studio.engine.plan(run_request).keys.outputs != plan.keys.outputs


@pytest.mark.usefixtures("old")
@pytest.mark.parametrize("when", ["before the run", "during it"])
def test_a_stop_ends_the_reading_of_a_large_file(tmp_path, model, when, monkeypatch):
    with model.open("r+b") as file:
        file.truncate(50 << 20)
    if when == "during it":
        monkeypatch.setattr(file_contents, "AT_ONCE", 0)
    monkeypatch.setattr(content_id, "CHUNK", 1)  # of which there are fifty million
    with Studio(tmp_path, cache=True) as studio:
        cancel = threading.Event()
        stop = threading.Timer(0.3, cancel.set)
        stop.start()
        with pytest.raises(Cancelled):
            studio.run(slow_picture(seconds=0.0), cancel=cancel)
        ended = time.monotonic()
        stop.join()
        assert time.monotonic() - ended < 5
        assert not any("hashes" in thread.name for thread in _alive_after(1.0))
    assert not list(tmp_path.rglob("*.png"))


def _alive_after(seconds):
    """Threads that read, given some time to see the cancel."""
    end = time.monotonic() + seconds
    while time.monotonic() < end and any("hashes" in t.name for t in threading.enumerate()):
        time.sleep(0.01)
    return threading.enumerate()
