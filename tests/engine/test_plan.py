"""What would run, and the words for why."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace

import pytest

from helpers.engine_nodes import Studio, graph, make
from ponystudio.api import Image
from ponystudio.engine.cache import code_fingerprint
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


def explain(studio, graph, **more):
    return studio.engine.explain(studio.request(graph, **more))


def test_before_the_first_run(studio):
    said = explain(studio, GRAPH)
    assert said["grey"] == "runs: not run before"
    assert said["save_grey"] == "runs: not run before"
    assert set(said) == set(GRAPH.nodes)


def test_after_a_run(studio):
    studio.run(GRAPH)
    assert explain(studio, GRAPH) == {
        "grey": "cached: memory",
        "number": "cached: memory",
        "slow": "cached: memory",
        "save_grey": "runs: it saves or shows something",
        "save_slow": "runs: it saves or shows something",
    }
    assert (
        explain(studio, GRAPH, always_write=False)["save_slow"] == "skipped: its files still stand"
    )


def test_the_words_name_the_cause_upstream(studio):
    studio.run(GRAPH)
    changed = GRAPH.with_nodes([make("number", "number", value=2.0)])
    said = explain(studio, changed, always_write=False)
    assert said["slow"] == "runs: upstream: a: value changed"
    assert said["save_slow"] == "runs: upstream: image: value changed"
    assert said["save_grey"] == "skipped: its files still stand"


def test_what_was_forgotten_says_so(studio):
    studio.run(GRAPH)
    studio.engine.results.drop_unpinned(device=False)
    assert explain(studio, GRAPH)["slow"] == "runs: its result was not kept"


def test_a_plan_prunes_backwards_through_what_is_there(studio):
    """The picture is there, so the number behind it is not needed though it is gone."""
    studio.run(GRAPH)
    plan = studio.engine.plan(studio.request(GRAPH))
    studio.engine.results.drop(plan.keys.of("number", "float"))
    said = explain(studio, GRAPH)
    assert said["number"] == "not needed"
    assert said["slow"] == "cached: memory"


def test_another_document_has_a_history_of_its_own(studio):
    studio.run(GRAPH, scope="one")
    changed = GRAPH.with_nodes([make("grey", "grey", level=0.1)])
    assert explain(studio, changed, scope="one")["grey"] == "runs: level changed"
    assert explain(studio, changed, scope="two")["grey"] == "runs: not run before"


def test_history_and_results_outlive_the_process(tmp_path):
    g = graph(
        make("number", "number"),
        make("slow", "slow", a=("number", "float"), seconds=0.6),
        make("save", "save", image=("slow", "image")),
    )
    with Studio(tmp_path, cache=True) as first:
        first.run(g)
    with Studio(tmp_path, cache=True) as second:
        assert explain(second, g)["slow"] == "cached: disk"
        changed = g.with_nodes([make("slow", "slow", a=("number", "float"), seconds=0.0)])
        assert explain(second, changed)["slow"] == "runs: seconds changed"
        assert second.run(g) == ["save"]
        assert second.cached() == {"slow": "disk"}


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


def test_an_edit_of_the_model_librarys_source_changes_the_fingerprint(tmp_path, monkeypatch):
    (tmp_path / "sampling").mkdir()
    source = tmp_path / "sampling" / "euler.py"
    source.write_text("a = 1\n")
    pack = tmp_path / "pack.py"
    pack.write_text("b = 1\n")

    class Spec:
        submodule_search_locations = (str(tmp_path),)

    monkeypatch.setattr(code_fingerprint.importlib.util, "find_spec", lambda name: Spec)
    before = code_fingerprint.fingerprints({"core": [pack]})
    assert code_fingerprint.fingerprints({"core": [pack]}) == before
    source.write_text("a = 2\n")
    after = code_fingerprint.fingerprints({"core": [pack]})
    assert after != before
    pack.write_text("b = 2\n")
    assert code_fingerprint.fingerprints({"core": [pack]}) not in (before, after)


@pytest.mark.parametrize("library", ["tokenizers", "sentencepiece", "gguf", "diffusers"])
def test_another_version_of_a_library_changes_the_fingerprint(library, monkeypatch):
    before = code_fingerprint.fingerprints({"core": []})
    version = code_fingerprint.importlib.metadata.version
    monkeypatch.setattr(
        code_fingerprint.importlib.metadata,
        "version",
        lambda name: "0" if name == library else version(name),
    )
    assert code_fingerprint.fingerprints({"core": []}) != before


def test_another_tokenizer_that_ships_changes_the_fingerprint(tmp_path, monkeypatch):
    monkeypatch.setattr(code_fingerprint, "resource", lambda name: tmp_path / name)
    place = tmp_path / "tokenizers" / "t5" / "spiece.model"
    place.parent.mkdir(parents=True)
    seen = []
    for content in (b"one", b"two"):
        place.write_bytes(content)
        seen.append(code_fingerprint.fingerprints({"core": []}))
    assert seen[0] != seen[1]


def test_a_frozen_program_reads_its_fingerprint_from_a_resource(tmp_path, monkeypatch):
    text = code_fingerprint.frozen_resource()
    monkeypatch.setattr(sys, "frozen", True, raising=False)
    monkeypatch.setattr(code_fingerprint, "resource", lambda name: tmp_path / name)
    (tmp_path / code_fingerprint.FROZEN).write_text(text)
    first = code_fingerprint.fingerprints({"core": []})
    (tmp_path / code_fingerprint.FROZEN).write_text(text.replace(text[15:20], "00000"))
    assert code_fingerprint.fingerprints({"core": []}) != first


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
