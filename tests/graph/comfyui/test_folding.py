"""Runs in parts, as ComfyUI's graphs have them, and the one node that says the same."""

from __future__ import annotations

import pytest

from ponystudio.graph.comfyui.importer import import_document
from ponystudio.graph.model import Link

PARTS = {
    "1": ("UNETLoader", {"unet_name": "mine"}),
    "2": ("CLIPTextEncode", {"text": "a pony"}),
    "3": ("EmptyLatentImage", {"width": 64, "height": 64, "batch_size": 1}),
    "4": ("RandomNoise", {"noise_seed": 7}),
    "5": ("BasicGuider", {"model": ["1", 0], "conditioning": ["2", 0]}),
    "6": ("KSamplerSelect", {"sampler_name": "euler"}),
    "7": ("BasicScheduler", {"model": ["1", 0], "scheduler": "simple", "steps": 4, "denoise": 0.5}),
    "8": ("SamplerCustomAdvanced", {"noise": ["4", 0], "guider": ["5", 0], "sampler": ["6", 0],
                                    "sigmas": ["7", 0], "latent_image": ["3", 0]}),
    "9": ("VAEDecode", {"samples": ["8", 0]}),
}  # fmt: skip


def graph(**changes):
    """With other nodes in place of some, by n1, n2, ..."""
    nodes = {**PARTS, **{id.removeprefix("n"): node for id, node in changes.items()}}
    document = {id: {"class_type": type, "inputs": inputs} for id, (type, inputs) in nodes.items()}
    return import_document(document).graph.nodes


def test_a_plain_run_in_parts_is_one_node():
    found = graph()
    assert set(found) == {
        "load_model_1", "encode_prompt_2", "empty_latent_3", "sample_8", "decode_latent_9"
    }  # fmt: skip
    sample = found["sample_8"]
    assert sample.type == "core.sample"
    assert sample.params == {
        "seed": 7, "sampler": "euler", "scheduler": "simple", "steps": 4, "denoise": 0.5, "cfg": 1.0
    }  # fmt: skip
    words = Link("encode_prompt_2", "conditioning")
    assert sample.inputs == {
        "model": Link("load_model_1", "model"),
        "positive": words,
        "negative": words,
        "latent": Link("empty_latent_3", "latent"),
    }
    assert found["decode_latent_9"].inputs["latent"] == Link("sample_8", "latent")


def test_guidance_goes_with_it():
    guider = {"model": ["1", 0], "positive": ["2", 0], "negative": ["2", 0], "cfg": 3.5}
    assert graph(n5=("CFGGuider", guider))["sample_8"].params["cfg"] == 3.5


@pytest.mark.parametrize(
    "changes",
    [
        {"n6": ("KSamplerSelect", {"sampler_name": "dpm_2"})},
        {"n6": ("SamplerEulerAncestral", {"eta": 0.5, "s_noise": 1.0})},
        {"n4": ("DisableNoise", {})},
        {"n4": ("RandomNoise", {"noise_seed": ["10", 0]}), "n10": ("PrimitiveInt", {"value": 3})},
        {"n7": ("SDTurboScheduler", {"model": ["1", 0], "steps": 1, "denoise": 1.0})},
        {"n1": ("UNETLoader", {"unet_name": "mine"}),
         "n10": ("ModelSamplingFlux", {"max_shift": 1.15, "base_shift": 0.5, "width": 64,
                                       "height": 64, "model": ["1", 0]}),
         "n7": ("BasicScheduler", {"model": ["10", 0], "scheduler": "simple", "steps": 4,
                                   "denoise": 1.0})},
        {"n9": ("VAEDecode", {"samples": ["8", 1]})},
        {"n10": ("SamplerCustomAdvanced", {"noise": ["4", 0], "guider": ["5", 0],
                                           "sampler": ["6", 0], "sigmas": ["7", 0],
                                           "latent_image": ["8", 0]})},
    ],
    ids=["a level less", "options", "no noise", "a wire", "other levels", "another model",
         "the denoised", "shared parts"],
)  # fmt: skip
def test_one_that_says_more_stays_in_parts(changes):
    found = graph(**changes)
    assert found["sample_custom_8"].type == "core.sample_custom"
    assert not any(node.type == "core.sample" for node in found.values())
