"""LoRAs in rows, in both forms of ComfyUI's graphs, each with the whole graph that they come to."""

from __future__ import annotations

import pytest

from helpers.comfyui_graphs import api, told, ui, written_out
from ponystudio.graph.comfyui.importer import import_document
from ponystudio.graph.placeholder import PLACEHOLDER

BASE = {"load_checkpoint_1": ("core.load_checkpoint", {"file": "a.safetensors"}, {})}
FROM = {"model": "load_checkpoint_1.model", "clip": "load_checkpoint_1.clip"}
WIRES = {"model": (1, 0), "clip": (1, 1)}
LOADER = ("CheckpointLoaderSimple", {"ckpt_name": "a.safetensors"})
UI_LOADER = ("CheckpointLoaderSimple", ["a.safetensors"])


def row(file, strength=1.0, clip_strength=None, on=True):
    clip = strength if clip_strength is None else clip_strength
    return {"on": on, "file": file, "strength": strength, "clip_strength": clip}


def stack(id, *rows):
    return {**BASE, f"apply_loras_{id}": ("core.apply_loras", {"loras": list(rows)}, FROM)}


POWER_ROWS = [
    {"on": True, "lora": "style\\a.safetensors", "strength": 0.8, "strengthTwo": None},
    {"on": False, "lora": "b.safetensors", "strength": 1, "strengthTwo": 0.5},
    {"on": True, "lora": "None", "strength": 1, "strengthTwo": None},
]


@pytest.mark.parametrize(
    "document",
    [
        ui(
            n1=UI_LOADER,
            n2=(
                "Power Lora Loader (rgthree)",
                [None, {"type": "PowerLoraLoaderHeaderWidget"}, *POWER_ROWS, {}, ""],
                WIRES,
            ),
        ),
        api(
            n1=LOADER,
            n2=(
                "Power Lora Loader (rgthree)",
                {
                    "PowerLoraLoaderHeaderWidget": {"type": "PowerLoraLoaderHeaderWidget"},
                    "lora_1": {"on": True, "lora": "style\\a.safetensors", "strength": 0.8},
                    "lora_2": POWER_ROWS[1],
                    "➕ Add Lora": "",
                    **WIRES,
                },
            ),
        ),
    ],
    ids=("ui", "api"),
)
def test_power_lora_loader(document):
    assert written_out(document) == stack(
        2, row("style/a.safetensors", 0.8), row("b.safetensors", 1, 0.5, on=False)
    )
    assert told(document) == []


def test_power_lora_loader_of_a_model_alone_and_of_nothing():
    wires = {"model": (1, 0)}
    found = written_out(ui(n1=UI_LOADER, n2=("Power Lora Loader (rgthree)", POWER_ROWS, wires)))
    assert found["apply_loras_2"][2] == {"model": "load_checkpoint_1.model"}
    lone = ui(n1=UI_LOADER, n2=("Power Lora Loader (rgthree)", POWER_ROWS, {"clip": (1, 1)}))
    assert written_out(lone) == BASE
    (said,) = told(lone)
    assert said.endswith("it has no model, and its LoRAs are left out")


def test_the_layer_that_was_chosen_passes_through_a_stack():
    found = written_out(
        ui(
            n1=UI_LOADER,
            n2=("CLIPSetLastLayer", [-2], {"clip": (1, 1)}),
            n3=("Power Lora Loader (rgthree)", POWER_ROWS[:1], {"model": (1, 0), "clip": (2, 0)}),
            n4=("CLIPTextEncode", ["a"], {"clip": (3, 1)}),
        )
    )
    assert found["encode_prompt_4"][1]["clip_skip"] == 2
    assert found["encode_prompt_4"][2] == {"clip": "apply_loras_3.clip"}


FOUR = ["a.safetensors", 0.5, "None", 1, "b.safetensors", -1, "None", 1]


@pytest.mark.parametrize(
    "document",
    [
        ui(n1=UI_LOADER, n2=("Lora Loader Stack (rgthree)", FOUR, WIRES)),
        api(
            n1=LOADER,
            n2=(
                "Lora Loader Stack (rgthree)",
                {
                    **{f"lora_0{i + 1}": FOUR[2 * i] for i in range(4)},
                    **{f"strength_0{i + 1}": FOUR[2 * i + 1] for i in range(4)},
                    **WIRES,
                },
            ),
        ),
    ],
    ids=("ui", "api"),
)
def test_lora_loader_stack(document):
    assert written_out(document) == stack(2, row("a.safetensors", 0.5), row("b.safetensors", -1))
    assert told(document) == []


MANAGED = [
    {"name": "a", "strength": "0.75", "active": True, "clipStrength": "0.50"},
    {"name": "sub\\b.ckpt", "strength": 1, "active": False},
]
TAGS = "<lora:c:0.3> <lora:d:1:0.2>"


