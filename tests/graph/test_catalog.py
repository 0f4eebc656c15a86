from __future__ import annotations

import json

import pytest

from helpers.graphs import CATALOG, SPECS
from ponystudio.api import NodeSpec, ParamSpec
from ponystudio.errors import BadInput
from ponystudio.graph.catalog import Catalog, PackProblem, did_you_mean, known_elsewhere


def test_is_a_mapping_in_the_order_given():
    assert list(CATALOG) == [spec.id for spec in SPECS]
    assert CATALOG["t.save"].effects
    assert "t.nothing" not in CATALOG


def test_crosses_processes_as_json():
    catalog = Catalog(SPECS, [PackProblem("broken", "ImportError: no module named numpie")])
    back = Catalog.from_json(json.loads(json.dumps(catalog.to_json())))
    assert dict(back) == dict(catalog)
    assert back.problems == catalog.problems


def test_of_two_nodes_with_one_id_the_first_stays_and_the_second_pack_is_told():
    first = NodeSpec("a.b", 1, "First", "", pack="one")
    catalog = Catalog([first, NodeSpec("a.b", 1, "Second", "", pack="two")])
    assert catalog["a.b"] is first
    assert catalog.problems == (PackProblem("two", "a.b is already defined by one"),)


@pytest.mark.parametrize(
    "data",
    [
        {},
        {"format": "ponystudio.catalog", "version": 2, "nodes": [], "problems": []},
        {"format": "ponystudio.catalog", "version": 1, "nodes": [{"no": "id"}], "problems": []},
        {"format": "ponystudio.catalog", "version": 1, "nodes": [3], "problems": []},
        {"format": "ponystudio.catalog", "version": 1, "nodes": []},
    ],
)
def test_refuses_what_it_did_not_write(data):
    with pytest.raises(BadInput):
        Catalog.from_json(data)


def test_near_names_what_was_probably_meant():
    assert did_you_mean("t.sampel", CATALOG).startswith("Did you mean t.sample")
    assert did_you_mean("zzzzzz", CATALOG) == ""


def test_names_of_other_tools_lead_to_ours():
    known = Catalog([NodeSpec("core.sample", 1, "Sample", "", aliases=("KSampler", "Sampling"))])
    assert known_elsewhere("ksampler", known) == (
        "What is KSampler in other tools is core.sample here."
    )
    assert "core.sample" in known_elsewhere("Sampling", known)
    assert known_elsewhere("core.sample", known) == ""
    assert Catalog.from_json(json.loads(json.dumps(known.to_json())))["core.sample"].aliases == (
        "KSampler",
        "Sampling",
    )


@pytest.mark.parametrize("range", [[], [1], "", "x", 3])
def test_refuses_a_range_that_is_none(range):
    """As a file may have it that was damaged since it was written."""
    node = NodeSpec("a.b", 1, "B", "C", params=(ParamSpec("steps", "int", 1),)).to_json()
    node["params"][0]["soft"] = range
    data = {"format": "ponystudio.catalog", "version": 1, "nodes": [node], "problems": []}
    with pytest.raises(BadInput):
        Catalog.from_json(data)
