"""What each node was last run with, in this process."""

from __future__ import annotations

import json
from collections import OrderedDict
from collections.abc import Mapping

from ponystudio.engine.cache.disk_cache import PREIMAGES, DiskCache
from ponystudio.graph.result_keys import NodeKey, Preimage


class RunHistoryFile:
    """The last preimage of every node of one document (`scope`), and on disk if there is one."""

    def __init__(self, disk: DiskCache | None) -> None:
        self._disk = disk
        self._last: dict[tuple[str, str], str] = {}
        self._texts: OrderedDict[str, str] = OrderedDict()

    def record(self, scope: str, node: str, key: NodeKey) -> None:
        """A node has run."""
        texts = {d: json.dumps(p, sort_keys=True) for d, p in key.preimages.items()}
        self._texts.update(texts)
        while len(self._texts) > PREIMAGES:
            self._texts.popitem(last=False)
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
        found: Mapping[str, object] | None = json.loads(text) if text else None
        return found


class DocumentHistory:
    """The history of one document."""

    def __init__(self, history: RunHistoryFile, scope: str) -> None:
        self._history, self._scope = history, scope

    def last(self, node: str) -> Preimage | None:
        return self._history.last(self._scope, node)

    def preimage(self, digest: str) -> Preimage | None:
        return self._history.preimage(digest)
