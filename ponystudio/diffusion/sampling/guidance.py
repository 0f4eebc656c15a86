"""Classifier-free guidance (Ho & Salimans 2022): D(x, σ) of a network and two prompts.

Rescaled (Lin et al. 2023, section 3.4) the guided velocity gets the spread of the unguided one, so
that models of v whose noise has no signal left do not burn out. Repainting by mask works with any
model: what is not masked is put back at every step.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import torch
from torch import Tensor
from torch.nn.functional import interpolate

from ponystudio.diffusion.sampling.parameterisation import Parameterisation, Predictor
from ponystudio.diffusion.sampling.samplers import Denoise
from ponystudio.errors import MismatchedValues

# Repeating tokens changes no result but costs time; beyond this factor two calls are cheaper.
_MOST_REPEATS = 4


class DenoiserProtocol(Predictor, Protocol):
    """The network: (x [B,C,h,w] float32 as scaled for it, t [B], context [B,n,width]) → float32."""

    @property
    def device(self) -> torch.device: ...
    @property
    def dtype(self) -> torch.dtype: ...
    @property
    def in_channels(self) -> int: ...
    @property
    def largest(self) -> int: ...

    def __call__(self, x: Tensor, t: Tensor, context: Tensor, **extra: Any) -> Tensor: ...


class Prompt(Protocol):
    """An encoded prompt: `context` [1 or B,n,width], `padding` [1,77,width] or None (the empty
    chunk to lengthen it with), `pooled` [1 or B,width] or None, `sizes` the six of Denoiser or
    None for those of the picture that is made, `guidance` that of a guided denoiser or None for
    its family's.
    """

    @property
    def context(self) -> Tensor: ...
    @property
    def padding(self) -> Tensor | None: ...
    @property
    def pooled(self) -> Tensor | None: ...
    @property
    def sizes(self) -> tuple[int, ...] | None: ...
    @property
    def guidance(self) -> float | None: ...


class Guided:
    """D(x, σ) = u + (c − u)·cfg, of the negative prompt's u and the positive prompt's c.

    At cfg 1 the negative prompt has no effect and is not computed. `batch` is x's; `sizes` are
    those of the picture, for prompts that name no others; `rows` bounds how many rows the network
    gets at once, to save memory (None: all in one call). `rescale` in 0..1: how much of the
    guided result takes the spread of the positive prompt's. `beside` [B,C',h,w]: what a network
    for inpainting is shown beside x.
    """

    def __init__(
        self,
        denoiser: DenoiserProtocol,
        space: Parameterisation,
        positive: Prompt,
        negative: Prompt,
        cfg: float,
        *,
        batch: int,
        sizes: tuple[int, ...] = (),
        rows: int | None = None,
        rescale: float = 0.0,
        beside: Tensor | None = None,
    ) -> None:
        self._denoiser, self._space, self._cfg, self._rows = denoiser, space, cfg, rows
        self._rescale, self._beside = rescale, beside
        self._alone = math.isclose(cfg, 1.0)
        prompts = [positive] if self._alone else [negative, positive]
        contexts = [_rows_of(prompt.context, batch, denoiser.device) for prompt in prompts]
        if not self._alone and denoiser.family.repeats:
            contexts = _same_length(contexts, [prompt.padding for prompt in prompts])
        inputs = [{"context": context} for context in contexts]
        for prompt, named in zip(prompts, inputs, strict=True):
            named.update(_beside(prompt, denoiser, batch, sizes))
        together = len({context.shape[1] for context in contexts}) == 1
        # For each call of the network, its inputs by name, the rows of all its prompts joined.
        self._calls = [
            {name: torch.cat([named[name] for named in group]) for name in group[0]}
            for group in ([inputs] if together else [[named] for named in inputs])
        ]

    def __call__(self, x: Tensor, σ: Tensor) -> Tensor:
        """The picture without noise that the network sees in x [B,C,h,w] at noise level σ."""
        scaled = x / self._space.input_scale(σ)
        if self._beside is not None:
            scaled = torch.cat([scaled, self._beside], dim=1)
        t = self._space.t(σ).to(x.device)
        outputs = torch.cat([self._network(scaled, t, inputs) for inputs in self._calls]).float()
        if self._alone:
            return self._space.denoised(x, outputs, σ)
        u, c = (self._space.denoised(x, output, σ) for output in outputs.chunk(2))
        if not self._rescale:
            return u + (c - u) * self._cfg
        u, c = (self._space.velocity(x, D, σ) for D in (u, c))
        return self._space.of_velocity(x, rescaled(u, c, self._cfg, self._rescale), σ)

    def _network(self, x: Tensor, t: Tensor, inputs: dict[str, Tensor]) -> Tensor:
        """One call of the network, or several of at most `rows` rows."""
        count = len(inputs["context"])
        x, t = x.repeat(count // len(x), 1, 1, 1), t.expand(count)
        rows = self._rows or count
        parts = [slice(i, i + rows) for i in range(0, count, rows)]
        return torch.cat(
            [
                self._denoiser(
                    x[part], t[part], **{name: value[part] for name, value in inputs.items()}
                )
                for part in parts
            ]
        )


def rescaled(u: Tensor, c: Tensor, cfg: float, φ: float) -> Tensor:
    """φ·m·std(c)/std(m) + (1−φ)·m with m = u + (c−u)·cfg; each picture by itself."""
    m = u + (c - u) * cfg
    each = tuple(range(1, m.ndim))
    spread, wanted = (x.std(dim=each, keepdim=True) for x in (m, c))
    return φ * m * (wanted / spread.clamp_min(1e-12)) + (1 - φ) * m


def _beside(
    prompt: Prompt, denoiser: DenoiserProtocol, batch: int, sizes: tuple[int, ...]
) -> dict[str, Tensor]:
    """What the network is told beside the states of the prompt, by name, a row a picture."""
    told: dict[str, Tensor] = {}
    if prompt.pooled is not None:
        told["pooled"] = prompt.pooled
        if denoiser.family.sized:
            told["sizes"] = torch.tensor([prompt.sizes or sizes])
    if denoiser.guided:
        chosen = denoiser.family.guidance if prompt.guidance is None else prompt.guidance
        told["guidance"] = torch.tensor([chosen])
    return {name: _rows_of(value, batch, denoiser.device) for name, value in told.items()}


def _rows_of(tensor: Tensor, batch: int, device: torch.device) -> Tensor:
    """One row for each picture."""
    if len(tensor) not in (1, batch):
        raise MismatchedValues(
            f"A prompt for {len(tensor)} pictures cannot guide {batch}.",
            remedy="Use one prompt for all pictures, or one for each.",
        )
    return tensor.to(device, torch.float32).expand(batch, *tensor.shape[1:])


def _same_length(contexts: list[Tensor], paddings: Sequence[Tensor | None]) -> list[Tensor]:
    """Lengthen both prompts to the same number of tokens, so that they go in one call.

    With the empty chunk where the dialect has one, as A1111 does; else by repeating all tokens,
    which changes no attention. Prompts that would repeat too often stay as they are.
    """
    lengths = [context.shape[1] for context in contexts]
    short = lengths.index(min(lengths))
    missing = max(lengths) - min(lengths)
    padding = paddings[short]
    if padding is not None and missing % padding.shape[1] == 0:
        context = contexts[short]
        chunks = padding.to(context).expand(len(context), -1, -1)
        contexts = list(contexts)
        contexts[short] = torch.cat([context, *[chunks] * (missing // padding.shape[1])], dim=1)
        return contexts
    common = math.lcm(*lengths)
    if common > _MOST_REPEATS * min(lengths):
        return contexts
    return [c.repeat(1, common // n, 1) for c, n in zip(contexts, lengths, strict=True)]


@dataclass(frozen=True, eq=False)
class Masked:
    """D(x, σ) that sees and leaves `latent` wherever `mask` is 0, at the noise level of x.

    All [B,C,h,w] but `mask`, [B,1,h,w] in 0..1; between the two it blends.
    """

    D: Denoise
    space: Parameterisation
    mask: Tensor
    latent: Tensor
    noise: Tensor

    def __call__(self, x: Tensor, σ: Tensor) -> Tensor:
        m = self.mask
        x = x * m + self.space.renoise(self.latent, self.noise, σ) * (1 - m)
        return self.D(x, σ) * m + self.latent * (1 - m)


def mask_of_latent(mask: Tensor, latent: Tensor) -> Tensor:
    """A mask [1 or B,1,H,W] of pixels as [B,1,h,w], for each cell of a latent [B,C,h,w]."""
    if len(mask) not in (1, len(latent)):
        raise MismatchedValues(
            f"{len(mask)} masks cannot apply to {len(latent)} latents.",
            remedy="Use one mask for all latents, or one for each.",
        )
    mask = interpolate(mask.to(latent), size=latent.shape[-2:], mode="bilinear")
    return mask.expand(len(latent), -1, -1, -1)
