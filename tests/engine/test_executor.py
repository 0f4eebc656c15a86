"""Runs of tiny nodes: what runs, what is found again, what fails and how it is said."""

from __future__ import annotations

import json
import threading
import time

import pytest
import torch

from helpers.engine_nodes import CALLS, SEEN, Studio, graph, make, names
from ponystudio.errors import (
    Cancelled,
    ChangedInput,
    NodeFailed,
    NotANumber,
    NothingToRun,
    NotWritable,
    OutOfMemory,
    UnsafePath,
)
from ponystudio.graph.formats.embedded_metadata import GRAPH, RECEIPT, read_fields
from ponystudio.graph.formats.graph_file import loads
from ponystudio.library.model_index import ModelIndex


@pytest.fixture
def studio(tmp_path):
    with Studio(tmp_path) as studio:
        yield studio


SUM = graph(
    make("two", "number", value=2.0),
    make("three", "number", value=3.0),
    make("sum", "add", a=("two", "float"), b=("three", "float")),
    make("note", "note", a=("sum", "float")),
)


def test_values_travel_along_links_and_every_node_runs_once(studio):
    ran = studio.run(SUM)
    assert SEEN == [5.0]
    assert sorted(ran) == ["note", "sum", "three", "two"]
    assert ran.index("sum") > max(ran.index("two"), ran.index("three"))
    assert studio.events[0]["event"] == "run_started"
    assert studio.events[-1]["event"] == "run_finished"
    assert studio.told("node_finished", "cached") == [False] * 4


def test_a_second_run_runs_only_effects(studio):
    studio.run(SUM)
    assert studio.run(SUM) == ["note"]
    assert SEEN == [5.0, 5.0]
    assert studio.cached() == {"two": "memory", "three": "memory", "sum": "memory"}


def test_only_what_depends_on_a_change_runs_again_and_says_why(studio):
    studio.run(SUM)
    changed = SUM.with_nodes([make("two", "number", value=2.0, seed=7)])
    assert studio.run(changed) == ["two", "sum", "note"]
    reasons = dict(
        zip(studio.told("node_started"), studio.told("node_started", "why"), strict=True)
    )
    assert reasons["two"] == "seed changed"
    assert reasons["sum"] == "upstream: a: seed changed"
    assert SEEN[-1] == 12.0


def test_an_old_value_is_still_known(studio):
    studio.run(SUM)
    studio.run(SUM.with_nodes([make("two", "number", value=9.0)]))
    assert studio.run(SUM) == ["note"]


def test_results_are_shared_between_equal_nodes(studio):
    twins = graph(
        make("a", "grey"),
        make("b", "grey"),
        make("save_a", "save", image=("a", "image")),
        make("save_b", "save", image=("b", "image")),
    )
    studio.run(twins)
    studio.run(graph(make("renamed", "grey"), make("save", "save", image=("renamed", "image"))))
    assert CALLS["grey"] <= 2
    assert studio.cached() == {"renamed": "memory"}


def test_a_param_that_affects_one_output_leaves_the_other_cached(studio):
    def halves(**params):
        return graph(
            make("grey", "grey"),
            make("halves", "halves", image=("grey", "image"), **params),
            make("save", "save", image=("halves", "right")),
        )

    studio.run(halves())
    assert studio.run(halves(dim=0.5)) == ["save"]
    assert studio.run(halves(bright=0.5)) == ["halves", "save"]


def test_muted_nodes_do_not_run_and_bypassed_ones_pass_on(studio):
    g = graph(
        make("grey", "grey"),
        make("nan", "nan", image=("grey", "image"), mode="bypassed"),
        make("save", "save", image=("nan", "image")),
        make("mute", "fail", a=("two", "float"), mode="muted"),
        make("two", "number"),
        make("note", "note", a=("mute", "float")),
    )
    assert studio.run(g) == ["grey", "save"]


def test_targets_run_what_they_need_and_nothing_else(studio):
    assert studio.run(SUM, targets=("sum",)) == ["two", "three", "sum"]
    assert SEEN == []
    assert studio.run(SUM, targets=("sum",)) == []


def test_nothing_to_run(studio):
    with pytest.raises(NothingToRun):
        studio.run(graph(make("two", "number")))


def test_errors_elsewhere_do_not_block(studio):
    broken = SUM.with_nodes([make("alone", "add")])
    assert studio.run(broken, targets=("note",))
    assert [error.node for error in studio.engine.check(studio.request(SUM))] == []


