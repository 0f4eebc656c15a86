"""Errors on stderr, in plain words."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from ponystudio.errors import BadInput, PonyStudioError


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


def complain(error: PonyStudioError) -> None:
    """Where and what, then what to do about it."""
    for each in error.errors if isinstance(error, Refused) else (error,):
        place = f"{each.where}: " if each.where else ""
        print(f"error: {place}{each.what}", file=sys.stderr)
        if each.remedy:
            print(f"  {each.remedy}", file=sys.stderr)
