"""What changes a model while it samples, called as functions and run as graphs."""

from __future__ import annotations

import pytest
import torch

from helpers import checkpoints
from helpers.core_graphs import checkpoint, core, picture
from ponystudio.api import FreeU, Model, Rescaled, Shift
from ponystudio.diffusion.images.latent_file import read_latent
from ponystudio.engine.cache.result_codec import decode, encode
from ponystudio.engine.headless import run_graph
from ponystudio.errors import MismatchedValues
from ponystudio.graph.model import Graph
from ponystudio.library.model_folders import ModelFolders
from ponystudio_nodes import modifying as nodes

SD1, FLUX = Model("/m", "m", "sd1"), Model("/f", "f", "flux")


def test_of_each_kind_the_last_counts_and_others_stay():
    once = nodes.set_shift(nodes.rescale_guidance(FLUX, amount=0.5), shift=3.0)
    assert once.modifiers == (Rescaled(0.5), Shift(3.0))
    assert nodes.set_shift(once, shift=1.0).modifiers == (Rescaled(0.5), Shift(1.0))
    freed = nodes.freeu(nodes.freeu(SD1), version="V1", b1=1.1)
    assert freed.modifiers == (FreeU(1.1, 1.4, 0.9, 0.2, adaptive=False),)


def test_they_are_kept_with_the_model():
    model = nodes.freeu(nodes.rescale_guidance(SD1))
    assert decode(encode(model, {}))[0] == model


def test_what_acts_on_unets_is_refused_by_transformers():
    with pytest.raises(MismatchedValues, match="FLUX"):
        nodes.freeu(FLUX)


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
        core("it", "rescale_guidance", model=("checkpoint", "model")),
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