def test_a_failing_node_is_named_and_what_ran_before_stays(studio):
    g = graph(
        make("two", "number"),
        make("broken", "fail", a=("two", "float")),
        make("note", "note", a=("broken", "float")),
    )
    with pytest.raises(NodeFailed) as error:
        studio.run(g)
    assert error.value.node == "broken"
    assert "the message" in str(error.value)
    failed = studio.events[-1]
    assert failed["event"] == "run_failed"
    assert failed["node"] == "broken"
    with pytest.raises(NodeFailed):
        studio.run(g)
    assert studio.told("node_started") == ["broken"]


def test_a_node_that_changes_its_input_fails_and_the_input_is_made_again(studio):
    g = graph(
        make("grey", "grey", level=0.25),
        make("spoil", "spoil", image=("grey", "image")),
        make("save", "save", image=("spoil", "image")),
    )
    with pytest.raises(ChangedInput) as error:
        studio.run(g)
    assert error.value.where == "spoil.image"
    assert studio.run(graph(g.nodes["grey"], make("s", "save", image=("grey", "image")))) == [
        "grey",
        "s",
    ]


@pytest.mark.parametrize("type", ["spoil", "spoil_and_fail"])
def test_what_a_node_changed_is_not_served_again_from_the_disk_either(tmp_path, type):
    g = graph(
        make("two", "number", value=0.5),
        make("slow", "slow", a=("two", "float"), seconds=0.5),
        make("spoil", type, image=("slow", "image")),
        make("save", "save", image=("spoil", "image")),
    )
    with Studio(tmp_path, cache=True) as studio:
        with pytest.raises(ChangedInput):
            studio.run(g)
        assert "slow" in studio.run(g, targets=("slow",))
    with Studio(tmp_path, cache=True) as later:
        (key,) = later.engine.plan(later.request(g, targets=("slow",))).needed
        assert later.engine.results.get(key).pixels.unique().tolist() == [0.5]


@pytest.mark.parametrize(("nothing", "came"), [(False, "int"), (True, "NoneType")])
def test_a_result_of_another_type_is_blamed_on_the_node_that_gave_it(studio, nothing, came):
    bad = make("bad", "mistyped", a=("a", "float"), nothing=nothing)
    with pytest.raises(NodeFailed, match=f"declares image as image and returned {came}") as error:
        studio.run(graph(make("a", "number"), bad, make("s", "save", image=("bad", "image"))))
    assert (error.value.node, error.value.socket) == ("bad", "image")
    assert "fault in the node pack" in error.value.remedy


def test_a_crash_says_in_which_line_of_its_pack(studio):
    last = make("n", "note", a=("f", "float"))
    with pytest.raises(
        NodeFailed, match=r"\(engine_nodes\.py, line \d+\): ValueError: the message"
    ):
        studio.run(graph(make("a", "number"), make("f", "fail", a=("a", "float")), last))


def test_a_node_that_quits_fails(studio):
    g = graph(
        make("two", "number"),
        make("quit", "quit", a=("two", "float")),
        make("note", "note", a=("quit", "float")),
    )
    with pytest.raises(NodeFailed) as error:
        studio.run(g)
    assert error.value.node == "quit"


def test_not_a_number_names_the_node_and_saves_nothing(studio, tmp_path):
    g = graph(
        make("grey", "grey"),
        make("bad", "nan", image=("grey", "image")),
        make("save", "save", image=("bad", "image")),
    )
    with pytest.raises(NotANumber) as error:
        studio.run(g)
    assert error.value.node == "bad"
    assert not (tmp_path / "output").exists()


def test_cancel_ends_the_run_inside_a_node(studio):
    g = graph(
        make("two", "number"),
        make("wait", "wait", a=("two", "float"), steps=1000),
        make("note", "note", a=("wait", "float")),
    )
    cancel = threading.Event()
    threading.Timer(0.1, cancel.set).start()
    start = time.monotonic()
    with pytest.raises(Cancelled):
        studio.run(g, cancel=cancel)
    assert time.monotonic() - start < 2
    assert studio.events[-1]["reason"] == "Cancelled"
    assert SEEN == []
    assert studio.run(g.with_nodes([make("wait", "wait", a=("two", "float"), steps=1)])) == [
        "wait",
        "note",
    ]


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


