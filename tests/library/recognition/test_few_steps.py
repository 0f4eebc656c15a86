"""Which models make a picture in few steps, and with what."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from helpers import checkpoints
from ponystudio.diffusion.sampling.names import SAMPLERS, SCHEDULES
from ponystudio.library.recognition.few_steps import distilled, few_steps
from ponystudio.library.recognition.model_file import ModelFile
from ponystudio.library.recognition.recognise import recognise


def told(name: str, family: str = "sdxl", kind: str = "lora", **more: object):
    return few_steps(ModelFile(Path(f"/m/{name}"), "safetensors", kind, family, **more))


# What their makers call them, with what their cards say.
PUBLISHED = {
    "lcm-lora-sdxl": ("LCM", 4, "lcm", "sgm_uniform", 1.0),
    "LCM_LoRA_Weights_SD15": ("LCM", 4, "lcm", "sgm_uniform", 1.0),
    "sdxl_lightning_8step_lora": ("Lightning", 8, "euler", "sgm_uniform", 1.0),
    "sdxl_lightning_2step": ("Lightning", 2, "euler", "sgm_uniform", 1.0),
    "Hyper-SDXL-4steps-lora": ("Hyper", 4, "ddim", "simple", 1.0),
    "Hyper-SDXL-1step-lora": ("Hyper", 1, "tcd", "simple", 1.0),
    "Hyper-SD15-12steps-CFG-lora": ("Hyper", 12, "ddim", "simple", 5.0),
    "dmd2_sdxl_4step_lora_fp16": ("DMD2", 4, "lcm", "simple", 1.0),
    "TCD-SDXL-LoRA": ("TCD", 4, "tcd", "simple", 1.0),
    "pcm_sdxl_smallcfg_2step_converted": ("PCM", 2, "ddim", "simple", 1.5),
    "pcm_sd15_normalcfg_8step_converted": ("PCM", 8, "ddim", "simple", 5.0),
    "pcm_sdxl_lcmlike_lora_converted": ("PCM", 4, "lcm", "sgm_uniform", 1.0),
    "sd_xl_turbo_1.0_fp16": ("Turbo", 1, "euler_ancestral", "simple", 1.0),
    "ponyDiffusionV6XL_v6TurboDPOMerge": ("Turbo", 12, "euler_ancestral", "auto", 2.5),
    "DreamShaperXL_Turbo_v2": ("Turbo", 7, "dpmpp_sde", "karras", 2.0),
}


@pytest.mark.parametrize("name", PUBLISHED)
def test_published_models_are_sampled_as_their_cards_say(name: str) -> None:
    few = told(f"{name}.safetensors", kind="checkpoint" if "Turbo" in name else "lora")
    assert few is not None
    assert (few.method, few.steps, few.sampler, few.scheduler, few.cfg) == PUBLISHED[name]
    assert few.sampler in SAMPLERS
    assert few.scheduler in SCHEDULES
    assert few.why == "its name says"


OTHERS = ("ponyDiffusionV6XL", "lightningBolt_style", "hyperrealism_v2", "turbofan", "filmcam")


@pytest.mark.parametrize("name", OTHERS)
def test_others_are_not(name: str) -> None:
    assert told(f"{name}.safetensors") is None


def test_flow_models_have_samplers_of_their_own() -> None:
    hyper = told("Hyper-FLUX.1-dev-8steps-lora.safetensors", "flux")
    assert (hyper.steps, hyper.sampler, hyper.scheduler, hyper.cfg) == (8, "euler", "auto", 1.0)
    assert told("sd3.5_large_turbo.safetensors", "sd3", "checkpoint").steps == 4
    schnell = told("model.safetensors", "flux", "diffusion_model")
    assert (schnell.method, schnell.steps) == ("schnell", 4)
    assert told("model.safetensors", "flux", "diffusion_model", guided=True) is None


def test_what_a_file_says_of_itself_counts() -> None:
    few = told("b.safetensors", metadata={"modelspec.title": "SDXL Lightning, 4-step LoRA"})
    assert (few.method, few.steps) == ("Lightning", 4)
    assert few.why == "its file says"
    assert told("b.safetensors", metadata={"ss_output_name": "my_dmd2"}).method == "DMD2"


def test_what_else_they_are_named_is_no_model_of_few_steps() -> None:
    assert told("lcm.safetensors", kind="vae") is None


def test_layers_and_settings_of_its_own_go_first(tmp_path: Path) -> None:
    assert distilled(["model.diffusion_model.time_embed.cond_proj.weight"], {}) == "LCM"
    assert distilled(["time_embedding.cond_proj.weight"], {}) == "LCM"
    assert distilled([], {"_class_name": "TCDScheduler"}) == "TCD"
    assert distilled(["add_embedding.linear_1.weight"], {"_class_name": "DDIMScheduler"}) == ""
    weights = {name: value.clone() for name, value in checkpoints.weights().items()}
    weights["model.diffusion_model.time_embed.cond_proj.weight"] = torch.zeros(32, 8)
    save_file(weights, tmp_path / "plain.safetensors")
    few = few_steps(recognise(tmp_path / "plain.safetensors"))
    assert few.method == "LCM"
    assert few.why == "its own layers or settings say"
