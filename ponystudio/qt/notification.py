"""What a part of the studio has to tell the person, as data; toasts show it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

from ponystudio.errors import PonyStudioError
from ponystudio.qt.i18n import tr

NoticeKind = Literal["info", "ok", "warn"]
Action = tuple[str, Callable[[], object]]
"""(label, what it does)."""
Row = tuple[Literal["done", "spare", "item"], str, str]
"""(sign, text, number): one of several ways that were or could be taken, or an item of a list."""
_MOST_ROWS = 8


def first_rows(rows: Sequence[Row]) -> tuple[Row, ...]:
    """As many as one message has room for, and how many more there are."""
    if not (more := len(rows[_MOST_ROWS:])):
        return tuple(rows)
    return (*rows[:_MOST_ROWS], ("item", tr("and %1 more").replace("%1", str(more)), ""))


@dataclass(frozen=True)
class Notification:
    """One message: `rows` stand below the text. A `lasting` one stays until another says by its
    title that it `ends` it. The fields are those that `Toasts.show` takes."""

    title: str
    text: str = ""
    actions: tuple[Action, ...] = ()
    kind: NoticeKind = "info"
    rows: tuple[Row, ...] = ()
    lasting: bool = False
    ends: str = ""

    @classmethod
    def of(cls, title: str, error: PonyStudioError, *actions: Action) -> Notification:
        """An error in its own words: the remedy is part of the text."""
        return cls(title, " ".join(filter(None, (error.what, error.remedy))), actions, "warn")
