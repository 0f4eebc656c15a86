"""Pictures shown to a model: whole runs equal those of diffusers' own pipelines."""

from __future__ import annotations

import numpy
import pytest
import torch
from diffusers import (
    DDIMScheduler,
    EulerDiscreteScheduler,
    FluxFillPipeline,
    FluxKontextPipeline,
    FluxPipeline,
    StableDiffusionInpaintPipeline,
    StableDiffusionInstructPix2PixPipeline,
    StableDiffusionXLInstructPix2PixPipeline,
)
from diffusers.models.autoencoders.vae import DiagonalGaussianDistribution
from PIL import Image

from helpers import flow_files, flow_pipelines, pipelines, relatives
from helpers.core_graphs import NEGATIVE, SIDE, WORDS, checkpoint, core, picture
from helpers.denoisers import words
from helpers.node_context import FakeContext
from ponystudio.api import Conditioning, Latent, Vae
from ponystudio.api import Image as Picture
from ponystudio.diffusion.images.latent_file import read_latent
from ponystudio.engine.headless import run_graph
from ponystudio.errors import MismatchedValues
from ponystudio.graph.model import Graph, Link
from ponystudio.library.model_folders import ModelFolders
from ponystudio_nodes import showing

# diffusers' schedulers make arrays of tensors in a way that numpy 2 warns of.
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")

