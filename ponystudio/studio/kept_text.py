"""Texts that are kept for the next start where that is possible; nobody misses them for long."""

from __future__ import annotations

from pathlib import Path

from ponystudio.errors import PonyStudioError
from ponystudio.graph.atomic_write import write_text


def keep(file: Path | None, text: str | None) -> None:
    """Write a text into a file, whole; nothing where there is no text, no file, or no room."""
    if file is None or text is None:
        return
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        write_text(file, text)
    except (OSError, PonyStudioError):
        pass
