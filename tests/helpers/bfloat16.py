"""Whether torch computes attention in bf16 here.

Where its CPU capability is turned down by ATEN_CPU_CAPABILITY on a CPU that has AVX-512 its own
attention raises, whoever calls it.
"""

from __future__ import annotations

import pytest
import torch
from torch.nn.functional import scaled_dot_product_attention


def require_attention() -> None:
    """Skip the test where torch's own attention does not run in bf16."""
    q = torch.zeros(1, 2, 64, 32, dtype=torch.bfloat16)
    try:
        scaled_dot_product_attention(q, q, q)
    except RuntimeError as error:
        pytest.skip(f"torch's attention does not run in bf16 here: {error}")
