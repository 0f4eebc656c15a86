"""A part of a model tensor by tensor, in no network: as its file has it, with the LoRAs that it was
patched with and the models that it was merged with in it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

import torch
from torch import Tensor

from ponystudio.diffusion.families import Family
from ponystudio.diffusion.loading.block_ratios import Ratios, Shape, check_shapes, ratio_of
from ponystudio.diffusion.loading.load import Options, built_empty, find_part
from ponystudio.diffusion.loading.lora_patching import Strong, WeightChange, changes, with_changes
from ponystudio.diffusion.weights.weights import FileTensor, Weights

if TYPE_CHECKING:
    from torch import nn

CPU = torch.device("cpu")
PIECE = 1 << 20


class PartWeights:
    """The weights of a part, each made when it is asked for; open until `close`.

    `shapes` are by our names. `patches` are open, and closed by whoever opened them.
    """

    def __init__(self, path: Path, part: str, options: Options = (), patches: Strong = ()) -> None:
        self.path, self.part = path, part
        self.found = find_part(path, part, options)
        self.family = self.found.family
        self.shapes: Mapping[str, Shape] = self.found.shapes
        self._weights = Weights(self.found.file, self.found.naming)
        self._patches = list(patches)

    @property
    def names(self) -> list[str]:
        """In the order in which they lie in the file."""
        return sorted(self.shapes, key=self._weights.place)

    def precision(self, name: str) -> torch.dtype | None:
        """The dtype in which a tensor is stored; None for packed numbers and those of 8 bits."""
        precision = self.tensor(name).stored.precision
        return precision if precision and precision.itemsize > 1 else None

    def value(self, name: str, device: torch.device = CPU) -> Tensor:
        """A tensor in float32, with all patches in it; not to be written to."""
        return self.tensor(name).on(device)

    def pieces(self, name: str) -> Iterator[Tensor]:
        """A tensor in flat pieces of PIECE numbers, in float32 and in the main memory. Only where
        it is patched, or has few bits, it is made as a whole first."""
        found = self.tensor(name)
        plain = not found.changes and found.stored.precision is not None
        flat = (found.stored.data if plain else found.on(CPU)).reshape(-1)
        for start in range(0, len(flat), PIECE):
            yield flat[start : start + PIECE].float()

    def tensor(self, name: str) -> PatchedTensor:
        """A tensor that can be made also after this is closed."""
        stored = self._weights.stored(name, torch.Size(self.shapes[name]))
        return PatchedTensor(stored, self._changes.get(name, ()))

    def is_changed(self, name: str) -> bool:
        return name in self._changes

    def close(self) -> None:
        self._weights.close()

    @cached_property
    def _changes(self) -> Mapping[str, list[tuple[float, WeightChange]]]:
        if not self._patches:
            return {}
        module = built_empty(self.part, self.found)
        return changes(self.part, module, self.family, self._patches)[0]


@dataclass(frozen=True, eq=False)
class PatchedTensor:
    """A tensor as it is stored, on mapped pages, and what its patches make of it."""

    stored: FileTensor
    changes: Sequence[tuple[float, WeightChange]]

    def on(self, device: torch.device) -> Tensor:
        """It in float32; not to be written to."""
        if not self.changes:
            return self.stored.on(device, torch.float32)
        room = torch.empty(self.stored.shape.numel(), dtype=torch.float32, device=device)
        return with_changes(self.stored, self.changes, room, rounds=False)


@dataclass(frozen=True, eq=False)
class OpenMerge:
    """What `other` is mixed in by, as `api.Merge` has it; serves as a patch of a network."""

    other: PartWeights
    how: str
    ratios: Ratios
    orders: ClassVar[bool] = True

    @property
    def path(self) -> Path:
        return self.other.path

    @property
    def content(self) -> str:
        return f"{self.how} {id(self)}"

    def effect(self, strength: float) -> str:  # noqa: ARG002 - a merge has its ratios
        return f"Merging with {self.path.name}"

    def for_module(self, part: str, module: nn.Module, family: Family) -> MatchedMerge:
        """The mixtures for the network of a part. Raises MismatchedValues where tensors are of
        other sizes."""
        parameters = dict(module.named_parameters())
        ratio = ratio_of(part, family, parameters, self.ratios)
        found = {}
        for name, value in parameters.items():
            if name not in self.other.shapes:
                continue
            check_shapes(name, tuple(value.shape), self.other.shapes[name], self.path)
            found[name] = Mixture(self.other.tensor(name), self.how, ratio(name))
        return MatchedMerge(found)


@dataclass(frozen=True)
class MatchedMerge:
    """What a merge does to one network: parameter → mixture."""

    deltas: Mapping[str, Mixture]
    unmatched: tuple[str, ...] = ()


@dataclass(frozen=True, eq=False)
class Mixture:
    """What a merge makes of one weight, in float32."""

    other: PatchedTensor
    how: str
    ratio: float
    rounds: ClassVar[bool] = True

    def added(self, weight: Tensor, strength: float) -> Tensor:
        """`weight` mixed with the other's; may be the same memory."""
        mixed = weight if strength == 1 else weight.clone()
        theirs = self.other.on(weight.device)
        mine = mixed
        if theirs.numel() != mixed.numel():  # of layers that take in more, what both have
            channels = min(theirs.shape[1], mixed.shape[1])
            theirs, mine = theirs[:, :channels], mixed[:, :channels]
        mix(self.how, self.ratio, mine, theirs.reshape(mine.shape))
        return mixed if strength == 1 else weight + strength * (mixed - weight)

    def most(self) -> float:
        return float("inf")


def mix(how: str, ratio: float, a: Tensor, b: Tensor) -> None:
    """Make of `a`, in place, r·A + (1−r)·B ("weighted"), A + r·B ("add") or r·(A − B)
    ("subtract")."""
    if how == "weighted":
        a.mul_(ratio).add_(b, alpha=1 - ratio)
    elif how == "add":
        a.add_(b, alpha=ratio)
    else:
        a.sub_(b).mul_(ratio)
