from __future__ import annotations

from pathlib import Path

import pytest
import torch

import ponystudio_resources
from helpers.cut_outs import disc
from helpers.node_context import FakeContext
from ponystudio.api import Image, Mask, Upscaler, nodes_in
from ponystudio.diffusion.images.realesrgan import SRVGGNetCompact
from ponystudio.diffusion.images.resample import scale_picture
from ponystudio.diffusion.images.upscale import SuperResolution, load_upscaler
from ponystudio.errors import MismatchedValues
from ponystudio.graph.catalog import Catalog
from ponystudio.graph.formats import graph_file as graph_format
from ponystudio.graph.validation import check
from ponystudio.library.model_folders import ModelFolders, default_roots
from ponystudio_nodes import images, upscale
from ponystudio_nodes.images import load_image, save_image
from ponystudio_nodes.upscale import load_upscaler as load_upscaler_node
from ponystudio_nodes.upscale import upscale_image

RECIPE = Upscaler("n.safetensors", "content", "")


@pytest.fixture
def network() -> SuperResolution:
    torch.manual_seed(2)
    return SuperResolution(SRVGGNetCompact(features=8, convs=2, scale=4))


def context(network: SuperResolution, *, frugal: bool = False) -> FakeContext:
    return FakeContext({RECIPE.path: network}, frugal=frugal)


def rand(*shape: int) -> torch.Tensor:
    return torch.rand(shape, generator=torch.Generator().manual_seed(6))


def test_a_recipe_reads_no_weights() -> None:
    recipe = load_upscaler_node(file=Path("/models/a.pth"), ctx=FakeContext())
    assert recipe == Upscaler("/models/a.pth", "content of a.pth", "")


def test_the_networks_own_scale(network: SuperResolution) -> None:
    ctx = context(network)
    result = upscale_image(RECIPE, Image(rand(2, 3, 10, 14)), tile=7, ctx=ctx)
    assert torch.equal(result.image.pixels, network(rand(2, 3, 10, 14), tile=7))
    assert result.mask.values.shape == (2, 1, 40, 56)
    assert bool((result.mask.values == 1).all())
    assert ctx.steps[-1] == (8, 8)


def test_another_scale_is_resized_by_lanczos(network: SuperResolution) -> None:
    pixels = rand(1, 3, 11, 13)
    result = upscale_image(RECIPE, Image(pixels), scale=2.5, ctx=context(network))
    assert result.image.pixels.shape == (1, 3, 27, 32)
    assert torch.equal(result.image.pixels, scale_picture(network(pixels), (27, 32), "lanczos"))
    assert result.mask.values.shape == (1, 1, 27, 32)


def test_transparency_is_enlarged_too(network: SuperResolution) -> None:
    pixels, alpha = rand(2, 3, 8, 9), rand(1, 1, 8, 9)
    result = upscale_image(RECIPE, Image(pixels), Mask(alpha), ctx=context(network))
    assert torch.equal(result.image.pixels, network(pixels))
    wanted = network(alpha.expand(1, 3, 8, 9)).mean(1, keepdim=True)
    assert torch.equal(result.mask.values, wanted)


def test_the_network_does_not_see_colours_that_are_hidden(network: SuperResolution) -> None:
    """A light disc on transparent black is enlarged as if all were light."""
    picture, alpha = disc(24)
    result = upscale_image(RECIPE, picture, alpha, ctx=context(network))
    light = upscale_image(RECIPE, Image(torch.ones(1, 3, 24, 24)), ctx=context(network))
    assert torch.allclose(result.image.pixels, light.image.pixels, atol=1e-5)
    assert result.mask.values.std() > 0.01


