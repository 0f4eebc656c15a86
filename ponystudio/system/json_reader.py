"""JSON that anybody may have written: read within bounds, so that no text fills the memory."""

from __future__ import annotations

import gc
import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

# Deep enough for any document, shallow enough for every JSON reader's stack.
DEPTH = 100
# Each costs some hundred bytes once it is read; a graph of 100,000 nodes has half of them.
MOST_CONTAINERS = 1_500_000
MOST_VALUES = 4_000_000
MOST_NAMES = 2_500_000


class JsonLimit(ValueError):
    """There is too much in a JSON text; says of what."""


def read_json(
    text: str | bytes,
    *,
    names: int = MOST_NAMES,
    containers: int = MOST_CONTAINERS,
    **hooks: Callable[[Any], Any],
) -> Any:
    """The value of a JSON text, of so many names, and lists and objects, at most; `hooks` are those
    of `json.loads`. No other thread goes on meanwhile: 0.1 s for a million lists.

    Raises JsonLimit before reading what would fill the memory, else ValueError for what is no JSON.
    """
    if isinstance(text, bytes):
        text = text.decode(json.detect_encoding(text), "surrogatepass")
    for count, most, what in (
        (text.count("[") + text.count("{"), containers, "lists and objects"),
        (text.count(","), MOST_VALUES, "values"),
        (text.count(":"), names, "names"),
    ):
        if count > most:
            raise JsonLimit(f"It holds more than {most:,} {what}.")
    try:
        with _no_garbage():
            return json.loads(text, **hooks)  # type: ignore[arg-type]
    except RecursionError:
        raise JsonLimit(f"It is nested deeper than {DEPTH} levels.") from None


@contextmanager
def _no_garbage() -> Iterator[None]:
    """Garbage is not looked for meanwhile: there is none in what is read, and looking for it among
    a million lists takes ten times as long as to read them, in which no other thread goes on."""
    collects = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if collects:
            gc.enable()
