"""What would run, and the words for why."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace

import pytest

from helpers.engine_nodes import Studio, graph, make
from ponystudio.api import Image
from ponystudio.engine.plan import plan_inputs, plan_keys

GRAPH = graph(
    make("grey", "grey"),
    make("slow", "slow", a=("number", "float"), seconds=0.0),
    make("number", "number"),
    make("save_grey", "save", image=("grey", "image")),
    make("save_slow", "save", image=("slow", "image")),
)


@pytest.fixture
def studio(tmp_path):
    with Studio(tmp_path, cache=True) as studio:
        yield studio


def test_before_the_first_run(studio):
    said = studio.explain(GRAPH)
    assert said["grey"] == "runs: not run before"
    assert said["save_grey"] == "runs: not run before"
    assert set(said) == set(GRAPH.nodes)


def test_after_a_run(studio):
    studio.run(GRAPH)
    assert studio.explain(GRAPH) == {
        "grey": "cached: memory",
        "number": "cached: memory",
        "slow": "cached: memory",
        "save_grey": "runs: it saves or shows something",
        "save_slow": "runs: it saves or shows something",
    }
    assert (
        studio.explain(GRAPH, always_write=False)["save_slow"] == "skipped: its files still stand"
    )


def test_the_words_name_the_cause_upstream(studio):
    studio.run(GRAPH)
    changed = GRAPH.with_nodes([make("number", "number", value=2.0)])
    said = studio.explain(changed, always_write=False)
    assert said["slow"] == "runs: upstream: a: value changed"
    assert said["save_slow"] == "runs: upstream: image: value changed"
    assert said["save_grey"] == "skipped: its files still stand"


def test_a_save_whose_name_would_be_another_is_not_skipped(studio):
    named = make("save", "save_named", image=("grey", "image"), prefix="a_%number.value%_%year%")
    found = graph(make("grey", "grey"), make("number", "number", value=1.0), named)
    studio.run(found)
    assert studio.explain(found, always_write=False)["save"] == "skipped: its files still stand"
    changed = found.with_nodes([make("number", "number", value=2.0)])
    assert studio.explain(changed, always_write=False)["save"].startswith("runs")
    assert [path.name[:4] for path in (studio.root / "output").glob("*.png")] == ["a_1_"]
    studio.run(changed, always_write=False)
    assert len([*(studio.root / "output").glob("a_2_*.png")]) == 1


def test_what_was_forgotten_says_so(studio):
    studio.run(GRAPH)
    studio.engine.results.drop_unpinned(device=False)
    assert studio.explain(GRAPH)["slow"] == "runs: its result was not kept"


def test_a_plan_prunes_backwards_through_what_is_there(studio):
    """The picture is there, so the number behind it is not needed though it is gone."""
    studio.run(GRAPH)
    plan = studio.engine.plan(studio.request(GRAPH))
    studio.engine.results.drop(plan.keys.of("number", "float"))
    said = studio.explain(GRAPH)
    assert said["number"] == "not needed"
    assert said["slow"] == "cached: memory"


def test_a_torn_entry_is_made_again(tmp_path):
    g = graph(
        make("number", "number"),
        make("slow", "slow", a=("number", "float"), seconds=0.6),
        make("save", "save", image=("slow", "image")),
    )
    with Studio(tmp_path, cache=True) as first:
        first.run(g)
    (entry,) = (tmp_path / "cache").glob("??/*.safetensors")
    entry.write_bytes(entry.read_bytes()[:-10])
    with Studio(tmp_path, cache=True) as second:
        assert second.run(g) == ["number", "slow", "save"]


def keys_in(environment, studio):
    catalog = studio.engine.packs.catalog
    shape = plan_inputs(GRAPH, catalog, ["slow"])
    return plan_keys(shape, catalog, environment, lambda *_: "").of("slow", "image")


@pytest.mark.parametrize("what", ["device", "dtype", "torch", "attention", "fingerprints"])
def test_keys_tell_of_all_that_may_change_a_result(studio, what):
    environment = studio.engine.environment
    other = {"": "edited"} if what == "fingerprints" else "other"
    assert keys_in(environment, studio) == keys_in(replace(environment), studio)
    assert keys_in(environment, studio) != keys_in(replace(environment, **{what: other}), studio)


def test_keys_are_the_same_in_every_process(tmp_path):
    code = (
        "import sys, pathlib; sys.path.insert(0, sys.argv[1])\n"
        "from helpers.engine_nodes import Studio, make, graph\n"
        "studio = Studio(pathlib.Path(sys.argv[2]))\n"
        "g = graph(make('grey', 'grey', level=0.25))\n"
        "print(studio.engine.plan(studio.request(g, targets=('grey',))).keys.of('grey', 'image'))\n"
        "studio.engine.close()\n"
    )
    tests = next(path for path in sys.path if path.endswith("tests"))
    said = {
        subprocess.run(
            [sys.executable, "-c", code, tests, str(tmp_path)],
            capture_output=True,
            text=True,
            check=True,
            env={"PYTHONHASHSEED": seed, "PATH": ""},
        ).stdout
        for seed in ("1", "2")
    }
    assert len(said) == 1


def test_results_are_values_of_the_api(studio):
    studio.run(GRAPH)
    plan = studio.engine.plan(studio.request(GRAPH))
    assert isinstance(studio.engine.results.get(plan.keys.of("grey", "image")), Image)