def test_an_unchanged_save_is_skipped_only_where_asked(studio, tmp_path):
    g = graph(make("grey", "grey"), make("save", "save", image=("grey", "image")))
    studio.run(g, always_write=False)
    assert studio.run(g, always_write=False) == []
    assert [e["unchanged"] for e in studio.events if e["event"] == "output"] == [True]
    assert studio.run(g) == ["save"]
    (tmp_path / "output" / "picture_00002.png").unlink()
    assert studio.run(g, always_write=False) == ["save"]


def test_anew_uses_nothing_that_is_there(studio):
    g = graph(make("grey", "grey"), make("save", "save", image=("grey", "image")))
    assert studio.run(g) == ["grey", "save"]
    assert studio.run(g, always_write=False, ignore_cache=True) == ["grey", "save"]
    assert studio.run(g) == ["save"]


def test_what_was_saved_before_a_restart_stands(tmp_path):
    g = graph(make("grey", "grey"), make("save", "save", image=("grey", "image")))
    for again in (False, True):
        with Studio(tmp_path, cache=True) as studio:
            ran = studio.run(g, scope="one", always_write=False)
            assert ran == ([] if again else ["grey", "save"])
            paths = studio.told("output", "path")
            assert paths == [str(tmp_path / "output" / "picture_00001.png")]
    with Studio(tmp_path, cache=True) as studio:
        # Another document has saved nothing yet, and what was deleted is made again.
        assert "save" in studio.run(g, scope="other", always_write=False)
        (tmp_path / "output" / "picture_00001.png").unlink()
        assert "save" in studio.run(g, scope="one", always_write=False)
        changed = g.with_nodes([make("grey", "grey", level=0.7)])
        assert "save" in studio.run(changed, scope="one", always_write=False)


@pytest.mark.parametrize(
    "prefix",
    ["../out", "/etc/x", "C:/x", "a/../../b", "CON", "nul.txt", "", "a/", "a\\..\\..\\b", "x\0y",
     "~/../x/..", "dot.", "trail /x", "y" * 300],
)  # fmt: skip
def test_a_prefix_never_leaves_the_folder(studio, tmp_path, prefix):
    g = graph(make("grey", "grey"), make("save", "save", image=("grey", "image"), prefix=prefix))
    with pytest.raises(NodeFailed) as error:
        studio.run(g)
    assert error.value.where == "save.prefix"
    assert isinstance(error.value.__cause__, UnsafePath)
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []


def test_no_permission_to_write(studio, tmp_path):
    (tmp_path / "output").write_text("a file where the folder should be")
    g = graph(make("grey", "grey"), make("save", "save", image=("grey", "image")))
    with pytest.raises(NotWritable) as error:
        studio.run(g)
    assert error.value.node == "save"


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


def test_short_of_memory_the_node_is_asked_to_be_frugal_and_its_result_is_known_apart(studio):
    g = graph(
        make("grey", "grey"),
        make("hungry", "hungry", image=("grey", "image")),
        make("save", "save", image=("hungry", "image")),
    )
    plain = studio.engine.plan(studio.request(g)).keys.of("hungry", "image")
    studio.run(g)
    assert studio.told("memory", "action") == ["works in smaller pieces"]
    assert CALLS["hungry"] == 2
    assert studio.run(g) == ["save"]
    key = studio.engine.plan(studio.request(g)).keys.of("hungry", "image")
    assert key != plain
    assert key.startswith(plain)
    assert studio.engine.results.tier(plain) is None


def test_out_of_memory_for_good_is_a_plain_error(studio):
    studio.run(SUM)
    g = graph(
        make("grey", "grey"),
        make("hungry", "hungry", image=("grey", "image"), needs="more"),
        make("save", "save", image=("hungry", "image")),
    )
    with pytest.raises(OutOfMemory) as error:
        studio.run(g)
    assert error.value.node == "hungry"
    actions = studio.told("memory", "action")
    assert actions[0].startswith("forgot cached results")
    assert actions[-1] == "works in smaller pieces"
    assert (
        studio.engine.results.tier(studio.engine.plan(studio.request(SUM)).keys.of("sum", "float"))
        is None
    )


def test_a_cancelled_run_does_not_wait_for_hashes(tmp_path, monkeypatch):
    cancel, release = threading.Event(), threading.Event()
    monkeypatch.setattr(ModelIndex, "sha256", lambda *_: str(release.wait(30)))
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
        assert time.monotonic() - start < 5
        assert not list(tmp_path.rglob("*.png"))
