"""Tensors as torch's pickles tell of them."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor

from ponystudio.diffusion.weights.weights import tensors
from ponystudio.library.formats.weights_file import open_weights


def same(found: dict[str, Tensor], expected: dict[str, Tensor]) -> bool:
    return found.keys() == expected.keys() and all(
        found[name].dtype == value.dtype and torch.equal(found[name], value)
        for name, value in expected.items()
    )


def test_views_of_one_storage(tmp_path: Path) -> None:
    base = torch.arange(24.0).reshape(4, 6)
    state = {
        "whole": base,
        "transposed": base.t(),
        "column": base[:, 2],
        "row": base[1],
        "inner": base[1:3, 2:5],
        "scalar": base[3, 5],
        "none": base[:0],
    }
    for legacy in (False, True):
        path = tmp_path / "views.pt"
        torch.save(state, path, _use_new_zipfile_serialization=not legacy)
        with open_weights(path) as file:
            assert same(dict(tensors(file)), state)
            assert file.tensors["whole"].strides is None
            assert file.tensors["row"].strides is None
            assert file.tensors["transposed"].strides == (1, 6)
            assert file.tensors["column"].nbytes == (3 * 6 + 1) * 4
