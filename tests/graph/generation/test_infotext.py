from __future__ import annotations

import random
from dataclasses import replace

import pytest

from helpers.paths import DATA, needs_data
from ponystudio.graph.generation.generation_graph import graph_of
from ponystudio.graph.generation.generation_params import (
    GenerationParams,
    Refiner,
    SecondPass,
    Source,
    UsedLora,
    UsedModel,
)
from ponystudio.graph.generation.infotext import MOST_REMARKS, looks_like, read
from ponystudio.graph.generation.infotext_grammar import Infotext, compose
from ponystudio.graph.generation.infotext_writer import write
from ponystudio.pictures.picture_reader import read_fields

LINE = "Steps: 20, Sampler: Euler a, CFG scale: 7, Seed: 5, Size: 512x768, Model: m"


def said(more: str, prompt: str = "a pony", version: str = "v1.10.1") -> GenerationParams:
    return read(f"{prompt}\n{LINE}, {more}, Version: {version}")


def test_a_plain_text():
    params = read(f"a pony\nNegative prompt: bad\n{LINE}")
    assert params == GenerationParams(
        program="A1111",
        prompt="a pony",
        negative="bad",
        model=UsedModel("m"),
        sampler="euler_ancestral",
        scheduler="normal",
        steps=20,
        cfg=7.0,
        seed=5,
        width=512,
        height=768,
        rules="a1111",
        noise="nvidia",
        threads=None,
    )


@needs_data
def test_a_text_written_by_a1111():
    params = read(read_fields(DATA / "pictures" / "automatic1111_cropped.png")["parameters"])
    assert (params.prompt, params.negative) == ("photo of a duck", "monochrome")
    assert (params.steps, params.sampler, params.seed) == (15, "uni_pc", 235284042)
    assert (params.width, params.height) == (512, 400)
    assert params.model == UsedModel("realistic_realisticVisionV20_v20", "c0d1994c73")


def test_what_is_such_a_text():
    assert looks_like(f"a\n{LINE}")
    for text in ("", "a pony", '{"steps": 3}', "one: 1, two: 2, three: 3", "Steps: 3, Sampler: x"):
        assert not looks_like(text)


