"""Where our tensors stand in a file, and what of each stored one they are. Torch-free."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import Tensor

    from ponystudio.library.formats.tensor_info import TensorInfo

Shape = tuple[int, ...]


@dataclass(frozen=True)
class FusedSlice:
    """Rows of a stored tensor, from `first` up to `last` of `parts` equal stretches of them.

    `swapped`: the two halves of the rows stand the other way round. `transposed`: it is stored as
    the transpose of ours, and whole.
    """

    first: int = 0
    last: int = 1
    parts: int = 1
    swapped: bool = False
    transposed: bool = False

    def shape(self, whole: Shape) -> Shape:
        """The shape of ours; `whole` is that of what is stored."""
        if self.transposed or not whole:
            return whole[::-1]
        first, last = self._rows(whole[0])
        return last - first, *whole[1:]

    def of(self, whole: Tensor) -> Tensor:
        """Ours, of what is stored; a view of it unless the halves are swapped."""
        if self.transposed:
            return whole.t()
        if self.swapped:
            whole = whole.roll(len(whole) // 2, 0)
        return whole[slice(*self._rows(len(whole)))]

    def _rows(self, count: int) -> tuple[int, int]:
        """From which to which, of so many; where they cannot be shared out the last gets more."""
        return self.first * count // self.parts, self.last * count // self.parts


THIRDS = (FusedSlice(0, 1, 3), FusedSlice(1, 2, 3), FusedSlice(2, 3, 3))
SWAPPED = FusedSlice(swapped=True)
TRANSPOSED = FusedSlice(transposed=True)

# (their module or tensor, ours, what of theirs ours is)
Table = Iterable[tuple[str, str, FusedSlice | None]]


@dataclass(frozen=True)
class Naming:
    """`names`: our name of a tensor → the stored one's. `cuts`: of those that are not all of it."""

    names: Mapping[str, str]
    fused: Mapping[str, FusedSlice] = field(default_factory=dict)

    def shapes(self, tensors: Mapping[str, TensorInfo]) -> dict[str, Shape]:
        """Of ours, among the stored tensors."""
        whole = {name: tensors[key].shape for name, key in self.names.items()}
        return whole | {name: cut.shape(whole[name]) for name, cut in self.fused.items()}


def without_ones(shape: Iterable[int]) -> list[int]:
    """A 1×1 convolution and a linear layer are the same."""
    sides = list(shape)
    while len(sides) > 2 and sides[-1] == 1:
        sides.pop()
    return sides


def renamed(part: Mapping[str, str], table: Table) -> Naming:
    """`part` (their name → stored name) under our names, by a table of tensors and modules.

    One of theirs may be several of ours. What the table does not know keeps its name, so that a
    strict load reports it.
    """
    ours_of: defaultdict[str, list[tuple[str, FusedSlice | None]]] = defaultdict(list)
    for theirs, ours, cut in table:
        ours_of[theirs].append((ours, cut))
    names: dict[str, str] = {}
    fused: dict[str, FusedSlice] = {}
    for name, key in part.items():
        module, _, leaf = name.rpartition(".")
        if name in ours_of:
            found = ours_of[name]
        else:
            found = [(f"{ours}.{leaf}", cut) for ours, cut in ours_of.get(module, [(module, None)])]
        for ours, cut in found:
            names[ours] = key
            if cut is not None:
                fused[ours] = cut
    return Naming(names, fused)
