"""Super-resolution: pictures in, larger pictures out, tile by tile."""

from __future__ import annotations

import importlib
import math
from collections.abc import Callable, Iterator
from itertools import pairwise, product
from pathlib import Path
from types import ModuleType
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.nn import functional as F

from ponystudio.diffusion.images.realesrgan import Upscaling, canonical_names, network_for
from ponystudio.diffusion.weights.name_table import Naming
from ponystudio.diffusion.weights.network import Network
from ponystudio.diffusion.weights.weights import Weights, assign, tensors
from ponystudio.errors import ModelFileError, UnknownModel, UnsupportedModel
from ponystudio.library.formats.weights_file import WeightsFile, open_weights

# How much of its surroundings a tile sees, at most. The compact networks look no further, so that
# tiles change nothing. RRDBNet looks further, but weakly: with 6 blocks tiles change about one
# level of 255 at most; with 23 five, and 0.2 root mean square (with a pad of 16: 27 and 1.9).
PAD = 48

OnTile = Callable[[int, int], None]


def load_upscaler(
    path: Path, device: torch.device | str = "cpu", dtype: torch.dtype = torch.float32
) -> SuperResolution:
    """Open an ESRGAN or Real-ESRGAN file of any dialect and layout.

    The network comes from the package spandrel where that is installed and knows it, else from
    here. Raises WrongKind for a discriminator, UnsupportedModel or UnknownModel for other networks,
    and what `open_weights` raises.
    """
    file = open_weights(path)
    try:
        return _load(file, torch.device(device), dtype)
    except ModelFileError as error:
        file.close()
        error.where = error.where or str(path)
        raise
    except BaseException:
        file.close()
        raise


def _load(file: WeightsFile, device: torch.device, dtype: torch.dtype) -> SuperResolution:
    spandrel = _spandrel()
    if spandrel is not None and (found := _from_spandrel(spandrel, file)) is not None:
        file.close()
        return SuperResolution(found.to(device, dtype))
    names = {ours: stored for stored, ours in canonical_names(list(file.tensors)).items()}
    weights = Weights(file, Naming(names))
    try:
        network = network_for(weights.shapes)
    except (UnknownModel, UnsupportedModel):
        if spandrel is None:
            raise
        raise UnknownModel("Neither PonyStudio nor spandrel knows this kind of upscaler.") from None
    for name, value in network.state_dict().items():
        assign(network, name, weights.stored(name, value.shape).on(device, dtype))
    return SuperResolution(network, weights)


class SuperResolution(Network[Upscaling]):
    """A super-resolution network with its weights; `scale` is how many times it enlarges."""

    @property
    def scale(self) -> int:
        return self.module.scale

    @torch.no_grad()
    def __call__(self, pixels: Tensor, *, tile: int = 0, on_tile: OnTile | None = None) -> Tensor:
        """Enlarge pictures `scale` times.

        `pixels`: float32 [B,3,H,W] in 0..1; the result is float32 [B,3,H·scale,W·scale] in 0..1,
        on the same device. `tile` is the side of the pieces in which the work is done; 0 leaves
        it to the network. `on_tile` is told (pieces done, pieces in all).
        """
        batch, channels, height, width = pixels.shape
        result = pixels.new_empty(batch, channels, height * self.scale, width * self.scale)
        windows = list(_windows(height, width, tile or self.module.tile, self.module.multiple))
        pieces = batch * len(windows)
        for done, (index, window) in enumerate(product(range(batch), windows), 1):
            self._enlarge(pixels[index : index + 1], result[index : index + 1], window)
            if on_tile is not None:
                on_tile(done, pieces)
        return result

    def _enlarge(self, source: Tensor, target: Tensor, window: TileWindow) -> None:
        """Enlarge the window with its surroundings, and keep what belongs to it."""
        (top, bottom), (left, right) = window.rows, window.columns
        s, multiple = self.scale, self.module.multiple
        pad = math.ceil(min(self.module.field, PAD) / multiple) * multiple
        y, x = max(top - pad, 0), max(left - pad, 0)
        piece = source[..., y : bottom + pad, x : right + pad].to(self.device, self.dtype)
        enlarged = self.module(_filled(piece, multiple))
        core = enlarged[..., (top - y) * s : (bottom - y) * s, (left - x) * s : (right - x) * s]
        target[..., top * s : bottom * s, left * s : right * s] = core.float().clamp(0, 1)


class TileWindow(NamedTuple):
    """The part of a picture that one tile is responsible for, from..to in pixels."""

    rows: tuple[int, int]
    columns: tuple[int, int]


def _windows(height: int, width: int, tile: int, multiple: int) -> Iterator[TileWindow]:
    rows, columns = (list(pairwise(_cuts(side, tile, multiple))) for side in (height, width))
    return (TileWindow(*window) for window in product(rows, columns))


def _cuts(length: int, tile: int, multiple: int) -> list[int]:
    """Where to cut a side: even pieces no longer than `tile`, at multiples of `multiple`."""
    count = math.ceil(length / max(tile - tile % multiple, multiple))
    step = math.ceil(length / count / multiple) * multiple
    return [*range(0, length, step), length]


def _filled(x: Tensor, multiple: int) -> Tensor:
    """Lengthen to a multiple of `multiple`, at the right and the bottom, by mirroring."""
    height, width = x.shape[-2:]
    below, beside = -height % multiple, -width % multiple
    if not (below or beside):
        return x
    mode = "reflect" if below < height and beside < width else "replicate"
    return F.pad(x, (0, beside, 0, below), mode=mode)


def _spandrel() -> ModuleType | None:
    """The package, where it is installed and can be loaded."""
    try:
        return importlib.import_module("spandrel")
    except (ImportError, RuntimeError):  # as it is with a torchvision that does not fit torch
        return None


def _from_spandrel(spandrel: Any, file: WeightsFile) -> Upscaling | None:
    """What spandrel makes of the file, if it can; raises UnsupportedModel for no upscaler."""
    stored = {name: value.clone() for name, value in tensors(file)}
    try:
        found = spandrel.ModelLoader().load_from_state_dict(stored)
    except (spandrel.UnsupportedModelError, LookupError, RuntimeError, TypeError, ValueError):
        return None  # of a damaged file, too, of which our own networks say in words what is wrong
    if not isinstance(found, spandrel.ImageModelDescriptor) or found.input_channels != 3:
        raise UnsupportedModel(f"A {found.architecture.name} network does not enlarge pictures.")
    return _SpandrelNetwork(found)


class _SpandrelNetwork(Upscaling):
    """A network of spandrel's, which fits the size of its input by itself."""

    multiple, field, tile = 1, PAD, 256

    def __init__(self, descriptor: Any) -> None:
        super().__init__()
        self.network = descriptor.model
        self.scale = descriptor.scale
        self.descriptor = descriptor

    def forward(self, x: Tensor) -> Tensor:
        return self.descriptor(x)
