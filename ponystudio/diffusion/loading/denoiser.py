"""The network that sees a noisy latent and a prompt and tells noise from picture."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from functools import reduce
from operator import add
from typing import TYPE_CHECKING

import torch
from torch import Tensor
from torch.nn.functional import pad

from ponystudio.api import Control
from ponystudio.api.modifiers import Hypernetwork, Modifier
from ponystudio.diffusion.architectures import DenoiserInputs, architecture
from ponystudio.diffusion.control.control_network import ActiveControl, Added
from ponystudio.diffusion.families import Family, Rgb
from ponystudio.diffusion.loading import hypernetwork
from ponystudio.diffusion.loading.forward_hooks import changed
from ponystudio.diffusion.sampling.unclip import FeatureScale
from ponystudio.diffusion.weights.network import Network
from ponystudio.diffusion.weights.weights import Weights

if TYPE_CHECKING:
    from torch import nn


# From a picture that steers and the shape [B,C,h,w] of latents to the ControlNet at work.
Steering = Callable[[Control, Sequence[int]], ActiveControl]


def _unopened(_: Control, _shape: Sequence[int]) -> ActiveControl:
    raise RuntimeError("nobody opens ControlNets for this denoiser")


class Denoiser(Network["nn.Module"]):
    """A denoiser of any architecture, with what its output means.

    `prediction`: "eps" the noise, "v" the velocity, "flow" the flow. `zsnr`: it was trained down to
    no signal at all. `in_channels`: those of its latents, or more for one that is shown a picture.
    `pictured`: how wide the features of a picture are that it is told (unCLIP), 0 for none;
    `features`: how such are distributed, where its file says. `largest`: the side of the largest
    latent in cells, 0 for no limit. `guided`: it is told its guidance. `modifiers`: what changes it
    while it samples, as long as it is opened for a model that has them. `steering`: how a
    ControlNet is opened for it, as long as it is open itself. `rgb`: how its latents are guessed as
    pictures, where they are not its family's.
    """

    part = "model"

    def __init__(
        self,
        module: nn.Module,
        family: Family,
        weights: Weights | None = None,
        *,
        prediction: str = "",
        zsnr: bool = False,
        rgb: Rgb | None = None,
        features: FeatureScale | None = None,
    ) -> None:
        super().__init__(module, weights)
        how = architecture(family.architecture)
        self._call = how.call
        self.family = family
        self.prediction = prediction or family.prediction
        self.zsnr = zsnr
        self.rgb = rgb or family.rgb
        self.in_channels: int = how.channels(module)
        self.largest: int = how.largest(module)
        self.guided: bool = how.guided(module)
        self.pictured: int = how.pictured(module)
        self.features = features
        self.steering: Steering = _unopened
        self.modifiers: tuple[Modifier, ...] = ()
        self._nets: hypernetwork.Nets = ()

    @contextmanager
    def modified(self, modifiers: tuple[Modifier, ...]) -> Iterator[None]:
        """Within it these are its modifiers, and no others.

        Raises what `read_hypernetwork` raises.
        """
        asked = [modifier for modifier in modifiers if isinstance(modifier, Hypernetwork)]
        nets = hypernetwork.opened(asked, self.device, self.dtype)
        before = self.modifiers, self._nets
        self.modifiers, self._nets = modifiers, nets
        try:
            yield
        finally:
            self.modifiers, self._nets = before

    def to_rgb(self, values: Tensor) -> Tensor:
        """A rough picture [B,3,h,w] in 0..1 of a latent [B,C,h,w] in VAE units, for previews."""
        scaled = (values.float() - self.family.shift) * self.family.scaling_factor
        weights, bias = (
            torch.tensor(x, device=values.device) for x in (self.rgb.rows, self.rgb.bias)
        )
        picture = torch.einsum("bchw,cr->brhw", scaled, weights) + bias[:, None, None]
        return (picture / 2 + 0.5).clamp(0, 1)

    @torch.no_grad()
    def __call__(
        self,
        x: Tensor,
        t: Tensor,
        context: Tensor,
        pooled: Tensor | None = None,
        sizes: Tensor | None = None,
        guidance: Tensor | None = None,
        mode: Modifier | None = None,
        pictured: Tensor | None = None,
        places: Tensor | None = None,
        bias: Tensor | None = None,
        controls: Sequence[Added] = (),
        references: Sequence[Tensor] = (),
    ) -> Tensor:
        """What the network says about `x`.

        `x`: float32 [B,in_channels,h,w], already scaled by c_in. `t`: [B], time as the family
        counts it, fractions allowed. `mode`: a modifier that has passes of its own, for one of
        those. `controls` are asked first, for what they add within it. The others are those of
        `architectures.DenoiserInputs`.
        Returns float32 [B,C,h,w]; the network itself runs in its own dtype.
        """
        there, dtype = self.device, self.dtype
        told = DenoiserInputs(
            context.to(there, dtype),
            None if pooled is None else pooled.to(there, dtype),
            None if sizes is None else sizes.to(there, dtype),
            None if guidance is None else guidance.to(there, torch.float32),
            pictured=None if pictured is None else pictured.to(there, dtype),
            places=None if places is None else places.to(there, dtype),
            bias=None if bias is None else bias.to(there, dtype),
            references=tuple(self._in_patches(one.to(there)).to(dtype) for one in references),
        )
        height, width = x.shape[-2:]
        x, t = self._in_patches(x).to(dtype), t.to(there)
        if controls:
            # They were made for x alone, without what may stand beside it.
            own = x[:, : self.family.latent_channels]
            added = (control(own, t, told, self.module) for control in controls)
            told = replace(told, residuals=reduce(add, added))
        with changed(self.module, self.modifiers, self._nets, mode):
            out = self._call(self.module, x, t, told)
        return out[..., :height, :width].float()

    def _in_patches(self, x: Tensor) -> Tensor:
        """As ComfyUI does, what a patch lacks at the borders is taken from the other side."""
        missing = [-side % self.family.patch for side in x.shape[-2:]]
        return pad(x, (0, missing[1], 0, missing[0]), mode="circular") if any(missing) else x
