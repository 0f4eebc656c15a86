"""Two models of a family that differ in every number, and what their merges must hold."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import torch
from safetensors.torch import save_file
from torch import Tensor

from helpers import flows
from helpers.seed_models import hints, state

State = Mapping[str, Tensor]
DIFFUSION = ("sd1", "sd2", "sdxl")
UNET = "model.diffusion_model."


def other(tensors: State, seed: int = 7) -> dict[str, Tensor]:
    """As many numbers of the same sizes, of their own."""
    generator = torch.Generator().manual_seed(seed)
    return {
        name: (0.5 * value.float() + 0.1 * torch.randn(value.shape, generator=generator)).to(
            value.dtype
        )
        if value.is_floating_point()
        else value
        for name, value in tensors.items()
    }


def pair(family: str, folder: Path) -> tuple[Path, Path]:
    """Two checkpoints, or of flow models two denoisers, in the original's layout."""
    paths = folder / f"{family} A.safetensors", folder / f"{family} B.safetensors"
    if paths[1].exists():
        return paths
    first = state(family) if family in DIFFUSION else flows.original(family)
    folder.mkdir(parents=True, exist_ok=True)
    save_file(dict(first), paths[0], metadata=said(family))
    save_file(other(first), paths[1], metadata=said(family))
    return paths


def said(family: str) -> dict[str, str]:
    """What the shapes of so small a model cannot tell."""
    return hints(family) if family in DIFFUSION else flows.hints(family)


def mixed(
    a: State, b: State, formula: Callable[[str, Tensor, Tensor], Tensor]
) -> dict[str, Tensor]:
    """A merge by hand, tensor by tensor in float32 and cast to what A is stored as."""
    return {
        name: formula(name, value.float(), b[name].float()).to(value.dtype)
        if value.is_floating_point() and name in b
        else value
        for name, value in a.items()
    }
