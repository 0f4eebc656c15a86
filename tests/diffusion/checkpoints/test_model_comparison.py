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
from ponystudio.diffusion.checkpoints.model_comparison import WeightSums, compare
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
        return -value if name.startswith(f"{UNET}middle_block.") else value

    found = compared(original, changed(tmp_path / "B.safetensors", change), ("model",))
    blocks = found.blocks["model"]
    assert blocks["IN04"].distance == pytest.approx(0.25, rel=1e-4)
    assert blocks["IN04"].cosine == pytest.approx(1, abs=1e-5)
    assert blocks["M00"].distance == pytest.approx(2, rel=1e-4)
    assert blocks["M00"].cosine == pytest.approx(-1, abs=1e-5)
    still = [name for name, sums in blocks.items() if sums.distance == 0]
    assert set(blocks) - set(still) == {"IN04", "M00"}
    assert list(blocks) == [
        *["IN", *(f"IN{n:02}" for n in range(9)), "M00"],
        *[*(f"OUT{n:02}" for n in range(9)), "OUT"],
    ]
    numbers = sum(v.numel() for name, v in state("sdxl").items() if name.startswith(UNET))
    assert found.total("model").count == numbers


def test_only_the_layers_of_the_prompt_have_changed(original, tmp_path):
    change = lambda name, value: value * 1.1 if "attn2.to_k" in name else value  # noqa: E731
    found = compared(original, changed(tmp_path / "B.safetensors", change), ("model",))
    moved = {kind for kind, sums in found.layers.items() if sums.distance}
    assert moved == {"cross-attention"}
    assert {"self-attention", "feed-forward", "convolutions", "norms"} <= found.layers.keys()


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


@pytest.mark.parametrize(
    ("noise", "said"),
    [
        (0.01, ["as good as the same", "both are of use, as they are"]),
        (0.1, ["kin, as a rule", "at a strength to be found", "prompts are read alike"]),
        (0.3, ["a distant relative", "may be pure noise", "says something else"]),
        (2.0, ["they are strangers", "ControlNets give noise"]),
    ],
)
def test_what_it_means_for_adapters(original, tmp_path, noise, said):
    generator = torch.Generator().manual_seed(99)

    def change(_, value):
        if not value.is_floating_point():
            return value
        error = torch.randn(value.shape, generator=generator)
        return value + noise * value.norm() * error / error.norm().clamp_min(1e-9)

    found = compared(original, changed(tmp_path / "B.safetensors", change))
    assert found.total("model").distance == pytest.approx(noise, rel=0.02)
    meaning = " ".join(found.meaning)
    assert all(words in meaning for words in said), meaning
    assert meaning.replace("\n", " ") in " ".join(
        line.strip(" -") for line in found.report.splitlines()
    )


def test_predictions_that_differ_are_told(original, tmp_path):
    other = changed(tmp_path / "B.safetensors", lambda _, value: value * 1.01)
    found = compared(original, other, ("model",), predictions=("noise", "velocity"))
    assert "predicts noise and B.safetensors velocity: they cannot be merged" in found.meaning[0]


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


def test_the_chart_has_a_row_for_each_block(original, tmp_path):
    change = lambda name, value: value * 1.5 if ".input_blocks.4." in name else value  # noqa: E731
    found = compared(original, changed(tmp_path / "B.safetensors", change), ("model",))
    picture = chart(found)
    rows = len(found.blocks["model"]) + len(found.layers) + 3
    assert picture.height >= 24 * rows
    colours = {colour: n for n, colour in picture.getcolors(1 << 20)}
    assert colours[(255, 138, 61)] > 3000  # one bar of full length, in the colour of the farthest
