"""Graphs of the latent nodes, run whole on a tiny checkpoint: what each of them means."""

from __future__ import annotations

import numpy
import pytest
import torch
from PIL import Image

from helpers import checkpoints
from ponystudio.diffusion.images.latent_file import read_latent
from ponystudio.engine.headless import run_graph
from ponystudio.engine.node_packs import load_packs
from ponystudio.errors import MismatchedValues
from ponystudio.graph.model import Graph, Link, Node
from ponystudio.library.model_folders import ModelFolders

SIDE = 64


def make(id, type, /, **given):
    links = {k: Link(*v) for k, v in given.items() if isinstance(v, tuple)}
    params = {k: v for k, v in given.items() if not isinstance(v, tuple)}
    return Node(id, f"core.{type}", params=params, inputs=links)


LOADERS = (
    make("checkpoint", "load_checkpoint", file="m.safetensors"),
    make("positive", "encode_prompt", text="a pony", clip=("checkpoint", "clip")),
    make("negative", "encode_prompt", text="", clip=("checkpoint", "clip")),
)


def sampled(id, latent, **more):
    return make(
        id, "sample", model=("checkpoint", "model"), latent=(latent, "latent"),
        positive=("positive", "conditioning"), negative=("negative", "conditioning"),
        **{"steps": 3, "seed": 5, **more},
    )  # fmt: skip


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    root = tmp_path_factory.mktemp("models")
    for folder in ("checkpoints", "input", "latents"):
        (root / folder).mkdir()
    checkpoints.micro(root / "checkpoints" / "m.safetensors")
    noise = numpy.random.default_rng(0).integers(0, 256, (SIDE, SIDE, 3), dtype=numpy.uint8)
    Image.fromarray(noise).save(root / "input" / "picture.png")
    mask = numpy.zeros((SIDE, SIDE), numpy.uint8)
    mask[:, SIDE // 2 :] = 255
    Image.fromarray(mask).convert("RGB").save(root / "input" / "mask.png")
    return root


@pytest.fixture(scope="module")
def packs(root):
    return load_packs(root / "none")


@pytest.fixture
def latent_of(root, packs, tmp_path):
    """Runs nodes and gives the latents [B,C,h,w] that come out of the named ones."""

    def run(nodes, *names):
        saves = [make(f"save_{n}", "save_latent", latent=(n, "latent"), prefix=n) for n in names]
        run_graph(
            Graph.of(*LOADERS, *nodes, *saves),
            folders=ModelFolders([root]),
            output=tmp_path,
            device="cpu",
            dtype="fp32",
            packs=packs,
        )
        return [read_latent(tmp_path / f"{name}_00001.latent")[0] for name in names]

    return run


ENCODED = (
    make("picture", "load_image", file="picture.png"),
    make("encoded", "encode_image", vae=("checkpoint", "vae"), image=("picture", "image")),
)


def test_denoise_keeps_more_of_a_picture_the_smaller_it_is(latent_of):
    nodes = [
        *ENCODED,
        sampled("none", "encoded", denoise=0.0),
        sampled("little", "encoded", denoise=0.2, steps=5),
        sampled("much", "encoded", denoise=0.9, steps=5),
    ]
    encoded, none, little, much = latent_of(nodes, "encoded", "none", "little", "much")
    assert torch.equal(none, encoded)
    assert 0 < (little - encoded).norm() < (much - encoded).norm()


def test_a_mask_keeps_what_it_does_not_cover(latent_of):
    nodes = [
        *ENCODED,
        make("black_and_white", "load_image", file="mask.png"),
        make("mask", "mask_from_image", image=("black_and_white", "image")),
        make("masked", "mask_latent", latent=("encoded", "latent"), mask=("mask", "mask")),
        sampled("painted", "masked"),
    ]
    encoded, painted = latent_of(nodes, "encoded", "painted")
    middle = encoded.shape[-1] // 2
    kept, changed = (painted - encoded)[..., : middle - 1], (painted - encoded)[..., middle + 1 :]
    assert kept.abs().max() < 1e-4
    assert changed.abs().mean() > 0.1


def test_the_second_pass_of_a_hires_fix(latent_of):
    nodes = [
        make("empty", "empty_latent", width=SIDE, height=SIDE),
        sampled("first", "empty"),
        make("scaled", "scale_latent_by", latent=("first", "latent"), factor=1.5, method="bislerp"),
        sampled("second", "scaled", denoise=0.5, steps=4),
    ]
    first, scaled, second = latent_of(nodes, "first", "scaled", "second")
    assert first.shape == (1, 4, 8, 8)
    assert scaled.shape == second.shape == (1, 4, 12, 12)
    assert not torch.equal(scaled, second)


def test_a_batch_begins_with_the_single_picture(latent_of):
    nodes = [
        make("one", "empty_latent", width=SIDE, height=SIDE),
        make("two", "empty_latent", width=SIDE, height=SIDE, batch=2),
        sampled("single", "one"),
        sampled("pair", "two"),
    ]
    single, pair = latent_of(nodes, "single", "pair")
    assert pair.shape == (2, 4, 8, 8)
    assert (pair[:1] - single).norm() < 1e-4 * single.norm()
    assert (pair[1] - pair[0]).abs().max() > 0.1


def test_a_saved_latent_loads_as_it_was(latent_of, root, tmp_path):
    (first,) = latent_of([*ENCODED], "encoded")
    (tmp_path / "encoded_00001.latent").rename(root / "latents" / "kept.latent")
    nodes = [make("loaded", "load_latent", file="kept.latent")]
    assert torch.equal(latent_of(nodes, "loaded")[0], first)


def test_decoding_and_encoding_in_tiles_comes_close(latent_of):
    nodes = [
        *ENCODED,
        make("image", "decode_latent", vae=("checkpoint", "vae"), latent=("encoded", "latent")),
        make("whole", "encode_image", vae=("checkpoint", "vae"), image=("image", "image")),
        make("tiled", "encode_image", vae=("checkpoint", "vae"), image=("image", "image"), tile=64),
    ]
    whole, tiled = latent_of(nodes, "whole", "tiled")
    assert torch.equal(whole, tiled)  # one tile holds the whole picture


def test_a_latent_of_another_family_is_refused(latent_of, root):
    from ponystudio.diffusion.images.latent_file import latent_bytes

    (root / "latents" / "xl.latent").write_bytes(latent_bytes(torch.ones(1, 4, 8, 8), "sdxl", {}))
    nodes = [make("loaded", "load_latent", file="xl.latent"), sampled("painted", "loaded")]
    with pytest.raises(
        MismatchedValues, match=r"painted.*made for SDXL, the model is Stable Diffusion 1"
    ):
        latent_of(nodes, "painted")
