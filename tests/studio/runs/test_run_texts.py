"""What the worker says of a run, in the words of the window."""

from __future__ import annotations

import pytest

from helpers.small_graph import CATALOG, GRAPH
from ponystudio.engine.protocol.run_events import NodePlan
from ponystudio.errors import PonyStudioError
from ponystudio.graph.model import Node
from ponystudio.library.model_folders import ModelFolders
from ponystudio.studio.runs.run_texts import (
    duration,
    memory,
    plan_texts,
    reason_text,
    remedy_in_window,
    rough_duration,
    size,
)


def plans(**texts):
    return {id: NodePlan(*text.split(": ", 1)) for id, text in texts.items()}


def said(**told):
    return plan_texts(plans(**told), GRAPH, CATALOG)


def test_where_results_lie_and_why_nodes_run():
    assert said(
        e="cached: device",
        s="runs: seed changed",
        g="runs: upstream: latent: seed changed",
        out="runs: it saves or shows something",
    ) == {
        "e": ("device", ""),
        "s": ("", "Seed changed"),
        "g": ("", "Will run: after Sample"),
        "out": ("", "Result was not kept"),
    }


def test_what_never_ran_says_so():
    words = said(e="runs: not run before", s="runs: not run before")
    assert words == {"e": ("", "Not run yet"), "s": ("", "Not run yet")}


@pytest.mark.parametrize(
    ("told", "said"),
    [
        ("seed changed", "Seed changed"),
        ("cfg changed, seed changed", "Cfg and seed changed"),
        ("cfg changed, seed changed, steps changed", "3 settings changed"),
        ("file: other content", "File has changed"),
        ("code changed", "Node was updated"),
        ("latent linked", "Latent linked"),
        ("seed changed, upstream: latent: text changed, cfg changed", "Seed changed"),
        ("its result was not kept", "Result was not kept"),
    ],
)
def test_reasons(told, said):
    assert reason_text(told, CATALOG["sample"]) == said


def test_long_names_of_nodes_give_way_to_their_kind():
    named = Node("e", "empty", title="A latent with a very long name")
    words = plan_texts(
        plans(e="runs: width changed", s="runs: upstream: latent: width changed"),
        GRAPH.with_nodes([named]),
        CATALOG,
    )
    assert words["s"] == ("", "Will run: after Empty")


def test_times_and_sizes():
    assert [duration(s) for s in (0.41, 6.44, 38.2, 125, 3720)] == [
        "0.41 s",
        "6.4 s",
        "38 s",
        "2 min 05 s",
        "1 h 02 min",
    ]
    assert [rough_duration(s) for s in (0.2, 4.6, 61)] == ["1 s", "5 s", "1 min 01 s"]
    assert [size(n) for n in (512, 65536, 3 * 2**30)] == ["512 B", "64 KB", "3.0 GB"]
    assert [memory(n) for n in (0.9 * 2**30, 2**20)] == ["0.9 GB", "1 MB"]


@pytest.mark.parametrize(
    ("told", "said"),
    [
        (
            "Put it into /a/loras, or name a folder of models with --models DIR.",
            "Put it into /a/loras, or add a folder of models in the settings.",
        ),
        (
            "Name a folder of models with --models DIR.",
            "Add a folder of models in the settings.",
        ),
        (
            "It is in /a/loras: name the folder above, with --models /a.",
            "It is in /a/loras: add the folder above, /a, in the settings.",
        ),
        (
            "Use --device cuda, or install the ROCm build of torch.",
            "Choose cuda in the settings, or install the ROCm build of torch.",
        ),
        (
            "See `ponystudio doctor`, or use --device cpu.",
            "See `ponystudio doctor`, or choose cpu in the settings.",
        ),
        ("Choose another file.", "Choose another file."),
        ("", ""),
    ],
)
def test_options_become_settings(told, said):
    assert remedy_in_window(told) == said


def test_what_is_missing_is_told_so_too(tmp_path):
    with pytest.raises(PonyStudioError) as caught:
        ModelFolders([tmp_path]).resolve("checkpoints", "none.safetensors")
    remedy = remedy_in_window(caught.value.remedy)
    assert "--" not in remedy
    assert "settings" in remedy
