"""What the kinds add to a weight: by hand, and against the same arithmetic written out."""

from __future__ import annotations

import pytest
import torch
from torch import tensor

from ponystudio.diffusion.lora.deltas import delta, rank_of
from ponystudio.diffusion.weights.name_table import SWAPPED, THIRDS


def made(scale=1.0, **roles):
    found = delta(roles, scale)
    assert found is not None
    return found


def rows(*values):
    return tensor(values, dtype=torch.float32)


class TestCheckValues:
    """The numbers that are published for each kind."""

    def test_lora(self):
        change = made(1 / 2, up=torch.full((4, 2), 0.5), down=rows([1, 0, 0], [0, 1, 0]))
        weight = change.added(torch.zeros(4, 3), 1.0)
        assert torch.equal(weight, rows([0.25, 0.25, 0]).expand(4, 3))

    def test_loha(self):
        change = made(
            hada_w1_a=rows([1], [2], [3], [4]),
            hada_w1_b=rows([1, 2, 3]),
            hada_w2_a=torch.ones(4, 1),
            hada_w2_b=rows([1, 1, 2]),
        )
        product = change.product(torch.zeros(4, 3))
        assert product[0].tolist() == [1, 2, 6]
        assert product[3].tolist() == [4, 8, 24]

    def test_lokr(self):
        change = made(lokr_w1=rows([1, 2], [3, 4]), lokr_w2=torch.eye(2))
        assert change.product(torch.zeros(4, 4)).tolist() == [
            [1, 0, 2, 0],
            [0, 1, 0, 2],
            [3, 0, 4, 0],
            [0, 3, 0, 4],
        ]

    def test_dora_whose_lengths_are_the_rows_own_changes_no_length(self):
        torch.manual_seed(0)
        weight = torch.randn(5, 7)
        up, down = torch.randn(5, 2), torch.randn(2, 7)
        lengths = weight.norm(dim=1, keepdim=True)
        changed = made(up=up, down=down, dora=lengths).added(weight.clone(), 1.0)
        torch.testing.assert_close(changed.norm(dim=1, keepdim=True), lengths)
        assert not torch.allclose(changed, weight)


def random(*shape):
    return torch.randn(shape, generator=torch.Generator().manual_seed(len(shape) + shape[0]))


# Each kind for a convolution [6,4,3,3], with the same sum written index by index.
def tucker(core, a, b):
    return torch.einsum("ijkl,ip,jr->prkl", core, a, b)


CONVOLUTIONS = {
    "LoCon": (
        {"up": random(6, 2, 1, 1), "down": random(2, 4, 3, 3)},
        lambda r: torch.einsum("or,rikl->oikl", r["up"][..., 0, 0], r["down"]),
    ),
    "LoCon, Tucker": (
        {"up": random(6, 2, 1, 1), "mid": random(2, 2, 3, 3), "down": random(2, 4, 1, 1)},
        lambda r: torch.einsum(
            "om,mnkl,ni->oikl", r["up"][..., 0, 0], r["mid"], r["down"][..., 0, 0]
        ),
    ),
    "LoHa": (
        {
            "hada_w1_a": random(6, 2),
            "hada_w1_b": random(2, 36),
            "hada_w2_a": random(6, 2) + 1,
            "hada_w2_b": random(2, 36) + 1,
        },
        lambda r: ((r["hada_w1_a"] @ r["hada_w1_b"]) * (r["hada_w2_a"] @ r["hada_w2_b"])).reshape(
            6, 4, 3, 3
        ),
    ),
    "LoHa, Tucker": (
        {
            "hada_w1_a": random(2, 6),
            "hada_w1_b": random(2, 4),
            "hada_t1": random(2, 2, 3, 3),
            "hada_w2_a": random(2, 6) + 1,
            "hada_w2_b": random(2, 4) + 1,
            "hada_t2": random(2, 2, 3, 3) + 1,
        },
        lambda r: (
            tucker(r["hada_t1"], r["hada_w1_a"], r["hada_w1_b"])
            * tucker(r["hada_t2"], r["hada_w2_a"], r["hada_w2_b"])
        ),
    ),
    "LoKr": (
        {"lokr_w1": random(2, 2), "lokr_w2": random(3, 2, 3, 3)},
        lambda r: torch.einsum("ab,cdkl->acbdkl", r["lokr_w1"], r["lokr_w2"]).reshape(6, 4, 3, 3),
    ),
    "LoKr, factored": (
        {"lokr_w1": random(2, 2), "lokr_w2_a": random(3, 2), "lokr_w2_b": random(2, 18)},
        lambda r: torch.einsum(
            "ab,cdkl->acbdkl",
            r["lokr_w1"],
            (r["lokr_w2_a"] @ r["lokr_w2_b"]).reshape(3, 2, 3, 3),
        ).reshape(6, 4, 3, 3),
    ),
    "LoKr, Tucker": (
        {
            "lokr_w1_a": random(2, 1),
            "lokr_w1_b": random(1, 2),
            "lokr_w2_a": random(2, 3),
            "lokr_w2_b": random(2, 2),
            "lokr_t2": random(2, 2, 3, 3),
        },
        lambda r: torch.einsum(
            "ab,cdkl->acbdkl",
            r["lokr_w1_a"] @ r["lokr_w1_b"],
            tucker(r["lokr_t2"], r["lokr_w2_a"], r["lokr_w2_b"]),
        ).reshape(6, 4, 3, 3),
    ),
    "whole": ({"diff": random(6, 4, 3, 3)}, lambda r: r["diff"]),
}


