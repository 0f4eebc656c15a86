"""Where tensors lie in a file, and how."""

from __future__ import annotations

import pytest
import torch

from ponystudio.errors import DamagedFile
from ponystudio.library.formats.tensor_info import (
    FLOATS,
    ITEM_SIZES,
    PACKED,
    TensorInfo,
    aligned,
    check_places,
    contiguous_strides,
    is_contiguous,
    span,
)


@pytest.mark.parametrize("shape", [(), (3,), (2, 3, 4), (2, 1, 4), (0, 3), (1, 1)])
def test_strides_are_torchs(shape):
    whole = torch.empty(shape)
    assert contiguous_strides(shape) == whole.stride()
    assert is_contiguous(shape, whole.stride())
    assert span(shape, whole.stride()) == whole.numel()


def test_views_span_more_than_they_hold():
    view = torch.empty(4, 6)[:, 2]
    assert not is_contiguous(view.shape, view.stride())
    assert span(view.shape, view.stride()) == 19
    assert is_contiguous((1, 3), (77, 1))  # of a side of length 1 the stride says nothing


def at(start: int, nbytes: int) -> TensorInfo:
    return TensorInfo(f"t{start}", "U8", (nbytes,), None, nbytes, start)


def test_tensors_lie_one_behind_the_other():
    check_places([at(8, 4), at(12, 0), at(12, 3)], 8, 15, "file")
    check_places([at(32, 4), at(64, 3)], 30, 96, "file", alignment=32)


@pytest.mark.parametrize(
    ("tensors", "size", "words"),
    [
        ([at(8, 4), at(11, 4)], 15, "'t11' overlaps"),
        ([at(8, 4), at(13, 4)], 17, "'t13' follows a gap"),
        ([at(8, 4)], 11, "is 11 bytes long and should be 12"),
        ([at(8, 4)], 14, "2 bytes at the end"),
    ],
)
def test_nothing_overlaps_and_nothing_is_between(tensors, size, words):
    with pytest.raises(DamagedFile, match=words):
        check_places(tensors, 8, size, "file")


def test_positions_are_rounded_up():
    assert [aligned(n, 32) for n in (0, 1, 32, 33)] == [0, 32, 32, 64]


def test_every_kind_of_number_has_one_size():
    assert set(FLOATS) <= set(ITEM_SIZES)
    assert not set(ITEM_SIZES) & set(PACKED)
