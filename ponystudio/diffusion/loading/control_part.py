"""The part "controlnet" of a model file: where it stands, how it is described, built and wrapped;
and weights that a file only changes, which are those of a model with something added.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from math import prod
from typing import TYPE_CHECKING, Any

from ponystudio.diffusion.control import control_architecture
from ponystudio.diffusion.families import Family
from ponystudio.diffusion.weights import tensor_names
from ponystudio.diffusion.weights.name_table import Naming
from ponystudio.errors import DamagedFile, UnsupportedModel
from ponystudio.library.formats.weights_file import WeightsFile, joined

if TYPE_CHECKING:
    from torch import Tensor, nn

    from ponystudio.diffusion.weights.network import Network
    from ponystudio.diffusion.weights.weights import Weights
    from ponystudio.library.formats.tensor_info import TensorInfo
    from ponystudio.library.recognition.recognise import ModelFile

Shapes = Mapping[str, tuple[int, ...]]
Hints = Mapping[str, Any]

NODE = "Load ControlNet (core.load_controlnet)"
COMPONENTS = ("controlnet",)
# Before the names of the model's file, where a ControlNet has its weights; and of its own.
BASE, OWN = "base/", "own/"
# What of a UNet its ControlNet has too.
SHARED = ("conv_in.", "time_embedding.", "add_embedding.", "down_blocks.", "mid_block.")
# Stability AI's mark of what its SD3.5 ControlNets are for: 0 blur, 1 canny, 2 depth.
KIND_MARK, CANNY = "control_type", 1


@dataclass(frozen=True)
class Added:
    """Stored tensors that are added to our weights: whole differences by our name, and pairs of low
    rank, (up, down)."""

    whole: Mapping[str, str] = field(default_factory=dict)
    pairs: Mapping[str, tuple[str, str]] = field(default_factory=dict)


def naming(tensors: Mapping[str, TensorInfo], _: Family) -> Naming:
    return control_architecture(tensors).naming(tensors, ())


def describe(shapes: Shapes, family: Family, hints: Mapping[str, Hints]) -> dict[str, Any]:
    how = control_architecture(shapes)
    return {"names": tuple(shapes), **how.config(shapes, family, hints["controlnet"])}


def build(arguments: dict[str, Any], _: Family) -> nn.Module:
    return control_architecture(arguments.pop("names")).build(arguments)


def wrap(
    module: Any, family: Family, weights: Weights, info: ModelFile, _options: Mapping[str, Any]
) -> Network[Any]:
    from ponystudio.diffusion.control.control_network import ControlNetwork

    assert info.control is not None
    how = control_architecture(weights.naming.names)
    edges = info.control.borrows and _is_canny(info, weights)
    return ControlNetwork(module, family, info.control, how, weights, wide_edges=edges)


def _is_canny(info: ModelFile, weights: Weights) -> bool:
    from ponystudio.diffusion.weights.weights import tensor

    name = next((name for name in weights.file.tensors if name.endswith(KIND_MARK)), None)
    if name is not None and weights.file.tensors[name].numel == 1:
        return bool(tensor(weights.file, name).item() == CANNY)
    return "canny" in info.path.name.lower()


def with_base(
    info: ModelFile, own: WeightsFile, base: WeightsFile, base_names: Mapping[str, str]
) -> tuple[WeightsFile, Naming, Added]:
    """Both files as one, in which its weights stand that are the model's or its own, and what is
    added to those.

    `base_names`: our names of the model's tensors → stored ones. Raises UnsupportedModel for one
    that it cannot have been taken from.
    """
    assert info.control is not None
    file = joined(own.path, [(OWN, own), (BASE, base)])
    mine = {
        ours: OWN + key for ours, key in tensor_names.controlnet(own.tensors, base_names).items()
    }
    shared = {ours: BASE + key for ours, key in base_names.items() if ours.startswith(SHARED)}
    if info.control.kind == "difference":
        whole = {ours: key for ours, key in mine.items() if ours in shared}
        _check_shapes(file, shared, whole)
        return file, Naming({**mine, **shared}), Added(whole=whole)
    pairs: dict[str, tuple[str, str]] = {}
    for name in list(mine):
        layer, _, role = name.rpartition(".")
        if role != "up" or f"{layer}.weight" not in shared:
            continue
        if f"{layer}.down" not in mine:
            raise DamagedFile(f"{name!r} lacks its other half.", where=str(own.path))
        pairs[f"{layer}.weight"] = mine.pop(name), mine.pop(f"{layer}.down")
    for name, halves in pairs.items():
        up, down, weight = (file.tensors[key].shape for key in (*halves, shared[name]))
        if (up[:1], prod(down[1:])) != (weight[:1], prod(weight[1:])):
            raise _foreign(name, own)
        if prod(up[1:]) != (*down, 0)[0]:
            raise DamagedFile(f"The halves of {name!r} do not fit each other.", where=str(own.path))
    return file, Naming({**shared, **mine}), Added(pairs=pairs)


def add(network: Network[Any], weights: Weights, added: Added) -> None:
    """Add to the weights of a network that was filled."""
    from ponystudio.diffusion.weights.weights import assign, tensor

    def changed(name: str, difference: Tensor) -> None:
        value = network.module.get_parameter(name)
        weight = weights.stored(name, value.shape).on(value.device, difference.dtype)
        assign(network.module, name, (weight + difference.reshape(value.shape)).to(value.dtype))
        network.patched |= {name}

    there = network.device
    for name, key in added.whole.items():
        changed(name, tensor(weights.file, key).to(there).float())
    for name, (up, down) in added.pairs.items():
        A, B = (tensor(weights.file, key).to(there).float().flatten(1) for key in (up, down))
        changed(name, A @ B)


def _check_shapes(file: WeightsFile, shared: Mapping[str, str], whole: Mapping[str, str]) -> None:
    for name, key in whole.items():
        if file.tensors[key].shape != file.tensors[shared[name]].shape:
            raise _foreign(name, file)


def _foreign(name: str, file: WeightsFile) -> UnsupportedModel:
    return UnsupportedModel(
        f"This ControlNet changes the weights of another model: {name!r} has other sides in yours.",
        where=str(file.path),
        remedy="Wire the model in that it was made for.",
    )