STEPS, CFG, SEED = 4, 5.0, 7
EULER = {**pipelines.BETAS, "timestep_spacing": "trailing", "steps_offset": 1}
VAE = ("checkpoint", "vae")
DRAWN = Image.fromarray(
    numpy.random.default_rng(3).integers(0, 256, (SIDE, SIDE, 3), dtype=numpy.uint8)
)
HOLE = Image.new("L", (SIDE, SIDE))
HOLE.paste(255, (SIDE // 2, 8, SIDE, SIDE))
# The picture, and where it has a hole.
GIVEN = (
    core("picture", "load_image", file="picture.png"),
    core("hole", "load_image", file="hole.png"),
    core("mask", "mask_from_image", image=("hole", "image")),
)


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    root = tmp_path_factory.mktemp("models")
    for folder in ("checkpoints", "input"):
        (root / folder).mkdir()
    for family, channels in (("sd2", 8), ("sd2", 9), ("sdxl", 8)):
        relatives.write(family, root / "checkpoints" / f"{family}-{channels}.safetensors", channels)
    for name in ("flux-dev", "flux-fill"):
        flow_files.FORMS["whole"].write(name, root)
    DRAWN.save(root / "input" / "picture.png")
    HOLE.convert("RGB").save(root / "input" / "hole.png")
    return root


@pytest.fixture
def run(root, tmp_path):
    """The latent of a run whose prompts and latent come through these nodes, the last of which
    gives what the sampler is told by these names."""

    def run(file, *nodes, prompts=(), latent="", **sampling):
        output = tmp_path / str(len(list(tmp_path.iterdir())))
        graph = list(
            picture(
                *checkpoint(file), *nodes, **{"seed": SEED, "steps": STEPS, "cfg": CFG, **sampling}
            )
        )
        sampler = next(node for node in graph if node.id == "sampler")
        told = {name: Link(nodes[-1].id, output) for name, output in prompts}
        told |= {"latent": Link(latent, "latent")} if latent else {}
        sampler.inputs.update(told)
        run_graph(
            Graph.of(*graph),
            folders=ModelFolders([root]),
            output=output,
            device="cpu",
            dtype="fp32",
        )
        return read_latent(next(output.glob("*.latent")))[0]

    return run


PROMPTS = {"positive": ("positive", "conditioning"), "negative": ("negative", "conditioning")}
BOTH = (("positive", "positive"), ("negative", "negative"))


def apart(one, other):
    return float((one - other).norm() / other.norm())


def start(scheduler):
    """The noise that a run begins with, as a scheduler of diffusers' wants it."""
    scheduler.set_timesteps(STEPS)
    noise = pipelines.noise(SEED, SIDE // 8)
    if isinstance(scheduler, DDIMScheduler):
        return noise
    return noise * (scheduler.sigmas[0] ** 2 + 1).sqrt() / scheduler.init_noise_sigma


@torch.no_grad()
def theirs(kind, family, channels, scheduler, **settings):
    plain = pipelines.pipeline(family, scheduler, channels)
    if family == "sd2":
        plain.text_encoder = pipelines.without_last_layer(plain.text_encoder)
    parts = {k: v for k, v in plain.components.items() if k != "feature_extractor"}
    if family == "sdxl":
        parts = {k: v for k, v in parts.items() if k != "image_encoder"}
        made = kind(**parts, add_watermarker=False)
    else:
        made = kind(**parts, feature_extractor=None, requires_safety_checker=False)
    made.scheduler = scheduler
    made.set_progress_bar_config(disable=True)
    return (
        made(
            WORDS,
            negative_prompt=NEGATIVE,
            image=DRAWN,
            latents=start(scheduler),
            num_inference_steps=STEPS,
            guidance_scale=CFG,
            output_type="latent",
            **settings,
        ).images
        / pipelines.SCALING[family]
    )


@pytest.mark.parametrize(
    ("family", "kind"),
    [
        ("sd2", StableDiffusionInstructPix2PixPipeline),
        ("sdxl", StableDiffusionXLInstructPix2PixPipeline),
    ],
)
def test_edits_by_instruction(family, kind, run):
    sizes = {"width": SIDE, "height": SIDE} if family == "sdxl" else {}
    expected = theirs(
        kind, family, 8, EulerDiscreteScheduler(**EULER), image_guidance_scale=1.0, **sizes
    )
    edit = core("edit", "edit_picture", vae=VAE, image=("picture", "image"), **PROMPTS)
    file = f"{family}-8.safetensors"
    ours = run(file, *GIVEN[:1], edit, prompts=BOTH, latent="edit", scheduler="simple")
    assert apart(ours, expected) < 1e-3


def test_the_picture_may_count_more_or_less(root, tmp_path):
    """With three prompts, the last of which is shown nothing."""
    expected = theirs(
        StableDiffusionInstructPix2PixPipeline,
        "sd2",
        8,
        EulerDiscreteScheduler(**EULER),
        image_guidance_scale=1.8,
    )
    model = ("checkpoint", "model")
    nodes = picture(*checkpoint("sd2-8.safetensors"), *GIVEN[:1])
    parts = (
        core("edit", "edit_picture", vae=VAE, image=("picture", "image"), **PROMPTS),
        core("guider", "guide_dual", model=model, positive=("edit", "positive"),
             middle=("edit", "negative"), negative=PROMPTS["negative"], cfg=CFG, cfg_middle=1.8),
        core("noise", "random_noise", seed=SEED),
        core("method", "choose_sampler", sampler="euler"),
        core("levels", "make_sigmas", model=model, scheduler="simple", steps=STEPS),
        core("sampler", "sample_custom", noise=("noise", "noise"), guider=("guider", "guider"),
             sampler=("method", "sampler"), sigmas=("levels", "sigmas"),
             latent=("edit", "latent")),
    )  # fmt: skip
    run_graph(
        Graph.of(*(node for node in nodes if node.id != "sampler"), *parts),
        folders=ModelFolders([root]),
        output=tmp_path,
        device="cpu",
        dtype="fp32",
    )
    assert apart(read_latent(next(tmp_path.glob("*.latent")))[0], expected) < 1e-3


def test_a_model_for_inpainting(run):
    scheduler = EulerDiscreteScheduler(**EULER)
    expected = theirs(
        StableDiffusionInpaintPipeline,
        "sd2",
        9,
        scheduler,
        mask_image=HOLE,
        width=SIDE,
        height=SIDE,
        strength=1.0,
    )
    shown = core(
        "shown", "inpaint_model", vae=VAE, image=("picture", "image"), mask=("mask", "mask"),
        keep=False, **PROMPTS,
    )  # fmt: skip
    file, settings = "sd2-9.safetensors", {"scheduler": "simple"}
    ours = run(file, *GIVEN, shown, prompts=BOTH, **settings)
    assert apart(ours, expected) < 1e-3
    kept = core("shown", "inpaint_model", **_given(shown), keep=True)
    encoded = core(
        "encoded", "encode_for_inpainting", vae=VAE, image=("picture", "image"),
        mask=("mask", "mask"),
    )  # fmt: skip
    assert torch.equal(
        run(file, *GIVEN, kept, prompts=BOTH, latent="shown", **settings),
        run(file, *GIVEN, encoded, latent="encoded", **settings),
    )


def _given(node):
    return {name: (link.source, link.output) for name, link in node.inputs.items()}


@torch.no_grad()
def flux(name, kind, image, **settings):
    """A pipeline's, of the latents in VAE units; FLUX has no negative prompt."""
    plain = flow_pipelines.pipeline(name)
    made = kind(**{k: v for k, v in plain.components.items() if k in _PARTS})
    made.set_progress_bar_config(disable=True)
    noise = flow_pipelines.noise(name, SEED, (1, SIDE // 8, SIDE // 8))
    last = []

    def keep(_pipeline, _step, _time, values):
        last[:] = [values["latents"]]
        return values

    made(
        prompt=WORDS,
        image=image,
        latents=FluxPipeline._pack_latents(noise, *noise.shape),
        width=SIDE,
        height=SIDE,
        num_inference_steps=STEPS,
        sigmas=numpy.linspace(1, 1 / STEPS, STEPS).tolist(),
        guidance_scale=3.5,
        max_sequence_length=256,
        output_type="pt",
        callback_on_step_end=keep,
        **settings,
    )
    values = FluxPipeline._unpack_latents(last[0], SIDE, SIDE, 8)
    factor, shift = flow_pipelines.LATENTS["flux"]
    return values / factor + shift


_PARTS = (
    *("transformer", "vae", "scheduler"),
    *("text_encoder", "tokenizer", "text_encoder_2", "tokenizer_2"),
)
FLUX = {"cfg": 1.0, "scheduler": "linear"}


def test_flux_fill(run, monkeypatch):
    # Theirs draws what it shows from what the VAE says; ours takes the mean of that.
    monkeypatch.setattr(DiagonalGaussianDistribution, "sample", lambda self, *_, **__: self.mode())
    expected = flux("flux-fill", FluxFillPipeline, DRAWN, mask_image=HOLE)
    shown = core(
        "shown", "inpaint_model", vae=VAE, image=("picture", "image"), mask=("mask", "mask"),
        keep=False, **PROMPTS,
    )  # fmt: skip
    ours = run("flux-fill/model.safetensors", *GIVEN, shown, prompts=BOTH, **FLUX)
    assert apart(ours, expected) < 1e-3


def test_flux_kontext_refers_to_a_picture(run):
    half = DRAWN.crop((0, 0, SIDE, SIDE // 2))
    expected = flux("flux-dev", FluxKontextPipeline, half, max_area=SIDE**2, _auto_resize=False)
    nodes = (
        core("part", "crop_image", image=("picture", "image"), width=SIDE, height=SIDE // 2),
        core("encoded", "encode_image", vae=VAE, image=("part", "image")),
        core("refers", "reference_latent", conditioning=PROMPTS["positive"],
             latent=("encoded", "latent")),
    )  # fmt: skip
    told = (("positive", "conditioning"),)
    file = "flux-dev/model.safetensors"
    ours = run(file, *GIVEN[:1], *nodes, prompts=told, **FLUX)
    assert apart(ours, expected) < 1e-3
    assert apart(run(file, **FLUX), expected) > 0.01


def test_further_references_lie_beside_those_before():
    """By ComfyUI's rule: at the right where all would else be more high than wide."""
    from ponystudio.diffusion.architectures.flux import _beyond

    wide, high = torch.zeros(1, 16, 8, 12), torch.zeros(1, 16, 16, 4)
    places = [found for _, found in _beyond([wide, high, wide])]
    assert [tuple(found[0].tolist()) for found in places] == [(1, 0, 0), (1, 0, 6), (1, 8, 0)]
    assert [tuple(found[-1].tolist()) for found in places] == [(1, 3, 5), (1, 7, 7), (1, 11, 5)]


def test_several_references_are_kept_in_order():
    one, two = (Latent(torch.zeros(1, 16, 4, 4), "flux") for _ in range(2))
    told = Conditioning(words(torch.zeros(1, 3, 4)).entries, "flux")
    told = showing.reference_latent(showing.reference_latent(told, one), two)
    assert told.entries[0].references == (one, two)


@pytest.mark.parametrize(
    ("size", "expected"),
    [((100, 100), (1024, 1024)), ((1000, 500), (1456, 720)), ((90, 300), (672, 1568))],
)
def test_the_sizes_that_kontext_was_trained_on(size, expected):
    width, height = size
    scaled = showing.scale_for_kontext(Picture(torch.rand(1, 3, height, width)))
    assert scaled.pixels.shape[-2:] == expected[::-1]


def test_a_vae_of_another_family_is_refused():
    prompt = Conditioning((), "sd1")
    with pytest.raises(MismatchedValues):
        showing.edit_picture(
            prompt,
            prompt,
            Vae("/v", "v", "flux"),
            Picture(torch.zeros(1, 3, 8, 8)),
            ctx=FakeContext(),
        )
