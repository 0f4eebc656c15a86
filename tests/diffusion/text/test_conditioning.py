"""How what several text encoders say becomes one prompt, with numbers that tell their places."""

from __future__ import annotations

import pytest
import torch

from ponystudio.diffusion.families import find_family
from ponystudio.diffusion.text.conditioning import Encoded, joined


def share(value, n=77, width=2, pooled=0, padding=False):
    """What an encoder says: one number everywhere."""
    return Encoded(
        torch.full((1, n, width), float(value)),
        torch.full((1, 77, width), -float(value)) if padding else None,
        torch.full((1, pooled), value + 0.5) if pooled else None,
    )


def test_one_encoder_alone_is_the_prompt():
    alone = share(1, padding=True)
    assert joined([alone], find_family("sd1")) is alone
    assert joined([alone], find_family("auraflow")) is alone


class TestBeside:
    def test_states_and_padding_stand_side_by_side(self):
        found = joined(
            [share(1, padding=True), share(2, 77, 3, 4, padding=True)], find_family("sdxl")
        )
        assert found.context[0, 5].tolist() == [1, 1, 2, 2, 2]
        assert found.padding[0, 5].tolist() == [-1, -1, -2, -2, -2]
        assert found.pooled.tolist() == [[2.5] * 4]

    def test_the_shorter_is_filled_with_zeros(self):
        found = joined([share(1, 154), share(2, 77)], find_family("sdxl"))
        assert found.context[0, :, 0].tolist() == [1] * 154
        assert found.context[0, :, 2].tolist() == [2] * 77 + [0] * 77
        assert found.padding is found.pooled is None


def test_apart():
    found = joined([share(1, pooled=3, padding=True), share(2, 256, 5)], find_family("flux"))
    assert torch.equal(found.context, torch.full((1, 256, 5), 2.0))
    assert found.pooled.tolist() == [[1.5] * 3]
    assert found.padding is None


class TestInARow:
    def test_t5_stands_behind_clip_widened(self):
        clips = [share(1, 77, 2, 2, padding=True), share(2, 154, 3, 3, padding=True)]
        found = joined([*clips, share(3, 80, 9)], find_family("sd3"))
        assert found.context.shape == (1, 154 + 80, 9)
        assert found.context[0, 0].tolist() == [1, 1, 2, 2, 2, 0, 0, 0, 0]
        assert found.context[0, 100].tolist() == [0, 0, 2, 2, 2, 0, 0, 0, 0]
        assert found.context[0, 154].tolist() == [3] * 9
        assert found.pooled.tolist() == [[1.5] * 2 + [2.5] * 3]
        assert found.padding is None

    def test_without_t5_zeros_stand_there(self):
        clips = [share(1, pooled=2), share(2, pooled=2)]
        found = joined([*clips, None], find_family("sd3"))
        assert found.context.shape == (1, 77 + 77, 4096)
        assert found.context[0, 0].tolist() == [1, 1, 2, 2] + [0] * 4092
        assert not found.context[:, 77:].any()

    def test_a_narrow_t5_is_widened_too(self):
        found = joined([share(1), share(2), share(3, 77, 2)], find_family("sd3"))
        assert found.context[0, 77].tolist() == [3, 3, 0, 0]


def test_zeros_have_the_same_shapes():
    zeros = share(1, 77, 2, 3, padding=True).zeros()
    for value, shape in ((zeros.context, (1, 77, 2)), (zeros.padding, (1, 77, 2))):
        assert value.shape == shape
        assert not value.any()
    assert zeros.pooled.tolist() == [[0, 0, 0]]
    assert share(1).zeros().pooled is None


@pytest.mark.parametrize("name", ["sd1", "sd2", "sdxl", "sd3", "flux", "auraflow"])
def test_every_familys_way_is_known(name):
    family = find_family(name)
    shares = [share(1, pooled=2) for _ in family.towers]
    assert joined(shares, family).context.any()
