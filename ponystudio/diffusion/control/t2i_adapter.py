"""T2I-adapters (Mou et al. 2023): a small network that sees a picture once, and whose features are
added on the way down of a UNet. Names on the left of the table are the original's.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any

from ponystudio.diffusion.architectures import DenoiserInputs, Residuals
from ponystudio.diffusion.control import ControlArchitecture, Hint, Hints, Shapes
from ponystudio.diffusion.families import Family
from ponystudio.diffusion.weights.name_table import FusedSlice, Naming, renamed
from ponystudio.diffusion.weights.network_config import side
from ponystudio.diffusion.weights.tensor_names import below, count
from ponystudio.errors import UnsupportedModel

if TYPE_CHECKING:
    from torch import Tensor, nn

BRANCHES = ("conv_in.", "body.")
LEVELS = 4
# What it folds into one place, by how many pixels: the numbers that its first layer reads then.
FOLDS = {8: (64, 192), 16: (256, 768)}


def _naming(names: Iterable[str], _: Iterable[str]) -> Naming:
    listed = list(names)
    prefix = "adapter." if any(name.startswith("adapter.") for name in listed) else ""
    part = below(listed, prefix, BRANCHES)
    return renamed(part, _table(part))


def _table(part: Iterable[str]) -> Iterator[tuple[str, str, FusedSlice | None]]:
    """(original or diffusers', ours); ours are diffusers' with `adapter.` before them."""
    names = list(part)
    yield "conv_in", "adapter.conv_in", None
    blocks = count(names, r"body\.(\d{1,4})\.")
    # The original counts the blocks of all levels on, but in light ones, whose levels have bodies.
    flat = any(re.match(r"body\.\d+\.block1\.", name) for name in names)
    each = max(1, blocks // LEVELS) if flat else 1
    for n in range(blocks):
        level, place = divmod(n, each)
        here = f"adapter.body.{level}"
        yield f"body.{n}.in_conv", f"{here}.in_conv", None
        yield f"body.{n}.out_conv", f"{here}.out_conv", None
        if flat:
            for layer in ("block1", "block2"):
                yield f"body.{n}.{layer}", f"{here}.resnets.{place}.{layer}", None
            continue
        inner = rf"body\.{n}\.(?:body|resnets)\.(\d{{1,4}})\."
        for j in range(count(names, inner)):
            for holder in ("body", "resnets"):
                for layer in ("block1", "block2"):
                    yield f"body.{n}.{holder}.{j}.{layer}", f"{here}.resnets.{j}.{layer}", None


def _config(shapes: Shapes, _: Family, _hints: Hints) -> dict[str, Any]:
    """The arguments of diffusers' T2IAdapter."""
    levels = count(shapes, r"adapter\.body\.(\d{1,4})\.")
    light = "adapter.body.0.out_conv.weight" in shapes
    last = "out_conv.weight" if light else "resnets.0.block1.weight"
    channels = [side(shapes, f"adapter.body.{n}.{last}", 0) for n in range(levels)]
    first = "adapter.body.0.in_conv.weight" if light else "adapter.conv_in.weight"
    numbers = side(shapes, first, 1)
    fold = next((fold for fold, known in FOLDS.items() if numbers in known), None)
    if fold is None:
        raise UnsupportedModel(f"No T2I-adapter that is known reads {numbers} numbers a place.")
    kind = "light_adapter" if light else "full_adapter" if fold == 8 else "full_adapter_xl"
    return {
        "in_channels": numbers // fold**2,
        "channels": channels[:-1] if light else channels,
        "num_res_blocks": count(shapes, r"adapter\.body\.0\.resnets\.(\d{1,4})\."),
        "downscale_factor": fold,
        "adapter_type": kind,
    }


def _build(arguments: dict[str, Any]) -> nn.Module:
    from diffusers.models.adapter import T2IAdapter

    return T2IAdapter(**arguments)


def _read(module: Any, pixels: Tensor) -> Hint:
    """The features at each level; that of a grey picture is the mean of the colours."""
    if module.config.in_channels == 1:
        pixels = pixels.mean(dim=1, keepdim=True)
    return tuple(module(pixels))


def _call(
    _module: Any,
    _x: Tensor,
    _t: Tensor,
    _told: DenoiserInputs,
    hint: Hint,
    _kind: int | None,
    _base: Any,
) -> Residuals:
    return Residuals(inside=hint)


def _fits(module: Any, base: Any) -> bool:
    ours, theirs = tuple(module.config.channels), tuple(base.config.block_out_channels)
    return ours[: len(theirs)] == theirs[: len(ours)]


CONTROL = ControlArchitecture(
    _naming,
    _config,
    _build,
    _read,
    _call,
    _fits,
    grain=lambda module: module.config.downscale_factor,
)
