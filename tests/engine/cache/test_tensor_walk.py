"""The tensors inside a result."""

from __future__ import annotations

import torch

from ponystudio.engine.cache.tensor_walk import size_in_bytes, tensors_of


def test_shared_memory_weighs_once_and_a_view_weighs_all_it_keeps():
    base = torch.zeros(1000)
    assert size_in_bytes([base, base]) < 4500
    assert size_in_bytes(base[:1]) >= 4000
    assert len(list(tensors_of({"a": (base, [base])}))) == 2
