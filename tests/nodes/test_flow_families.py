"""AuraFlow, FLUX.1 and SD3 from a file and words to a picture: what diffusers' own pipelines make.

Both start from the same noise, and both are told the same levels of it.
"""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise
from math import exp

import numpy
import pytest
import torch
from diffusers import FluxPipeline
from PIL import Image
from safetensors.torch import save_file

from helpers import flows
from helpers.core_graphs import NEGATIVE, WORDS, core, picture
from helpers.flow_files import FORMS
from helpers.flow_pipelines import NAMES, noise, pipeline, to_sampler, with_layer
from ponystudio.diffusion.images.latent_file import read_latent
from ponystudio.diffusion.images.picture_file import read_picture
from ponystudio.diffusion.loading.load import recognise
from ponystudio.engine.headless import run_graph
from ponystudio.engine.node_packs import load_packs
from ponystudio.engine.protocol.run_events import Note, Progress, WeightsEvent
from ponystudio.errors import MismatchedValues
from ponystudio.graph.model import Graph, Link
from ponystudio.library.model_folders import ModelFolders
from ponystudio.system import main_memory

WIDTH, HEIGHT, BATCH = 96, 64, 2
SHAPE = BATCH, HEIGHT // 8, WIDTH // 8
STEPS, SEED = 4, 7
# FLUX takes its guidance as an input, or was trained into one, and runs without a second prompt.
CFG = {"auraflow": 3.5, "flux": 1.0, "sd3": 5.0}
# How many tokens diffusers is to read where ours reads as many unasked.
LENGTH = {"auraflow": 256, "flux": 256, "sd3": 77}
EMPTY = (core("latent", "empty_latent", width=WIDTH, height=HEIGHT, batch=BATCH),)
LAYER = {
    "auraflow": "joint_transformer_blocks.1.attn.to_q",
    "flux": "single_transformer_blocks.1.attn.to_v",
    "sd3": "transformer_blocks.0.attn.to_q",
}


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    """Every model in every form."""
    root = tmp_path_factory.mktemp("models")
    for form in FORMS.values():
        for name in NAMES:
            form.write(name, root)
    (root / "loras").mkdir()
    for name in CFG:
        save_file(_lora(name), root / "loras" / f"{name}.safetensors")
    (root / "input").mkdir()
    drawn = numpy.random.default_rng(3).integers(0, 256, (HEIGHT, WIDTH, 3), dtype=numpy.uint8)
    Image.fromarray(drawn).save(root / "input" / "picture.png")
    return root


@pytest.fixture(scope="module")
def packs(root):
    return load_packs(root / "none")


@pytest.fixture
def run(root, packs, tmp_path):
    """Runs a graph, and gives the files that it wrote by their endings."""

    def run(*nodes, on_event=lambda _: None):
        output = tmp_path / str(len(list(tmp_path.iterdir())))
        run_graph(
            Graph.of(*nodes),
            folders=ModelFolders([root]),
            packs=packs,
            output=output,
            device="cpu",
            dtype="fp32",
            on_event=on_event,
        )
        return {end: sorted(output.glob(f"*.{end}")) for end in ("latent", "png")}

    return run


@pytest.fixture
def ours(run):
    """The latent that the denoiser works on, and the pictures, of a run of our nodes."""

    def ours(name, form="whole", more=(), model="", latent=EMPTY, positive="positive", **sampling):
        sources, wires = FORMS[form].sources(name)
        wires |= {"model": model} if model else {}
        nodes = picture(
            *sources,
            *more,
            latent=latent,
            **wires,
            **{"seed": SEED, "steps": STEPS, "cfg": CFG[flows.family_of(name)], **sampling},
        )
        told = {"positive": Link(positive, "conditioning")}
        files = run(
            *(replace(x, inputs=x.inputs | told) if x.id == "sampler" else x for x in nodes)
        )
        values, _ = read_latent(files["latent"][0])
        return to_sampler(name, values), torch.cat([read_picture(x)[0] for x in files["png"]])

    return ours


@torch.no_grad()
def theirs(name, transformer=None, scheduler=None, form="whole", **settings):
    """The same of a pipeline."""
    family = flows.family_of(name)
    made = pipeline(name, transformer, in_folder=form == "folder")
    made.scheduler = scheduler or made.scheduler
    start, last = noise(name, SEED, SHAPE), []

    def keep(_pipeline, _step, _time, values):
        last[:] = [values["latents"]]
        return values

    how = {"guidance_scale": CFG[family], "negative_prompt": NEGATIVE}
    if family == "flux":
        batch, channels, *sides = start.shape
        start = FluxPipeline._pack_latents(start, batch, channels, *sides)
        how = {"guidance_scale": 3.5}
    pictures = made(
        WORDS,
        latents=start,
        width=WIDTH,
        height=HEIGHT,
        num_images_per_prompt=BATCH,
        num_inference_steps=STEPS,
        sigmas=numpy.linspace(1, 1 / STEPS, STEPS).tolist(),
        max_sequence_length=LENGTH[family],
        output_type="pt",
        callback_on_step_end=keep,
        **{**how, **settings},
    ).images
    values = last[0]
    if family == "flux":
        values = FluxPipeline._unpack_latents(values, HEIGHT, WIDTH, 8)
    return values, pictures


