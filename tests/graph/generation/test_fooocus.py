"""Fooocus's JSON, its log's JSON, and A1111's text as it writes that."""

from __future__ import annotations

from helpers import foreign_pictures as foreign
from ponystudio.graph.generation import fooocus
from ponystudio.graph.generation.generation_params import Refiner, UsedLora, UsedModel
from ponystudio.graph.generation.generation_reading import params_of


def read(**said):
    return fooocus.read({**foreign.FOOOCUS, **said}, {})


def test_its_own_scheme():
    params = read()
    assert params.program == "Fooocus"
    # Each text is encoded by itself, and [ ] are words.
    assert params.prompt == "a pony \\[big\\]\nBREAK\na pony, sharp"
    assert (params.negative, params.dialect) == ("blurry, text", "a1111")
    assert (params.rules, params.noise) == ("comfyui", "cpu")
    assert params.model == UsedModel("starter", "9f31c2d07a")
    assert params.loras == (UsedLora("ink", 0.7, 0.7, "7a20e4c91f"),)
    assert (params.sampler, params.scheduler) == ("dpmpp_2m_sde_gpu", "karras")
    assert (params.seed, params.steps, params.cfg) == (77, 25, 6.5)
    assert (params.width, params.height, params.clip_skip) == (512, 768, 0)
    assert params.refiner is None
    assert not params.vae
    assert params.remarks == (
        "Fooocus's sharpness 2 filters every step, which is not done here",
        "Fooocus's guidance of the sizes (1.5, 0.8, 0.3) is not done here",
    )


def test_what_changes_nothing_is_not_told():
    assert read(sharpness=0, adm_guidance="(1.0, 1.0, 0.3)").remarks == ()


def test_a_refiner_and_loras_in_the_older_form():
    params = read(
        refiner_model="r.safetensors",
        refiner_model_hash="AB12",
        refiner_switch=0.6,
        loras=[],
        lora_combined_1="ink, v2.safetensors : 0.5",
        lora_combined_2="None : 1.0",
    )
    assert params.refiner == Refiner(UsedModel("r.safetensors", "ab12"), 0.6)
    assert params.loras[0] == UsedLora("ink, v2.safetensors", 0.5, 0.5)


def test_the_log_has_labels():
    params = fooocus.read(
        {
            "Prompt": "a pony",
            "Negative Prompt": "blurry",
            "Styles": "['Fooocus V2']",
            "Performance": "Extreme Speed",
            "Resolution": "(1152, 896)",
            "Guidance Scale": 3,
            "Base Model": "starter.safetensors",
            "Refiner Model": "None",
            "Sampler": "lcm",
            "Scheduler": "lcm",
            "Seed": "9223372036854775807",
            "LoRA 1": "ink.safetensors : 0.1",
            "Version": "v2.1.865",
        },
        {},
    )
    assert (params.prompt, params.negative) == ("a pony", "blurry")
    assert (params.width, params.height, params.steps) == (1152, 896, 8)
    assert (params.seed, params.cfg) == (2**63 - 1, 3.0)
    assert params.loras == (UsedLora("ink.safetensors", 0.1, 0.1),)
    # Words of styles were not written down, and such a schedule is none of ours.
    assert len(params.remarks) == 2
    assert "styles ['Fooocus V2']" in params.remarks[0] + params.remarks[1]
    assert "the schedule lcm is not known here" in params.remarks[0] + params.remarks[1]


def test_a1111s_text_keeps_comfyuis_rules():
    params = params_of(foreign.FOOOCUS_TEXT)
    assert (params.program, params.rules, params.noise) == ("Fooocus", "comfyui", "cpu")
    assert params.loras == (UsedLora("ink", 0.7, 0.7, "7a20e4c91f"),)
    assert (params.sampler, params.scheduler) == ("dpmpp_2m_sde", "karras")
    assert [remark.split()[1] for remark in params.remarks] == ["sharpness", "guidance"]


def test_values_of_other_kinds_are_left_out():
    for value in (None, [], {}, "x" * 3000, -1, 1e999, True, [[[]]], [["a"]], {"a": 1}):
        for name in foreign.FOOOCUS:
            params = read(**{name: value})
            assert params is None or params.steps > 0