# Of every field: the text, and what it makes of the params; a text for a remark that names it.
TABLE = {
    "RNG: CPU": {"noise": "cpu", "threads": 0},
    "RNG: NV": {"noise": "nvidia", "threads": 0},
    "RNG: GPU": {"noise": "nvidia", "threads": None},
    "Variation seed: 9, Variation seed strength: 0.25": {"variation_seed": 9, "variation": 0.25},
    "Seed resize from: 512x512": {"resize_from": (512, 512)},
    "ENSD: 31337": {"seed_offset": 31337},
    "Eta: 0.5": {"eta": 0.5},
    "SGM noise multiplier: True": {"details.scaled_start": True},
    "Quantize: True": {"details.quantized": True},
    "Schedule type: Karras": {"scheduler": "karras"},
    "Schedule type: Uniform": {"scheduler": "normal"},
    "Schedule type: SGM Uniform": {"scheduler": "sgm_uniform"},
    "Schedule type: Exponential": {"scheduler": "exponential"},
    "Schedule type: Polyexponential": {"scheduler": "polyexponential"},
    "Schedule type: KL Optimal": {"scheduler": "kl_optimal"},
    "Schedule type: Align Your Steps": {"scheduler": "align_your_steps"},
    "Schedule type: Simple": {"scheduler": "simple"},
    "Schedule type: DDIM": {"scheduler": "ddim_uniform"},
    "Schedule type: Beta": {"scheduler": "beta"},
    "Schedule max sigma: 14, Schedule min sigma: 0.1, Schedule rho: 6": {
        "details.sigma_max": 14.0,
        "details.sigma_min": 0.1,
        "details.rho": 6.0,
    },
    "Discard penultimate sigma: True": {"details.discard": True},
    "Downcast alphas_cumprod: True": {"details.half_alphas": True},
    "Noise Schedule: Zero Terminal SNR": {"details.zero_snr": True},
    "Clip skip: 2": {"clip_skip": 2},
    "Clip skip: 1": {"clip_skip": 0},
    "Emphasis: No norm": "Emphasis",
    "Emphasis: Original": {},
    "Hires upscale: 1.5, Hires upscaler: Latent (nearest-exact), Denoising strength: 0.4": {
        "hires": SecondPass(1.5, method="nearest-exact", denoise=0.4)
    },
    "Hires resize: 1024x1536, Hires upscaler: 4x-UltraSharp, Hires steps: 10": {
        "hires": SecondPass(
            width=1024,
            height=1536,
            space="picture",
            method="lanczos",
            upscaler=UsedModel("4x-UltraSharp"),
            steps=10,
        )
    },
    "Hires upscale: 2, Hires upscaler: R-ESRGAN 4x+ Anime6B": {
        "hires": SecondPass(
            2.0,
            space="picture",
            method="lanczos",
            upscaler=UsedModel("realesrgan-x4plus-anime"),
        )
    },
    "First pass size: 512x384, Denoising strength: 0.5": {
        "width": 512,
        "height": 384,
        "hires": SecondPass(width=512, height=768, denoise=0.5),
    },
    "Denoising strength: 0.6": {"source": Source(denoise=0.6)},
    "Denoising strength: 0.6, Mask blur: 4, Resize mode: Crop and resize": {
        "source": Source(denoise=0.6, masked=True, mask_blur=4.0, crop=True)
    },
    "Denoising strength: 1, Mask mode: Inpaint not masked": {
        "source": Source(denoise=1.0, masked=True, inverted=True)
    },
    "Denoising strength: 0.6, Masked content: fill": "Masked content",
    "Refiner: sd_xl_refiner_1.0 [7440042bbd], Refiner switch at: 0.7": {
        "refiner": Refiner(UsedModel("sd_xl_refiner_1.0", "7440042bbd"), 0.7)
    },
    "Refiner: r, Schedule type: Karras": "The refiner takes over",
    "Refiner: r, Schedule type: Karras, Refiner switch by sampling steps: True": {
        "refiner": Refiner(UsedModel("r"), 0.8)
    },
    "Model hash: 67ab2fd8ec": {"model": UsedModel("m", "67ab2fd8ec")},
    "VAE: clear.pt, VAE hash: 0123456789": {"vae": UsedModel("clear.pt", "0123456789")},
    'TI hashes: "bad: 0123456789, a, b: 9876543210"': {
        "embeddings": {"bad": "0123456789", "a, b": "9876543210"}
    },
    'Hashes: {"model": "67ab2fd8ec", "vae": "01", "embed:bad": "02"}': {
        "model": UsedModel("m", "67ab2fd8ec"),
        "vae": UsedModel("", "01"),
        "embeddings": {"bad": "02"},
    },
    "Hypernet: style, Hypernet strength: 0.5, Hypernet hash: 0123": {
        "hypernetworks": (UsedLora("style", 0.5, 0.5, "0123"),)
    },
    "Sigma noise: 1.01": {"s_noise": 1.01},
    "Distilled CFG Scale: 3.5, RNG: NV": {"guidance": 3.5},
    'Module 1: ae, Module 2: "clip_l, x", Module 3: t5xxl, RNG: CPU': {
        "vae": UsedModel("ae"),
        "text_encoders": (UsedModel("clip_l, x"), UsedModel("t5xxl")),
        "family": "flux",
    },
    "Face restoration: CodeFormer": "Face restoration",
    "ControlNet 0: x": "ControlNet 0",
    "NGMS: 4": "NGMS",
    "Tiling": "Tiling",
    "Schedule type: Odd": "Schedule type",
    "Hires upscale: 2, Hires upscaler: Latent (bicubic antialiased)": "Hires upscaler",
    "Steps count: 3": "Steps count",
    "Clip skip: many": "Clip skip",
    "User: me, Created Date: 2024": {},
}


@pytest.mark.parametrize("text", TABLE)
def test_every_field_lands_or_is_named(text):
    wanted, params = TABLE[text], said(text)
    if isinstance(wanted, str):
        assert any(remark.startswith(wanted) for remark in params.remarks)
        assert wanted in (*params.other, "The refiner takes over")
        return
    for path, value in wanted.items():
        found = params
        for name in path.split("."):
            found = getattr(found, name)
        assert found == value
    # What is said of the noise of second passes has a test of its own.
    assert not [text for text in params.remarks if "graphics card" not in text]


@pytest.mark.parametrize("text", TABLE)
def test_what_is_read_and_written_is_read_the_same(text):
    params = said(text, "<lora:a:0.5:1> a, b <hypernet:h:0.3>")
    assert read(write(params)) == params