@pytest.mark.parametrize("kind", CONVOLUTIONS)
def test_of_convolutions(kind):
    roles, written_out = CONVOLUTIONS[kind]
    change = made(**roles)
    weight = torch.zeros(6, 4, 3, 3)
    torch.testing.assert_close(change.product(weight), written_out(roles))
    assert change.fits((6, 4, 3, 3))
    assert not change.fits((6, 4, 1, 1))
    assert not change.fits((8, 4, 3, 3))


@pytest.mark.parametrize("kind", CONVOLUTIONS)
def test_strength_counts_once(kind):
    roles, written_out = CONVOLUTIONS[kind]
    weight = random(6, 4, 3, 3)
    scale = 1.0 if kind == "whole" else 0.5
    changed = made(scale, **roles).added(weight.clone(), -2.0)
    torch.testing.assert_close(changed, weight - 2 * scale * written_out(roles))


class TestDora:
    def test_strength_is_the_way_between_both(self):
        weight = random(6, 4)
        roles = {"up": random(6, 2), "down": random(2, 4), "dora": torch.full((6, 1), 3.0)}
        whole = made(0.5, **roles).added(weight.clone(), 1.0)
        half = made(0.5, **roles).added(weight.clone(), 0.5)
        torch.testing.assert_close(half, (weight + whole) / 2)
        torch.testing.assert_close(whole.norm(dim=1), torch.full((6,), 3.0))

    def test_of_columns(self):
        weight = random(6, 4)
        roles = {"up": random(6, 2), "down": random(2, 4), "dora": torch.full((1, 4), 2.0)}
        whole = made(1.0, **roles).added(weight.clone(), 1.0)
        torch.testing.assert_close(whole.norm(dim=0), torch.full((4,), 2.0))

    def test_of_convolutions(self):
        weight = random(6, 4, 3, 3)
        roles = CONVOLUTIONS["LoCon"][0] | {"dora": torch.full((6, 1, 1, 1), 2.0)}
        whole = made(1.0, **roles).added(weight.clone(), 1.0)
        torch.testing.assert_close(whole.flatten(1).norm(dim=1), torch.full((6,), 2.0))

    @pytest.mark.parametrize("sides", [(5, 1), (1, 5), (6, 4), (7,)])
    def test_of_another_layer_do_not_fit(self, sides):
        roles = {"up": random(6, 2), "down": random(2, 4)}
        assert made(**roles, dora=torch.ones(6)).fits((6, 4))
        assert not made(**roles, dora=torch.ones(sides)).fits((6, 4))


class TestCuts:
    """A layer that is one for the LoRA and several in the network."""

    @pytest.mark.parametrize("kind", CONVOLUTIONS)
    def test_are_the_rows_of_the_whole(self, kind):
        roles, written_out = CONVOLUTIONS[kind]
        change, like = made(**roles), torch.zeros(2, 4, 3, 3)
        parts = [change.cut(cut) for cut in THIRDS]
        assert all(part.fits((2, 4, 3, 3)) for part in parts)
        assert not any(part.fits((3, 4, 3, 3)) for part in parts)
        products = [part.product(like) for part in parts]
        torch.testing.assert_close(torch.cat(products), written_out(roles))

    @pytest.mark.parametrize("kind", CONVOLUTIONS)
    def test_whose_halves_are_swapped(self, kind):
        roles, written_out = CONVOLUTIONS[kind]
        weight = random(6, 4, 3, 3)
        changed = made(**roles).cut(SWAPPED).added(weight.clone(), -2.0)
        product = written_out(roles)
        expected = weight - 2 * torch.cat([product[3:], product[:3]])
        torch.testing.assert_close(changed, expected)

    @pytest.mark.parametrize("kind", CONVOLUTIONS)
    def test_of_a_dora(self, kind):
        roles, written_out = CONVOLUTIONS[kind]
        weight, lengths = random(6, 4, 3, 3), torch.arange(1.0, 7).view(6, 1, 1, 1)
        change = made(**roles, dora=lengths)
        assert all(change.may_cut(cut) for cut in THIRDS)
        rows = [
            change.cut(cut).added(part.clone(), 1.0)
            for cut, part in zip(THIRDS, weight.chunk(3), strict=True)
        ]
        whole = weight + written_out(roles)
        norms = whole.flatten(1).norm(dim=1).view(6, 1, 1, 1)
        torch.testing.assert_close(torch.cat(rows), whole * lengths / norms)

    def test_lengths_of_columns_need_every_row(self):
        roles = {"up": random(6, 2), "down": random(2, 4), "dora": torch.full((1, 4), 2.0)}
        change = made(**roles)
        assert not any(change.may_cut(cut) for cut in THIRDS)
        assert change.may_cut(SWAPPED)
        swapped = change.cut(SWAPPED).added(random(6, 4), 1.0)
        torch.testing.assert_close(swapped.norm(dim=0), torch.full((4,), 2.0))

    def test_of_a_low_rank_copy_nothing(self):
        up, down = random(6, 2), random(2, 4)
        parts = [made(up=up, down=down).cut(cut) for cut in THIRDS]
        assert all(part.down is down for part in parts)
        storage = up.untyped_storage().data_ptr()
        assert all(part.up.untyped_storage().data_ptr() == storage for part in parts)


@pytest.mark.parametrize(
    ("roles", "rank"),
    [
        ({"up": random(6, 2), "down": random(2, 4)}, 2),
        (CONVOLUTIONS["LoHa"][0], 2),
        ({"lokr_w1": random(2, 2), "lokr_w2": random(3, 2)}, 0),
        (CONVOLUTIONS["LoKr, factored"][0], 2),
        ({"diff": random(3, 3)}, 0),
    ],
)
def test_the_rank_that_alpha_is_divided_by(roles, rank):
    assert rank_of(roles) == rank
