"""Seeds and values of runs of packs."""

from __future__ import annotations

import pytest

from helpers.comfyui_graphs import api, told, ui, written_out

SAMPLED = {"seed": (1, 0)}
WIRED = {"seed": "seed_1.int"}


@pytest.mark.parametrize(
    ("type", "values"),
    [
        ("Seed (rgthree)", [7, "", "", ""]),
        ("Seed Everywhere", [7, "randomize", ".*"]),
        ("easy seed", [7, "fixed"]),
        ("CR Seed", [7, "increment"]),
        ("Seed Generator (Image Saver)", [7, "fixed"]),
    ],
)
def test_a_seed_for_several(type, values):
    core = ("core.seed", {"value": 7}, {})
    sampler = ("core.sample", {}, WIRED)
    document = ui(n1=(type, values), n2=("KSampler", [], SAMPLED))
    if type == "Seed Everywhere":  # its wires of its own are in the file
        document["extra"] = {
            "ue_links": [{"upstream": 1, "upstream_slot": 0, "downstream": 2, "downstream_slot": 0}]
        }
    assert written_out(document) == {"seed_1": core, "sample_2": sampler}
    assert told(document) == []
    other = api(n1=(type, {"seed": 7}), n2=("KSampler", SAMPLED))
    assert written_out(other) == {"seed_1": core, "sample_2": sampler}


@pytest.mark.parametrize(
    ("seed", "said"), [(-1, "at random"), (-2, "one more"), (-3, "one less"), (-9, "-9")]
)
def test_seeds_that_are_drawn_are_told(seed, said):
    document = ui(n1=("Seed (rgthree)", [seed, "", "", ""]))
    assert written_out(document) == {"seed_1": ("core.seed", {"value": 0}, {})}
    assert said in told(document)[0]


VALUES = {
    "seed": 7, "steps": 20, "cfg": 6.5, "sampler": "euler", "scheduler": "karras", "denoise": 0.8,
}  # fmt: skip


@pytest.mark.parametrize(
    "document",
    [
        ui(n1=("Input Parameters (Image Saver)", [7, "fixed", 20, 6.5, "euler", "karras", 0.8])),
        api(n1=("Input Parameters (Image Saver)", VALUES)),
    ],
    ids=("ui", "api"),
)
def test_the_values_of_a_run(document):
    names = ("seed", "steps", "cfg", "sampler_name", "scheduler", "denoise")
    wires = {name: (1, slot) for slot, name in enumerate(names)}
    if "nodes" in document:
        sampler = ui(n1=("KSampler", []), n2=("KSampler", [], wires))
        document = {**sampler, "nodes": [document["nodes"][0], sampler["nodes"][1]]}
    else:
        document |= api(n2=("KSampler", wires))
    assert written_out(document) == {
        "seed_1_seed": ("core.seed", {"value": 7}, {}),
        "int_1_steps": ("core.int", {"value": 20}, {}),
        "float_1_cfg": ("core.float", {"value": 6.5}, {}),
        "text_1_sampler": ("core.text", {"value": "euler"}, {}),
        "text_1_scheduler": ("core.text", {"value": "karras"}, {}),
        "float_1_denoise": ("core.float", {"value": 0.8}, {}),
        "sample_2": (
            "core.sample",
            {},
            {
                "seed": "seed_1_seed.int",
                "steps": "int_1_steps.int",
                "cfg": "float_1_cfg.float",
                "sampler": "text_1_sampler.text",
                "scheduler": "text_1_scheduler.text",
                "denoise": "float_1_denoise.float",
            },
        ),
    }
    assert told(document) == []


def test_values_that_nothing_takes_are_no_nodes():
    document = ui(
        n1=("Input Parameters (Image Saver)", [7, "fixed", 20, 6.5, "euler", "karras", 0.8]),
        n2=("KSampler", [], {"steps": (1, 1)}),
    )
    assert sorted(written_out(document)) == ["int_1_steps", "sample_2"]
