"""Pictures steered by a ControlNet, from files to pixels: what diffusers' own pipelines make; and
what is refused before a run.
"""

from __future__ import annotations

from contextlib import closing
from dataclasses import replace

import numpy
import pytest
import torch
from diffusers import (
    EulerDiscreteScheduler,
    FluxControlNetPipeline,
    StableDiffusion3ControlNetPipeline,
    StableDiffusionControlNetPipeline,
)
from diffusers.models.autoencoders.vae import DiagonalGaussianDistribution
from PIL import Image

from helpers import checkpoints, controls, flow_pipelines, pipelines, relatives
from helpers.core_graphs import NEGATIVE, SIDE, WORDS, checkpoint, core, picture
from helpers.flow_files import FORMS
from ponystudio.diffusion.images.latent_file import read_latent
from ponystudio.engine.engine import Engine
from ponystudio.engine.memory.devices import choose
from ponystudio.engine.node_packs import load_packs
from ponystudio.engine.preflight import check_models
from ponystudio.engine.protocol.run_events import Note
from ponystudio.engine.protocol.worker_messages import RunRequest
from ponystudio.graph.model import Graph, Link
from ponystudio.library.model_folders import ModelFolders

# diffusers' schedulers make arrays of tensors in a way that numpy 2 warns of.
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")

STEPS, CFG, SEED = 4, 5.0, 7
CELLS = SIDE // 8
FILES = {"sd1": "sd1", "sdxl": "union", "sd3": "sd3", "flux-dev": "flux"}


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    root = tmp_path_factory.mktemp("models")
    for folder in ("checkpoints", "controlnet", "input", "diffusion_models"):
        (root / folder).mkdir()
    checkpoints.micro(root / "checkpoints" / "sd1.safetensors")
    relatives.write("sdxl", root / "checkpoints" / "sdxl.safetensors")
    for name in ("sd3", "flux-dev"):
        FORMS["whole"].write(name, root)
    for name in (*FILES.values(), "control-LoRA", "flux inpainting", "adapter"):
        controls.write(name, root / "controlnet" / f"{name}.safetensors")
    drawn = numpy.random.default_rng(3).integers(0, 256, (SIDE, SIDE, 3), dtype=numpy.uint8)
    Image.fromarray(drawn).save(root / "input" / "edges.png")
    return root


@pytest.fixture(scope="module")
def packs(root):
    return load_packs(root / "none")


@pytest.fixture(scope="module")
def heard():
    return []


@pytest.fixture(scope="module")
def engine(packs, heard):
    """One for all: what is opened stays, and a picture that two tests want is made once."""
    with closing(Engine(packs, choose("cpu", "fp32"), emit=heard.append)) as engine:
        yield engine


@pytest.fixture
def run(root, engine, heard, tmp_path):
    """Runs a graph; its latents, one after the other, and the notes."""

    def run(*nodes):
        output = tmp_path / str(len(list(tmp_path.iterdir())))
        heard.clear()
        request = RunRequest(Graph.of(*nodes), ModelFolders([root]), output, output)
        assert not engine.check(request)
        engine.run(request)
        notes = [event.text for event in heard if isinstance(event, Note)]
        return [read_latent(path)[0] for path in sorted(output.glob("*.latent"))], notes

    return run


def source(family):
    file = f"{family}/model" if family in ("sd3", "flux-dev") else family
    return checkpoint(f"{file}.safetensors")


def steered(
    family, *more, net=None, wires=None, negative="steer", loading=None, vae=True, **params
):
    """A graph with a ControlNet between prompts and sampler."""
    both = {"positive": ("positive", "conditioning"), "negative": ("negative", "conditioning")}
    if negative != "steer":
        del both["negative"]
    if family in ("sd3", "flux-dev") and vae:
        both["vae"] = ("checkpoint", "vae")
    steer = core(
        "steer",
        "apply_controlnet",
        controlnet=("net", "controlnet"),
        image=("edges", "image"),
        **{**both, **(wires or {})},
        **params,
    )
    sampling = {"steps": STEPS, "seed": SEED, "cfg": 1.0 if family == "flux-dev" else CFG}
    nodes = picture(*source(family), **sampling, sampler="euler", scheduler="simple")
    told = {"positive": Link("steer", "positive")}
    told["negative"] = Link("steer", "negative") if negative == "steer" else Link(*negative)
    file = f"{net or FILES[family]}.safetensors"
    return (
        *(replace(x, inputs=x.inputs | told) if x.id == "sampler" else x for x in nodes),
        core("net", "load_controlnet", file=file, **(loading or {})),
        core("edges", "load_image", file="edges.png"),
        *more,
        steer,
    )


