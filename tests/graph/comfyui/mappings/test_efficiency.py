"""Efficiency Nodes, in both forms, each with the whole graph that they come to."""

from __future__ import annotations

import pytest

from helpers.comfyui_graphs import api, told, ui, written_out
from ponystudio.graph.comfyui.importer import import_document

LOADED = [
    *("a.safetensors", "Baked VAE", -1, "None", 1, 1, "a pony", "bad", "none", "comfy"),
    *(512, 768, 2),
]
NAMES = (
    *("ckpt_name", "vae_name", "clip_skip", "lora_name", "lora_model_strength"),
    *("lora_clip_strength", "positive", "negative", "token_normalization"),
    *("weight_interpretation", "empty_latent_width", "empty_latent_height", "batch_size"),
)
# The loader's outputs, by the names of the sampler's inputs.
WIRES = {"model": (1, 0), "positive": (1, 1), "negative": (1, 2), "latent_image": (1, 3),
         "optional_vae": (1, 4)}  # fmt: skip
SAMPLED = [7, None, 20, 7.5, "euler", "normal", 1, "auto", "true"]
SAMPLING = {
    "seed": 7, "steps": 20, "cfg": 7.5, "sampler_name": "euler", "scheduler": "normal",
    "denoise": 1, "preview_method": "auto", "vae_decode": "true",
}  # fmt: skip


def prompt(text, dialect="comfyui", skip=1, clip="load_checkpoint_1.clip"):
    params = {"text": text, "dialect": dialect, "clip_skip": skip, "empty": "encode"}
    return ("core.encode_prompt", params, {"clip": clip})


LOADER = {
    "load_checkpoint_1": ("core.load_checkpoint", {"file": "a.safetensors"}, {}),
    "encode_prompt_1_positive": prompt("a pony"),
    "encode_prompt_1_negative": prompt("bad"),
    "empty_latent_1_latent": ("core.empty_latent", {"width": 512, "height": 768, "batch": 2}, {}),
}
SAMPLER = {
    "sample_2": (
        "core.sample",
        {
            "seed": 7, "steps": 20, "cfg": 7.5, "sampler": "euler", "scheduler": "normal",
            "denoise": 1,
        },
        {
            "model": "load_checkpoint_1.model",
            "positive": "encode_prompt_1_positive.conditioning",
            "negative": "encode_prompt_1_negative.conditioning",
            "latent": "empty_latent_1_latent.latent",
        },
    ),
    "decode_latent_2_image": (
        "core.decode_latent",
        {},
        {"latent": "sample_2.latent", "vae": "load_checkpoint_1.vae"},
    ),
}  # fmt: skip


@pytest.mark.parametrize(
    "document",
    [
        ui(
            n1=("Efficient Loader", LOADED),
            n2=("KSampler (Efficient)", SAMPLED, WIRES),
            n3=("SaveImage", ["pony"], {"images": (2, 5)}),
        ),
        api(
            n1=("Efficient Loader", dict(zip(NAMES, LOADED, strict=True))),
            n2=("KSampler (Efficient)", {**SAMPLING, **WIRES}),
            n3=("SaveImage", {"filename_prefix": "pony", "images": (2, 5)}),
        ),
    ],
    ids=("ui", "api"),
)
def test_the_loader_and_the_sampler(document):
    assert written_out(document) == {
        **LOADER,
        **SAMPLER,
        "save_image_3": (
            "core.save_image",
            {"prefix": "pony"},
            {"image": "decode_latent_2_image.image"},
        ),
    }
    assert told(document) == []


def test_a_picture_that_nothing_takes_is_shown():
    document = ui(n1=("Efficient Loader", LOADED), n2=("KSampler (Efficient)", SAMPLED, WIRES))
    assert written_out(document) == {
        **LOADER,
        **SAMPLER,
        "preview_image_2_shown": (
            "core.preview_image",
            {},
            {"image": "decode_latent_2_image.image"},
        ),
    }


def test_what_was_given_passes_on_to_a_second_sampler():
    again = {"model": (2, 0), "positive": (2, 1), "negative": (2, 2), "latent_image": (2, 3),
             "optional_vae": (2, 4)}  # fmt: skip
    document = ui(
        n1=("Efficient Loader", LOADED),
        n2=("KSampler (Efficient)", [*SAMPLED[:-1], "false"], WIRES),
        n3=("KSampler (Efficient)", [*SAMPLED[:6], 0.5, "auto", "true (tiled)"], again),
    )
    found = written_out(document)
    assert found["sample_3"][1]["denoise"] == 0.5
    assert found["sample_3"][2] == {**SAMPLER["sample_2"][2], "latent": "sample_2.latent"}
    assert found["decode_latent_3_image"] == (
        "core.decode_latent",
        {"tile": 512},
        {"latent": "sample_3.latent", "vae": "load_checkpoint_1.vae"},
    )
    assert "decode_latent_2_image" not in found


