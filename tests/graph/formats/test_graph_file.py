from __future__ import annotations

import json
import os
import socket
import threading
from dataclasses import replace
from pathlib import Path
from time import process_time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from helpers.graphs import CATALOG, SPECS, node, picture
from ponystudio.errors import GraphFileError
from ponystudio.graph.catalog import Catalog
from ponystudio.graph.formats import graph_file
from ponystudio.graph.formats.graph_file import (
    dumps,
    from_json,
    loads,
    read,
    share_nodes,
    to_json,
    write,
)
from ponystudio.graph.model import Graph, Link, Node
from ponystudio.graph.validation import check

GOLDEN = Path(__file__).parent / "golden"
SHIPPED = sorted((Path(__file__).parents[3] / "resources" / "graphs").glob("*.json"))


@pytest.mark.parametrize("path", [*GOLDEN.glob("*.json"), *SHIPPED], ids=lambda path: path.name)
def test_files_are_written_as_they_were_read(path):
    text = path.read_text(encoding="utf-8")
    assert dumps(loads(text)) == text


def test_what_a_file_says_is_what_the_graph_has():
    graph = read(GOLDEN / "everything.json")
    patch = graph.nodes["patch"]
    assert patch.mode == "bypassed"
    assert patch.title == "Style 🦄"
    assert patch.inputs == {"model": Link("load", "model"), "clip": Link("load", "clip")}
    assert patch.params["stack"][1] == {"file": "b", "on": False, "strength": -0.5}
    assert graph.nodes["placeholder"].extra == {"colour": [1, 2, 3]}
    assert graph.nodes["placeholder"].version == 7
    assert graph.extra == {"author": {"name": "A key from the future", "since": 2031}}
    assert graph.models["starter.safetensors"]["sha256"] == "00ff"
    assert graph.view["zoom"] == 0.75


def test_defaults_of_what_a_file_may_leave_out():
    graph = loads('{"format": "ponystudio.graph", "version": 1, "nodes": {"a": {"type": "t.x"}}}')
    assert graph == Graph.of(Node("a", "t.x"))
    assert loads('{"format": "ponystudio.graph", "version": 1}') == Graph()


def test_a_node_that_is_not_installed_survives_a_save_with_the_catalog():
    graph = read(GOLDEN / "everything.json")
    assert loads(dumps(graph, CATALOG)) == graph


def test_saving_with_the_catalog_writes_every_param():
    graph = Graph.of(node("sample", "t.sample", steps=5))
    params = json.loads(dumps(graph, CATALOG))["nodes"]["sample"]["params"]
    assert params == {"seed": 0, "steps": 5, "cfg": 7.0, "sampler": "euler", "verbose": False}
    changed = Catalog(replace(spec, params=()) if spec.id == "t.x" else spec for spec in SPECS)
    assert loads(dumps(graph, CATALOG)).nodes["sample"].params == params
    assert check(loads(dumps(picture(), changed)), changed) == []


def test_defaults_of_another_version_are_not_written_into_an_old_node():
    old = Graph.of(Node("sample", "t.sample", version=1, params={"steps": 5}))
    assert loads(dumps(old, CATALOG)) == old


def test_equal_graphs_are_written_alike_whatever_their_order():
    graph = picture()
    backwards = Graph.of(
        *(
            replace(n, params=dict(reversed(n.params.items())))
            for n in reversed(graph.nodes.values())
        )
    )
    assert dumps(backwards) == dumps(graph)


JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**70), 2**70)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters()),  # surrogates too
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)
OBJECT = st.dictionaries(st.text(max_size=5), JSON, max_size=3)


def unknown(*known: str) -> st.SearchStrategy[dict[str, object]]:
    return OBJECT.map(lambda d: {key: value for key, value in d.items() if key not in known})


@given(
    OBJECT,
    OBJECT,
    unknown("nodes", "frames", "notes"),
    unknown("type", "version", "params", "inputs", "mode", "title"),
    unknown("format", "version", "nodes", "models", "view"),
    st.dictionaries(st.text(max_size=3), st.builds(Link, st.text(), st.text()), max_size=2),
)
def test_nothing_is_lost_on_the_way(params, models, view, node_extra, extra, inputs):
    graph = Graph(
        {"n": Node("n", "x.y", 3, params, inputs, "muted", "title", node_extra)},
        models,
        view,
        extra,
    )
    text = dumps(graph)
    assert loads(text) == graph
    assert loads(text.encode("utf-8").decode("utf-8")) == graph
    assert dumps(loads(text)) == text
    assert from_json(to_json(graph)) == graph


