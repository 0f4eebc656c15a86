"""What is there again at the next start: texts in files, and small facts about each document."""

from __future__ import annotations

import json
from collections import OrderedDict
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Generic, TypeVar

from ponystudio.errors import PonyStudioError
from ponystudio.graph.atomic_write import write_text

DOCUMENTS = 200

K = TypeVar("K")
V = TypeVar("V")


def save_text(file: Path | None, text: str | None) -> None:
    """Write a text into a file, whole; nothing where there is no text, no file, or no room."""
    if file is None or text is None:
        return
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        write_text(file, text)
    except (OSError, PonyStudioError):
        pass  # nobody misses it for long


class PerDocumentStore(Generic[K, V]):
    """By what documents are known by in queue and caches (`scope`), those of the last 200.

    Kept in `file` by `save` (None: nowhere), each fact as the row that `written` makes of it.
    """

    def __init__(
        self,
        file: Path | None,
        written: Callable[[K, V], list[Any]],
        read: Callable[[list[Any]], tuple[K, V]],
    ) -> None:
        self._file, self._written = file, written
        self._known: OrderedDict[str, dict[K, V]] = OrderedDict()
        self._changed = False
        try:
            text = file.read_text("utf-8") if file is not None else "{}"
            for scope, rows in json.loads(text).items():
                self._known[scope] = dict(map(read, rows))
        except (OSError, ValueError, TypeError, AttributeError):
            pass  # none yet, or a damaged one

    def of(self, scope: str) -> dict[K, V]:
        return self._known.get(scope, {})

    def note(self, scope: str, facts: Mapping[K, V]) -> None:
        """These are so now; the others of the document stay."""
        if not facts:
            return
        self._known.setdefault(scope, {}).update(facts)
        self._known.move_to_end(scope)
        while len(self._known) > DOCUMENTS:
            self._known.popitem(last=False)
        self._changed = True

    def text(self) -> str | None:
        """What to keep, if anything was noted since the last time."""
        if not self._changed or self._file is None:
            return None
        self._changed = False
        return json.dumps(
            {
                scope: [self._written(key, value) for key, value in facts.items()]
                for scope, facts in self._known.items()
            }
        )

    def save(self, text: str | None = None) -> None:
        """Write it down; may be called on another thread with what `text` gave."""
        save_text(self._file, text or self.text())
