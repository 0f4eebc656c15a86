"""What the modifiers of a model make of a guidance: passes of their own, and what is done to the
differences between sides and to the D that comes of them.

Rescaled (Lin et al. 2023, section 3.4) the guided velocity gets the spread of the unguided one, so
that models of v whose noise has no signal left do not burn out. Frequencies act on the guidance
itself, too; the others on what comes of it, one after the other.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

from torch import Tensor, nn

from ponystudio.api import (
    Entry,
    FreSca,
    Modifier,
    NormedGuidance,
    PerturbedAttention,
    Rescaled,
    SelfAttention,
    SkipLayers,
)
from ponystudio.api.modifiers import find
from ponystudio.diffusion.sampling.composition import Side
from ponystudio.diffusion.sampling.frequencies import scaled_frequencies
from ponystudio.diffusion.sampling.guidance import Combine, Guidance, Seen, rescaled
from ponystudio.diffusion.sampling.self_attention import looking_again
from ponystudio.diffusion.weights.network import modules_named

# The blocks of transformers with streams of text and picture, and over both, by number.
DOUBLE = re.compile(r"(?:joint_)?transformer_blocks\.(\d+)")
SINGLE = re.compile(r"single_transformer_blocks\.(\d+)")
# From D as it is so far, c, and what the pass of its own sees, to the D that is taken.
_Step = Callable[[Tensor, Tensor, Tensor | None, Seen], Tensor]


@dataclass(frozen=True, eq=False)
class _Pass:
    """A step behind a guidance, and the side that it asks for, if any."""

    step: _Step
    side: Side | None = None


def with_modifiers(guidance: Guidance, modifiers: Iterable[Modifier]) -> Guidance:
    """The guidance with what these modifiers do to it; those that do nothing to it are passed
    over. The last of its sides is the positive prompt's."""
    modifiers = tuple(modifiers)
    if (skipped := find(modifiers, SkipLayers)) and skipped.negative:
        guidance = _without_layers(guidance, skipped)
    combine = guidance.combine
    if fresca := find(modifiers, FreSca):
        combine = _by_frequency(combine, guidance, fresca)
    if said := find(modifiers, Rescaled):
        combine = _rescaled(combine, said.φ)
    guidance = replace(guidance, combine=combine)
    passes = [found for each in modifiers if (found := _pass(guidance.sides[-1], each))]
    if passes:
        guidance = Guidance(
            (*guidance.sides, *(each.side for each in passes if each.side)),
            _followed(combine, len(guidance.sides), passes),
            guidance.unconditional,
        )
    if (blurred := find(modifiers, SelfAttention)) and blurred.scale:
        guidance = looking_again(guidance, blurred)
    return guidance


def skipped_blocks(module: nn.Module, skipped: SkipLayers) -> list[nn.Module]:
    """Those of a transformer's blocks that are to be left out, as far as it has them."""
    return [
        block
        for pattern, numbers in ((DOUBLE, skipped.double), (SINGLE, skipped.single))
        for match, block in modules_named(module, pattern)
        if int(match[1]) in numbers
    ]


def _pass(positive: Side, modifier: Modifier) -> _Pass | None:
    if isinstance(modifier, PerturbedAttention):
        scale = modifier.scale

        def away(D: Tensor, c: Tensor, p: Tensor | None, _: Seen) -> Tensor:
            assert p is not None
            return D + scale * (c - p)

        return _Pass(away, Side(positive.entries, modifier)) if scale else None
    if isinstance(modifier, SkipLayers) and not modifier.negative and modifier.scale:
        return _Pass(_from_fewer_layers(modifier), Side(_inside(positive, modifier), modifier))
    if isinstance(modifier, NormedGuidance):
        s = modifier.s

        def shortened(D: Tensor, c: Tensor, _p: Tensor | None, _: Seen) -> Tensor:
            length, most = (x.norm(dim=1, keepdim=True) for x in (D, c))
            return D * s * (most / length.clamp_min(1e-8)).clamp(max=1.0)

        return _Pass(shortened)
    return None


def _from_fewer_layers(skipped: SkipLayers) -> _Step:
    def away(D: Tensor, c: Tensor, p: Tensor | None, seen: Seen) -> Tensor:
        assert p is not None
        if not _within(skipped, seen):
            return D
        return rescaled(D + skipped.scale * (c - p), c, skipped.rescale)

    return away


def _followed(combine: Combine, own: int, passes: Sequence[_Pass]) -> Combine:
    def followed(sides: Sequence[Tensor], seen: Seen) -> Tensor:
        c, further = sides[own - 1], iter(sides[own:])
        D = combine(sides[:own], seen)
        for each in passes:
            D = each.step(D, c, next(further) if each.side else None, seen)
        return D

    return followed


def _by_frequency(combine: Combine, guidance: Guidance, fresca: FreSca) -> Combine:
    """c becomes u + F(c − u)."""

    def filtered(sides: Sequence[Tensor], seen: Seen) -> Tensor:
        if len(sides) == 1:
            return combine(sides, seen)
        *others, c = sides
        u = guidance.unconditional(sides, seen)
        far = scaled_frequencies(c - u, low=fresca.low, high=fresca.high, reach=fresca.cutoff)
        return combine([*others, u + far], seen)

    return filtered


def _rescaled(combine: Combine, φ: float) -> Combine:
    """In velocities, of which guidance makes the same as of pictures."""

    def in_velocities(sides: Sequence[Tensor], seen: Seen) -> Tensor:
        if len(sides) == 1:
            return combine(sides, seen)
        v = [seen.space.velocity(seen.x, D, seen.σ) for D in sides]
        return seen.space.of_velocity(seen.x, rescaled(combine(v, seen), v[-1], φ), seen.σ)

    return in_velocities


def _without_layers(guidance: Guidance, skipped: SkipLayers) -> Guidance:
    """Within the range, what the first side sees is what a network without some layers sees."""
    if len(guidance.sides) == 1:
        return guidance
    negative, *others = guidance.sides
    less = replace(negative, entries=_inside(negative, skipped), mode=skipped)
    plain = tuple(outside for entry in negative.entries for outside in _outside(entry, skipped))
    if not plain:  # the range is all of the run
        return replace(guidance, sides=(less, *others))

    def chosen(combine: Combine) -> Combine:
        def combined(sides: Sequence[Tensor], seen: Seen) -> Tensor:
            less, u, *own = sides
            return combine([less if _within(skipped, seen) else u, *own], seen)

        return combined

    return Guidance(
        (less, replace(negative, entries=plain), *others),
        chosen(guidance.combine),
        chosen(guidance.unconditional),
    )


def _inside(side: Side, skipped: SkipLayers) -> tuple[Entry, ...]:
    """What a side says within the range."""
    return tuple(
        replace(e, start=max(e.start, skipped.start), end=min(e.end, skipped.end))
        for e in side.entries
    )


def _outside(entry: Entry, skipped: SkipLayers) -> Iterator[Entry]:
    """An entry before and after the range."""
    if entry.start < skipped.start:
        yield replace(entry, end=min(entry.end, skipped.start))
    if entry.end > skipped.end:
        yield replace(entry, start=max(entry.start, skipped.end))


def _within(skipped: SkipLayers, seen: Seen) -> bool:
    first, last = (seen.space.sigma_at(share) for share in (skipped.start, skipped.end))
    return bool(last <= float(seen.σ) <= first)
