"""SwarmUI's JSON."""

from __future__ import annotations

from helpers import foreign_pictures as foreign
from ponystudio.graph.generation import swarmui
from ponystudio.graph.generation.generation_params import UsedLora, UsedModel


def read(**said):
    params = foreign.SWARM["sui_image_params"]
    return swarmui.read({**foreign.SWARM, "sui_image_params": {**params, **said}}, {})


def test_a_picture_from_words():
    params = read()
    assert (params.program, params.version) == ("SwarmUI", "0.9.8.1")
    assert (params.prompt, params.negative, params.dialect) == ("a pony", "blurry", "comfyui")
    assert params.model == UsedModel("starter.safetensors", "9f31c2d07a55")
    # Named in the list and in the prompt, it is one.
    assert params.loras == (UsedLora("ink", 0.7, 0.7),)
    assert (params.sampler, params.scheduler) == ("euler_ancestral", "karras")
    assert (params.seed, params.steps, params.cfg) == (77, 25, 6.5)
    assert (params.width, params.height) == (512, 768)
    assert params.remarks == ("SwarmUI's <segment:…> is left out",)
    assert params.other == {"date": "2026-11-01"}


def test_what_prompts_say_in_brackets():
    params = read(
        prompt="a <embed:bad-hands> pony<comment:of mine>, <random:a,b> <lora:other:0.5:0.25>",
        loras=[],
    )
    assert params.prompt == "a embedding:bad-hands pony,"
    assert params.loras == (UsedLora("other", 0.25, 0.5),)
    assert params.remarks == ("SwarmUI's <random:…> is left out",)


def test_defaults_that_it_does_not_write():
    params = read(sampler=None, scheduler=None)
    assert (params.sampler, params.scheduler) == ("euler", "normal")
    flux = read(sampler=None, scheduler=None, fluxguidancescale=3.5)
    assert (flux.scheduler, flux.guidance) == ("simple", 3.5)
    odd = read(sampler="wild", scheduler="wilder")
    assert (odd.sampler, odd.scheduler) == ("euler", "auto")
    assert odd.remarks[-2:] == (
        "the sampler wild is not known here: it is euler now",
        "the schedule wilder is not known here: it is the model's own now",
    )


def test_steps_over_a_picture_are_counted_as_it_does():
    params = read(initimage="(picture)", initimagecreativity=0.6, steps=20)
    assert (params.steps, params.source.counted) == (12, "done")
    assert int(params.steps / params.source.denoise) == 20


def test_refining_is_a_second_pass_or_a_second_model():
    again = read(
        refinercontrolpercentage=0.4,
        refinermethod="PostApply",
        refinerupscale=1.5,
        refinerupscalemethod="model-4x_ink.pth",
    ).hires
    assert (again.scale, again.denoise, again.steps, again.seed) == (1.5, 0.4, 10, 78)
    assert again.upscaler == UsedModel("4x_ink.pth")
    latent = read(
        refinercontrolpercentage=0.4, refinerupscale=2, refinerupscalemethod="latent-bislerp"
    ).hires
    assert (latent.space, latent.method) == ("latent", "bislerp")
    other = read(
        refinercontrolpercentage=0.2, refinermethod="StepSwap", refinermodel="r.safetensors"
    )
    assert other.hires is None
    assert other.refiner.model == UsedModel("r.safetensors")
    assert other.refiner.switch_at == 0.8


def test_what_no_node_says_is_told_by_name():
    assert read(zeronegative=True, teacache="auto").remarks[1:] == (
        "SwarmUI's teacache auto is left out",
        "SwarmUI's zeronegative on is left out",
    )


def test_values_of_other_kinds_are_left_out():
    for value in (None, [], {}, "x" * 3000, -1, 1e999, True, [[[]]], [{"a": 1}]):
        for name in foreign.SWARM["sui_image_params"]:
            assert read(**{name: value}).steps > 0
    assert swarmui.read({"sui_image_params": []}, {}) is None
    assert swarmui.read({"sui_image_params": {}, "sui_models": [[], {"name": 3}]}, {}) is not None
