"""Which weight is to blame when a network gives what are no numbers: its file's own, or what a LoRA
made of it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import torch
from torch import Tensor

from ponystudio.diffusion.loading import lora_patching
from ponystudio.diffusion.loading.lora_patching import LOWER, Strong
from ponystudio.diffusion.weights.network import Network
from ponystudio.diffusion.weights.weights import FileTensor
from ponystudio.library.formats.number_check import NOT_A_NUMBER, bad_number

# What the dtypes of networks are called where users choose them.
DTYPES = {torch.float16: "fp16", torch.bfloat16: "bf16", torch.float32: "fp32"}
WIDER = "Choose the dtype bf16 or fp32."


class BadWeight(NamedTuple):
    """`what` says in one sentence which weight of which file is no number; `remedy` what helps."""

    what: str
    remedy: str


def find(
    network: Network[Any], patches: Strong, check: Callable[[], None] = lambda: None
) -> BadWeight | None:
    """The first weight that is no number; None where all are.

    `patches` are the LoRAs and merges that are in the weights, each with its strength. `check` is
    called before every tensor and may raise Cancelled.
    """
    weights = network.weights
    if weights is None:
        return None
    for name, value in network.module.named_parameters():
        check()
        if name not in weights or not (value.is_meta or lora_patching.is_bad(value)):
            continue
        stored = weights.stored(name, value.shape)
        if value.is_meta and not lora_patching.is_bad(_as_it_comes(network, name, stored)):
            continue
        key, path = weights.naming.names[name], weights.path_of(name)
        if lora_patching.is_bad(stored.on(torch.device("cpu"), torch.float32)):
            what = bad_number(weights.file, key) or NOT_A_NUMBER
            said = f"There is {what} in {path.name}, in the tensor {key!r}."
            return BadWeight(said, "Get the file again, or choose another.")
        if blamed := lora_patching.blamed(network, name, stored, patches):
            return BadWeight(blamed, LOWER)
        dtype = DTYPES.get(network.dtype, str(network.dtype))
        return BadWeight(
            f"In {path.name} the tensor {key!r} holds larger numbers than {dtype} has.", WIDER
        )
    return None


def _as_it_comes(network: Network[Any], name: str, stored: FileTensor) -> Tensor:
    """A weight that is not here now, as it will be computed with."""
    deltas = network.stream.deltas.get(name, []) if network.stream else []
    room = torch.empty(stored.shape.numel() if deltas else 0, dtype=torch.float32)
    if deltas:
        patched = lora_patching.with_changes(stored, deltas, room, rounds=network.rounds_patches)
        return patched.to(network.dtype)
    return stored.on(torch.device("cpu"), network.dtype)
