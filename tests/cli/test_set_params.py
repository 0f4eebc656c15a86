"""`--set NODE.PARAM=VALUE`."""

from __future__ import annotations

import pytest

from ponystudio.api import NodeSpec, ParamSpec
from ponystudio.cli.set_params import set_params
from ponystudio.errors import ParamRange, UnknownNode, UnknownParam, UsageError
from ponystudio.graph.catalog import Catalog
from ponystudio.graph.model import Graph, Link, Node
from ponystudio.graph.validation import check
from ponystudio.library.model_folders import ModelFolders

SPEC = NodeSpec(
    "test.all",
    1,
    "All",
    "Test",
    params=(
        ParamSpec("steps", "int", 20, low=1, high=100),
        ParamSpec("cfg", "float", 7.0),
        ParamSpec("seed", "seed", 0, low=0, high=2**64 - 1),
        ParamSpec("fast", "bool", False),
        ParamSpec("text", "text", ""),
        ParamSpec("sampler", "choice", "euler", choices=("euler", "heun")),
        ParamSpec("file", "file", "", kind="checkpoints"),
        ParamSpec("rows", "rows", [], fields=(ParamSpec("size", "int", 1),)),
    ),
)
CATALOG = Catalog([SPEC])
GRAPH = Graph.of(
    Node("a", "test.all"),
    Node("wired", "test.all", inputs={"seed": Link("a", "seed")}),
    Node("guest", "somewhere.else"),
)


@pytest.fixture
def folders(tmp_path):
    root = tmp_path / "models"
    (root / "checkpoints").mkdir(parents=True)
    (root / "checkpoints" / "known.safetensors").write_bytes(b"there")
    return ModelFolders([root], None)


def value_of(setting, folders):
    name = setting.partition("=")[0].partition(".")[2]
    return set_params(GRAPH, [setting], CATALOG, folders).nodes["a"].params[name]


@pytest.mark.parametrize(
    ("setting", "value"),
    [
        ("a.steps=7", 7),
        ("a.cfg=7", 7.0),
        ("a.cfg=-1e-3", -0.001),
        ("a.seed=18446744073709551615", 2**64 - 1),
        ("a.fast=true", True),
        ("a.fast=Off", False),
        ("a.text=7", "7"),
        ("a.text=", ""),
        ("a.text=a.b=c, (unicorn:1.2)", "a.b=c, (unicorn:1.2)"),
        ('a.text="quoted"', '"quoted"'),
        ("a.sampler=heun", "heun"),
        ('a.rows=[{"size": 2, "on": false}]', [{"size": 2, "on": False}]),
    ],
)
def test_values_are_read_as_their_param_wants_them(setting, value, folders):
    found = value_of(setting, folders)
    assert found == value
    assert type(found) is type(value)


@pytest.mark.parametrize(
    "setting", ["a.steps=many", "a.steps=7.5", "a.fast=maybe", "a.rows=[", "a.seed="]
)
def test_what_cannot_be_read_is_left_for_the_check(setting, folders):
    errors = check(set_params(GRAPH, [setting], CATALOG, folders), CATALOG, targets=["a"])
    assert [error.where for error in errors] == [setting.partition("=")[0]]


def test_what_no_graph_may_hold_is_refused_at_once(folders):
    with pytest.raises(ParamRange, match=r"a\.cfg: nan"):
        set_params(GRAPH, ["a.cfg=nan"], CATALOG, folders)


def test_the_last_one_wins(folders):
    graph = set_params(GRAPH, ["a.steps=1", "a.cfg=2", "a.steps=3"], CATALOG, folders)
    assert graph.nodes["a"].params == {"steps": 3, "cfg": 2.0}


def test_a_node_of_a_missing_pack_takes_the_text(folders):
    graph = set_params(GRAPH, ["guest.size=4"], CATALOG, folders)
    assert graph.nodes["guest"].params == {"size": "4"}


def test_a_name_in_the_model_folders_stays_a_name(folders, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "known.safetensors").write_bytes(b"another")
    assert value_of("a.file=known.safetensors", folders) == "known.safetensors"


def test_other_files_are_looked_for_from_where_the_user_stands(folders, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mine.ckpt").write_bytes(b"mine")
    assert value_of("a.file=mine.ckpt", folders) == str(tmp_path / "mine.ckpt")
    assert value_of("a.file=nowhere.ckpt", folders) == "nowhere.ckpt"


def test_a_path_to_another_machine_is_left_for_the_check(folders):
    assert value_of("a.file=//host/share/a.ckpt", folders) == "//host/share/a.ckpt"


@pytest.mark.parametrize("setting", ["steps=1", "a.steps", "a=1", ".steps=1", "a.=1", ""])
def test_not_of_the_form(setting, folders):
    with pytest.raises(UsageError, match=r"NODE\.PARAM=VALUE"):
        set_params(GRAPH, [setting], CATALOG, folders)


def test_near_matches(folders):
    with pytest.raises(UnknownNode, match="Did you mean wired"):
        set_params(GRAPH, ["wird.steps=1"], CATALOG, folders)
    with pytest.raises(UnknownParam, match="Did you mean sampler"):
        set_params(GRAPH, ["a.sampeler=heun"], CATALOG, folders)


def test_a_wire_wins_so_setting_the_param_is_refused(folders):
    with pytest.raises(UsageError, match="wire"):
        set_params(GRAPH, ["wired.seed=1"], CATALOG, folders)


def test_a_name_too_long_for_any_file_is_left_for_the_check(folders):
    name = "a" * 5000
    assert value_of(f"a.file={name}", folders) == name


def test_an_unknown_node_names_those_that_are_near(folders):
    with pytest.raises(UnknownNode) as error:
        set_params(GRAPH, ["wire.seed=1"], CATALOG, folders)
    assert error.value.where == "--set wire.seed=1"
    assert "wired" in error.value.remedy


def test_no_name_is_not_the_folder_where_the_user_stands(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    graph = Graph({"n": Node("n", "test.all")})
    changed = set_params(graph, ["n.file="], Catalog([SPEC]), ModelFolders([]))
    assert changed.nodes["n"].params["file"] == ""
