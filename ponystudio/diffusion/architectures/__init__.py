"""The architectures of denoisers, one module each: `ARCHITECTURE` in it is all that others need.

Our networks are diffusers', so their names of tensors and arguments are the reference. Importing
this loads no torch.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ponystudio.diffusion.weights.name_table import Naming, Table

if TYPE_CHECKING:
    from torch import Tensor, nn

    from ponystudio.diffusion.families import Family

Shapes = Mapping[str, tuple[int, ...]]
Hints = Mapping[str, Any]


@dataclass(frozen=True, eq=False)
class Residuals:
    """What ControlNets and their kin add within a denoiser; nothing where a field is empty.

    In a UNet `down` to each output of the way down and `mid` to that of the middle, `inside` at
    the end of each level of the way down; in a transformer `blocks` after each of the blocks of
    text and picture, and `singles` after each of those over both.
    """

    down: tuple[Tensor, ...] = ()
    mid: Tensor | None = None
    inside: tuple[Tensor, ...] = ()
    blocks: tuple[Tensor, ...] = ()
    singles: tuple[Tensor, ...] = ()

    def __add__(self, other: Residuals) -> Residuals:
        def both(a: tuple[Tensor, ...], b: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
            return tuple(x + y for x, y in zip(a, b, strict=True)) if a and b else a or b

        mids = [mid for mid in (self.mid, other.mid) if mid is not None]
        return Residuals(
            both(self.down, other.down),
            None if not mids else mids[0] if len(mids) == 1 else mids[0] + mids[1],
            both(self.inside, other.inside),
            both(self.blocks, other.blocks),
            both(self.singles, other.singles),
        )

    def changed(self, change: Callable[[Tensor], Tensor]) -> Residuals:
        """With every tensor changed so."""
        return Residuals(
            tuple(map(change, self.down)),
            None if self.mid is None else change(self.mid),
            tuple(map(change, self.inside)),
            tuple(map(change, self.blocks)),
            tuple(map(change, self.singles)),
        )


@dataclass(frozen=True)
class DenoiserInputs:
    """What a denoiser is told beside the latent, all on its device.

    `context` [B,n,width]: the prompt. Where its family has them: `pooled` [B,width]; `sizes` [B,6]
    in pixels, the height and width of the original, the top and left of the cut, the height and
    width of the aim; `guidance` [B]. `pictured` [B,2·width]: what an unCLIP model is told of
    pictures (sampling.unclip). `places` [B,30,context]: tokens of boxes, for a UNet that has
    GLIGEN's layers. `bias` [B,n]: what is added to the attention towards each token of the prompt.
    `residuals`: what controls add.
    `references` [B,C,h',w']: pictures to refer to, scaled as x is.
    """

    context: Tensor
    pooled: Tensor | None = None
    sizes: Tensor | None = None
    guidance: Tensor | None = None
    pictured: Tensor | None = None
    places: Tensor | None = None
    bias: Tensor | None = None
    residuals: Residuals | None = None
    references: tuple[Tensor, ...] = ()


@dataclass(frozen=True)
class Architecture:
    """How a denoiser is found in a file, described, built and asked.

    `component`: diffusers' name for it. `naming` of the stored names of a file; nothing where it
    holds no such denoiser. `config`: the arguments of `build`, read off shapes under our names,
    and hints. `call`: module, x [B,C,h,w], t [B] and what it is told → its output, like x; x is in
    the dtype of the module, t is float32. `aliases`: what others call its modules, for those that
    our names are given of; `lora_aliases`: what makers of LoRAs call them besides. `channels`: of
    the latents that it takes in. `largest`: the side of the largest, in cells; 0 for no limit.
    `guided`: whether it is told its guidance. `pictured`: how wide the features of a picture are
    that it is told, 0 for none.
    """

    component: str
    naming: Callable[[Iterable[str]], Naming]
    config: Callable[[Shapes, Family, Hints], dict[str, Any]]
    build: Callable[[dict[str, Any]], nn.Module]
    call: Callable[[Any, Tensor, Tensor, DenoiserInputs], Tensor]
    aliases: Callable[[Iterable[str]], Table]
    lora_aliases: Callable[[Iterable[str]], Table] = lambda _: ()
    channels: Callable[[Any], int] = lambda module: module.config.in_channels
    largest: Callable[[Any], int] = lambda _: 0
    guided: Callable[[Any], bool] = lambda _: False
    pictured: Callable[[Any], int] = lambda _: 0


def architecture(name: str) -> Architecture:
    """The architecture of that name: "unet", "auraflow", "flux" or "sd3"."""
    found: Architecture = importlib.import_module(f"{__name__}.{name}").ARCHITECTURE
    return found