def assert_equal(ours, theirs):
    """Latents as closely as asked, pictures but for the eight bits they are kept in."""
    assert ours[0].shape == theirs[0].shape
    assert (ours[0] - theirs[0]).norm() / theirs[0].norm() < 1e-3
    assert (ours[1] - theirs[1]).abs().max() < 1 / 255 + 1e-3


def apart(one, other):
    return float((one[0] - other[0]).norm() / other[0].norm())


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("name", NAMES)
class TestEveryForm:
    def test_is_recognised(self, name, form, tmp_path):
        path = FORMS[form].write(name, tmp_path)
        kind = "diffusion_models" if form == "in parts" else "checkpoints"
        found = recognise(path, kind)
        assert (found.family, found.prediction) == (flows.family_of(name), "flow")

    def test_makes_the_picture_of_the_pipeline(self, name, form, ours):
        expected = theirs(name, form=form)
        assert expected[1].std() > 0.05
        assert_equal(ours(name, form), expected)


def _lora(family):
    """One layer's, in the names of PEFT."""
    generator = torch.Generator().manual_seed(5)
    width = 2 * flows.HEAD
    pair = {"lora_A": torch.randn(3, width, generator=generator)}
    pair["lora_B"] = torch.randn(width, 3, generator=generator)
    return {f"transformer.{LAYER[family]}.{k}.weight": v for k, v in pair.items()}


@pytest.mark.parametrize("name", ["auraflow", "flux", "flux-dev", "sd3"])
def test_a_lora_is_added_to_the_weights(name, ours):
    family = flows.family_of(name)
    down, up = _lora(family).values()
    wires = {"model": ("checkpoint", "model"), "clip": ("checkpoint", "clip")}
    node = core("lora", "apply_lora", **wires, file=f"{family}.safetensors", strength=0.6)
    found = ours(name, more=[node], model="lora")
    expected = theirs(name, with_layer(name, LAYER[family], 0.6 * up @ down))
    assert_equal(found, expected)
    assert apart(theirs(name), expected) > 0.01


class TestAPictureToBeginWith:
    @pytest.fixture
    def changed(self, run):
        """The latent of a picture before and after `denoise` of a run."""

        def changed(name, denoise):
            sources, wires = FORMS["whole"].sources(name)
            encoded = (
                core("picture", "load_image", file="picture.png"),
                core("latent", "encode_image", vae=("checkpoint", "vae"),
                     image=("picture", "image")),
            )  # fmt: skip
            cfg = CFG[flows.family_of(name)]
            nodes = picture(*sources, latent=encoded, denoise=denoise, cfg=cfg, steps=4, **wires)
            before = core("before", "save_latent", latent=("latent", "latent"), prefix="before")
            found = run(*nodes, before)["latent"]
            after, before = sorted(found, key=lambda path: path.name.startswith("before"))
            return read_latent(before)[0], read_latent(after)[0]

        return changed

    @pytest.mark.parametrize("name", ["auraflow", "flux", "flux-dev", "sd3"])
    def test_more_of_it_changes_with_more_noise(self, name, changed):
        differences = []
        for denoise in (0.0, 0.1, 0.8):
            before, after = changed(name, denoise)
            assert torch.isfinite(after).all()
            differences.append(float((after - before).norm() / before.norm()))
        assert differences[0] == 0
        assert 0 < differences[1] < differences[2]


class TestFlowShift:
    @pytest.mark.parametrize(("name", "own"), [("auraflow", 1.73), ("sd3", 3.0), ("flux", 1.0)])
    def test_it_takes_the_place_of_the_models_own(self, name, own, ours):
        """diffusers' scheduler bends time by the same formula, σ = a·s / (1 + (a − 1)·s)."""
        from diffusers import FlowMatchEulerDiscreteScheduler

        def shifted(shift):
            node = core("shift", "set_shift", model=("checkpoint", "model"), shift=shift)
            return ours(name, more=[node], model="shift")

        expected = theirs(name, scheduler=FlowMatchEulerDiscreteScheduler(shift=5.0))
        assert_equal(shifted(5.0), expected)
        assert apart(shifted(own), expected) > 0.01
        assert torch.equal(shifted(own)[0], ours(name)[0])

    def test_a_model_that_counts_tokens_counts_them_no_more(self, ours):
        """FLUX dev's own is e^μ, μ linear from 0.5 at 256 tokens to 1.15 at 4096."""
        tokens = SHAPE[1] * SHAPE[2] // 4
        own = exp(0.5 + (tokens - 256) * (1.15 - 0.5) / (4096 - 256))
        nodes = [
            core(f"shift{n}", "set_shift", model=(source, "model"), shift=shift)
            for n, (source, shift) in enumerate((("checkpoint", 9.0), ("shift0", own)))
        ]
        plain = ours("flux-dev")
        found = ours("flux-dev", more=nodes, model="shift1")  # the last one counts
        assert apart(found, plain) < 1e-6
        assert apart(ours("flux-dev", more=nodes, model="shift0"), plain) > 0.01


