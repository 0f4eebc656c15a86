"""Graphs of A1111's texts make the latents that A1111 makes, here by plain loops over steps."""

from __future__ import annotations

from contextlib import nullcontext

import pytest
import torch

from helpers import checkpoints
from helpers.a1111_loops import (
    NEGATIVE,
    POSITIVE,
    SCALE,
    Pictures,
    ddim,
    dpmpp_2m,
    eps,
    euler,
    euler_a,
    karras,
    same,
    times,
    uniform,
)
from helpers.denoisers import FunctionDenoiser, prompt
from helpers.node_context import FakeContext
from ponystudio.api import Latent, Model
from ponystudio.diffusion.noise.philox import PhiloxGenerator
from ponystudio.engine.node_packs import load_packs
from ponystudio.graph.generation.generation_graph import graph_of
from ponystudio.graph.generation.infotext import read
from ponystudio.graph.model import Graph
from ponystudio.graph.topology import order

PICTURE = torch.randn(1, 4, 8, 8, generator=torch.Generator().manual_seed(5)) * 4


class Opened(FunctionDenoiser):
    def to_rgb(self, values):
        return torch.zeros(1, 3, 8, 8)


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    folder = tmp_path_factory.mktemp("models") / "checkpoints"
    folder.mkdir()
    checkpoints.micro(folder / "sd1.safetensors")
    return Model(str(folder / "sd1.safetensors"), "content", "sd1")


@pytest.fixture(scope="module")
def nodes(tmp_path_factory):
    return load_packs(tmp_path_factory.mktemp("none"))


def latents(graph: Graph, packs, given):
    """What is decoded last; `given` stand in for outputs of nodes that read files."""
    ctx = FakeContext()
    ctx.open = lambda recipe, **_: nullcontext(Opened(eps, modifiers=recipe.modifiers))
    made = dict(given)
    for id in order(graph):
        node = graph.nodes[id]
        if any(source == id for source, _ in given):
            continue
        if node.type == "core.decode_latent":
            return made[node.inputs["latent"].source, node.inputs["latent"].output].values
        kind = packs.types[node.type]
        linked = {name: made[link.source, link.output] for name, link in node.inputs.items()}
        values = {**dict(node.params), **linked}
        if kind.takes_context:
            values["ctx"] = ctx
        found = kind.function(**values)
        outputs = [output.name for output in kind.spec.outputs]
        for name, value in zip(outputs, [found] if len(outputs) == 1 else found, strict=True):
            made[id, name] = value
    raise AssertionError("nothing is decoded")


def drawn(text, packs, model, given=()):
    graph = graph_of(read(f"a pony\nNegative prompt: bad\n{text}")).graph
    given = {
        ("checkpoint", "model"): model,
        ("checkpoint", "clip"): None,
        ("checkpoint", "vae"): None,
        ("positive", "conditioning"): prompt(POSITIVE),
        ("negative", "conditioning"): prompt(NEGATIVE),
        **dict(given),
    }
    return latents(graph, packs, given)


LINE = "Steps: 12, CFG scale: 5, Seed: 7, Size: 64x64, Model: m, Version: v1.10.1"


def test_euler_a_on_a_card_of_nvidias(nodes, model):
    noise, sigmas = Pictures(7, 1), uniform(12)
    expected = euler_a(noise.next() * sigmas[0], sigmas, noise)
    for generator in ("", ", RNG: NV", ", RNG: GPU"):
        text = f"{LINE}, Sampler: Euler a, Schedule type: Automatic{generator}"
        same(drawn(text, nodes, model), expected)


def test_karras_by_the_name_of_old_versions(nodes, model):
    noise = torch.randn(4, 8, 8, generator=torch.Generator().manual_seed(7))
    expected = dpmpp_2m(noise[None] * karras(12)[0], karras(12))
    text = f"{LINE.replace('v1.10.1', '')} Sampler: DPM++ 2M Karras, RNG: CPU"
    same(drawn(text.replace("Version:", "User: me,"), nodes, model), expected)
    text = f"{LINE}, Sampler: DPM++ 2M, Schedule type: Automatic, RNG: CPU"
    same(drawn(text, nodes, model), expected)


