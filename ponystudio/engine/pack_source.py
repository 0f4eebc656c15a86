"""Where a node pack is, and how its modules are loaded: that runs its code."""

from __future__ import annotations

import contextlib
import importlib
import importlib.util
import pkgutil
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from importlib.metadata import entry_points
from pathlib import Path
from types import ModuleType
from typing import Any

from ponystudio.graph.catalog import PackProblem
from ponystudio.library import user_folders

GROUP = "ponystudio.nodes"
# The built-in nodes, which are part of the program.
OWN = "ponystudio_nodes"


@dataclass(frozen=True)
class PackSource:
    """An installed pack has a `module`, a single file of the user's own is a `file`."""

    name: str
    module: str = ""
    file: Path | None = None

    @property
    def is_own(self) -> bool:
        return self.module == OWN

    def load(self) -> Iterator[ModuleType | PackProblem]:
        """Its modules; a problem in the place of one that fails to import."""
        if self.file is not None:
            yield _import_file(self.file)
            return
        root = _import(self.name, self.module)
        yield root
        if isinstance(root, ModuleType):
            for found in pkgutil.walk_packages(
                getattr(root, "__path__", ()), f"{root.__name__}.", onerror=lambda _: None
            ):
                yield _import(self.name, found.name)

    def to_json(self) -> dict[str, Any]:
        file = None if self.file is None else str(self.file)
        return {"name": self.name, "module": self.module, "file": file}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> PackSource:
        file = data["file"]
        return cls(data["name"], data["module"], None if file is None else Path(file))


def find_packs(folder: Path | None = None) -> list[PackSource]:
    """Installed packs by name, `core` first, then the files in `folder`, `user_folders.nodes()`
    unless given."""
    installed = sorted(entry_points(group=GROUP), key=lambda e: (e.name != "core", e.name))
    found = [PackSource(entry.name, module=entry.module) for entry in installed]
    folder = user_folders.nodes() if folder is None else folder
    with contextlib.suppress(OSError):  # no folder, no files
        found += [PackSource(path.name, file=path) for path in sorted(folder.glob("*.py"))]
    return found


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
