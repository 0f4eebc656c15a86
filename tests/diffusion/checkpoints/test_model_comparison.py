"""Two checkpoints compared: the figures of known differences, and what is said of them."""

from __future__ import annotations

from contextlib import ExitStack

import pytest
import torch
from safetensors.torch import save_file

from helpers import flows, pipelines
from helpers.mixtures import UNET
from helpers.seed_models import hints, state
from ponystudio.diffusion.checkpoints.comparison_chart import chart
from ponystudio.diffusion.checkpoints.model_comparison import ModelComparison, WeightSums, compare
from ponystudio.diffusion.loading.part_weights import PartWeights
from ponystudio.errors import MismatchedValues


def compared(one, two, parts=("model", "clip", "vae"), **more):
    with ExitStack() as stack:
        sides = []
        for path in (one, two):
            opened = {part: PartWeights(path, part) for part in parts}
            for weights in opened.values():
                stack.callback(weights.close)
            sides.append(opened)
        return compare(*sides, **more)


@pytest.fixture(scope="module")
def original(tmp_path_factory):
    path = tmp_path_factory.mktemp("compare") / "A.safetensors"
    save_file(wide(state("sdxl")), path, metadata=hints("sdxl"))
    return path


def wide(tensors):
    return {k: v.float() if v.is_floating_point() else v for k, v in tensors.items()}


def changed(path, change):
    tensors = {name: change(name, value) for name, value in wide(state("sdxl")).items()}
    save_file(tensors, path, metadata=hints("sdxl"))
    return path


def test_the_figures():
    a, b = torch.tensor([3.0, 4.0]), torch.tensor([4.0, 3.0])
    sums = WeightSums(*(float(u @ v) for u, v in ((a, a), (b, b), (a, b), (b - a, b - a))), 2)
    assert sums.cosine == pytest.approx(24 / 25)
    assert sums.distance == pytest.approx(2**0.5 / 5)
    assert (WeightSums().cosine, WeightSums().distance) == (1.0, 0.0)


def test_a_block_that_was_scaled_and_one_that_was_turned(original, tmp_path):
    def change(name, value):
        if name.startswith(f"{UNET}input_blocks.4."):
            return value * 1.25
        if name.startswith(f"{UNET}middle_block."):
            return -value
        return value * 1.1 if "output_blocks.0" in name and "attn2.to_k" in name else value

    found = compared(original, changed(tmp_path / "B.safetensors", change), ("model",))
    blocks = found.blocks["model"]
    assert blocks["IN04"].distance == pytest.approx(0.25, rel=1e-4)
    assert blocks["IN04"].cosine == pytest.approx(1, abs=1e-5)
    assert blocks["M00"].distance == pytest.approx(2, rel=1e-4)
    assert blocks["M00"].cosine == pytest.approx(-1, abs=1e-5)
    moved = {name for name, sums in blocks.items() if sums.distance}
    assert moved == {"IN04", "M00", "OUT00"}
    assert list(blocks) == [
        *["IN", *(f"IN{n:02}" for n in range(9)), "M00"],
        *[*(f"OUT{n:02}" for n in range(9)), "OUT"],
    ]
    numbers = sum(v.numel() for name, v in state("sdxl").items() if name.startswith(UNET))
    assert found.total("model").count == numbers
    assert {"self-attention", "feed-forward", "convolutions", "norms"} <= found.layers.keys()
    assert found.layers["cross-attention"].dd > 0


def test_the_layout_makes_no_difference(tmp_path):
    path = tmp_path / "A.safetensors"
    save_file(wide(state("sdxl")), path, metadata=hints("sdxl"))
    found = compared(path, pipelines.save("sdxl", tmp_path / "folder"))
    assert all(found.total(part).distance < 1e-3 for part in ("model", "clip", "vae"))


def test_transformers_have_blocks_too(tmp_path):
    paths = [flows.write("flux", tmp_path / f"{name}.safetensors") for name in "AB"]
    found = compared(*paths, ("model",))
    assert list(found.blocks["model"]) == ["IN", "D00", "D01", "S00", "S01", "S02", "OUT"]
    assert found.meaning == [
        "Both hold the same weights: what was made for the one is made for the other."
    ]


def test_what_only_one_has_is_counted(original, tmp_path):
    path = tmp_path / "inpainting.safetensors"
    save_file(state("sdxl", in_channels=9), path, metadata=hints("sdxl"))
    assert compared(original, path, ("model",)).alone == {"model": 1}


def apart(distance, cosine=None):
    """Sums of weights that have moved so far, across their own direction if nothing is said."""
    bb = 1 + distance**2 if cosine is None else 1.0
    return WeightSums(1.0, bb, 1.0 if cosine is None else cosine, distance**2, 2)


def told(distance, **more):
    blocks = {"model": {"IN00": apart(distance)}, "clip": {"CLIP-L 00": apart(distance)}}
    layers = {"cross-attention": apart(2 * distance), "norms": apart(0)}
    return ModelComparison(("A", "B"), "SDXL", blocks, layers, **more)


@pytest.mark.parametrize(
    ("distance", "said"),
    [
        (0.01, ["moved 1.0% from A (as good as the same", "both are of use, as they are"]),
        (0.1, ["(kin, as a rule", "moved 20.0%", "to be found", "prompts are read alike"]),
        (0.3, ["a distant relative", "moved 60.0%", "may be pure noise", "says something else"]),
        (2.0, ["they are strangers", "ControlNets give noise"]),
    ],
)
def test_what_it_means_for_adapters(distance, said):
    found = told(distance)
    meaning = " ".join(found.meaning)
    assert all(words in meaning for words in said), meaning
    assert meaning in " ".join(line.strip(" -") for line in found.report.splitlines())


def test_predictions_that_differ_are_told():
    found = told(0.01, predictions=("noise", "velocity"))
    assert "A predicts noise and B velocity: they cannot be merged" in found.meaning[0]


def test_families_are_not_mixed(original, tmp_path):
    save_file(state("sd1"), tmp_path / "sd1.safetensors")
    with pytest.raises(MismatchedValues, match="weights have nothing in common"):
        compared(original, tmp_path / "sd1.safetensors", ("model",))


def test_pieces_are_the_whole(original, monkeypatch):
    monkeypatch.setattr("ponystudio.diffusion.loading.part_weights.PIECE", 1000)
    weights = PartWeights(original, "model")
    name = "mid_block.resnets.0.conv1.weight"
    pieces = list(weights.pieces(name))
    assert max(map(len, pieces)) == 1000 < weights.value(name).numel()
    assert torch.equal(torch.cat(pieces), weights.value(name).flatten())
    weights.close()


def test_the_chart_has_a_row_for_each_block():
    found = told(0.25)
    picture = chart(found)
    rows = sum(map(len, found.blocks.values())) + len(found.layers) + 5
    assert picture.height >= 24 * rows
    colours = {colour: n for n, colour in picture.getcolors(1 << 20)}
    assert colours[(255, 138, 61)] > 3000  # one bar of full length, in the colour of the farthest
