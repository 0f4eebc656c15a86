"""What each node was last run with, in this process; what those with effects saved then, so that it
is not saved again while it is up to date.
"""

from __future__ import annotations

import json
from collections import OrderedDict
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from ponystudio.engine.cache.disk_cache import DiskCache
from ponystudio.graph.result_keys import NodeKey, Preimage

# Letters of preimages that are kept in memory, those of the latest runs.
MOST_LETTERS = 4 * 2**20


class RunHistoryFile:
    """The last preimage of every node of one document (`scope`), and on disk if there is one."""

    def __init__(self, disk: DiskCache | None) -> None:
        self._disk = disk
        self._last: dict[tuple[str, str], str] = {}
        self._texts: OrderedDict[str, str] = OrderedDict()
        self._letters = 0

    def record(self, scope: str, node: str, key: NodeKey) -> None:
        """A node has run."""
        texts = {d: json.dumps(p, sort_keys=True) for d, p in key.preimages.items()}
        for digest, text in texts.items():
            self._letters += len(text) - len(self._texts.pop(digest, ""))
            self._texts[digest] = text
        while self._letters > MOST_LETTERS:
            self._letters -= len(self._texts.popitem(last=False)[1])
        self._last[scope, node] = key.digest
        if self._disk is not None:
            self._disk.remember(scope, node, key.digest, texts)

    def of(self, scope: str) -> DocumentHistory:
        return DocumentHistory(self, scope)

    def last(self, scope: str, node: str) -> Preimage | None:
        digest = self._last.get((scope, node))
        if digest is None and self._disk is not None:
            digest = self._disk.last(scope, node)
        return self.preimage(digest) if digest else None

    def preimage(self, digest: str) -> Preimage | None:
        text = self._texts.get(digest)
        if text is None and self._disk is not None:
            text = self._disk.preimage(digest)
        found = _object(text) if text else None
        return found if isinstance(found, dict) else None


class DocumentHistory:
    """The history of one document."""

    def __init__(self, history: RunHistoryFile, scope: str) -> None:
        self._history, self._scope = history, scope

    def last(self, node: str) -> Preimage | None:
        return self._history.last(self._scope, node)

    def preimage(self, digest: str) -> Preimage | None:
        return self._history.preimage(digest)


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
            paths = _object(text) if identity and text else None
            if identity and isinstance(paths, list):
                found = identity, tuple(Path(str(path)) for path in paths)
                self._done[scope, node] = found
        return found


def _object(text: str) -> Any:
    """What was kept; None if it was damaged since."""
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None


def _place(scope: str, node: str, identity: str) -> str:
    return f"{_SCOPE}{scope} {node} {identity}"