@pytest.mark.parametrize(
    ("text", "version", "sampler", "scheduler"),
    [
        ("DPM++ 2M Karras", "v1.6.0", "dpmpp_2m", "karras"),
        ("DPM++ 2M SDE Heun Exponential", "v1.8.0", "dpmpp_2m_sde_heun", "exponential"),
        ("DPM++ 2M", "v1.8.0", "dpmpp_2m", "normal"),
        ("DPM++ 2M", "v1.9.0", "dpmpp_2m", "auto"),
        ("DPM++ 3M SDE, Schedule type: Automatic", "v1.10.1", "dpmpp_3m_sde", "auto"),
        ("Euler, Schedule type: Automatic", "v1.10.1", "euler", "auto"),
        ("DPM2 a Karras", "", "dpm_2_ancestral", "karras"),
        ("euler_a", "stable-diffusion.cpp", "euler_ancestral", "normal"),
        ("dpm++2m, Scheduler: karras", "stable-diffusion.cpp", "dpmpp_2m", "karras"),
        ("dpmpp_2m_sde_gpu, Schedule type: karras", "ComfyUI", "dpmpp_2m_sde_gpu", "karras"),
    ],
)
def test_samplers_and_their_schedules(text, version, sampler, scheduler):
    params = read(f"a\nSteps: 2, Sampler: {text}, Seed: 1, Size: 64x64, Version: {version}")
    assert (params.sampler, params.scheduler) == (sampler, scheduler)
    again = read(write(params))
    assert (again.sampler, again.scheduler) == (sampler, scheduler)


def test_an_unknown_sampler_is_told():
    params = read("a\nSteps: 2, Sampler: Restart, Seed: 1, Size: 64x64")
    assert params.sampler == "euler"
    assert params.remarks == ("Sampler: Restart is not known here: Euler in its place",)
    assert read(write(params)) == params


def test_whose_text_it_is():
    programs = {
        "v1.6.0": ("A1111", "a1111", "nvidia"),
        "f2.0.1v1.10.1-previous-659": ("Forge", "a1111", "nvidia"),
        "stable-diffusion.cpp": ("stable-diffusion.cpp", "a1111", "nvidia"),
        "ComfyUI": ("ComfyUI", "comfyui", "cpu"),
        "PonyStudio 0.1.0": ("PonyStudio", "comfyui", "cpu"),
    }
    for version, wanted in programs.items():
        params = said("Clip skip: 2", version=version)
        assert (params.program, params.rules, params.noise) == wanted
        assert read(write(params)) == params
    assert said("Clip skip: 2", version="ComfyUI").dialect == "comfyui"
    assert said("Prompt dialect: comfyui", version="PonyStudio 1").dialect == "comfyui"


def test_old_versions_had_coarser_levels():
    assert said("RNG: CPU", version="v1.6.0").details.half_alphas
    assert said("RNG: CPU", version="1.7.0-133-gde03882d").details.half_alphas
    for version in ("v1.7.0-225-g0", "v1.10.1", "ComfyUI", "f2.0.1v1.10.1"):
        assert not said("RNG: CPU", version=version).details.half_alphas


def test_loras_are_taken_out_of_the_prompt_with_nothing_else():
    text = "a, <lora:mane:0.8>, b BREAK c [d:e:.5] <lora:hat:te=0.5:unet=1> <lyco:x>"
    params = said('Lora hashes: "mane: 0123456789ab, x: AB"', text)
    assert params.prompt == "a, , b BREAK c [d:e:.5]"
    assert params.loras == (
        UsedLora("mane", 0.8, 0.8, "0123456789ab"),
        UsedLora("hat", 1.0, 0.5),
        UsedLora("x", hash="ab"),
    )
    assert read(write(params)) == params


def test_resources_of_a_site():
    more = (
        'Civitai resources: [{"type":"checkpoint","modelVersionId":290640,"modelName":"Pony, '
        'Diffusion","modelVersionName":"V6"},{"type":"lora","weight":0.8,"modelVersionId":7,'
        '"modelName":"Mane: 2"},{"type":"embed","modelVersionId":250712,"modelName":"safe"}],'
        " Civitai metadata: {}"
    )
    params = read(f"a\nSteps: 3, Sampler: Euler a, Seed: 1, Size: 64x64, {more}")
    assert params.model.name == "Pony, Diffusion V6"
    assert params.model.url == "https://civitai.com/model-versions/290640"
    assert params.loras == (
        UsedLora("Mane 2", 0.8, 0.8, url="https://civitai.com/model-versions/7"),
    )
    assert params.remarks == ()
    assert read(write(params)) == params
    models = graph_of(params).graph.models
    assert models["Mane 2"]["url"].endswith("/7")