def pixels(root):
    drawn = numpy.asarray(Image.open(root / "input" / "edges.png")) / 255
    return torch.from_numpy(drawn).permute(2, 0, 1)[None].float()


@torch.no_grad()
def theirs(family, root, monkeypatch, **settings):
    """The latent that a pipeline of diffusers' ends with."""
    mean = DiagonalGaussianDistribution.mode
    monkeypatch.setattr(DiagonalGaussianDistribution, "sample", lambda self, *_: mean(self))
    net, how = controls.kin(FILES[family]).module, {"guidance_scale": CFG}
    kinds = {
        "sd1": StableDiffusionControlNetPipeline,
        "sd3": StableDiffusion3ControlNetPipeline,
        "flux-dev": FluxControlNetPipeline,
    }
    if family == "sd1":
        scheduler = EulerDiscreteScheduler(**pipelines.BETAS, timestep_spacing="trailing")
        made = pipelines.pipeline(family, scheduler)
        start = pipelines.noise(SEED, CELLS)
        scheduler.set_timesteps(STEPS)
        σ = scheduler.sigmas[0]
        start = start * (σ**2 + 1).sqrt() / scheduler.init_noise_sigma
        how |= {"negative_prompt": NEGATIVE, "image": pixels(root)}
    else:
        made = flow_pipelines.pipeline(family)
        start = flow_pipelines.noise(family, SEED, (1, CELLS, CELLS))
        how |= {"control_image": pixels(root) * 2 - 1}
        if family == "sd3":
            how |= {"negative_prompt": NEGATIVE, "max_sequence_length": 77}
        else:
            start = FluxControlNetPipeline._pack_latents(start, *start.shape)
            how |= {"guidance_scale": 3.5, "max_sequence_length": 256}
        how["sigmas"] = numpy.linspace(1, 1 / STEPS, STEPS).tolist()
    with_net = kinds[family](**{**made.components, "controlnet": net})
    with_net.scheduler = made.scheduler
    with_net.set_progress_bar_config(disable=True)
    found = with_net(
        WORDS,
        latents=start,
        width=SIDE,
        height=SIDE,
        num_inference_steps=STEPS,
        output_type="latent",
        **{**how, **settings},
    ).images
    return (
        FluxControlNetPipeline._unpack_latents(found, SIDE, SIDE, 8)
        if family == "flux-dev"
        else found
    )


def to_sampler(family, values):
    if family in pipelines.SCALING:
        return values * pipelines.SCALING[family]
    return flow_pipelines.to_sampler(family, values)


def apart(one, other):
    return float((one - other).norm() / other.norm())


@pytest.mark.parametrize(
    ("family", "part"), [("sd1", {}), ("sd1", {"end": 0.45}), ("sd3", {}), ("flux-dev", {})]
)
def test_the_picture_is_that_of_diffusers(family, part, run, root, monkeypatch):
    # They count whole steps, of which two begin before that.
    share = {"control_guidance_end": 0.5} if part else {}
    expected = theirs(family, root, monkeypatch, controlnet_conditioning_scale=0.7, **share)
    (found,), _ = run(*steered(family, strength=0.7, **part))
    assert apart(to_sampler(family, found), expected) < 1e-3
    plain = run(*steered(family, strength=0.0))[0][0]
    assert apart(found, plain) > 0.01


def test_without_a_negative_prompt_the_samplers_own_is_steered_alike(run):
    """As ComfyUI's older node has it; what is wired in beside it as well."""
    (both,), _ = run(*steered("sd1"))
    (own,), _ = run(*steered("sd1", negative=("negative", "conditioning")))
    assert apart(own, both) < 1e-5
    wires = {"positive": ("negative", "conditioning"), "negative": ("positive", "conditioning")}
    (other,), _ = run(*steered("sd1", wires=wires))
    assert apart(other, both) > 0.01


def test_several_in_a_row_add_up(run):
    half = steered("sd1", strength=0.4)
    again = core(
        "again",
        "apply_controlnet",
        positive=("steer", "positive"),
        negative=("steer", "negative"),
        controlnet=("net", "controlnet"),
        image=("edges", "image"),
        strength=0.4,
    )
    told = {side: Link("again", side) for side in ("positive", "negative")}
    nodes = [replace(x, inputs=x.inputs | told) if x.id == "sampler" else x for x in half]
    (twice,), _ = run(*nodes, again)
    (whole,), _ = run(*steered("sd1", strength=0.8))
    assert apart(twice, whole) < 1e-4


def test_a_union_is_told_the_kind(run):
    (edges,), _ = run(*steered("sdxl", kind="canny"))
    (depth,), _ = run(*steered("sdxl", kind="depth"))
    (untold,), _ = run(*steered("sdxl"))
    assert min(apart(edges, depth), apart(edges, untold), apart(depth, untold)) > 1e-4


