"""Errors on stderr, in plain words."""

from __future__ import annotations

import sys
from collections.abc import Iterable

from ponystudio.errors import PonyStudioError


def complain(error: PonyStudioError) -> None:
    """Where and what, then what to do about it."""
    place = f"{error.where}: " if error.where else ""
    print(f"error: {place}{error.what}", file=sys.stderr)
    if error.remedy:
        print(f"  {error.remedy}", file=sys.stderr)


def refuse(errors: Iterable[PonyStudioError]) -> int:
    """Complain about each; returns the exit code of bad input."""
    for error in errors:
        complain(error)
    return 2
