"""Every model of the seed's that is of SD1, SD2 or SDXL: recognised, run, and told apart."""

from __future__ import annotations

import pytest
import torch
from PIL import Image

from helpers.core_graphs import SIDE, core, picture
from helpers.seed_models import ROWS
from ponystudio.cli.arguments import main
from ponystudio.diffusion.images.latent_file import read_latent
from ponystudio.diffusion.images.picture_file import read_picture
from ponystudio.engine.headless import run_graph
from ponystudio.graph.model import Graph
from ponystudio.library.model_folders import ModelFolders
from ponystudio.library.recognition.recognise import recognise

WORDS = {("eps", False): "eps", ("v", False): "v", ("v", True): "v, zero SNR"}
# The plainest file of each family, which is told what it predicts.
PLAIN = {"sd1": "pony-diffusion-v2, original", "sd2": "SD 2 of 512", "sdxl": "Pony V6 XL"}


@pytest.fixture(scope="module", params=ROWS)
def row(request):
    return ROWS[request.param]


@pytest.fixture(scope="module")
def root(row, tmp_path_factory):
    """A folder of models with that of the row."""
    root = tmp_path_factory.mktemp("models")
    row.make(root)
    return root


def run(root, *nodes):
    """The latent and the picture that a graph saves."""
    output = root / "output"
    run_graph(
        Graph.of(*nodes), folders=ModelFolders([root]), output=output, device="cpu", dtype="fp32"
    )
    latent, _ = read_latent(next(output.glob("*.latent")))
    return latent, read_picture(next(output.glob("*.png")))[0]


def paint(row, root, **params):
    """What the model of a row paints; `params` go to the node that opens it."""
    (first, *others), of = row.sources()
    first = core(first.id, first.type.removeprefix("core."), **{**first.params, **params})
    more = {"latent": _hole(root, of.get("vae", "checkpoint"))} if row.channels == 9 else {}
    return run(root, *picture(first, *others, **of, **more))


def _hole(root, vae):
    """A picture whose right half is to be painted anew."""
    (root / "input").mkdir()
    Image.new("RGB", (SIDE, SIDE), (200, 40, 90)).save(root / "input" / "picture.png")
    hole = Image.new("RGB", (SIDE, SIDE))
    hole.paste((255, 255, 255), (SIDE // 2, 0, SIDE, SIDE))
    hole.save(root / "input" / "hole.png")
    return (
        core("picture", "load_image", file="picture.png"),
        core("hole", "load_image", file="hole.png"),
        core("mask", "mask_from_image", image=("hole", "image")),
        core(
            "latent", "encode_for_inpainting", vae=(vae, "vae"), image=("picture", "image"),
            mask=("mask", "mask"),
        ),
    )  # fmt: skip


@pytest.fixture(scope="module")
def known(tmp_path_factory):
    """By family and prediction, the latent of its plainest file."""
    latents = {}
    for family, name in PLAIN.items():
        for what, word in WORDS.items():
            root = tmp_path_factory.mktemp(family)
            ROWS[name].make(root)
            latents[family, *what], _ = paint(ROWS[name], root, prediction=word)
    return latents


def test_is_recognised(row, root, capsys):
    path = root / row.folder / row.file
    found = recognise(path)
    assert (found.kind, found.family, found.input_channels) == (
        "diffusion_model" if row.in_parts else "checkpoint",
        row.family,
        row.channels,
    )
    if not row.params:
        assert (found.prediction, found.zsnr) == (row.prediction, row.zsnr)
    assert any(row.why in line for line in found.why)
    assert main(["inspect", str(path)]) == 0
    said = capsys.readouterr().out
    assert f"family      {row.family}\n" in said
    assert all(f"  - {line}\n" in said for line in found.why)


def test_paints_as_its_kind_does_and_as_no_other(row, root, known):
    """The nearest of all pictures from the same weights is the one of the same prediction."""
    latent, pixels = paint(row, root)
    assert torch.isfinite(latent).all()
    assert pixels.shape == (1, 3, SIDE, SIDE)
    assert pixels.std() > 0.01
    if row.channels == 4:
        distance = {kind: ((latent - x).norm() / x.norm()).item() for kind, x in known.items()}
        nearest = min(distance, key=lambda kind: distance[kind])
        assert nearest == (row.family, row.prediction, row.zsnr)
        if not row.rounded:
            assert distance[nearest] < 1e-5


def test_averaged_weights_paint_another_picture(known, tmp_path):
    row = ROWS["Waifu Diffusion 1.3, full"]
    row.make(tmp_path)
    latent, _ = paint(row, tmp_path, ema=True)
    assert torch.isfinite(latent).all()
    assert (latent - known["sd1", "eps", False]).norm() / latent.norm() > 0.05
