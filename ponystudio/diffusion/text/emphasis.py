"""Emphasis: how the weights of a prompt's tokens act on their states, by each dialect.

z are states [B,n,width], w weights [B,n,1].
"""

from __future__ import annotations

import torch
from torch import Tensor


def multiplied(z: Tensor, w: Tensor) -> Tensor:
    """A1111's: z' = z·w · mean(z)/mean(z·w), the means taken over each chunk."""
    zw = z * w
    mean, new_mean = (x.mean(dim=(1, 2), keepdim=True) for x in (z, zw))
    return torch.where(new_mean != 0, zw * (mean / new_mean), zw)


def moved(z: Tensor, w: Tensor, empty: Tensor) -> Tensor:
    """ComfyUI's: z' = (z − z∅)·w + z∅ at each position, z∅ the states of no words [1,n,width].

    Places of weight 1 stay as they are.
    """
    return torch.where(w == 1, z, (z - empty) * w + empty)
