"""What nodes with effects saved last, so that it is not saved again while it is up to date."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path

from ponystudio.engine.cache.disk_cache import DiskCache

# Among the scopes of the cache on disk, where a document's name stands alone for its results.
_SCOPE = "effects of "


class SavedOutputs:
    """By document and node: with which inputs, which files; on disk too if there is one."""

    def __init__(self, disk: DiskCache | None) -> None:
        self._disk = disk
        self._done: dict[tuple[str, str], tuple[str, tuple[Path, ...]]] = {}

    def record(self, scope: str, node: str, identity: str, files: list[Path]) -> None:
        self._done[scope, node] = identity, tuple(files)
        if self._disk is not None:
            text = json.dumps([str(path) for path in files])
            self._disk.remember(
                _SCOPE + scope, node, identity, {_place(scope, node, identity): text}
            )

    def files(self, scope: str, node: str) -> tuple[Path, ...]:
        """Those that it left last."""
        found = self._last(scope, node)
        return found[1] if found else ()

    def up_to_date(self, scope: str, node: str, identity: str, folders: Iterable[Path]) -> bool:
        """Whether the node would do what it did last, in one of these folders, and its files are
        there."""
        found = self._last(scope, node)
        if found is None or found[0] != identity or not found[1]:
            return False
        files = found[1]
        here = any(all(path.is_relative_to(folder) for path in files) for folder in folders)
        return here and all(path.is_file() for path in files)

    def _last(self, scope: str, node: str) -> tuple[str, tuple[Path, ...]] | None:
        found = self._done.get((scope, node))
        if found is None and self._disk is not None:
            identity = self._disk.last(_SCOPE + scope, node)
            text = self._disk.preimage(_place(scope, node, identity)) if identity else None
            if identity and text:
                found = identity, tuple(map(Path, json.loads(text)))
                self._done[scope, node] = found
        return found


def _place(scope: str, node: str, identity: str) -> str:
    return f"{_SCOPE}{scope} {node} {identity}"
