"""Errors on stderr, in plain words."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from ponystudio.errors import BadInput, PonyStudioError

# Errors of one graph that are printed.
MOST = 50


class Refused(BadInput):
    """Everything that is wrong with one graph."""

    def __init__(self, errors: Sequence[PonyStudioError]) -> None:
        first = errors[0]
        super().__init__(
            first.what,
            where=first.where,
            remedy=first.remedy,
            node=first.node,
            socket=first.socket,
        )
        self.errors = tuple(errors)


def printable(text: str) -> str:
    """The text without what would steer a terminal: what comes from files is anybody's."""
    return "".join(c if c.isprintable() or c in "\n\t" else repr(c)[1:-1] for c in text)


def print_error(error: PonyStudioError) -> None:
    """Where and what, then what to do about it; of many the first."""
    errors = error.errors if isinstance(error, Refused) else (error,)
    for each in errors[:MOST]:
        place = f"{each.where}: " if each.where else ""
        print(printable(f"error: {place}{each.what}"), file=sys.stderr)
        if each.remedy:
            print(printable(f"  {each.remedy}"), file=sys.stderr)
    if len(errors) > MOST:
        print(f"error: and {len(errors) - MOST:,} more.", file=sys.stderr)
