"""Whole runs, from a file and two prompts to a picture, equal those of diffusers' own pipelines.

Both start from the same noise; the schedules compared are those where diffusers takes the same
integer timesteps.
"""

from __future__ import annotations

import pytest
import torch
from diffusers import DDIMScheduler, DPMSolverMultistepScheduler, EulerDiscreteScheduler

from helpers import checkpoints, pipelines, relatives
from helpers.core_graphs import NEGATIVE, SIDE, WORDS, checkpoint, picture
from ponystudio.diffusion.images.latent_file import read_latent
from ponystudio.diffusion.images.picture_file import read_picture
from ponystudio.engine.headless import run_graph
from ponystudio.graph.model import Graph
from ponystudio.library.model_folders import ModelFolders

# diffusers' schedulers make arrays of tensors in a way that numpy 2 warns of.
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")

FAMILIES = ("sd1", "sd2", "sdxl")
STEPS, CFG, SEED = 5, 5.0, 7
V = {"prediction_type": "v_prediction"}
TRAILING = {"timestep_spacing": "trailing"}


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    root = tmp_path_factory.mktemp("models")
    (root / "checkpoints").mkdir()
    checkpoints.micro(root / "checkpoints" / "sd1.safetensors")
    for family in FAMILIES[1:]:
        relatives.write(family, root / "checkpoints" / f"{family}.safetensors")
    return root


@pytest.fixture
def ours(root, tmp_path):
    """The latent that the denoiser works on, and the picture, of a run of our nodes."""

    def ours(family, prediction="eps", **settings):
        source = checkpoint(f"{family}.safetensors", prediction=prediction)
        run_graph(
            Graph.of(*picture(*source, seed=SEED, steps=STEPS, cfg=CFG, **settings)),
            folders=ModelFolders([root]),
            output=tmp_path,
            device="cpu",
            dtype="fp32",
        )
        latent, _ = read_latent(next(tmp_path.glob("*.latent")))
        return latent * pipelines.SCALING[family], read_picture(next(tmp_path.glob("*.png")))[0]

    return ours


@torch.no_grad()
def theirs(family, scheduler, negative=NEGATIVE, **settings):
    """The same of a pipeline."""
    pipeline = pipelines.pipeline(family, scheduler)
    if family == "sd2":
        pipeline.text_encoder = pipelines.without_last_layer(pipeline.text_encoder)
    scheduler.set_timesteps(STEPS)
    start = pipelines.noise(SEED, SIDE // 8)
    if isinstance(scheduler, EulerDiscreteScheduler):
        # It multiplies by σ; the variance of the picture belongs to it, too.
        σ = scheduler.sigmas[0]
        start = start * (σ**2 + 1).sqrt() / scheduler.init_noise_sigma
    made = pipeline(
        WORDS,
        negative_prompt=negative,
        latents=start,
        width=SIDE,
        height=SIDE,
        num_inference_steps=STEPS,
        guidance_scale=CFG,
        output_type="latent",
        **settings,
    )
    vae = pipelines.autoencoder(family)
    pixels = vae.decode(made.images / vae.config.scaling_factor).sample
    return made.images, (pixels / 2 + 0.5).clamp(0, 1)


def assert_equal(ours, theirs):
    """Latents as closely as asked, pictures but for the eight bits they are kept in."""
    assert (ours[0] - theirs[0]).norm() / theirs[0].norm() < 1e-3
    assert (ours[1] - theirs[1]).abs().max() < 1 / 255 + 1e-3


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize(("word", "theirs_word"), [("eps", {}), ("v", V)])
class TestEveryFamily:
    def test_euler(self, family, word, theirs_word, ours):
        scheduler = EulerDiscreteScheduler(**pipelines.BETAS, **TRAILING, **theirs_word)
        assert_equal(
            ours(family, word, sampler="euler", scheduler="simple"), theirs(family, scheduler)
        )

    def test_dpmpp_2m_karras(self, family, word, theirs_word, ours):
        scheduler = DPMSolverMultistepScheduler(
            **pipelines.BETAS, use_karras_sigmas=True, **theirs_word
        )
        assert_equal(
            ours(family, word, sampler="dpmpp_2m", scheduler="karras"), theirs(family, scheduler)
        )


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("rescale", [0.0, 0.7])
def test_velocity_down_to_no_signal_at_all(family, rescale, ours):
    scheduler = DDIMScheduler(
        **pipelines.BETAS, **TRAILING, **V, rescale_betas_zero_snr=True, clip_sample=False
    )
    # Where it has 0 others keep a trace, for σ to be finite.
    scheduler.alphas_cumprod[-1] = 4.8973451890853435e-08
    mine = ours(family, "v, zero SNR", sampler="ddim", scheduler="simple", rescale=rescale)
    assert_equal(mine, theirs(family, scheduler, guidance_rescale=rescale))


@pytest.mark.parametrize(("empty", "negative"), [("zeros", None), ("encode", "")])
def test_no_negative_prompt_for_sdxl(empty, negative, ours):
    scheduler = EulerDiscreteScheduler(**pipelines.BETAS, **TRAILING)
    mine = ours("sdxl", negative="", empty=empty, sampler="euler", scheduler="simple")
    assert_equal(mine, theirs("sdxl", scheduler, negative=negative))