@pytest.mark.parametrize(
    "document",
    [
        ui(n1=UI_LOADER, n2=("Lora Loader (LoraManager)", [TAGS, MANAGED], WIRES)),
        api(
            n1=LOADER,
            n2=(
                "Lora Loader (LoraManager)",
                {"text": TAGS, "loras": {"__value__": MANAGED}, **WIRES},
            ),
        ),
        api(n1=LOADER, n2=("Lora Loader (LoraManager)", {"text": "", "loras": MANAGED, **WIRES})),
    ],
    ids=("ui", "api", "bare list"),
)
def test_lora_manager(document):
    assert written_out(document) == stack(
        2, row("a.safetensors", 0.75, 0.5), row("sub/b.ckpt", 1, on=False)
    )
    assert told(document) == []


def test_lora_manager_reads_tags_where_it_has_no_list():
    document = ui(n1=UI_LOADER, n2=("Lora Loader (LoraManager)", [TAGS, []], WIRES))
    assert written_out(document) == stack(
        2, row("c.safetensors", 0.3), row("d.safetensors", 1.0, 0.2)
    )


WORDS = [{"text": "pony", "active": True}, {"text": "hat", "active": False}]


@pytest.mark.parametrize(
    ("document", "text"),
    [
        (ui(n1=("TriggerWord Toggle (LoraManager)", [True, True, WORDS, "pony, hat"])), "pony"),
        (
            api(
                n1=(
                    "TriggerWord Toggle (LoraManager)",
                    {"group_mode": True, "toggle_trigger_words": {"__value__": WORDS},
                     "orinalMessage": "pony, hat"},
                )
            ),
            "pony",
        ),
        (ui(n1=("TriggerWord Toggle (LoraManager)", [True, True, [], "pony, hat"])), "pony, hat"),
    ],
)  # fmt: skip
def test_trigger_words(document, text):
    assert written_out(document) == {"text_1": ("core.text", {"value": text}, {})}


def test_trigger_words_that_are_not_in_the_file_are_told():
    document = ui(
        n1=UI_LOADER,
        n2=("Lora Loader (LoraManager)", ["", MANAGED], WIRES),
        n3=("TriggerWord Toggle (LoraManager)", [True, True, []], {"trigger_words": (2, 2)}),
    )
    assert told(document) == ["its words are not in the file: write them into the text"]


def test_loaders_that_show_a_picture():
    shown = {"content": "style\\a.safetensors", "image": "style\\a.png"}
    document = ui(
        n1=("CheckpointLoader|pysssss", [{"content": "m\\b.safetensors", "image": None}, "[none]"]),
        n2=("LoraLoader|pysssss", [shown, 0.5, 0.25, "[none]"], WIRES),
    )
    expected = {
        "load_checkpoint_1": ("core.load_checkpoint", {"file": "m/b.safetensors"}, {}),
        "apply_lora_2": (
            "core.apply_lora",
            {"file": "style/a.safetensors", "strength": 0.5, "clip_strength": 0.25},
            FROM,
        ),
    }
    assert written_out(document) == expected
    assert told(document) == []
    values = {"lora_name": shown, "strength_model": 0.5, "strength_clip": 0.25}
    other = api(
        n1=("CheckpointLoader|pysssss", {"ckpt_name": {"content": "m\\b.safetensors"}}),
        n2=("LoraLoader|pysssss", {**values, **WIRES}),
    )
    assert written_out(other) == expected


COMFYROLL = ["On", "a.safetensors", 0.8, 0.7, "Off", "b.safetensors", 1, 1, "On", "None", 1, 1]
COLUMNS = ("switch_{}", "lora_name_{}", "model_weight_{}", "clip_weight_{}")


