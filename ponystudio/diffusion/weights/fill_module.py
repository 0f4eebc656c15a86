"""Stored tensors into a network that was built without memory: all of them, and no others."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator

import torch
from torch import nn

from ponystudio.diffusion.weights.name_table import without_ones
from ponystudio.diffusion.weights.weights import Weights, assign
from ponystudio.errors import DamagedFile, UnsupportedModel
from ponystudio.library.formats.quantization import REMEDY

# So many bytes are read ahead of what is cast: a disk is slow to start and fast to go on.
AHEAD = 256 << 20


def fill(
    module: nn.Module,
    weights: Weights,
    come: Collection[str],
    noun: str,
    device: torch.device,
    dtype: torch.dtype,
    check: Callable[[], None],
) -> None:
    """Place the tensors in the order in which they lie in the file.

    Those that `come` later stay without memory, as what they will be. `check` is called before
    every tensor. Raises DamagedFile and UnsupportedModel, before anything is read, for a file that
    does not fit the network; `noun` says what it is.
    """
    wanted = {name: value.shape for name, value in module.state_dict().items()}
    _check_fit(weights, wanted, noun)
    for name in come:
        assign(module, name, torch.empty(wanted[name], dtype=dtype, device="meta"))
    for name in _read_ahead(weights, wanted.keys() - set(come)):
        check()
        assign(module, name, weights.stored(name, wanted[name]).on(device, dtype))


def _check_fit(weights: Weights, wanted: dict[str, torch.Size], noun: str) -> None:
    shapes = weights.shapes
    if unknown := shapes.keys() - wanted.keys():
        _refuse_marks(weights, unknown, wanted, noun)
    if missing := wanted.keys() - shapes.keys():
        first = min(missing)
        raise DamagedFile(
            f"The {noun} lacks {len(missing)} of its tensors, among them {first!r}.",
            where=str(weights.path_of(first)),
            remedy="Get the file again: it is incomplete.",
        )
    if unknown:
        first = min(unknown)
        raise UnsupportedModel(
            f"The {noun} has {len(unknown)} tensors too many, among them {first!r}: "
            "it is of another architecture.",
            where=str(weights.path_of(first)),
        )
    for name, shape in wanted.items():
        if without_ones(shapes[name]) != without_ones(shape):
            raise UnsupportedModel(
                f"The tensor {name!r} of the {noun} is {list(shapes[name])}, not {list(shape)}: "
                "it is of another architecture.",
                where=str(weights.path_of(name)),
            )


def _refuse_marks(
    weights: Weights, unknown: Iterable[str], wanted: Collection[str], noun: str
) -> None:
    """Raise UnsupportedModel where all that is unknown stands beside weights of the network, as
    what a quantiser writes does."""
    layers = {name.rpartition(".")[0] for name in wanted}
    if any(_layer(name) not in layers for name in unknown):
        return
    first = min(unknown)
    mark = first.removeprefix(_layer(first))
    raise UnsupportedModel(
        f"The {noun} has tensors {mark!r} beside its weights (such as {first!r}), whose meaning is"
        " not known here: a quantiser may have written them.",
        where=str(weights.path_of(first)),
        remedy=REMEDY,
    )


def _layer(name: str) -> str:
    """The layer that `X.mark` and `X.weight.mark` stand beside."""
    return name.rpartition(".")[0].removesuffix(".weight")


def _read_ahead(weights: Weights, names: Iterable[str]) -> Iterator[str]:
    """The names as their tensors lie in the file, whose pages are asked for before their turn."""
    ordered = sorted(names, key=weights.place)
    following, asked = iter(ordered), 0
    for name in ordered:
        while asked <= AHEAD and (coming := next(following, None)) is not None:
            asked += weights.read_ahead(coming)
        yield name
        asked -= weights.nbytes(name)
