"""Guidance: how what the network sees under several prompts becomes one D(x, σ).

Classifier-free guidance (Ho & Salimans 2022) goes from the negative prompt beyond the positive one.
Dual guidance (Brooks et al. 2023) goes from one prompt over a second to a third; the perpendicular
one (Armandpour et al. 2023) leaves of the negative prompt only what does not lie along the positive
one. Repainting by mask works with any model: what is not masked is put back at every step.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Protocol

from torch import Tensor

from ponystudio.api import Conditioning, Latent, Recipe
from ponystudio.diffusion.sampling.composition import Composition, DenoiserProtocol, Side
from ponystudio.diffusion.sampling.parameterisation import Parameterisation


@dataclass(frozen=True, eq=False)
class Seen:
    """What a step stands at: x [B,C,h,w] at noise level σ of a parameterisation."""

    x: Tensor
    σ: Tensor
    space: Parameterisation


# From what each side sees in x, [B,C,h,w] each, to one such.
Combine = Callable[[Sequence[Tensor], Seen], Tensor]


def _first(D: Sequence[Tensor], _: Seen) -> Tensor:
    return D[0]


@dataclass(frozen=True, eq=False)
class SecondLook:
    """A side that is asked once more, at another x: `at` makes that of what was seen in the first,
    with the picture that is in it, None for no need; `step` makes D of D so far, of that picture,
    and of what the side sees."""

    side: Side
    at: Callable[[Sequence[Tensor], Seen], tuple[Tensor, Tensor] | None]
    step: Callable[[Tensor, Tensor, Tensor], Tensor]


@dataclass(frozen=True, eq=False)
class Guidance:
    """Sides, the positive prompt's the last, and how what the network sees under each becomes D.

    `unconditional`: and u, for samplers that need it besides. `again`: what comes after that.
    """

    sides: tuple[Side, ...]
    combine: Combine
    unconditional: Combine = _first
    again: SecondLook | None = None


def one(positive: Conditioning) -> Guidance:
    """D = c: no guidance."""
    return Guidance((_side(positive),), _first)


def classifier_free(
    positive: Conditioning,
    negative: Conditioning,
    cfg: float,
    *,
    both: bool = False,
) -> Guidance:
    """D = u + (c − u)·cfg, of the negative prompt's u and the positive prompt's c.

    At cfg 1 the negative prompt has no effect and is not computed, unless `both` asks for it.
    """
    if math.isclose(cfg, 1.0) and not both:
        return one(positive)

    def combine(D: Sequence[Tensor], _: Seen) -> Tensor:
        u, c = D
        return c if math.isclose(cfg, 1.0) else u + (c - u) * cfg

    return Guidance((_side(negative, negative=True), _side(positive)), combine)


def dual(
    first: Conditioning,
    second: Conditioning,
    negative: Conditioning,
    cfg: float,
    cfg_second: float,
    *,
    nested: bool = False,
) -> Guidance:
    """D = u + (m − u)·cfg₂ + (c − m)·cfg, of the first prompt's c, the second one's m and the
    negative one's u; nested D = u + (m + (c − m)·cfg − u)·cfg₂."""
    if math.isclose(cfg_second, 1.0) and not nested:  # the negative prompt cancels out
        return classifier_free(first, second, cfg)

    def combine(D: Sequence[Tensor], _: Seen) -> Tensor:
        u, m, c = D
        if nested:
            return u + (m + (c - m) * cfg - u) * cfg_second
        return u + (m - u) * cfg_second + (c - m) * cfg

    sides = (_side(negative, negative=True), _side(second), _side(first))
    return Guidance(sides, combine)


def perpendicular(
    positive: Conditioning,
    negative: Conditioning,
    empty: Conditioning,
    cfg: float,
    scale: float = 1.0,
) -> Guidance:
    """D = e + cfg·(p − scale·n⊥) with p = c − e, n = u − e of the empty prompt's e, and n⊥ what is
    left of n without what lies along p."""

    def combine(D: Sequence[Tensor], _: Seen) -> Tensor:
        e, u, c = D
        p, n = c - e, u - e
        along = (n * p).sum() / (p * p).sum().clamp_min(1e-12)
        return e + cfg * (p - scale * (n - along * p))

    sides = (_side(empty), _side(negative, negative=True), _side(positive))
    return Guidance(sides, combine, unconditional=lambda D, _: D[1])


def rescaled(m: Tensor, c: Tensor, φ: float) -> Tensor:
    """φ·m·std(c)/std(m) + (1−φ)·m, each picture by itself."""
    each = tuple(range(1, m.ndim))
    spread, wanted = (x.std(dim=each, keepdim=True) for x in (m, c))
    return φ * m * (wanted / spread.clamp_min(1e-12)) + (1 - φ) * m


