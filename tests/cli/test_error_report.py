"""Errors on stderr."""

from __future__ import annotations

import json

import pytest

import ponystudio_resources
from ponystudio.cli.arguments import main
from ponystudio.cli.error_report import Refused, print_error, printable
from ponystudio.errors import MissingFile, ParamRange

TEXT_TO_PICTURE = ponystudio_resources.path("graphs", "text-to-picture.json")


def test_every_error_of_a_graph_is_told_with_its_remedy(capsys):
    first = ParamRange("It is too large.", node="sampler", socket="steps")
    second = MissingFile("There is no a.png.", remedy="Choose another.")
    refused = Refused([first, second])
    assert (refused.what, refused.where, refused.exit_code) == (first.what, "sampler.steps", 2)
    print_error(refused)
    assert capsys.readouterr() == (
        "",
        "error: sampler.steps: It is too large.\nerror: There is no a.png.\n  Choose another.\n",
    )


def test_of_many_errors_the_first_are_told(capsys):
    print_error(Refused([ParamRange(f"No {i}.") for i in range(20_000)]))
    lines = capsys.readouterr().err.splitlines()
    assert (lines[0], lines[49], lines[50:]) == (
        "error: No 0.",
        "error: No 49.",
        ["error: and 19,950 more."],
    )


BIG = "x" * 200_000
MANY_PARTS = "/" + "a/" * 200_000


def node(type: str = "core.sample", **more: object) -> dict[str, object]:
    return {"type": type, "version": 1, **more}


@pytest.mark.parametrize(
    "nodes",
    [
        {BIG: node()},
        {" " + BIG: node()},
        {"a": node(BIG)},
        {"a": node(params={BIG: 1})},
        {"a": node(params={"sampler": BIG, "seed": BIG})},
        {"a": node(inputs={BIG: ["b", "c"]})},
        {"a": node(inputs={"model": [BIG, "c"]})},
        {"a": node(inputs={"model": ["b", BIG]}), "b": node("core.load_checkpoint")},
        {"a": node("core.save_image", params={"prefix": BIG})},
        {"a": node("core.save_image", params={"prefix": f"%{BIG}%"})},
        {"a": node("core.load_checkpoint", params={"file": BIG})},
        {"a": node("core.load_checkpoint", params={"file": MANY_PARTS})},
        {"a": node("core.load_checkpoint", params={"file": f"//{BIG}"})},
        {"a": node("core.apply_loras", params={"loras": [{BIG: 1}]})},
        {"a": node("core.apply_loras", params={"loras": [{"file": BIG}] * 300})},
        {"a": node(mode=BIG)},
        {f"n{i}": node("nothing") for i in range(3000)},
    ],
)
def test_answers_to_large_graphs_are_short(tmp_path, capsys, nodes):
    file = tmp_path / "graph.json"
    file.write_text(json.dumps({"format": "ponystudio.graph", "version": 1, "nodes": nodes}))
    assert main(["validate", str(file)]) == 2
    said = capsys.readouterr().err
    assert len(said) < 20_000
    assert max(map(len, said.splitlines())) < 3000


@pytest.mark.parametrize(
    "words",
    [
        ["validate", BIG],
        ["validate", str(TEXT_TO_PICTURE), "--models", BIG],
        ["validate", str(TEXT_TO_PICTURE), "--set", f"{BIG}.b=1"],
        ["validate", str(TEXT_TO_PICTURE), "--set", f"checkpoint.file={MANY_PARTS}"],
        ["nodes", BIG],
        [BIG],
    ],
)
def test_answers_to_long_words_are_short(capsys, words):
    assert main(words) == 2
    assert len(capsys.readouterr().err) < 20_000


def test_what_steers_a_terminal_is_spelt_out():
    assert printable("a\x1b[2Jé\n\tb\x07") == "a\\x1b[2Jé\n\tb\\x07"
