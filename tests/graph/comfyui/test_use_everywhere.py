"""What Use Everywhere sends where, and patterns of strangers, which take no long time."""

from __future__ import annotations

import pytest

from helpers.foreign_graphs import ui, workflow
from ponystudio.graph.comfyui.source_graph import Wire
from ponystudio.graph.comfyui.use_everywhere import safe_pattern
from ponystudio.graph.comfyui.workflow_format import read


@pytest.mark.parametrize(
    ("said", "found", "missed"),
    [
        ("", ["anything"], []),
        (".*", ["anything", ""], []),
        ("^.*Sampler.*$", ["KSampler (Advanced)"], ["Loader"]),
        ("seed|随机种", ["noise_seed", "随机种"], ["noise"]),
        (r"(_|\b)neg(ative|_|\b)|负面", ["negative", "the_neg_prompt"], ["negate"]),
        (r"^Face\d+$", ["Face12"], ["Face", "a Face1", "Face1\n"]),
        ("[Ss]econd (?:pass)?", ["second ", "Second pass"], ["2nd"]),
        (r"A\.B", ["A.B"], ["AxB"]),
        (r"First.*pass", ["First and last pass"], ["pass"]),
    ],
)
def test_a_pattern_is_what_its_writer_means(said, found, missed):
    pattern = safe_pattern(said)
    assert all(pattern.compiled.search(text) for text in found)
    assert not any(pattern.compiled.search(text) for text in missed)


@pytest.mark.parametrize(
    "said",
    ["(a+)+$", "(a|a)*", "a*a*a*b", "(?=x)", r"(a)\1", "a{3,}", "[a", "(", "a" * 300, "(?i)x",
     "(a|a)" * 20, "a?" * 20, r"\u0041", "[a--b]", "*a"],
)  # fmt: skip
def test_others_are_not_read(said):
    assert safe_pattern(said) is None


@pytest.mark.parametrize("said", ["(a|b)" * 8 + "c", "a*" + "(a|a)" * 8 + "b", "a?" * 8 + "b"])
def test_the_worst_that_is_read_has_a_bound(said):
    pattern = safe_pattern(said)
    assert pattern.ways <= 2**8 * 100
    assert not pattern.compiled.search("a" * 100)


def sender(id, link, **rules):
    return ui(id, "Anything Everywhere", ins="x:*", properties={"ue_properties": rules})


def test_more_than_anybody_wires_is_told_and_left_out():
    senders = [sender(i, i, version="7.1") for i in range(1, 700)]
    ends = [ui(1000 + i, "Foo", ins="x:MODEL") for i in range(700)]
    wires = " ".join(f"0.0>{i}.0" for i in range(1, 700))
    found = read(workflow(ui(0, "Source", outs="MODEL"), *senders, *ends, wires=wires))
    ((_, said),) = found.remarks
    assert "699 Use Everywhere nodes" in said
    assert found.nodes["1000"].inputs == {}


def test_ten_thousand_inputs_are_wired_by_one():
    ends = [ui(10 + i, "Foo", ins="x:MODEL") for i in range(10_000)]
    found = read(
        workflow(ui(0, "Source", outs="MODEL"), sender(1, 0), *ends, wires="0.0>1.0")
    ).nodes
    assert all(found[str(10 + i)].inputs == {"x": Wire("0", 0)} for i in range(10_000))


@pytest.mark.parametrize(
    "rules",
    [
        {"title_regex": 5, "priority": "high", "version": 7},
        {"group_restricted": [], "color_restricted": {}, "version": None},
        {"version": "7.1", "widget_ue_connectable": [], "input_ue_unconnectable": 3},
    ],
)
def test_rules_of_other_kinds_are_none(rules):
    document = workflow(
        ui(0, "Source", outs="MODEL"),
        ui(1, "Anything Everywhere", ins="x:*", properties={"ue_properties": rules}),
        ui(2, "Foo", ins="x:MODEL", properties={"ue_properties": rules}),
        wires="0.0>1.0",
    )
    assert read(document).nodes["2"].inputs == {"x": Wire("0", 0)}
