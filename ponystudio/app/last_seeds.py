"""The seeds that the last run of each document used, so that they can be had again."""

from __future__ import annotations

import json
from collections import OrderedDict
from pathlib import Path

from ponystudio.app.kept_text import keep
from ponystudio.app.seeds import Place, Roll

DOCUMENTS = 200


class LastSeeds:
    """By document. Kept in `file` by `save` (None: nowhere); those of the last 200 documents."""

    def __init__(self, file: Path | None = None) -> None:
        self._file = file
        self._seeds: OrderedDict[str, dict[Place, int]] = OrderedDict()
        self._changed = False
        if file is not None:
            self._read(file)

    def of(self, scope: str) -> dict[Place, int]:
        return self._seeds.get(scope, {})

    def note(self, scope: str, roll: Roll) -> None:
        if not roll:
            return
        known = self._seeds.setdefault(scope, {})
        known.update({(node, name): seed for node, name, seed in roll})
        self._seeds.move_to_end(scope)
        while len(self._seeds) > DOCUMENTS:
            self._seeds.popitem(last=False)
        self._changed = True

    def text(self) -> str | None:
        """What to keep, if anything was noted since the last time."""
        if not self._changed or self._file is None:
            return None
        self._changed = False
        return json.dumps(
            {
                scope: [[node, name, str(seed)] for (node, name), seed in found.items()]
                for scope, found in self._seeds.items()
            }
        )

    def save(self, text: str | None = None) -> None:
        """Write it down; may be called on another thread with what `text` gave."""
        keep(self._file, text or self.text())

    def _read(self, file: Path) -> None:
        try:
            data = json.loads(file.read_text("utf-8"))
            for scope, rows in data.items():
                self._seeds[scope] = {(str(n), str(p)): int(seed) for n, p, seed in rows}
        except (OSError, ValueError, TypeError, AttributeError):
            pass  # none yet, or a damaged one