class Guided:
    """D(x, σ) of a network under a guidance, for x of `shape` [B,C,h,w].

    `sizes`, `seed`, `networks`, `rows` and `shown` are those of composition.Composition.
    """

    def __init__(
        self,
        denoiser: DenoiserProtocol,
        space: Parameterisation,
        guidance: Guidance,
        *,
        shape: Sequence[int],
        sizes: tuple[int, ...] = (),
        seed: int = 0,
        networks: Mapping[Recipe, Any] = MappingProxyType({}),
        rows: int | None = None,
        shown: Latent | None = None,
    ) -> None:
        self._space, self._guidance = space, guidance

        def asked(sides: Sequence[Side]) -> Composition:
            return Composition(
                denoiser,
                space,
                sides,
                shape=shape,
                sizes=sizes,
                seed=seed,
                networks=networks,
                rows=rows,
                shown=shown,
            )

        self._sees = asked(guidance.sides)
        self._again = asked((guidance.again.side,)) if guidance.again else None

    def __call__(self, x: Tensor, σ: Tensor) -> Tensor:
        """The picture without noise that is aimed at from x [B,C,h,w] at noise level σ."""
        return self.both(x, σ)[0]

    def both(self, x: Tensor, σ: Tensor) -> tuple[Tensor, Tensor]:
        """D(x, σ), and u, what is seen without the positive prompt."""
        sides = self._sees(x, σ)
        seen = Seen(x, σ, self._space)
        D, u = self._guidance.combine(sides, seen), self._guidance.unconditional(sides, seen)
        look = self._guidance.again
        if look and self._again and (found := look.at(sides, seen)):
            other, picture = found
            D = look.step(D, picture, self._again(other, σ)[0])
        return D, u


class GuidedProtocol(Protocol):
    """Guided, or what stands before one."""

    def __call__(self, x: Tensor, σ: Tensor) -> Tensor: ...
    def both(self, x: Tensor, σ: Tensor) -> tuple[Tensor, Tensor]: ...


@dataclass(frozen=True, eq=False)
class Masked:
    """D(x, σ) that sees and leaves `latent` wherever `mask` is 0, at the noise level of x.

    All [B,C,h,w] but `mask`, [B,1,h,w] in 0..1; between the two it blends. With the first and the
    last σ of a run as `span` the mask is differential (Levin & Fried 2023): it is 1 where it
    reaches the share of the network's time that is still to come, and 0 elsewhere.
    """

    D: GuidedProtocol
    space: Parameterisation
    mask: Tensor
    latent: Tensor
    noise: Tensor
    span: tuple[Tensor, Tensor] | None = None

    def __call__(self, x: Tensor, σ: Tensor) -> Tensor:
        m = self._mask_at(σ)
        return self._left(self.D(self._shown(x, σ, m), σ), m)

    def both(self, x: Tensor, σ: Tensor) -> tuple[Tensor, Tensor]:
        m = self._mask_at(σ)
        D, u = self.D.both(self._shown(x, σ, m), σ)
        return self._left(D, m), self._left(u, m)

    def _mask_at(self, σ: Tensor) -> Tensor:
        if self.span is None:
            return self.mask
        t, first, last = (float(self.space.t(level)) for level in (σ, *self.span))
        return (self.mask >= (t - last) / max(first - last, 1e-12)).to(self.mask)

    def _shown(self, x: Tensor, σ: Tensor, m: Tensor) -> Tensor:
        return x * m + self.space.renoise(self.latent, self.noise, σ) * (1 - m)

    def _left(self, D: Tensor, m: Tensor) -> Tensor:
        return D * m + self.latent * (1 - m)


class MaskedAfter(Masked):
    """As A1111: x is seen as it is, and what is seen is put back."""

    def __call__(self, x: Tensor, σ: Tensor) -> Tensor:
        return self._left(self.D(x, σ), self._mask_at(σ))

    def both(self, x: Tensor, σ: Tensor) -> tuple[Tensor, Tensor]:
        m = self._mask_at(σ)
        D, u = self.D.both(x, σ)
        return self._left(D, m), self._left(u, m)


class MaskedBefore(Masked):
    """As A1111 for samplers of time steps: `latent` is seen without noise, as √ᾱ·x, and the noise
    that is seen there is taken for that of x."""

    def __call__(self, x: Tensor, σ: Tensor) -> Tensor:
        seen = self._with_latent(x, σ)
        return self.D(seen, σ) + (x - seen)

    def both(self, x: Tensor, σ: Tensor) -> tuple[Tensor, Tensor]:
        seen = self._with_latent(x, σ)
        D, u = self.D.both(seen, σ)
        return D + (x - seen), u + (x - seen)

    def _with_latent(self, x: Tensor, σ: Tensor) -> Tensor:
        m = self._mask_at(σ)
        return x * m + self.latent * (1 + σ**2) ** 0.5 * (1 - m)


def _side(conditioning: Conditioning, *, negative: bool = False) -> Side:
    return Side(conditioning.entries, negative=negative)
