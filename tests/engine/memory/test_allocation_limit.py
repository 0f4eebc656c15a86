"""The bound on what a node may allocate."""

from __future__ import annotations

import sys

import pytest
import torch

from ponystudio.engine.memory.allocation_limit import AllocationLimit
from ponystudio.engine.memory.oom_fallbacks import is_out_of_memory


@pytest.mark.skipif(sys.platform != "linux", reason="other systems refuse by themselves")
def test_memory_that_is_not_there_is_refused_instead_of_killed(monkeypatch):
    monkeypatch.setattr("ponystudio.engine.memory.allocation_limit.available", lambda: 600 * 2**20)
    allocation_limit = AllocationLimit(active=True)
    with allocation_limit.enforced():
        torch.ones(2**20)
        with pytest.raises((RuntimeError, MemoryError)) as error:
            torch.ones(2**30)
        assert is_out_of_memory(error.value)
        with allocation_limit.suspended():
            mapped = torch.empty(2**30)  # addresses alone, as a mapped file takes
        torch.ones(2**20)
        with pytest.raises((RuntimeError, MemoryError)):
            torch.ones(2**30)
    assert torch.ones(2**28).sum() + mapped.shape[0] > 0
