"""Nodes of words, called as functions."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
import torch

from helpers.core_graphs import core
from helpers.node_context import FakeContext
from ponystudio.api import Area, Clip, Conditioning, Entry, Mask
from ponystudio.engine.node_packs import load_packs
from ponystudio.engine.preflight import check_models
from ponystudio.errors import MismatchedValues, ParamRange
from ponystudio.graph.model import Graph
from ponystudio.library.model_folders import ModelFolders
from ponystudio_nodes.prompting import (
    average_prompts,
    combine_prompts,
    concat_prompts,
    encode_prompt,
    encode_texts,
    set_area,
    set_area_share,
    set_guidance,
    set_range,
    set_region_mask,
    set_sizes,
    set_strength,
    zero_prompt,
)


def plain(values=None, family="sdxl", **options):
    context = torch.zeros(1, 77, 8) if values is None else torch.tensor([values])
    return Conditioning((Entry(context, **options),), family)


class Encoder:
    def encode(self, text, **how):
        self.asked = text, how
        return SimpleNamespace(context=torch.ones(1, 77, 8), padding=None, pooled=torch.ones(1, 4))


def test_words_go_to_the_text_encoder_of_the_recipe():
    encoder = Encoder()
    found = encode_prompt(
        Clip("/clip", "c", "sdxl"),
        text="a pony",
        clip_skip=2,
        ctx=FakeContext({"/clip": encoder}),
    )
    assert encoder.asked == ("a pony", {"dialect": "a1111", "clip_skip": 2, "empty": "auto"})
    (entry,) = found.entries
    assert (found.family, entry.pooled.shape, entry.sizes) == ("sdxl", (1, 4), None)


def test_each_encoder_reads_the_prompt_for_it():
    encoder, ctx = Encoder(), FakeContext({"/clip": None})
    ctx.networks["/clip"] = encoder
    found = encode_texts(Clip("/clip", "c", "flux"), clip_l="a", clip_g="b", t5="c", ctx=ctx)
    assert encoder.asked[0] == {"clip_l": "a", "t5xxl": "c"}
    assert ctx.notes == ["FLUX.1 has no text encoder that reads clip_g: 'b' is left out."]
    assert found.family == "flux"


def test_sizes_are_rows_before_columns():
    before = plain()
    found = set_sizes(before, width=1, height=2, crop_left=3, crop_top=4, target_width=5,
                      target_height=6)  # fmt: skip
    assert found.entries[0].sizes == (2, 1, 4, 3, 6, 5)
    assert found.entries[0].context is before.entries[0].context
    assert before.entries[0].sizes is None


def test_what_is_set_holds_for_every_part():
    both = combine_prompts(plain(strength=0.5), plain())
    assert [entry.strength for entry in both.entries] == [0.5, 1]
    assert [entry.guidance for entry in set_guidance(both, guidance=2.0).entries] == [2, 2]
    assert [entry.guided for entry in set_guidance(both, off=True).entries] == [False] * 2
    assert [entry.strength for entry in set_strength(both, strength=3.0).entries] == [3, 3]
    ranged = set_range(both, start=0.25, end=0.5).entries
    assert [(entry.start, entry.end) for entry in ranged] == [(0.25, 0.5)] * 2


def test_mixed_prompts_by_the_published_numbers():
    first = plain([[0.0, 1], [2, 3], [4, 5], [6, 7]], pooled=torch.tensor([[1.0, 2]]))
    second = plain([[10.0, 11], [12, 13]], pooled=torch.tensor([[3.0, 6]]))
    (entry,) = average_prompts(first, second, strength=0.25).entries
    assert entry.context[0].tolist() == [[7.5, 8.5], [9.5, 10.5], [1, 1.25], [1.5, 1.75]]
    assert entry.pooled.tolist() == [[2.5, 5]]
    (cut,) = average_prompts(second, first, strength=0.0).entries
    assert cut.context[0].tolist() == [[0, 1], [2, 3]]
    (bare,) = average_prompts(plain([[0.0, 1]]), second).entries
    assert bare.pooled.tolist() == [[3, 6]]


def test_the_first_part_of_the_second_prompt_stands_behind_each_of_the_first():
    first = combine_prompts(plain([[1.0]]), plain([[2.0]]))
    second = combine_prompts(plain([[8.0], [9.0]]), plain([[0.0]]))
    joined = concat_prompts(first, second).entries
    assert [entry.context.flatten().tolist() for entry in joined] == [[1, 8, 9], [2, 8, 9]]


@pytest.mark.parametrize("join", [concat_prompts, average_prompts])
def test_a_prompt_for_all_pictures_meets_one_for_each(join):
    one, pair = plain([[2.0]]), Conditioning((Entry(torch.tensor([[[4.0]], [[6.0]]])),), "sdxl")
    found = [join(*given).entries[0].context.flatten(1) for given in ((one, pair), (pair, one))]
    if join is concat_prompts:
        assert [x.tolist() for x in found] == [[[2, 4], [2, 6]], [[4, 2], [6, 2]]]
    else:
        assert [x.tolist() for x in found] == [[[3], [4]]] * 2
    three = Conditioning((Entry(torch.zeros(3, 1, 1)),), "sdxl")
    with pytest.raises(MismatchedValues, match="for 2 pictures, the second for 3"):
        join(pair, three)


@pytest.mark.parametrize("join", [concat_prompts, average_prompts])
def test_a_second_prompt_that_says_nothing_is_refused(join):
    with pytest.raises(MismatchedValues, match="second prompt says nothing") as error:
        join(plain(), Conditioning((), "sdxl"))
    assert error.value.socket == "second"


def test_no_prompt_is_zeros_of_the_same_shapes():
    ones = torch.ones(1, 77, 8)
    (entry,) = zero_prompt(
        Conditioning((Entry(ones, ones, torch.ones(1, 4), strength=0.5),), "sdxl")
    ).entries
    assert not any(x.any() for x in (entry.context, entry.padding, entry.pooled))
    assert (entry.context.shape, entry.strength) == ((1, 77, 8), 0.5)
    assert zero_prompt(plain()).entries[0].pooled is None


@pytest.mark.parametrize("join", [combine_prompts, concat_prompts, average_prompts])
def test_prompts_of_two_families_are_refused(join):
    with pytest.raises(MismatchedValues, match=r"made for .*XL, the other for FLUX"):
        join(plain(), plain(family="flux"))


def test_an_area_in_pixels_or_shares():
    (entry,) = set_area(plain(), x=8, y=16, width=64, height=32, strength=0.5).entries
    assert (entry.area, entry.strength) == (Area(8, 16, 64, 32), 0.5)
    (entry,) = set_area_share(plain(), x=0.5, width=0.5).entries
    assert entry.area == Area(0.5, 0, 0.5, 1, relative=True)


@pytest.mark.parametrize(
    ("socket", "params"),
    [
        ("height", {"height": 0.0}),
        ("x", {"x": 1.0}),
        ("y", {"y": 1.0}),
    ],
)
def test_areas_that_are_none_are_refused(socket, params):
    with pytest.raises(ParamRange) as error:
        set_area_share(plain(), **params)
    assert error.value.socket == socket
    assert error.value.remedy


def test_a_range_that_ends_before_it_begins_is_refused():
    with pytest.raises(ParamRange, match=r"begins at 0\.5 and ends before, at 0\.25"):
        set_range(plain(), start=0.5, end=0.25)


@pytest.mark.parametrize(
    ("type", "params", "at", "said"),
    [
        ("set_range", {"start": 0.5, "end": 0.25}, "end", "ends before"),
        ("set_area_share", {"width": 0.0}, "width", "a width of 0"),
        ("apply_controlnet", {"start": 0.5, "end": 0.25}, "end", "from 0.5, and up to 0.25"),
    ],
)
def test_params_that_do_not_fit_each_other_are_told_before_the_run(
    type, params, at, said, tmp_path
):
    graph = Graph.of(core("one", type, **params))
    found = check_models(
        graph, load_packs(tmp_path / "none"), ModelFolders([tmp_path]), graph.nodes
    )
    assert [(error.node, error.socket) for error in found] == [("one", at)]
    assert said in found[0].what
    assert found[0].remedy


def test_a_region_by_a_mask():
    mask = Mask(torch.ones(1, 1, 8, 8))
    (entry,) = set_region_mask(plain(), mask, strength=0.8, seen="around the mask").entries
    assert (entry.mask, entry.mask_strength, entry.within_mask) == (mask.values, 0.8, True)
