"""Ratios of blocks: along a curve, by the names of mergers, and by beginnings of original names."""

from __future__ import annotations

import pytest

from helpers import mixtures
from ponystudio.api import Model
from ponystudio.diffusion.families import find_family
from ponystudio.diffusion.loading.block_ratios import (
    blocks_of,
    merge_ratios,
    ratio_of,
    shapes_of,
)

# One tensor of some blocks, by our names.
NAMES = {
    "time": "time_embedding.linear_1.weight",
    "IN00": "conv_in.weight",
    "IN04": "down_blocks.1.attentions.0.transformer_blocks.0.attn1.to_q.weight",
    "IN04 prompt": "down_blocks.1.attentions.0.transformer_blocks.0.attn2.to_q.weight",
    "M00": "mid_block.resnets.1.conv1.weight",
    "OUT08": "up_blocks.2.resnets.2.conv1.weight",
    "out": "conv_out.weight",
}


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    path, _ = mixtures.pair("sdxl", tmp_path_factory.mktemp("ratios"))
    return Model(str(path), "x", "sdxl")


@pytest.fixture(scope="module")
def ratios(model):
    blocks = blocks_of(model)

    def read(text="", curve="flat", ratio=0.5, last=0.5):
        rules = merge_ratios(blocks, ratio=ratio, last=last, curve=curve, text=text)
        find = ratio_of("model", find_family("sdxl"), shapes_of(model), rules)
        return {name: find(ours) for name, ours in NAMES.items()}

    return read


@pytest.mark.parametrize(
    ("curve", "wanted"),
    [
        ("linear", {"time": 0, "IN00": 0, "IN04": 4 / 18, "M00": 0.5, "OUT08": 1, "out": 1}),
        ("smooth", {"IN00": 0, "IN04": 0.1169778, "M00": 0.5, "OUT08": 1}),
        ("middle", {"IN00": 0, "IN04": 0.6427876, "M00": 1, "OUT08": 0}),
    ],
)
def test_a_curve_goes_from_the_first_block_to_the_last(ratios, curve, wanted):
    found = ratios(curve=curve, ratio=0, last=1)
    assert {name: found[name] for name in wanted} == pytest.approx(wanted, abs=1e-6)


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        # ComfyUI's ModelMergeBlocks and ModelMergeSDXL: the longest beginning counts.
        ("input: 0.1\nmiddle: 0.2\nout: 0.3", [0.5, 0.1, 0.1, 0.1, 0.2, 0.3, 0.3]),
        ("input_blocks.: 0.1\ninput_blocks.4: 0.9", [0.5, 0.1, 0.9, 0.9, 0.5, 0.5, 0.5]),
        ("time_embed.: 0.1, out.: 0.2", [0.1, 0.5, 0.5, 0.5, 0.5, 0.5, 0.2]),
        # The blocks of mergers, with what belongs to none of them.
        ("IN: 0.1; OUT: 0.3", [0.1, 0.1, 0.1, 0.1, 0.5, 0.3, 0.3]),
        ("in03-m00 = 0", [0.5, 0.5, 0, 0, 0, 0.5, 0.5]),
        ("*: 0.1, IN04:attn2: 0.9", [0.1, 0.1, 0.1, 0.9, 0.1, 0.1, 0.1]),
        # What names layers counts before what does not, wherever it stands.
        ("all:attn2: 0.9, IN04: 0.2", [0.5, 0.5, 0.2, 0.9, 0.5, 0.5, 0.5]),
        (",".join(["0"] * 9 + ["1"] * 10), [0, 0, 0, 0, 1, 1, 1]),
        (" ".join(["0.25,"] * 19) + "1", [0.25, 0.25, 0.25, 0.25, 0.25, 1, 1]),
    ],
)
def test_what_is_said_of_blocks(ratios, text, wanted):
    assert list(ratios(text).values()) == wanted


def test_transformers_have_blocks_of_their_own(tmp_path):
    path, _ = mixtures.pair("flux", tmp_path)
    blocks = blocks_of(Model(str(path), "x", "flux"))
    assert list(blocks.starts) == ["IN", "D00", "D01", "S00", "S01", "S02", "OUT"]
    assert set(blocks.starts["IN"]) == {"img_in.", "txt_in.", "time_in.", "vector_in."}
