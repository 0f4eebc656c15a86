"""All texts that a picture carries: those beside its pixels and, where none of them says how it was
made, the one within them. For the reader's process alone."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from typing import BinaryIO

from ponystudio.graph.formats.embedded_metadata import GRAPH, PARAMETERS, RECEIPT, read_fields
from ponystudio.pictures.stealth_text import stealth_fields

# Under these names it is said how a picture was made; "Comment" is whatever somebody likes.
_TELLING = frozenset(
    (GRAPH, RECEIPT, PARAMETERS, "prompt", "workflow", "invokeai_metadata", "sd-metadata", "Dream")
)


def read_texts(file: BinaryIO, memory: int) -> dict[str, str]:
    """By name; {} for what is no picture. `memory`: bytes that decoding may take."""
    fields = read_fields(file)
    if not _is_told(fields):
        with contextlib.suppress(Exception):  # a decoder's, of which each has its own
            fields = fields | stealth_fields(file, memory)
    return fields


def _is_told(fields: Mapping[str, str]) -> bool:
    return bool(fields.keys() & _TELLING) or fields.get("Comment", "").lstrip().startswith("{")
