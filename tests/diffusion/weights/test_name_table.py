"""Which stored tensor ours are, and what of it."""

from __future__ import annotations

import pytest
import torch

from ponystudio.diffusion.weights.name_table import (
    SWAPPED,
    THIRDS,
    TRANSPOSED,
    FusedSlice,
    Naming,
    renamed,
)

WHOLE = torch.arange(12.0).reshape(6, 2)


@pytest.mark.parametrize(
    ("cut", "rows"),
    [
        (THIRDS[0], [0, 1]),
        (THIRDS[2], [4, 5]),
        (FusedSlice(1, 3, 3), [2, 3, 4, 5]),
        (SWAPPED, [3, 4, 5, 0, 1, 2]),
        (FusedSlice(1, 2, 4), [1, 2]),
        (FusedSlice(), [0, 1, 2, 3, 4, 5]),
    ],
)
def test_rows_of_it(cut, rows):
    assert torch.equal(cut.of(WHOLE), WHOLE[rows])
    assert cut.shape((6, 2)) == (len(rows), 2)


def test_the_transpose_of_it():
    assert torch.equal(TRANSPOSED.of(WHOLE), WHOLE.t())
    assert TRANSPOSED.shape((6, 2)) == (2, 6)


def test_only_what_is_swapped_is_copied():
    assert all(cut.of(WHOLE).data_ptr() == WHOLE[n * 2].data_ptr() for n, cut in enumerate(THIRDS))
    assert SWAPPED.of(WHOLE).data_ptr() != WHOLE.data_ptr()


def test_a_table_names_modules_and_tensors():
    part = {
        "attn.qkv.weight": "m.attn.qkv.weight",
        "attn.qkv.bias": "m.attn.qkv.bias",
        "norm.scale": "m.norm.scale",
        "odd": "m.odd",
    }
    table = [
        *(("attn.qkv", f"attention.{x}", cut) for x, cut in zip("qkv", THIRDS, strict=True)),
        ("norm.scale", "norm.weight", None),
    ]
    found = renamed(part, table)
    assert found.names == {
        **{f"attention.{x}.weight": "m.attn.qkv.weight" for x in "qkv"},
        **{f"attention.{x}.bias": "m.attn.qkv.bias" for x in "qkv"},
        "norm.weight": "m.norm.scale",
        ".odd": "m.odd",
    }
    assert found.fused["attention.k.bias"] is THIRDS[1]
    assert "norm.weight" not in found.fused


def test_without_a_table_all_keep_their_names():
    part = {"a.weight": "x.a.weight"}
    assert renamed(part, ()) == Naming(part)
