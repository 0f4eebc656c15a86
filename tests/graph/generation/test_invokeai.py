"""InvokeAI's metadata, old and new, and the oldest's command line."""

from __future__ import annotations

import pytest

from helpers import foreign_pictures as foreign
from ponystudio.graph.generation import invokeai
from ponystudio.graph.generation.generation_params import UsedLora, UsedModel


def read(**said):
    return invokeai.read({**foreign.INVOKE, **said}, {})


def test_metadata():
    params = read()
    assert (params.program, params.version) == ("InvokeAI", "5.6.0")
    assert params.prompt == "a (pony:1.21) (small hat:1.3) embedding:bad-hands"
    assert (params.negative, params.dialect) == ("(blurry:0.9)", "comfyui")
    assert params.model == UsedModel("starter")
    assert params.other == {"Model hash": "blake3:1"}
    assert params.loras == (UsedLora("ink", 0.7, 0.7),)
    assert (params.sampler, params.scheduler) == ("euler", "karras")
    assert (params.rules, params.noise) == ("comfyui", "cpu")
    assert (params.seed, params.steps, params.cfg) == (77, 25, 6.5)
    assert (params.width, params.height, params.clip_skip) == (512, 768, 0)
    assert params.remarks == ()


@pytest.mark.parametrize(
    ("scheduler", "sampler", "schedule", "eta", "told"),
    [
        ("ddim", "ddim", "ddim_uniform", None, 0),
        ("euler_a", "euler_ancestral", "ddim_uniform", None, 1),
        ("dpmpp_2s_k", "dpmpp_2s_ancestral", "karras", 0.0, 0),
        ("dpmpp_2m_sde_k", "dpmpp_2m_sde", "karras", None, 1),
        ("kdpm_2_a_k", "dpm_2_ancestral", "karras", None, 1),
        ("unipc", "uni_pc", "ddim_uniform", None, 0),
        ("pndm", "ipndm", "ddim_uniform", None, 1),
        ("new_one", "euler", "ddim_uniform", None, 1),
    ],
)
def test_schedulers(scheduler, sampler, schedule, eta, told):
    params = read(scheduler=scheduler)
    assert (params.sampler, params.scheduler, params.eta) == (sampler, schedule, eta)
    assert len(params.remarks) == told
    assert all(scheduler in remark for remark in params.remarks)


def test_a_model_of_flow_has_guidance_and_text_encoders():
    params = read(
        generation_mode="flux_txt2img",
        guidance=4.0,
        model={"name": "FLUX dev", "base": "flux", "type": "main"},
        clip_embed_model={"name": "clip-l"},
        t5_encoder={"name": "t5"},
        vae={"name": "ae"},
        scheduler="euler",
    )
    assert (params.scheduler, params.guidance, params.family) == ("auto", 4.0, "flux")
    assert params.text_encoders == (UsedModel("clip-l"), UsedModel("t5"))
    assert params.vae == UsedModel("ae")


def test_a_refiner_a_second_pass_and_a_picture():
    params = read(
        refiner_model={"model_name": "refiner"},
        refiner_start=0.7,
        hrf_enabled=True,
        hrf_strength=0.35,
        hrf_method="ESRGAN",
    )
    assert (params.refiner.model, params.refiner.switch_at) == (UsedModel("refiner"), 0.7)
    assert (params.hires.scale, params.hires.denoise) == (2.0, 0.35)
    assert params.hires.upscaler
    over = read(generation_mode="img2img", init_image="a.png", strength=0.6).source
    assert (over.file, over.denoise, over.masked) == ("a.png", 0.6, False)
    assert read(generation_mode="inpaint").source.masked


def test_what_changes_the_picture_and_is_not_done_is_told():
    params = read(
        controlnets=[{}], seamless_x=True, positive_style_prompt="", clip_skip=1, rand_device="cuda"
    )
    assert params.remarks[:2] == (
        "left out: InvokeAI's ControlNets",
        "left out: InvokeAI's seamless x on",
    )
    assert "graphics card" in params.remarks[2]
    assert (params.clip_skip, params.noise, params.threads) == (2, "nvidia", None)
    assert "blend" in read(positive_prompt='("a", "b").blend(1, 1)').remarks[0]


def test_the_older_metadata_and_the_oldest_command_line():
    params = invokeai.read(foreign.INVOKE_OLD, {})
    assert (params.prompt, params.negative) == ("a (pony:1.21)", "blurry")
    assert (params.model, params.version) == (UsedModel("starter"), "2.3.5")
    for text in (foreign.DREAM, '"a pony [blurry]" -s25 -S77 -W512 -H768 -C6.5 -Ak_euler -F'):
        params = invokeai.read_dream(text)
        assert (params.prompt, params.negative) == ("a pony", "blurry")
        assert (params.seed, params.steps, params.cfg) == (77, 25, 6.5)
        assert (params.width, params.height, params.sampler) == (512, 768, "euler")
    for text in ("", '"a pony"', '"a pony" -s 3', "a pony -s 3 -S 4", '"' * 30_000):
        assert invokeai.read_dream(text) is None


def test_values_of_other_kinds_are_left_out():
    for value in (None, [], {}, "x" * 3000, -1, 1e999, True, [[[]]], [{"a": 1}], {"a": 1}):
        for name in foreign.INVOKE:
            params = read(**{name: value})
            assert params is None or params.steps > 0
        for name in foreign.INVOKE_OLD["image"]:
            image = {**foreign.INVOKE_OLD["image"], name: value}
            assert invokeai.read({**foreign.INVOKE_OLD, "image": image}, {}).steps > 0