def test_ensd_and_eta(nodes, model):
    first, later, sigmas = Pictures(7, 1), Pictures(7 + 31337, 1), uniform(12)
    expected = euler_a(first.next() * sigmas[0], sigmas, later, eta=0.6)
    text = f"{LINE}, Sampler: Euler a, ENSD: 31337, Eta: 0.6, RNG: NV"
    same(drawn(text, nodes, model), expected)
    noise = Pictures(7, 1)
    expected = ddim(noise.next(), times(12)[::-1], 0.6, noise)
    same(drawn(f"{LINE}, Sampler: DDIM, Eta DDIM: 0.6, RNG: NV", nodes, model), expected)


def test_options_of_the_schedule(nodes, model):
    sigmas = [*karras(13)[:-2], 0.0]
    x = Pictures(7, 1).next() * (1 + sigmas[0] ** 2) ** 0.5
    text = f"{LINE}, Sampler: Euler, Schedule type: Karras, Discard penultimate sigma: True"
    found = drawn(f"{text}, SGM noise multiplier: True, RNG: NV", nodes, model)
    same(found, euler(x, sigmas))


def test_a_variation(nodes, model):
    low, high = (PhiloxGenerator(seed).randn((4, 8, 8)) for seed in (7, 9))
    lengths = [x / x.norm(dim=1, keepdim=True) for x in (low, high)]
    ω = (lengths[0] * lengths[1]).sum(1).acos()[:, None]
    noise = ((0.7 * ω).sin() * low + (0.3 * ω).sin() * high) / ω.sin()
    expected = dpmpp_2m(noise[None] * karras(12)[0], karras(12))
    text = f"{LINE}, Sampler: DPM++ 2M, Schedule type: Karras, RNG: NV"
    text += ", Variation seed: 9, Variation seed strength: 0.3"
    same(drawn(text, nodes, model), expected)


def test_noise_of_another_size(nodes, model):
    """Pasted into the middle of that of the picture's own."""
    whole, small = (PhiloxGenerator(7).randn(shape) for shape in ((4, 8, 8), (4, 4, 6)))
    noise = whole.clone()
    noise[:, 2:6, 1:7] = small
    expected = euler(noise[None] * karras(12)[0], karras(12))
    text = f"{LINE}, Sampler: Euler, Schedule type: Karras, RNG: NV, Seed resize from: 48x32"
    same(drawn(text, nodes, model), expected)


def test_the_second_pass(nodes, model):
    """All of its steps are taken, with noise of the same seed at the new size."""
    sigmas, noise = uniform(12), Pictures(7, 1)
    small = euler_a(noise.next() * sigmas[0], sigmas, noise)
    large = torch.nn.functional.interpolate(small, scale_factor=2, mode="bilinear")
    whole = int(8 / 0.55)
    sigmas, noise = uniform(whole)[whole - 8 :], Pictures(7, 1)
    expected = euler_a(large + noise.next((4, 16, 16)) * sigmas[0], sigmas, noise)
    text = f"{LINE}, Sampler: Euler a, Hires upscale: 2, Hires upscaler: Latent, Hires steps: 8"
    same(drawn(f"{text}, Denoising strength: 0.55, RNG: NV", nodes, model), expected)


def test_a_picture_of_a_picture(nodes, model):
    """A share of the steps is taken, and one more."""
    sigmas = karras(12)[12 - int(0.6 * 12) - 1 :]
    x = PICTURE * SCALE + Pictures(7, 1).next() * sigmas[0]
    text = f"{LINE}, Sampler: DPM++ 2M, Schedule type: Karras, Denoising strength: 0.6, RNG: NV"
    given = {
        ("picture", "image"): None,
        ("fit", "image"): None,
        ("encode", "latent"): Latent(PICTURE),
    }
    same(drawn(text, nodes, model, given), dpmpp_2m(x, sigmas))
