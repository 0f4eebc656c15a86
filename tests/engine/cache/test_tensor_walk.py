"""The tensors inside a result."""

from __future__ import annotations

import torch

from ponystudio.engine.cache.tensor_walk import tensors_of, weight


def test_shared_memory_weighs_once_and_a_view_weighs_all_it_keeps():
    base = torch.zeros(1000)
    assert weight([base, base]) < 4500
    assert weight(base[:1]) >= 4000
    assert len(list(tensors_of({"a": (base, [base])}))) == 2