def test_the_extension_that_applied_loras_first():
    more = "AddNet Enabled: True, AddNet Module 1: LoRA, AddNet Model 1: mane(0123456789ab)"
    params = said(f"{more}, AddNet Weight A 1: 0.7, AddNet Weight B 1: 0.5")
    assert params.loras == (UsedLora("mane", 0.7, 0.5, "0123456789ab"),)


def test_large_noise_of_an_unknown_card_is_told():
    large = "a\nSteps: 2, Sampler: Euler, Seed: 1, Size: 1024x1024"
    assert "graphics card" in read(large).remarks[0]
    assert read(f"{large}, RNG: NV").remarks == ()
    assert read(f"a\n{LINE}").remarks == ()
    small = "a\nSteps: 2, Sampler: Euler, Seed: 1, Size: 512x512, Denoising strength: 0.5"
    assert "graphics card" in read(f"{small}, Hires upscale: 2, Hires upscaler: Latent").remarks[0]


def test_seeds_have_64_bits_and_others_are_told():
    most = "a\nSteps: 2, Sampler: Euler, Size: 512x512, Seed: 18446744073709551615"
    assert (read(most).seed, read(most).remarks) == (2**64 - 1, ())
    more = read(most.replace("51615", "51617"))
    assert more.seed == 1
    assert "18446744073709551617" in more.remarks[0]


def test_tags_of_the_second_pass_are_told():
    second = "Hires upscale: 1, Hires prompt: {}, RNG: CPU"
    (remark,) = said(second.format('"b, <lora:z:0.5>"')).remarks
    assert "Hires prompt" in remark
    assert said(second.format("b")).remarks == ()


def test_the_layer_may_be_counted_down():
    assert said("Clip skip: -2").clip_skip == said("Clip skip: 2").clip_skip == 2


def test_a_first_pass_of_no_size_is_as_large_as_its_version_made_it():
    old = "a\nSteps: 2, Sampler: Euler, Seed: 1, Denoising strength: 0.7, First pass size: 0x0"
    for size, first in (("1024x1024", (512, 512)), ("1024x1536", (448, 640))):
        params = read(f"{old}, Size: {size}")
        assert (params.width, params.height) == first
        assert params.source is None
        assert params.hires is not None
        assert f"{params.hires.width}x{params.hires.height}" == size


def test_remarks_are_bounded():
    many = ", ".join(f"Field {number}: {'x' * 500}" for number in range(200))
    params = said(many)
    assert len(params.remarks) == MOST_REMARKS + 1
    assert max(map(len, params.remarks)) < 200
    assert len(params.other) >= 200


def test_hires_sides_that_follow():
    assert SecondPass(width=1024).size(512, 768) == (1024, 1536)
    assert SecondPass(height=1024).size(512, 768) == (682, 1024)
    assert SecondPass(1.5).size(513, 768) == (769, 1152)
    assert SecondPass(1e300).size(512, 512) == (51200, 51200)


PROMPTS = (
    *("a pony", "(mane:1.2)", "BREAK", "AND", "[a:b:.5]", "[a|b]", "<lora:x y:0.8>", "小马", '"'),
    *("<lora:x y:0.25:1>", "<hypernet:h:0.5>", "\n", ", ", "\\(a\\)", "# b", "{a|b}", "<lora:a:b>"),
)


def texts() -> list[str]:
    """Two hundred of them, of all that the grammar and the table have."""
    chosen, found = random.Random(10), []
    for number in range(200):
        prompts = [" ".join(chosen.choices(PROMPTS, k=chosen.randint(0, 7))) for _ in range(2)]
        parts = Infotext(prompts[0].strip(), prompts[1].strip(), {})
        lines = [compose(parts)] if any(parts[:2]) else []
        fields = [LINE, *chosen.sample(list(TABLE), chosen.randint(0, 6))]
        if chosen.random() < 0.5:
            fields.append('Lora hashes: "x y: 0123456789ab"')
        if version := chosen.choice(("", "v1.6.0", "v1.10.1", "f2.0.1", "ComfyUI", "PonyStudio 1")):
            fields.append(f"Version: {version}")
        gap = " " if number % 5 == 0 and "#" not in "".join(prompts) else "\n"
        found.append(gap.join([*lines, ", ".join(fields)]))
    return found


@pytest.mark.parametrize("text", texts())
def test_any_text_is_read_written_and_read_the_same(text):
    params = read(text)
    again = read(write(params))
    # That a LoRA has no weight is told but once: it is written with one.
    weightless = [remark for remark in params.remarks if "no weight is said" in remark]
    kept = tuple(remark for remark in params.remarks if remark not in weightless)
    assert again == replace(params, remarks=kept)
    graph_of(params)
