"""Node packs: the installed ones, found by entry point, and single files of the user's own.

Loading a pack runs its code, so only the engine and the command line do it; a window knows nodes
by the catalog alone. Nothing here imports torch, and no built-in node does when it is loaded.
"""

from __future__ import annotations

import contextlib
import importlib
import importlib.util
import pkgutil
import sys
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from types import ModuleType

from ponystudio.api.node import NodeType, Upgrade, nodes_in
from ponystudio.graph.catalog import Catalog, PackProblem
from ponystudio.library import user_folders

GROUP = "ponystudio.nodes"


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
    """Load every pack: installed ones by name, `core` first, then the files in `folder`.

    `folder` is `home.nodes()` unless given. A pack, or a module of one, that fails to import
    becomes a problem of the catalog; the others stay.
    """
    types: list[NodeType] = []
    problems: list[PackProblem] = []
    sources: dict[str, tuple[Path, ...]] = {}
    installed = sorted(entry_points(group=GROUP), key=lambda e: (e.name != "core", e.name))
    # What a pack prints while it is loaded must not mix with what this program prints.
    with contextlib.redirect_stdout(sys.stderr):
        for pack, modules in (*map(_installed, installed), *_single_files(folder)):
            files: list[Path] = []
            for module in modules:
                if isinstance(module, PackProblem):
                    problems.append(module)
                    continue
                if module.__file__:
                    files.append(Path(module.__file__))
                # Only those declared here: an import from a neighbour is no second declaration.
                types += [
                    replace(item, spec=replace(item.spec, pack=pack))
                    for item in nodes_in(module)
                    if item.function.__module__ == module.__name__
                ]
            sources[pack] = tuple(files)
    return NodePacks.of(types, problems, sources)


def _installed(entry: EntryPoint) -> tuple[str, Iterator[ModuleType | PackProblem]]:
    return entry.name, _modules(entry)


def _modules(entry: EntryPoint) -> Iterator[ModuleType | PackProblem]:
    """The module of an entry point and, if it is a package, those inside it."""
    root = _import(entry.name, entry.module)
    yield root
    if isinstance(root, ModuleType):
        for found in pkgutil.walk_packages(
            getattr(root, "__path__", ()), f"{root.__name__}.", onerror=lambda _: None
        ):
            yield _import(entry.name, found.name)


def _single_files(folder: Path | None) -> Iterator[tuple[str, list[ModuleType | PackProblem]]]:
    folder = user_folders.nodes() if folder is None else folder
    with contextlib.suppress(OSError):  # no folder, no files
        for path in sorted(folder.glob("*.py")):
            yield path.name, [_import_file(path)]


def _import(pack: str, name: str) -> ModuleType | PackProblem:
    try:
        return importlib.import_module(name)
    # A pack is anybody's code: even sys.exit() at its top must not end the studio.
    except (Exception, SystemExit) as error:
        return PackProblem(pack, f"{name}: {_error_text(error)}")


def _import_file(path: Path) -> ModuleType | PackProblem:
    name = f"ponystudio_user_nodes.{path.stem}"
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec is not None  # true of every *.py
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module  # annotations of its nodes are looked up there
    try:
        spec.loader.exec_module(module)
    except (Exception, SystemExit) as error:
        del sys.modules[name]
        return PackProblem(path.name, _error_text(error))
    return module


def _error_text(error: BaseException) -> str:
    return f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