def test_layers_of_sd3_are_skipped_as_diffusers_does(ours):
    """Which counts steps, where ours goes by the share of the run: both leave out the first."""
    node = core("skip", "skip_layers", model=("checkpoint", "model"), double="0, 1", scale=2.8)
    node = replace(node, params=node.params | {"start": 0.01, "end": 1.0})
    expected = theirs(
        "sd3",
        skip_guidance_layers=[0, 1],
        skip_layer_guidance_scale=2.8,
        skip_layer_guidance_start=0.0,
        skip_layer_guidance_stop=1.0,
    )
    assert_equal(ours("sd3", more=[node], model="skip"), expected)
    assert apart(ours("sd3"), expected) > 0.01


class TestFluxGuidance:
    @pytest.mark.parametrize("guidance", [1.0, 3.5, 6.0])
    def test_it_is_what_dev_is_told(self, guidance, ours):
        node = core("told", "set_guidance", conditioning=("positive", "conditioning"),
                    guidance=guidance)  # fmt: skip
        found = ours("flux-dev", more=[node], positive="told")
        assert_equal(found, theirs("flux-dev", guidance_scale=guidance))

    def test_each_is_another_picture(self, ours):
        found = [
            ours("flux-dev", positive="told", more=[core(
                "told", "set_guidance", conditioning=("positive", "conditioning"), guidance=g
            )])
            for g in (1.0, 3.5, 6.0)
        ]  # fmt: skip
        assert all(apart(one, other) > 1e-3 for one, other in pairwise(found))
        assert torch.equal(found[1][0], ours("flux-dev")[0])

    def test_schnell_does_not_hear_it(self, ours):
        node = core("told", "set_guidance", conditioning=("positive", "conditioning"), guidance=9.0)
        found = ours("flux", more=[node], positive="told")
        assert torch.equal(found[0], ours("flux")[0])


def test_what_flux_has_no_use_for_is_said(run):
    """Of the sampler's guidance before the model is read, of its own by what the model is."""
    sources, wires = FORMS["in parts"].sources("flux")
    node = core("told", "set_guidance", conditioning=("positive", "conditioning"), guidance=2.0)
    nodes = picture(*sources, node, latent=EMPTY, **wires, cfg=2.0, steps=1)
    told = {"positive": Link("told", "conditioning")}
    events = []
    run(
        *(replace(x, inputs=x.inputs | told) if x.id == "sampler" else x for x in nodes),
        on_event=events.append,
    )
    started = next(i for i, e in enumerate(events) if getattr(e, "node", "") == "sampler")
    happened = [e for e in events[started + 1 :] if isinstance(e, Note | WeightsEvent | Progress)]
    first, read, second, step = happened[:4]
    assert "made for guidance 1" in first.text
    assert (type(read), read.action) == (WeightsEvent, "load")
    assert second.text == "The guidance of FLUX dev means nothing to this model of FLUX.1."
    assert isinstance(step, Progress)


@pytest.mark.parametrize("name", NAMES)
def test_little_memory_changes_no_bit(name, run, monkeypatch):
    """Denoiser and text encoders come in blocks where they do not fit."""
    sources, wires = FORMS["whole"].sources(name)
    nodes = picture(*sources, latent=EMPTY, **wires, cfg=CFG[flows.family_of(name)], steps=STEPS)
    whole, streams = run(*nodes), []

    def on_event(event):
        if isinstance(event, WeightsEvent) and event.action == "stream":
            streams.append(event.bytes)

    monkeypatch.setattr(main_memory, "available", lambda: 0)
    found = run(*nodes, on_event=on_event)
    assert len(streams) == 3  # two prompts and the sampling
    assert all(streams)
    values, expected = (read_latent(files["latent"][0])[0] for files in (found, whole))
    assert torch.equal(values, expected)


class TestTheLargestPicture:
    @pytest.mark.parametrize(("name", "side"), [("auraflow", 128), ("sd3", 192)])
    def test_a_larger_one_is_refused_before_the_denoiser_is_read(self, name, side, run):
        sources, wires = FORMS["in parts"].sources(name)
        large = (core("latent", "empty_latent", width=side + 16, height=64),)
        read = []

        def on_event(event):
            if isinstance(event, WeightsEvent):
                read.append(event.file)

        with pytest.raises(MismatchedValues) as caught:
            run(*picture(*sources, latent=large, **wires), on_event=on_event)
        said = str(caught.value)
        assert caught.value.node == "sampler"
        assert f"no pictures larger than {side} pixels a side, and this one is {side + 16}" in said
        assert "\n" not in said
        assert read
        assert f"{name}.safetensors" not in read
