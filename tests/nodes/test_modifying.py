"""What changes a model while it samples, called as functions and run as graphs."""

from __future__ import annotations

import pytest
import torch
from diffusers import EulerDiscreteScheduler, StableDiffusionPAGPipeline

from helpers import checkpoints, pipelines
from helpers.core_graphs import NEGATIVE, SIDE, WORDS, checkpoint, core, picture
from ponystudio.api import FreeU, Model, Rescaled, Shift
from ponystudio.diffusion.images.latent_file import read_latent
from ponystudio.engine.cache.result_codec import decode, encode
from ponystudio.engine.headless import run_graph
from ponystudio.errors import MismatchedValues, ParamChoice, ParamRange
from ponystudio.graph.model import Graph
from ponystudio.library.model_folders import ModelFolders
from ponystudio_nodes import modifying as nodes

# diffusers' schedulers make arrays of tensors in a way that numpy 2 warns of.
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")

SD1, FLUX = Model("/m", "m", "sd1"), Model("/f", "f", "flux")


def test_of_each_kind_the_last_counts_and_others_stay():
    once = nodes.set_shift(nodes.rescale_guidance(FLUX, amount=0.5), shift=3.0)
    assert once.modifiers == (Rescaled(0.5), Shift(3.0))
    assert nodes.set_shift(once, shift=1.0).modifiers == (Rescaled(0.5), Shift(1.0))
    freed = nodes.freeu(nodes.freeu(SD1), version="V1", b1=1.1)
    assert freed.modifiers == (FreeU(1.1, 1.4, 0.9, 0.2, adaptive=False),)


def test_they_are_kept_with_the_model():
    model = nodes.blur_attention(nodes.freeu(nodes.rescale_guidance(SD1)))
    assert decode(encode(model, {}))[0] == model


def test_what_a_model_cannot_do_is_refused():
    with pytest.raises(MismatchedValues, match=r"FLUX\.1 has none"):
        nodes.freeu(FLUX)
    with pytest.raises(MismatchedValues) as refused:
        nodes.perturb_attention(FLUX)
    assert "core.skip_layers" in refused.value.remedy
    with pytest.raises(MismatchedValues) as refused:
        nodes.blur_attention(FLUX)
    assert "core.skip_layers" in refused.value.remedy
    with pytest.raises(MismatchedValues, match="no transformer"):
        nodes.skip_layers(SD1)
    with pytest.raises(ParamRange, match="never"):
        nodes.skip_layers(FLUX, start=0.5, end=0.5)
    with pytest.raises(ParamChoice, match="no list of layers"):
        nodes.skip_layers(FLUX, double="seven")


def test_layers_are_written_as_people_do():
    (found,) = nodes.skip_layers(FLUX, double="8,7 8", single="").modifiers
    assert (found.double, found.single) == ((7, 8), ())


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    root = tmp_path_factory.mktemp("models")
    for folder in ("checkpoints", "hypernetworks"):
        (root / folder).mkdir()
    checkpoints.micro(root / "checkpoints" / "sd1.safetensors")
    torch.manual_seed(0)
    states = {
        width: tuple(
            {
                "linear.0.weight": torch.randn(2 * width, width) / width,
                "linear.0.bias": torch.zeros(2 * width),
                "linear.1.weight": torch.randn(width, 2 * width) / width,
                "linear.1.bias": torch.zeros(width),
            }
            for _ in range(2)
        )
        for width in (32, 64, 128)
    }
    torch.save(states, root / "hypernetworks" / "mane.pt")
    return root


def latent(root, output, *more, model="checkpoint", **settings):
    """The latent of a run in which these nodes stand behind the checkpoint."""
    output.mkdir()
    graph = Graph.of(*picture(*checkpoint("sd1.safetensors"), *more, model=model, **settings))
    run_graph(graph, folders=ModelFolders([root]), output=output, device="cpu", dtype="fp32")
    return read_latent(next(output.glob("*.latent")))[0]


@pytest.mark.parametrize(
    "node",
    [
        core("it", "freeu", model=("checkpoint", "model")),
        core("it", "apply_hypernetwork", model=("checkpoint", "model"), file="mane.pt"),
        core("it", "fresca", model=("checkpoint", "model"), cutoff=2),
        core("it", "norm_guidance", model=("checkpoint", "model")),
    ],
    ids=lambda node: node.type,
)
def test_another_picture_comes_of_the_same_weights(node, root, tmp_path):
    changed = latent(root, tmp_path / "changed", node, model="it")
    plain = latent(root, tmp_path / "plain")
    assert (changed - plain).norm() / plain.norm() > 0.005


