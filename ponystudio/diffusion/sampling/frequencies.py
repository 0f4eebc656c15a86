"""Pictures and states of networks by their frequencies."""

from __future__ import annotations

import torch
from torch import Tensor


def scaled_frequencies(x: Tensor, *, low: float, high: float, reach: int) -> Tensor:
    """x [B,C,h,w] with the frequencies around 0 times `low`, the others times `high`.

    `reach`: of each axis those are −reach … reach−1, at most half of it.
    """
    height, width = x.shape[-2:]
    # Halves have no transform on every device.
    spectrum = torch.fft.fftshift(torch.fft.fft2(x.float()), dim=(-2, -1))
    factors = torch.full((height, width), high, device=x.device)
    rows, columns = (
        slice(side // 2 - min(reach, side // 2), side // 2 + min(reach, side // 2))
        for side in (height, width)
    )
    factors[rows, columns] = low
    back = torch.fft.ifft2(torch.fft.ifftshift(spectrum * factors, dim=(-2, -1)))
    return back.real.to(x.dtype)
