"""Where our tensors stand in a file, and what of each stored one they are. Torch-free."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from ponystudio.diffusion.weights.fused_tensors import FusedSlice

# (their module or tensor, ours, what of theirs ours is)
Table = Iterable[tuple[str, str, FusedSlice | None]]


@dataclass(frozen=True)
class Naming:
    """`names`: our name of a tensor → the stored one's. `cuts`: of those that are not all of it."""

    names: Mapping[str, str]
    fused: Mapping[str, FusedSlice] = field(default_factory=dict)


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