HEAD = '"format": "ponystudio.graph", "version": 1'
DEEP = '{"a":' * 101 + "0" + "}" * 101


def nodes(text: str) -> str:
    return f'{{{HEAD}, "nodes": {{{text}}}}}'


BAD = {
    "nothing": ("", "empty"),
    "blank": (" \n", "empty"),
    "text": ("hello", "no JSON"),
    "comma": ('{\n  "a": 1,\n}', "line 2, column 9|line 3, column 1"),
    "cut off": (dumps(picture())[:200], "no JSON"),
    "a list": ("[]", "no PonyStudio graph"),
    "a number": ("3", "no PonyStudio graph"),
    "another format": ('{"format": "gimp", "version": 1}', '"format": "ponystudio.graph"'),
    "comfy workflow": ('{"last_node_id": 3, "nodes": [], "version": 0.4}', "ComfyUI.*import"),
    "comfy api": ('{"3": {"class_type": "KSampler", "inputs": {}}}', "ComfyUI.*import"),
    "newer": ('{"format": "ponystudio.graph", "version": 2}', "Update PonyStudio"),
    "no version": ('{"format": "ponystudio.graph"}', "version: null"),
    "version 0": ('{"format": "ponystudio.graph", "version": 0}', "version: 0"),
    "version true": ('{"format": "ponystudio.graph", "version": true}', "version: true"),
    "version text": ('{"format": "ponystudio.graph", "version": "1"}', "version: '1'"),
    "nodes a list": (f'{{{HEAD}, "nodes": []}}', "nodes: "),
    "view a list": (f'{{{HEAD}, "view": []}}', "view: "),
    "looks a list": (f'{{{HEAD}, "view": {{"nodes": []}}}}', "view.nodes: "),
    "frames null": (f'{{{HEAD}, "view": {{"frames": null}}}}', "view.frames: "),
    "models a text": (f'{{{HEAD}, "models": "x"}}', "models: "),
    "node a text": (nodes('"a": "x"'), "nodes.a: "),
    "a title without end": (
        nodes(f'"a": {{"type": "x", "title": "{"x" * 10_001}"}}'),
        "nodes.a.title: ",
    ),
    "no type": (nodes('"a": {}'), "nodes.a.type"),
    "type a number": (nodes('"a": {"type": 3}'), "nodes.a.type"),
    "node version": (nodes('"a": {"type": "x", "version": 1.5}'), "nodes.a.version"),
    "mode": (nodes('"a": {"type": "x", "mode": "off"}'), "normal, muted, bypassed"),
    "mode a list": (nodes('"a": {"type": "x", "mode": []}'), "nodes.a.mode"),
    "title": (nodes('"a": {"type": "x", "title": 3}'), "nodes.a.title"),
    "params": (nodes('"a": {"type": "x", "params": []}'), "nodes.a.params"),
    "inputs": (nodes('"a": {"type": "x", "inputs": []}'), "nodes.a.inputs"),
    "link": (nodes('"a": {"type": "x", "inputs": {"in": ["b"]}}'), "nodes.a.inputs.in"),
    "link numbers": (nodes('"a": {"type": "x", "inputs": {"in": ["b", 0]}}'), "nodes.a.inputs.in"),
    "id space": (nodes('"a b": {"type": "x"}'), "cannot be the id"),
    "id empty": (nodes('"": {"type": "x"}'), "cannot be the id"),
    "id newline": (nodes('"a\\n": {"type": "x"}'), "cannot be the id"),
    "same id": (nodes('"a": {"type": "x"}, "a": {"type": "y"}'), "'a' stands twice"),
    "same param": (nodes('"a": {"type": "x", "params": {"s": 1, "s": 2}}'), "'s' stands twice"),
    "nan": (nodes('"a": {"type": "x", "params": {"s": NaN}}'), "NaN is no JSON"),
    "infinity": (nodes('"a": {"type": "x", "params": {"s": -Infinity}}'), "-Infinity"),
    "1e999": (nodes('"a": {"type": "x", "params": {"s": 1e999}}'), "too large"),
    "digits": (nodes('"a": {"type": "x", "params": {"s": %s}}' % ("9" * 5000)), "thousands"),
    "deep params": (nodes(f'"a": {{"type": "x", "params": {DEEP}}}'), "nodes.a.params"),
    "deep extra": (nodes(f'"a": {{"type": "x", "new": {DEEP}}}'), "deeper than 100"),
    "deep view": (f'{{{HEAD}, "view": {DEEP}}}', "view: It is nested deeper"),
    "deep unknown": (f'{{{HEAD}, "new": {DEEP}}}', "deeper than 100"),
    "bomb": ("[" * 1_000_000, "deeper than 100|no JSON"),
    "bomb of objects": ('{"a":' * 200_000, "deeper than 100|no JSON"),
}


