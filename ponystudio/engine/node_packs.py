"""Node packs: the installed ones, found by entry point, and single files of the user's own.

Loading a pack runs its code, so only the engine and the command line do it; a window knows nodes
by the catalog alone. Nothing here imports torch, and no built-in node does when it is loaded.
"""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from ponystudio.api.node import NodeType, Upgrade, nodes_in
from ponystudio.engine.pack_source import find_packs
from ponystudio.engine.pack_trial import unloadable
from ponystudio.graph.catalog import Catalog, PackProblem


@dataclass(frozen=True)
class NodePacks:
    """Every kind of node that can be run, and what is known of where they come from.

    `sources` has the files of code of each pack.
    """

    types: Mapping[str, NodeType]
    catalog: Catalog
    sources: Mapping[str, tuple[Path, ...]]

    @classmethod
    def of(
        cls,
        types: Iterable[NodeType],
        problems: Iterable[PackProblem] = (),
        sources: Mapping[str, tuple[Path, ...]] | None = None,
    ) -> NodePacks:
        found = list(types)
        catalog = Catalog((item.spec for item in found), problems)
        # The catalog keeps the first spec of an id; the function must be that spec's.
        kept = {item.spec.id: item for item in found if catalog[item.spec.id] is item.spec}
        return cls(kept, catalog, sources or {})

    @property
    def upgrades(self) -> Mapping[str, Mapping[int, Upgrade]]:
        return {id: item.upgrades for id, item in self.types.items() if item.upgrades}


def load_packs(folder: Path | None = None) -> NodePacks:
    """Load every pack that `find_packs` finds.

    A pack, or a module of one, that fails to import becomes a problem of the catalog, and so does
    one that never comes to an end, or ends the process; the others stay.
    """
    found = find_packs(folder)
    refused = unloadable([source for source in found if not source.is_own])
    types: list[NodeType] = []
    problems: list[PackProblem] = []
    sources: dict[str, tuple[Path, ...]] = {}
    with _without_streams():
        for source in found:
            if source.name in refused and not source.is_own:
                problems.append(PackProblem(source.name, refused[source.name]))
                continue
            files: list[Path] = []
            for module in source.load():
                if isinstance(module, PackProblem):
                    problems.append(module)
                    continue
                if module.__file__:
                    files.append(Path(module.__file__))
                # Only those declared here: an import from a neighbour is no second declaration.
                types += [
                    replace(item, spec=replace(item.spec, pack=source.name))
                    for item in nodes_in(module)
                    if item.function.__module__ == module.__name__
                ]
            sources[source.name] = tuple(files)
    return NodePacks.of(types, problems, sources)


@contextlib.contextmanager
def _without_streams() -> Iterator[None]:
    """What a pack prints while it is loaded must not mix with what this program prints, and what it
    wants to be told would be waited for."""
    before = sys.stdin
    with Path(os.devnull).open(encoding="ascii") as nothing, contextlib.redirect_stdout(sys.stderr):
        sys.stdin = nothing
        try:
            yield
        finally:
            sys.stdin = before
