"""Which picture is looked at (B), with which it is compared (A), and how. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

Mode = Literal["one", "slide", "flicker", "side"]


@dataclass(frozen=True)
class ComparedPair:
    """`last` is how two pictures were compared before, for the next time there are two."""

    a: Path | None = None
    b: Path | None = None
    mode: Mode = "one"
    last: Mode = "slide"

    def clicked(self, path: Path, adding: bool) -> ComparedPair:
        """A plain click moves B; with `adding` the former B becomes A, and one that is chosen
        leaves."""
        if not adding or self.b is None:
            return replace(self, b=path, mode=self.mode if self._can_compare(path) else "one")
        if path == self.b:
            return self if self.a is None else replace(self, a=None, b=self.a, mode="one")
        if path == self.a:
            return replace(self, a=None, mode="one")
        return replace(self, a=self.b, b=path, mode=self._comparing())

    def marked(self, path: Path) -> ComparedPair:
        """This one becomes A."""
        if self.b is None or path == self.b:
            return self.swapped() if self.a is not None else replace(self, b=path)
        return replace(self, a=path, mode=self._comparing())

    def shown(self, paths: Sequence[Path]) -> ComparedPair:
        """One picture alone, or the last two compared."""
        if not paths:
            return self
        if len(paths) == 1:
            return replace(self, a=None, b=paths[0], mode="one")
        return replace(self, a=paths[-2], b=paths[-1], mode=self._comparing())

    def swapped(self) -> ComparedPair:
        return replace(self, a=self.b, b=self.a) if self.a is not None else self

    def moved(self, order: Sequence[Path], step: int) -> ComparedPair:
        """B goes on in the list, past A: to compare a picture with itself shows nothing."""
        if not order:
            return self
        row = order.index(self.b) if self.b in order else -step
        row = max(0, min(len(order) - 1, row + step))
        if self.mode != "one" and order[row] == self.a:
            row += step
        if not 0 <= row < len(order):
            return self
        return replace(self, b=order[row])

    def with_mode(self, mode: Mode, order: Sequence[Path]) -> ComparedPair:
        """To compare without an A takes the picture that was made before B."""
        if mode == "one":
            return replace(self, mode=mode)
        a = self.a if self.a != self.b else None
        if a is None and self.b in order:
            row = order.index(self.b)
            a = order[row + 1] if row + 1 < len(order) else order[row - 1] if row else None
        if a is None:
            return self
        return replace(self, a=a, mode=mode, last=mode)

    def existing(self, order: Sequence[Path]) -> ComparedPair:
        """Without pictures that are gone; B's place is taken by A or by the latest."""
        there = set(order)
        a = self.a if self.a in there else None
        b = self.b if self.b in there else None
        if b is None:
            a, b = None, a or (order[0] if order else None)
        return replace(self, a=a, b=b, mode=self.mode if a is not None else "one")

    def _can_compare(self, b: Path) -> bool:
        return self.a is not None and self.a != b

    def _comparing(self) -> Mode:
        return self.mode if self.mode != "one" else self.last
