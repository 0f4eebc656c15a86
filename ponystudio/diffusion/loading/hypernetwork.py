"""Hypernetworks, as A1111 trains them: for each width of what attention reads two small networks,
one for its keys and one for its values.

The file is a pickle: {width: (state of the one, state of the other), "activation_func": name, ...}.
It is read by the reader that executes nothing, which names a tensor "768.0.linear.0.weight".
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import torch
from torch import Tensor, nn

from ponystudio.api.modifiers import Hypernetwork
from ponystudio.diffusion.weights.weights import tensors
from ponystudio.errors import DamagedFile, UnsupportedModel
from ponystudio.library.formats.weights_file import WeightsFile, open_weights
from ponystudio.library.recognition.signatures import HYPERNETWORK_LAYER

# Width → what is added to the input of the keys and to that of the values; and its strength.
Pair = tuple[nn.Sequential, nn.Sequential]
Nets = Sequence[tuple[Mapping[int, Pair], float]]

# What files call them; "swish" is the hard one. Those that are random in training are not here.
ACTIVATIONS: Mapping[str, type[nn.Module]] = {
    "linear": nn.Identity,
    "relu": nn.ReLU,
    "relu6": nn.ReLU6,
    "leakyrelu": nn.LeakyReLU,
    "elu": nn.ELU,
    "selu": nn.SELU,
    "celu": nn.CELU,
    "gelu": nn.GELU,
    "silu": nn.SiLU,
    "swish": nn.Hardswish,
    "hardswish": nn.Hardswish,
    "mish": nn.Mish,
    "tanh": nn.Tanh,
    "hardtanh": nn.Hardtanh,
    "tanhshrink": nn.Tanhshrink,
    "hardshrink": nn.Hardshrink,
    "softshrink": nn.Softshrink,
    "sigmoid": nn.Sigmoid,
    "hardsigmoid": nn.Hardsigmoid,
    "logsigmoid": nn.LogSigmoid,
    "softplus": nn.Softplus,
    "softsign": nn.Softsign,
}


def opened(modifiers: Iterable[Hypernetwork], device: torch.device, dtype: torch.dtype) -> Nets:
    """The networks of these on a device, each with its strength, in order; none of strength 0."""
    return [
        (read_hypernetwork(Path(modifier.path), device, dtype), modifier.strength)
        for modifier in modifiers
        if modifier.strength
    ]


def read_hypernetwork(
    path: Path, device: torch.device | str = "cpu", dtype: torch.dtype = torch.float32
) -> Mapping[int, Pair]:
    """The networks of a file, by the width of what they read.

    Dropout is of training alone. Raises UnsupportedModel for an activation that is not known or a
    structure that fits nothing, DamagedFile for half a pair, and what `open_weights` raises.
    """
    with open_weights(path) as file:
        try:
            return _networks(file, torch.device(device), dtype)
        except RuntimeError as error:  # layers that do not fit each other
            raise UnsupportedModel(
                f"This hypernetwork fits nothing ({error}).", where=str(path)
            ) from None


def _networks(file: WeightsFile, device: torch.device, dtype: torch.dtype) -> Mapping[int, Pair]:
    states: defaultdict[tuple[int, int], dict[int, dict[str, Tensor]]] = defaultdict(dict)
    for name, value in tensors(file):
        if match := HYPERNETWORK_LAYER.fullmatch(name):
            width, which, position, kind = match.groups()
            layer = states[int(width), int(which)].setdefault(int(position), {})
            layer[kind] = value.to(device, dtype, copy=True)
    widths = sorted({width for width, _ in states})
    paired = all((width, which) in states for width in widths for which in (0, 1))
    if not widths or not paired or not all(map(_is_whole, states.values())):
        raise DamagedFile(
            "This hypernetwork lacks a part: for each width it is to have a network for keys and"
            " one for values.",
            where=str(file.path),
            remedy="Get the file again: it is incomplete.",
        )
    activation = _activation(file)
    last_too = file.metadata.get("activate_output", "False") == "True"
    found: dict[int, Pair] = {}
    for width in widths:
        keys, values = (
            _network(states[width, which], activation, last_too=last_too) for which in (0, 1)
        )
        probe = torch.zeros(1, width, device=device, dtype=dtype)
        if any(net(probe).shape != probe.shape for net in (keys, values)):
            raise RuntimeError(f"what it makes of {width} numbers is not as wide")
        found[width] = keys, values
    return found


def _activation(file: WeightsFile) -> type[nn.Module]:
    name = file.metadata.get("activation_func", "linear").lower()
    name = "linear" if name == "none" else name
    if name not in ACTIVATIONS:
        raise UnsupportedModel(
            f"The activation of this hypernetwork is {name[:50]!r}, which is not known.",
            where=str(file.path),
            remedy=f"Known are: {', '.join(ACTIVATIONS)}.",
        )
    return ACTIVATIONS[name]


def _network(
    layers: Mapping[int, Mapping[str, Tensor]], activation: type[nn.Module], *, last_too: bool
) -> nn.Sequential:
    """The layers in order, an activation behind each linear one; behind the last if `last_too`."""
    linear = [position for position, state in layers.items() if state["weight"].ndim == 2]
    modules: list[nn.Module] = []
    for position in sorted(layers):
        state = layers[position]
        modules.append(_layer(state["weight"], state.get("bias")))
        if position in linear and (last_too or position != max(linear)):
            modules.append(activation())
    return nn.Sequential(*modules).eval().requires_grad_(False)


def _is_whole(layers: Mapping[int, Mapping[str, Tensor]]) -> bool:
    """Whether each layer has a matrix (linear) or a row of numbers (norm), and one is linear."""
    weights = (state.get("weight") for state in layers.values())
    dimensions = [0 if w is None or not w.numel() else w.ndim for w in weights]
    return 2 in dimensions and set(dimensions) <= {1, 2}


def _layer(weight: Tensor, bias: Tensor | None) -> nn.Module:
    with torch.device("meta"):
        layer: nn.Module = (
            nn.Linear(weight.shape[1], weight.shape[0])
            if weight.ndim == 2
            else nn.LayerNorm(weight.shape[0])
        )
    layer.weight = nn.Parameter(weight)
    layer.bias = None if bias is None else nn.Parameter(bias)
    return layer
