"""Weights with LoRAs and other models' weights in them: a state that is reached as a transaction.

W' = W + Σ m·s·Δ for LoRAs, what `part_weights.Mixture` says for merges, in float32, then cast. W is
always read from the file again, so that nothing is ever taken away by subtraction and strength 0
leaves the stored bits.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import torch
from torch import Tensor

from ponystudio.diffusion.weights.network import Network
from ponystudio.diffusion.weights.weights import FileTensor, assign
from ponystudio.errors import FloatOverflow, NotANumber

if TYPE_CHECKING:
    from torch import nn

    from ponystudio.diffusion.families import Family

# What is added to a weight without a look at what comes of it: far from half precision's 65504.
# Where that was wrong, no numbers come of the network, and all weights are looked at.
SMALL = 1024.0
LOWER = "Lower its strength, or choose the dtype bf16 or fp32."


class WeightChange(Protocol):
    """What is made of one weight: by `lora.deltas.Delta`, `part_weights.Mixture`.

    `rounds`: the result takes the precision in which the weight is stored. `most`: a number that
    no part of what is added is larger than, as far as that is quickly told; else ∞.
    """

    @property
    def rounds(self) -> bool: ...
    def added(self, weight: Tensor, strength: float) -> Tensor: ...
    def most(self) -> float: ...


class MatchedLayers(Protocol):
    """What an open patch does to one network: parameter → change, and layers that found none."""

    @property
    def deltas(self) -> Mapping[str, WeightChange]: ...
    @property
    def unmatched(self) -> tuple[str, ...]: ...


class OpenPatch(Protocol):
    """A LoRA (`lora_file.LoraFile`) or a merge (`part_weights.OpenMerge`) with its files open.

    Those of equal `content` are equal. `orders`: it acts on what those before it made, so that
    these are not summed with those behind it. `effect` says what it does, for errors.
    """

    @property
    def path(self) -> Path: ...
    @property
    def content(self) -> str: ...
    @property
    def orders(self) -> bool: ...
    def effect(self, strength: float) -> str: ...
    def for_module(self, part: str, module: nn.Module, family: Family) -> MatchedLayers: ...


# Patches in their order, each with its strength.
Strong = Iterable[tuple[OpenPatch, float]]


@dataclass(frozen=True)
class Patched:
    """What was done: how many bytes of weights were written, and by the LoRA's path the layers that
    found no place."""

    nbytes: int
    unmatched: Mapping[str, tuple[str, ...]]


def apply(
    network: Network[Any],
    patches: Strong,
    *,
    check: Callable[[], None] = lambda: None,
) -> Patched:
    """Bring a network into the state "the file plus these patches at these strengths".

    Whatever was patched before is restored from the file. Equal LoRAs are summed first, those
    before a merge apart from those behind it; what sums to 0 changes nothing. Weights that come and
    go are patched each time that they come. `check` is called before every tensor and may raise
    Cancelled; after that or any error the network is as the file has it. Raises MismatchedValues
    for a LoRA that was made for another base model and for a merge of other sizes,
    UnsupportedModel for one that cannot be cut into the layers of this one, and NotANumber (in
    fp16 FloatOverflow) where a weight becomes larger than its numbers can be.
    """
    written, patches, grown = 0, list(patches), []
    try:
        wanted, unmatched = changes(network.part, network.module, network.family, patches)
        if network.stream:
            network.stream.rest()  # what is coming has the patches of before
        for name in sorted(network.patched - wanted.keys()):
            check()
            network.restore(name)
            network.patched -= {name}
            written += network.module.get_parameter(name).nbytes
        comes = network.stream.names if network.stream else frozenset()
        room = _room(network, wanted.keys() - comes)
        for name, deltas in wanted.items():
            check()
            if network.stream and name in comes:
                network.stream.deltas[name] = deltas
                network.patched |= {name}
                continue
            now = network.module.get_parameter(name)
            assert network.weights is not None
            stored = network.weights.stored(name, now.shape)
            weight = with_changes(stored, deltas, room, rounds=network.rounds_patches)
            if name in network.patched:  # memory of its own: new pages would cost more than the sum
                now.copy_(weight)
            else:
                network.patched |= {name}
                assign(network.module, name, weight.to(now.dtype, copy=True))
            if not sum(abs(strength) * delta.most() for strength, delta in deltas) <= SMALL:
                grown.append((name, _extent(network.module.get_parameter(name))))
            written += now.nbytes
        _check_extents(network, grown, patches)
    except BaseException:
        restore(network)
        raise
    return Patched(written, unmatched)


def is_bad(value: Tensor) -> bool:
    """Whether there is a not-a-number or an infinity in it."""
    return value.numel() > 0 and not bool(_extent(value).isfinite().all())


def blamed(network: Network[Any], name: str, stored: FileTensor, patches: Strong) -> str | None:
    """One sentence on the patch that makes a weight more than its numbers can be; None for none.

    Where only several of them together do, the last is named.
    """
    precision = stored.precision if network.rounds_patches else None
    weight = stored.on(torch.device("cpu"), torch.float32)
    for file, strength in patches:
        match = file.for_module(network.part, network.module, network.family)
        if (delta := match.deltas.get(name)) is None or not strength:
            continue
        weight = delta.added(weight.clone(), strength)
        if any(is_bad(weight.to(dtype)) for dtype in (network.dtype, precision) if dtype):
            return (
                f"{file.effect(strength)} makes the layer {name.removesuffix('.weight')!r} larger"
                " than the numbers of the model can be."
            )
    return None


def _extent(value: Tensor) -> Tensor:
    """Its smallest and its largest number, both not-a-number if one is; quicker than a look at
    every one."""
    return torch.stack(torch.aminmax(value)).float()


def _check_extents(
    network: Network[Any], grown: Sequence[tuple[str, Tensor]], patches: Strong
) -> None:
    # All at once: each answer of a device is waited for.
    if not grown or bool(torch.stack([extent for _, extent in grown]).isfinite().all()):
        return
    name = next(name for name, extent in grown if not extent.isfinite().all())
    assert network.weights is not None
    stored = network.weights.stored(name, network.module.get_parameter(name).shape)
    # Where no LoRA is to blame the file itself is, which is told once no numbers come of it.
    if said := blamed(network, name, stored, patches):
        raise (FloatOverflow if network.dtype == torch.float16 else NotANumber)(said, remedy=LOWER)


def restore(network: Network[Any]) -> None:
    """Take every patch out again: all weights are as the file has them."""
    if network.stream:
        network.stream.rest()
    for name in sorted(network.patched):
        network.restore(name)
    network.patched = frozenset()


def changes(
    part: str, module: nn.Module, family: Family, patches: Strong
) -> tuple[dict[str, list[tuple[float, WeightChange]]], dict[str, tuple[str, ...]]]:
    """Parameter → what is made of it, each with its strength; path → layers without a place."""
    files: dict[tuple[int, str], OpenPatch] = {}
    strengths: dict[tuple[int, str], float] = {}
    stretch = 0
    for file, strength in patches:
        stretch += file.orders
        key = stretch, file.content
        files.setdefault(key, file)
        strengths[key] = strengths.get(key, 0.0) + strength
    wanted: dict[str, list[tuple[float, WeightChange]]] = {}
    unmatched: dict[str, tuple[str, ...]] = {}
    for key, strength in strengths.items():
        if strength == 0:
            continue
        match = files[key].for_module(part, module, family)
        if match.unmatched:
            unmatched[str(files[key].path)] = match.unmatched
        for name, delta in match.deltas.items():
            wanted.setdefault(name, []).append((strength, delta))
    return wanted, unmatched


def _room(network: Network[Any], names: Iterable[str]) -> Tensor:
    """Float32 memory for the largest of these weights, to compute one after the other in."""
    largest = max((network.module.get_parameter(name).numel() for name in names), default=0)
    return torch.empty(largest, dtype=torch.float32, device=network.device)


def with_changes(
    stored: FileTensor, changes: Sequence[tuple[float, WeightChange]], room: Tensor, *, rounds: bool
) -> Tensor:
    """W with all changes in it, on the device of `room`, float32 memory that it mostly is in.

    `rounds`: it then takes the stored precision, as it does where a change says so and that has
    more than 8 bits.
    """
    precision = stored.precision
    if precision and precision.itemsize > 1:
        rounds = rounds or any(change.rounds for _, change in changes)
    values = stored.data if precision else stored.on(room.device, room.dtype)
    weight = room[: stored.shape.numel()].view(stored.shape).copy_(values)
    for strength, change in changes:
        weight = change.added(weight, strength)
    return weight.to(precision) if rounds and precision else weight