def test_the_advanced_sampler():
    values = ["enable", 7, "fixed", 20, 7.5, "euler", "normal", 0, 10, "disable", "auto", "false"]
    document = ui(n1=("Efficient Loader", LOADED), n2=("KSampler Adv. (Efficient)", values, WIRES))
    assert written_out(document) == {
        **LOADER,
        "sample_steps_2": (
            "core.sample_steps",
            {
                "seed": 7, "steps": 20, "cfg": 7.5, "sampler": "euler", "scheduler": "normal",
                "add_noise": True, "start": 0, "end": 10, "leftover": False,
            },
            SAMPLER["sample_2"][2],
        ),
    }  # fmt: skip


def test_a_loader_with_a_vae_a_lora_a_stack_and_a_layer():
    values = ["a.safetensors", "b\\vae.pt", -2, "l.safetensors", 0.8, 0.7, *LOADED[6:]]
    values[9] = "A1111"
    document = ui(
        n1=("Efficient Loader", values, {"lora_stack": (2, 0)}),
        n2=("LoRA Stacker", ["simple", 1, "s.safetensors", 0.5]),
        n3=("CLIPTextEncode", ["more"], {"clip": (1, 5)}),
        n4=("VAEDecode", [], {"vae": (1, 4)}),
    )
    loras = [
        {"on": True, "file": "s.safetensors", "strength": 0.5, "clip_strength": 0.5},
        {"on": True, "file": "l.safetensors", "strength": 0.8, "clip_strength": 0.7},
    ]
    clip = "apply_loras_1_loras.clip"
    assert written_out(document) == {
        "load_checkpoint_1": LOADER["load_checkpoint_1"],
        "load_vae_1_vae": ("core.load_vae", {"file": "b/vae.pt"}, {}),
        "apply_loras_1_loras": (
            "core.apply_loras",
            {"loras": loras},
            {"model": "load_checkpoint_1.model", "clip": "load_checkpoint_1.clip"},
        ),
        "encode_prompt_1_positive": prompt("a pony", "a1111", 2, clip),
        "encode_prompt_1_negative": prompt("bad", "a1111", 2, clip),
        "empty_latent_1_latent": LOADER["empty_latent_1_latent"],
        "encode_prompt_3": prompt("more", "comfyui", 2, clip),
        "decode_latent_4": ("core.decode_latent", {}, {"vae": "load_vae_1_vae.vae"}),
    }
    assert told(document) == []


STACKED = [
    {"controlnet": "load_controlnet_2.controlnet", "image": "load_image_3.image"},
    {"strength": 0.5, "start": 0.1, "end": 0.9},
]


@pytest.mark.parametrize("loader", [True, False])
def test_controlnets_that_are_stacked(loader):
    control = {"control_net": (2, 0), "image": (3, 0)}
    stacks = {
        "n2": ("ControlNetLoader", ["c.safetensors"]),
        "n3": ("LoadImage", ["a.png", "image"]),
        "n4": ("Control Net Stacker", [0.5, 0.1, 0.9], control),
        "n5": ("Control Net Stacker", [1.0, 0, 1], {**control, "cnet_stack": (4, 0)}),
    }
    if loader:
        document = ui(n1=("Efficient Loader", LOADED, {"cnet_stack": (5, 0)}), **stacks)
        first = {
            "positive": "encode_prompt_1_positive.conditioning",
            "negative": "encode_prompt_1_negative.conditioning",
        }
        id = 1
    else:
        ends = {"positive": (7, 0), "negative": (8, 0), "cnet_stack": (5, 0)}
        document = ui(
            **stacks,
            n6=("Apply ControlNet Stack", [], ends),
            n7=("CLIPTextEncode", ["a"]),
            n8=("CLIPTextEncode", ["b"]),
        )
        first = {
            "positive": "encode_prompt_7.conditioning",
            "negative": "encode_prompt_8.conditioning",
        }
        id = 6
    found = written_out(document)
    assert found[f"apply_controlnet_{id}_control1"] == (
        "core.apply_controlnet",
        STACKED[1],
        {**first, **STACKED[0]},
    )
    one = f"apply_controlnet_{id}_control1"
    assert found[f"apply_controlnet_{id}_control2"] == (
        "core.apply_controlnet",
        {"strength": 1.0, "start": 0, "end": 1},
        {"positive": f"{one}.positive", "negative": f"{one}.negative", **STACKED[0]},
    )
    assert told(document) == []


def test_what_differs_is_told():
    values = [*LOADED[:8], "mean", "compel", *LOADED[10:]]
    document = api(
        n1=("Efficient Loader", dict(zip(NAMES, values, strict=True))),
        n2=("KSampler (Efficient)", {**SAMPLING, **WIRES, "seed": -1, "script": (3, 0)}),
        n3=("HighRes-Fix Script", {}),
    )
    assert told(document) == [
        "its prompts are weighed by compel with the normalization mean, which differs here",
        "its script, such as a second pass, is left out",
        "its seed is at random; here it begins at 0",
    ]
    assert list(import_document(document).placeholders.values()) == ["HighRes-Fix Script"]