def test_a_control_lora_changes_the_model_that_is_wired_in(run):
    loading = {"model": ("checkpoint", "model")}
    (found,), _ = run(*steered("sdxl", net="control-LoRA", loading=loading))
    (plain,), _ = run(*steered("sdxl", net="control-LoRA", loading=loading, strength=0.0))
    assert found.isfinite().all()
    assert apart(found, plain) > 1e-3


def test_an_adapter(run):
    (found,), notes = run(*steered("sd1", net="adapter", kind="depth"))
    (plain,), _ = run(*steered("sd1", net="adapter", strength=0.0))
    assert apart(found, plain) > 1e-3
    assert any("kind of the picture" in note for note in notes)


def test_a_hole_in_the_picture(run, root):
    hole = numpy.zeros((SIDE, SIDE, 3), dtype=numpy.uint8)
    hole[:, SIDE // 2 :] = 255
    Image.fromarray(hole).save(root / "input" / "hole.png")
    masks = (
        core("hole", "load_image", file="hole.png"),
        core("mask", "mask_from_image", image=("hole", "image")),
    )
    wires = {"mask": ("mask", "mask")}
    (found,), _ = run(*steered("flux-dev", *masks, net="flux inpainting", wires=wires))
    (plain,), _ = run(
        *steered("flux-dev", *masks, net="flux inpainting", wires=wires, strength=0.0)
    )
    assert found.isfinite().all()
    assert apart(found, plain) > 1e-3


def test_runs_by_parts_are_steered_alike(run):
    """Whatever node samples."""
    whole = steered("sd1")
    sampler = next(x for x in whole if x.id == "sampler")
    prompts = {side: (link.source, link.output) for side, link in sampler.inputs.items()}
    latent, model = prompts.pop("latent"), prompts.pop("model")
    parts = (
        core("guide", "guide", model=model, cfg=CFG, **prompts),
        core("levels", "make_sigmas", model=model, steps=STEPS, scheduler="simple"),
        core("noise", "random_noise", seed=SEED),
        core("euler", "choose_sampler", sampler="euler"),
        core(
            "custom",
            "sample_custom",
            guider=("guide", "guider"),
            sigmas=("levels", "sigmas"),
            noise=("noise", "noise"),
            sampler=("euler", "sampler"),
            latent=latent,
        ),
        core("save_custom", "save_latent", latent=("custom", "latent"), prefix="z"),
    )
    (one, other), _ = run(*whole, *parts)
    assert apart(one, other) < 1e-5


def test_what_pony_diffusion_makes_of_a_foreign_controlnet_is_told(run, root):
    checkpoint_of = root / "checkpoints" / "ponyDiffusionV6XL.safetensors"
    relatives.write("sdxl", checkpoint_of, author="a file of its own")
    nodes = [
        replace(x, params={**x.params, "file": checkpoint_of.name}) if x.id == "checkpoint" else x
        for x in steered("sdxl")
    ]
    _, notes = run(*nodes)
    assert any("Pony Diffusion V6" in note and "union.safetensors" in note for note in notes)
    _, notes = run(*steered("sdxl", strength=0.6))  # which no other test has made
    assert not any("Pony" in note for note in notes)


class TestRefusedBeforeTheRun:
    @pytest.mark.parametrize(
        ("family", "how", "at", "said", "remedy"),
        [
            ("sdxl", {"net": "sd1"}, "controlnet", "made for Stable Diffusion 1", "family"),
            ("sd3", {"vae": False}, "vae", "latent of its picture", "VAE"),
            ("sdxl", {"net": "control-LoRA"}, "model", "changes in the weights", "Wire that model"),
            ("sdxl", {"kind": "blur"}, "kind", "'blur'", "openpose"),
            ("flux-dev", {"net": "flux inpainting"}, "mask", "where the hole is", "mask"),
        ],
    )
    def test_in_one_line_with_a_remedy(self, family, how, at, said, remedy, check):
        error = check(*steered(family, **how))
        assert said in error.what
        assert error.socket == at
        assert remedy in error.remedy

    def test_a_control_lora_and_a_model_of_another_family(self, check):
        other = core("other", "load_checkpoint", file="sd1.safetensors")
        loading = {"model": ("other", "model")}
        error = check(*steered("sdxl", other, net="control-LoRA", loading=loading))
        assert "of SDXL, not of Stable Diffusion 1" in error.what

    @pytest.fixture
    def check(self, root, packs):
        """The one error of a graph."""

        def check(*nodes):
            graph = Graph.of(*nodes)
            (error,) = check_models(graph, packs, ModelFolders([root]), graph.nodes)
            return error

        return check
