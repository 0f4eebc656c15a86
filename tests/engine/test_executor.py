"""Runs of tiny nodes: what runs, what is found again, what fails and how it is said."""

from __future__ import annotations

import threading
import time

import pytest

from helpers.engine_nodes import CALLS, SEEN, Studio, graph, make
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


@pytest.mark.parametrize("how", [{"count": 0}, {"height": 0}])
def test_no_picture_at_all_is_blamed_on_the_node_that_gave_it(studio, tmp_path, how):
    first = make("first", "first", image=("grey", "image"), **how)
    g = graph(make("grey", "grey"), first, make("save", "save", image=("first", "image")))
    with pytest.raises(NodeFailed, match="First gave no picture: its image is empty") as error:
        studio.run(g)
    assert (error.value.node, error.value.socket) == ("first", "image")
    assert error.value.remedy
    assert not (tmp_path / "output").exists()


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


def test_what_is_there_is_ignored_where_asked(studio):
    g = graph(make("grey", "grey"), make("save", "save", image=("grey", "image")))
    assert studio.run(g) == ["grey", "save"]
    assert studio.run(g, always_write=False, ignore_cache=True) == ["grey", "save"]
    assert studio.run(g) == ["save"]


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
