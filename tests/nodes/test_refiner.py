"""SDXL's refiner: whole runs equal those of diffusers' own pipeline."""

from __future__ import annotations

from dataclasses import replace

import numpy
import pytest
import torch
from diffusers import EulerDiscreteScheduler, StableDiffusionXLImg2ImgPipeline
from PIL import Image

from helpers import pipelines, relatives
from helpers.core_graphs import NEGATIVE, SIDE, WORDS, checkpoint, core, picture
from helpers.denoisers import words
from ponystudio.api import Conditioning
from ponystudio.diffusion.images.latent_file import read_latent
from ponystudio.diffusion.loading.load import recognise
from ponystudio.engine.headless import run_graph
from ponystudio.errors import MismatchedValues
from ponystudio.graph.formats.graph_file import loads
from ponystudio.graph.model import Graph, Link
from ponystudio.library.model_folders import ModelFolders
from ponystudio_nodes import prompting
from ponystudio_resources import path

# diffusers' schedulers make arrays of tensors in a way that numpy 2 warns of.
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")

STEPS, CFG, SEED = 8, 5.0, 7
EULER = {**pipelines.BETAS, "timestep_spacing": "trailing", "steps_offset": 1}
DRAWN = numpy.random.default_rng(3).integers(0, 256, (SIDE, SIDE, 3), dtype=numpy.uint8)


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    root = tmp_path_factory.mktemp("models")
    for folder in ("checkpoints", "input"):
        (root / folder).mkdir()
    for name in ("refiner", "sdxl"):
        relatives.write(name, root / "checkpoints" / f"{name}.safetensors")
    Image.fromarray(DRAWN).save(root / "input" / "picture.png")
    return root


@pytest.fixture
def ours(root, tmp_path):
    """The latent of the last half of a run over the picture; `sizes` are what both are told."""

    def ours(*sizes):
        source = (
            core("picture", "load_image", file="picture.png"),
            core("latent", "encode_image", vae=("checkpoint", "vae"), image=("picture", "image")),
        )
        nodes = picture(
            *checkpoint("refiner.safetensors"),
            latent=source,
            seed=SEED,
            steps=STEPS // 2,
            denoise=0.5,
            cfg=CFG,
            scheduler="simple",
        )
        for name, score in zip(("positive", "negative"), sizes, strict=False):
            sampler = next(node for node in nodes if node.id == "sampler")
            told = core(
                f"{name} sizes", "refiner_sizes", conditioning=(name, "conditioning"),
                score=score, width=SIDE, height=SIDE,
            )  # fmt: skip
            sampler.inputs[name] = Link(told.id, "conditioning")
            nodes = (*nodes, told)
        output = tmp_path / str(len(list(tmp_path.iterdir())))
        run_graph(
            Graph.of(*nodes),
            folders=ModelFolders([root]),
            output=output,
            device="cpu",
            dtype="fp32",
        )
        return read_latent(next(output.glob("*.latent")))[0]

    return ours


@torch.no_grad()
def theirs(image=None, **settings):
    found, vae = relatives.relative("refiner"), pipelines.autoencoder("sdxl")
    made = StableDiffusionXLImg2ImgPipeline(
        vae=vae,
        text_encoder=None,
        text_encoder_2=found.texts[0],
        tokenizer=None,
        tokenizer_2=pipelines._tokenizer(pad_token="!"),
        unet=found.unet,
        scheduler=EulerDiscreteScheduler(**EULER),
        requires_aesthetics_score=True,
        force_zeros_for_empty_prompt=False,
        add_watermarker=False,
    )
    made.set_progress_bar_config(disable=True)
    pixels = torch.from_numpy(DRAWN).permute(2, 0, 1)[None] / 127.5 - 1
    scale = vae.config.scaling_factor
    return (
        made(
            **{
                "prompt": WORDS,
                "negative_prompt": NEGATIVE,
                "num_inference_steps": STEPS,
                **settings,
            },
            image=vae.encode(pixels).latent_dist.mode() * scale if image is None else image,
            strength=0.5,
            guidance_scale=CFG,
            generator=torch.Generator().manual_seed(SEED),
            output_type="latent",
        ).images
        / scale
    )


def apart(one, other):
    return float((one - other).norm() / other.norm())


def test_it_is_told_from_sdxl(root):
    found = recognise(root / "checkpoints" / "refiner.safetensors", "checkpoints")
    assert found.family == "sdxl_refiner"


def test_plain_prompts_say_how_beautiful_the_picture_is(ours):
    size = {"original_size": (768, 768), "negative_original_size": (768, 768)}
    expected = theirs(**size, aesthetic_score=6.0, negative_aesthetic_score=2.5)
    assert apart(ours(), expected) < 1e-3


def test_prompts_may_say_it_themselves(ours):
    size = {"original_size": (SIDE, SIDE), "negative_original_size": (SIDE, SIDE)}
    expected = theirs(**size, aesthetic_score=9.0, negative_aesthetic_score=1.5)
    assert apart(ours(9.0, 1.5), expected) < 1e-3
    assert apart(ours(), expected) > 1e-3


def test_what_is_told_to_others_is_refused():
    entries = words(torch.zeros(1, 3, 4)).entries
    with pytest.raises(MismatchedValues, match="no size to aim at"):
        prompting.set_sizes(Conditioning(entries, "sdxl_refiner"))
    with pytest.raises(MismatchedValues, match="SDXL is not told how beautiful"):
        prompting.refiner_sizes(Conditioning(entries, "sdxl"))


@torch.no_grad()
def test_it_finishes_what_sdxl_began(root, tmp_path):
    """By the graph that ships."""
    graph = loads(path("graphs", "refiner.json").read_text(encoding="utf-8"))
    small = {
        "base": {"file": "sdxl.safetensors"},
        "refiner": {"file": "refiner.safetensors"},
        "latent": {"width": SIDE, "height": SIDE},
        "prompt": {"value": WORDS},
        "negative": {"text": NEGATIVE},
        "refined_negative": {"text": NEGATIVE},
        "sampler": {"steps": 5, "end": 4, "cfg": CFG, "seed": SEED, "scheduler": "simple"},
        "finish": {"steps": 5, "start": 4, "cfg": CFG, "seed": SEED, "scheduler": "simple"},
    }
    nodes = [
        replace(node, params={**node.params, **small.get(node.id, {})})
        for node in graph.nodes.values()
    ]
    kept = core("kept", "save_latent", latent=("finish", "latent"))
    run_graph(
        Graph.of(*nodes, kept),
        folders=ModelFolders([root]),
        output=tmp_path,
        device="cpu",
        dtype="fp32",
    )
    scheduler = EulerDiscreteScheduler(**EULER)
    base = pipelines.pipeline("sdxl", scheduler)
    scheduler.set_timesteps(5)
    begun = base(
        WORDS,
        negative_prompt=NEGATIVE,
        latents=pipelines.noise(SEED, SIDE // 8)
        * (scheduler.sigmas[0] ** 2 + 1).sqrt()
        / scheduler.init_noise_sigma,
        width=SIDE,
        height=SIDE,
        num_inference_steps=5,
        denoising_end=0.8,
        guidance_scale=CFG,
        output_type="latent",
    ).images
    size = {"original_size": (768, 768), "negative_original_size": (768, 768)}
    expected = theirs(begun, num_inference_steps=5, denoising_start=0.8, **size)
    assert apart(read_latent(next(tmp_path.glob("*.latent")))[0], expected) < 1e-3