@pytest.mark.parametrize(
    "document",
    [
        ui(
            n1=UI_LOADER,
            n2=("CR LoRA Stack", COMFYROLL),
            n3=("CR Apply LoRA Stack", [], {**WIRES, "lora_stack": (2, 0)}),
        ),
        api(
            n1=LOADER,
            n2=(
                "CR LoRA Stack",
                {COLUMNS[i % 4].format(i // 4 + 1): COMFYROLL[i] for i in range(12)},
            ),
            n3=("CR Apply LoRA Stack", {**WIRES, "lora_stack": (2, 0)}),
        ),
    ],
    ids=("ui", "api"),
)
def test_comfyroll_stack(document):
    assert written_out(document) == stack(
        3, row("a.safetensors", 0.8, 0.7), row("b.safetensors", 1, on=False)
    )
    assert told(document) == []
    imported = import_document(document)
    assert (imported.mapped, imported.total) == (3, 3)


@pytest.mark.parametrize("switch", ["On", "Off"])
def test_comfyroll_loader(switch):
    document = ui(n1=UI_LOADER, n2=("CR Load LoRA", [switch, "a.safetensors", 0.5, 1], WIRES))
    assert written_out(document) == stack(2, row("a.safetensors", 0.5, 1, on=switch == "On"))


def test_stacks_behind_each_other():
    document = ui(
        n1=UI_LOADER,
        n2=("CR LoRA Stack", COMFYROLL),
        n3=(
            "LoRA Stacker",
            ["simple", 2, "c.safetensors", 0.9, 0.1, 0.2, "None", 1, 1, 1, "d.safetensors", 1],
            {"lora_stack": (2, 0)},
        ),
        n4=(
            "LoRA Stacker",
            ["advanced", 1, "e.safetensors", 0.9, 0.1, 0.2],
            {"lora_stack": (3, 0)},
        ),
        n5=("CR Apply LoRA Stack", [], {**WIRES, "lora_stack": (4, 0)}),
    )
    assert written_out(document) == stack(
        5,
        row("a.safetensors", 0.8, 0.7),
        row("b.safetensors", 1, on=False),
        row("c.safetensors", 0.9),
        row("e.safetensors", 0.1, 0.2),
    )


def test_a_strength_from_a_constant_is_known_and_one_of_a_run_is_a_wire():
    weights = {"lora_01": "a.safetensors", "strength_01": (3, 0)}
    document = api(
        n1=LOADER,
        n2=("Lora Loader Stack (rgthree)", {**weights, **WIRES}),
        n3=("FloatConstant", {"value": 0.25}),
    )
    assert written_out(document)["apply_loras_2"][1] == {"loras": [row("a.safetensors", 0.25)]}
    document["3"] = {"class_type": "Strange", "inputs": {}}
    found = written_out(document)
    assert found["apply_lora_2_1"] == (
        "core.apply_lora",
        {"file": "a.safetensors"},
        {**FROM, "strength": "Strange_3.output 0", "clip_strength": "Strange_3.output 0"},
    )


def test_a_stack_that_only_an_unknown_node_takes_stands_there_too():
    document = ui(
        n2=("CR LoRA Stack", COMFYROLL),
        n3=("LoRA Stacker", ["simple", 0], {"lora_stack": (2, 0)}),
        n4=("Strange Loader", [], {"lora_stack": (3, 0), "other": (2, 0)}),
    )
    found = written_out(document)
    assert {id: node[0] for id, node in found.items()} == {
        "CR_LoRA_Stack_2": f"{PLACEHOLDER}CR LoRA Stack",
        "LoRA_Stacker_3": f"{PLACEHOLDER}LoRA Stacker",
        "Strange_Loader_4": f"{PLACEHOLDER}Strange Loader",
    }
    assert found["CR_LoRA_Stack_2"][1]["lora_name_1"] == "a.safetensors"
    assert found["LoRA_Stacker_3"][2] == {"lora_stack": "CR_LoRA_Stack_2.LORA_STACK"}
    assert found["Strange_Loader_4"][2] == {
        "lora_stack": "LoRA_Stacker_3.LORA_STACK",
        "other": "CR_LoRA_Stack_2.LORA_STACK",
    }
    imported = import_document(document)
    assert (imported.mapped, imported.total) == (0, 3)


def test_a_stack_of_an_unknown_node_leaves_what_applies_it_unknown():
    document = api(
        n1=LOADER, n2=("Strange", {}), n3=("CR Apply LoRA Stack", {**WIRES, "lora_stack": (2, 0)})
    )
    assert set(import_document(document).placeholders.values()) == {
        "Strange",
        "CR Apply LoRA Stack",
    }


def test_very_many_stacks_are_cut():
    chain = {f"n{i}": ("CR LoRA Stack", COMFYROLL, {"lora_stack": (i - 1, 0)} if i > 2 else {})
             for i in range(2, 400)}  # fmt: skip
    document = ui(**chain)
    assert told(document)[0].endswith("more than 500 LoRAs in a stack are left out")


@pytest.mark.parametrize(("mode", "rows"), [(2, 0), (4, 2)])
def test_a_muted_stack_gives_nothing_and_a_bypassed_one_what_it_continues(mode, rows):
    document = ui(
        n1=UI_LOADER,
        n2=("CR LoRA Stack", COMFYROLL),
        n3=("CR LoRA Stack", ["On", "c.safetensors", 1, 1], {"lora_stack": (2, 0)}),
        n4=("CR Apply LoRA Stack", [], {**WIRES, "lora_stack": (3, 0)}),
    )
    stack_node = next(node for node in document["nodes"] if node["id"] == 3)
    stack_node["mode"] = mode
    stack_node["inputs"][0]["type"] = stack_node["outputs"][0]["type"] = "LORA_STACK"
    imported = import_document(document)
    if rows:
        assert len(imported.graph.nodes["apply_loras_4"].params["loras"]) == rows
    else:  # nothing is known of what comes along
        assert imported.placeholders == {"CR_Apply_LoRA_Stack_4": "CR Apply LoRA Stack"}