@pytest.mark.parametrize("scale", [0.0, 1.5])
def test_the_border_of_a_light_disc_stays_light(scale: float) -> None:
    weights = ModelFolders(default_roots()).resolve(
        "upscale_models", "realesr-animevideov3-x4.safetensors"
    )
    ctx = FakeContext({RECIPE.path: load_upscaler(weights)})
    picture, alpha = disc(24)
    result = upscale_image(RECIPE, picture, alpha, scale=scale, ctx=ctx)
    seen = result.mask.values[0, 0]
    middle = seen.shape[-1] // 2
    assert seen[middle, middle] == 1
    assert seen[0].max() < 1 / 255
    assert result.image.pixels[0, :, seen > 0].min() >= 254 / 255


def test_an_opaque_alpha_costs_nothing(network: SuperResolution) -> None:
    calls: list[object] = []
    network.module.register_forward_pre_hook(lambda *call: calls.append(call))
    opaque = Mask(torch.ones(1, 1, 8, 9))
    result = upscale_image(RECIPE, Image(rand(1, 3, 8, 9)), opaque, ctx=context(network))
    assert len(calls) == 1
    assert bool((result.mask.values == 1).all())


def test_an_alpha_of_another_size_is_refused(network: SuperResolution) -> None:
    with pytest.raises(MismatchedValues, match=r"alpha is 9×7 pixels, the image is 9×8"):
        upscale_image(RECIPE, Image(rand(1, 3, 8, 9)), Mask(rand(1, 1, 7, 9)), ctx=context(network))


def test_short_of_memory_it_works_in_smaller_pieces(network: SuperResolution) -> None:
    widths: list[int] = []
    network.module.register_forward_pre_hook(lambda _, x: widths.append(x[0].shape[-1]))
    picture = Image(rand(1, 3, 20, 400))
    plain = upscale_image(RECIPE, picture, ctx=context(network))
    usual = max(widths)
    widths.clear()
    frugal = upscale_image(RECIPE, picture, ctx=context(network, frugal=True))
    assert max(widths) < usual / 3
    assert torch.allclose(frugal.image.pixels, plain.image.pixels, atol=1e-6)


def test_the_shipped_graph_enlarges_the_shipped_photograph() -> None:
    """By hand, as the engine would: each node's params checked, its files found."""
    graph = graph_format.read(ponystudio_resources.path("graphs", "upscale.json"))
    catalog = Catalog(kind.spec for module in (images, upscale) for kind in nodes_in(module))
    assert check(graph, catalog) == []
    folders = ModelFolders(default_roots())
    nodes = graph.nodes
    params = {**nodes["picture"].params}
    params["file"] = folders.resolve("input", params["file"])
    picture = load_image(**params, ctx=FakeContext())
    weights = folders.resolve("upscale_models", nodes["upscaler"].params["file"])
    ctx = FakeContext({str(weights): load_upscaler(weights)})
    recipe = load_upscaler_node(file=weights, ctx=ctx)
    # A part of it: the whole takes some seconds.
    part = Image(picture.image.pixels[..., 40:80, 100:150])
    alpha = Mask(picture.mask.values[..., 40:80, 100:150])
    enlarged = upscale_image(recipe, part, alpha, **nodes["upscale"].params, ctx=ctx)
    save_image(enlarged.image, enlarged.mask, **nodes["save"].params, ctx=ctx)
    saved = ctx.saved[0]
    assert saved["image"].pixels.shape == (1, 3, 160, 200)
    assert saved["alpha"] is None
    again = scale_picture(saved["image"].pixels, (40, 50), "area")
    assert (again - part.pixels).abs().mean() < 0.02


def test_every_name_is_in_the_graph_file() -> None:
    """Saving writes every param, so the shipped graph has them all."""
    graph = graph_format.read(ponystudio_resources.path("graphs", "upscale.json"))
    catalog = Catalog(kind.spec for module in (images, upscale) for kind in nodes_in(module))
    for node in graph.nodes.values():
        assert set(node.params) == set(catalog[node.type].param_by_name)
    text = ponystudio_resources.path("graphs", "upscale.json").read_text()
    assert graph_format.dumps(graph, catalog) == text
