"""What is there again at the next start: texts and values in files, small facts about documents."""

from __future__ import annotations

import contextlib
import json
from collections import OrderedDict
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Generic, TypeVar

import msgspec

from ponystudio.errors import PonyStudioError
from ponystudio.graph.atomic_write import make_folder, write_text

MOST_DOCUMENTS = 200

K = TypeVar("K")
V = TypeVar("V")
T = TypeVar("T")


def read_json(file: Path, type: type[T]) -> T | None:
    """The value in a JSON file; None if there is none of this type: then what is there is put
    aside, since what is written next must not be the end of it."""
    try:
        return msgspec.convert(json.loads(file.read_bytes()), type)
    except FileNotFoundError:
        return None
    except (OSError, ValueError, RecursionError, msgspec.MsgspecError):
        put_aside(file)
        return None


def put_aside(file: Path) -> None:
    """Give a file that cannot be read now another name, beside it."""
    with contextlib.suppress(OSError):
        file.replace(file.with_suffix(f".damaged{file.suffix}"))


def write_json(file: Path, value: object) -> None:
    """Write a value into a file, whole. ASCII alone: names of files may be no Unicode, which
    msgspec's own writer refuses. Raises OSError, NotWritable, StorageFull."""
    make_folder(file.parent)
    write_text(file, json.dumps(msgspec.to_builtins(value), indent=1) + "\n")


def save_text(file: Path | None, text: str | None) -> None:
    """Write a text into a file, whole; nothing where there is no text, no file, or no room."""
    if file is None or text is None:
        return
    try:
        make_folder(file.parent)
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
        except FileNotFoundError:
            pass  # none yet
        except (OSError, ValueError, TypeError, AttributeError, RecursionError):
            if file is not None:
                put_aside(file)

    def of(self, scope: str) -> dict[K, V]:
        return self._known.get(scope, {})

    def note(self, scope: str, facts: Mapping[K, V]) -> None:
        """These are so now; the others of the document stay."""
        if not facts:
            return
        self._known.setdefault(scope, {}).update(facts)
        self._known.move_to_end(scope)
        while len(self._known) > MOST_DOCUMENTS:
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
