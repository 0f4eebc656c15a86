"""Texts of what ComfyUI's server ran: it takes for letters what its editor takes for marks, and so
do prompts here."""

from __future__ import annotations

import re
from collections.abc import Iterator

from ponystudio.graph.model import Graph

# What ComfyUI's editor draws one word of, whenever it runs; letters for its server, and here.
DRAWN_WORDS = re.compile(r"(?<!\\)\{[^{}|]*+\|[^{}]*+\}")
_MARKS = re.compile(r"(?<!\\)[{}]|//|/\*")


def read_as_marks(graph: Graph) -> Iterator[tuple[str, str]]:
    """What is to be said of each prompt in which something is left out or resolved here that the
    server encodes as it stands."""
    for id, node in graph.nodes.items():
        if node.params.get("dialect") != "comfyui":
            continue
        texts = (value for value in node.params.values() if isinstance(value, str))
        found = sorted(
            {mark for text in texts for mark in _MARKS.findall(DRAWN_WORDS.sub("", text))}
        )
        if found:
            yield (
                id,
                f"{' '.join(found)} in its text are marks here, as in the editor, and were"
                " letters for the server: the picture differs",
            )
