"""What of a stored tensor is one of ours, where the two do not agree. Torch-free."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import Tensor

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