@pytest.mark.parametrize("name", BAD)
def test_refuses_in_one_clear_line(name):
    text, words = BAD[name]
    with pytest.raises(GraphFileError, match=words) as caught:
        loads(text, where="my.json")
    assert str(caught.value).startswith("my.json")
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 400


def test_the_deepest_nesting_that_is_read_can_be_written():
    text = nodes(f'"a": {{"type": "x", "params": {DEEP[5:-1]}}}')
    assert loads(dumps(loads(text))) == loads(text)


def test_write_and_read(tmp_path):
    path = tmp_path / "graph.json"
    write(picture(), path)
    assert read(path) == picture()
    assert path.read_bytes().endswith(b"}\n")
    write(Graph(), path, CATALOG)
    assert read(path) == Graph()
    assert list(tmp_path.iterdir()) == [path]


def test_reads_a_byte_order_mark(tmp_path):
    path = tmp_path / "graph.json"
    path.write_text(dumps(picture()), encoding="utf-8-sig")
    assert read(path) == picture()


def unreadable(folder: Path) -> dict[str, Path]:
    (folder / "binary").write_bytes(b"\x80\x02}q\x00.")
    (folder / "utf16").write_text(dumps(picture()), encoding="utf-16")
    with (folder / "huge").open("wb") as file:
        file.truncate(graph_file.MAX_BYTES + 1)
    names = ["binary", "utf16", "huge", "missing", "\0", "x" * 5000]
    if hasattr(os, "mkfifo"):
        os.mkfifo(folder / "pipe")
        names.append("pipe")
    return {"a folder": folder, **{name: folder / name for name in names}}


def test_read_refuses_what_is_no_text_file(tmp_path):
    for path in unreadable(tmp_path).values():
        with pytest.raises(GraphFileError) as caught:
            read(path)
        assert caught.value.where == str(path)


def test_errors_inside_a_file_say_the_file_and_the_place(tmp_path):
    path = tmp_path / "graph.json"
    path.write_text(nodes('"a": {}'))
    with pytest.raises(GraphFileError) as caught:
        read(path)
    assert caught.value.where == f"{path}: nodes.a.type"


def test_network_paths_in_a_graph_are_not_touched(monkeypatch):
    def forbidden(*args, **kwargs):
        raise AssertionError("touched")

    text = dumps(picture().with_nodes([node("load", "t.load", file="//host/share/x.ckpt")]))
    for name in ("stat", "open", "lstat", "listdir", "scandir"):
        monkeypatch.setattr(os, name, forbidden)
    monkeypatch.setattr(socket, "socket", forbidden)
    graph = loads(text)
    assert check(graph, CATALOG) == []
    assert dumps(graph) == text


def test_shared_uses_the_nodes_that_are_known():
    graph = picture()
    again = loads(dumps(graph))
    edited = again.with_nodes([node("text", "t.encode", clip="load.clip", text="other")])
    mixed = share_nodes(edited, graph)
    assert mixed == edited
    assert mixed.nodes["load"] is graph.nodes["load"]
    assert mixed.nodes["text"] is edited.nodes["text"]
    assert share_nodes(again, graph) is graph
    assert share_nodes(graph, Graph()).nodes["load"] is graph.nodes["load"]


def test_readers_never_see_half_a_file(tmp_path):
    path = tmp_path / "graph.json"
    small, large = picture(), Graph.of(*(Node(f"n{i}", "t.x") for i in range(2000)))
    write(small, path)
    seen: list[int] = []
    done = threading.Event()

    def reader() -> None:
        while not done.is_set():
            seen.append(len(read(path).nodes))

    thread = threading.Thread(target=reader)
    thread.start()
    try:
        for _ in range(10):
            write(large, path)
            write(small, path)
    finally:
        done.set()
        thread.join()
    assert set(seen) <= {4, 2000}
    assert seen


def test_a_name_that_stands_twice_among_many_is_found_at_once():
    nodes = ",".join(f'"n{i}":{{}}' for i in range(100_000))
    began = process_time()
    with pytest.raises(GraphFileError, match="'n99999' stands twice"):
        loads('{"format":"ponystudio.graph","version":1,"nodes":{' + nodes + ',"n99999":{}}}')
    assert process_time() - began < 5


def test_more_than_a_graph_can_have_is_refused_before_it_is_read():
    began = process_time()
    with pytest.raises(GraphFileError, match=r"more than .* lists and objects"):
        loads("[" + "[]," * 10_000_000 + "[]]")
    assert process_time() - began < 2