def test_rescaling_by_the_model_is_rescaling_by_the_sampler(root, tmp_path):
    node = core("it", "rescale_guidance", model=("checkpoint", "model"), amount=0.7)
    by_model = latent(root, tmp_path / "model", node, model="it")
    assert torch.equal(by_model, latent(root, tmp_path / "sampler", rescale=0.7))


def test_what_is_said_of_a_model_is_what_its_loader_may_say(root, tmp_path):
    node = core("it", "set_prediction", model=("checkpoint", "model"), prediction="v")
    made = latent(root, tmp_path / "node", node, model="it")
    graph = Graph.of(*picture(*checkpoint("sd1.safetensors", prediction="v")))
    output = tmp_path / "loader"
    run_graph(graph, folders=ModelFolders([root]), output=output, device="cpu", dtype="fp32")
    assert torch.equal(made, read_latent(next(output.glob("*.latent")))[0])


def test_playground_scales_latents_by_channel(root, tmp_path):
    """From nothing the same is worked on, and comes out in another scale."""

    def made(own):
        how = {"prediction": "edm", "counted": "log", "own_latents": own}
        node = core("it", "set_prediction", model=("checkpoint", "model"), **how)
        output = tmp_path / str(own)
        return latent(root, output, node, model="it", scheduler="karras")

    mean = torch.tensor([-1.6574, 1.886, -1.383, 2.5155]).view(1, 4, 1, 1)
    std = torch.tensor([8.4927, 5.9022, 6.5498, 5.2299]).view(1, 4, 1, 1)
    assert torch.allclose((made(True) - mean) * 0.5 / std, made(False) * 0.18215, atol=1e-3)


@pytest.mark.parametrize(
    ("prediction", "counted", "ways"),
    [("lcm", "log", "table"), ("edm", "table", "log"), ("eps", "angle", "table or log")],
)
def test_an_answer_with_noise_that_is_not_counted_so_is_refused(prediction, counted, ways):
    with pytest.raises(ParamChoice, match=f"predicts {prediction} is not counted by") as caught:
        nodes.check_prediction(prediction, counted, 120.0, 0.002)
    assert caught.value.remedy == f"Let it be counted by {ways}."


def test_flow_predicts_nothing_else():
    with pytest.raises(MismatchedValues, match="predicts flow"):
        nodes.set_prediction(FLUX)


@torch.no_grad()
def test_perturbed_attention_is_that_of_diffusers_pipeline(root, tmp_path):
    side = 2 * SIDE  # the middle of a smaller one is a single place, which has no others
    how = {"timestep_spacing": "trailing", "steps_offset": 1}
    scheduler = EulerDiscreteScheduler(**pipelines.BETAS, **how)
    plain = pipelines.pipeline("sd1", scheduler)
    parts = {k: v for k, v in plain.components.items() if k not in ("image_encoder", "scheduler")}
    made = StableDiffusionPAGPipeline(
        **parts,
        scheduler=plain.scheduler,
        requires_safety_checker=False,
        pag_applied_layers=["mid"],
    )
    made.scheduler = scheduler
    made.set_progress_bar_config(disable=True)
    scheduler.set_timesteps(4)
    σ = scheduler.sigmas[0]
    start = pipelines.noise(7, side // 8) * (σ**2 + 1).sqrt() / scheduler.init_noise_sigma
    theirs = made(
        WORDS,
        negative_prompt=NEGATIVE,
        latents=start,
        width=side,
        height=side,
        num_inference_steps=4,
        guidance_scale=5.0,
        pag_scale=3.0,
        output_type="latent",
    ).images
    node = core("it", "perturb_attention", model=("checkpoint", "model"), scale=3.0)
    empty = core("latent", "empty_latent", width=side, height=side)
    settings = {"seed": 7, "steps": 4, "scheduler": "simple", "latent": (empty,)}
    ours = latent(root, tmp_path / "pag", node, model="it", **settings) * 0.18215
    assert (ours - theirs).norm() / theirs.norm() < 1e-3
    without = latent(root, tmp_path / "plain", **settings) * 0.18215
    assert (without - theirs).norm() / theirs.norm() > 0.01


def test_self_attention_changes_a_picture_at_guidance_1_too(root, tmp_path):
    node = core("it", "blur_attention", model=("checkpoint", "model"), scale=1.0)
    empty = core("latent", "empty_latent", width=256, height=256)
    settings = {"seed": 7, "steps": 2, "cfg": 1.0, "latent": (empty,)}
    ours = latent(root, tmp_path / "sag", node, model="it", **settings)
    plain = latent(root, tmp_path / "plain", **settings)
    assert torch.isfinite(ours).all()
    assert (ours - plain).norm() / plain.norm() > 1e-3
