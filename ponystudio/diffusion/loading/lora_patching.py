"""Weights with LoRAs in them: a state that is reached as a transaction.

W' = W + Σ m·s·Δ, in float32, then cast. W is always read from the file again, so that
nothing is ever taken away by subtraction and strength 0 leaves the stored bits.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from ponystudio.diffusion.lora.deltas import Delta
from ponystudio.diffusion.lora.lora_file import LoraFile
from ponystudio.diffusion.weights.network import Network
from ponystudio.diffusion.weights.weights import FileTensor, assign


@dataclass(frozen=True)
class Patched:
    """What was done: how many bytes of weights were written, and by the LoRA's path the layers that
    found no place."""

    nbytes: int
    unmatched: Mapping[str, tuple[str, ...]]


def apply(
    network: Network[Any],
    patches: Iterable[tuple[LoraFile, float]],
    *,
    check: Callable[[], None] = lambda: None,
) -> Patched:
    """Bring a network into the state "the file plus these LoRAs at these strengths".

    Whatever was patched before is restored from the file. Equal LoRAs are summed first; what sums
    to 0 changes nothing. Weights that come and go are patched each time that they come. `check` is
    called before every tensor and may raise Cancelled; after that or any error the network is as
    the file has it. Raises MismatchedValues for a LoRA that was made for another base model, and
    UnsupportedModel for one that cannot be cut into the layers of this one.
    """
    written = 0
    try:
        wanted, unmatched = _deltas(network, patches)
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
            weight = with_deltas(stored, deltas, room, rounds=network.rounds_patches)
            if name in network.patched:  # memory of its own: new pages would cost more than the sum
                now.copy_(weight)
            else:
                network.patched |= {name}
                assign(network.module, name, weight.to(now.dtype, copy=True))
            written += now.nbytes
    except BaseException:
        restore(network)
        raise
    return Patched(written, unmatched)


def restore(network: Network[Any]) -> None:
    """Take every patch out again: all weights are as the file has them."""
    if network.stream:
        network.stream.rest()
    for name in sorted(network.patched):
        network.restore(name)
    network.patched = frozenset()


def _deltas(
    network: Network[Any], patches: Iterable[tuple[LoraFile, float]]
) -> tuple[dict[str, list[tuple[float, Delta]]], dict[str, tuple[str, ...]]]:
    """Parameter → the deltas it gets, each with its strength; path → layers without a place."""
    files: dict[str, LoraFile] = {}
    strengths: dict[str, float] = {}
    for file, strength in patches:
        files.setdefault(file.content, file)
        strengths[file.content] = strengths.get(file.content, 0.0) + strength
    wanted: dict[str, list[tuple[float, Delta]]] = {}
    unmatched: dict[str, tuple[str, ...]] = {}
    for content, strength in strengths.items():
        if strength == 0:
            continue
        match = files[content].for_module(network.part, network.module, network.family)
        if match.unmatched:
            unmatched[str(files[content].path)] = match.unmatched
        for name, delta in match.deltas.items():
            wanted.setdefault(name, []).append((strength, delta))
    return wanted, unmatched


def _room(network: Network[Any], names: Iterable[str]) -> Tensor:
    """Float32 memory for the largest of these weights, to compute one after the other in."""
    largest = max((network.module.get_parameter(name).numel() for name in names), default=0)
    return torch.empty(largest, dtype=torch.float32, device=network.device)


def with_deltas(
    stored: FileTensor, deltas: Sequence[tuple[float, Delta]], room: Tensor, *, rounds: bool
) -> Tensor:
    """W + Σ m·s·Δ on the device of `room`, float32 memory that it mostly is in.

    `rounds`: it then takes the stored precision.
    """
    precision = stored.precision
    values = stored.data if precision else stored.on(room.device, room.dtype)
    weight = room[: stored.shape.numel()].view(stored.shape).copy_(values)
    for strength, delta in deltas:
        weight = delta.added(weight, strength)
    return weight.to(precision) if rounds and precision else weight
