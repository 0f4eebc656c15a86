"""What was done against a lack of memory, and what could still be done, in words."""

from __future__ import annotations

from collections.abc import Sequence

from ponystudio.qt.i18n import tr
from ponystudio.widgets.toasts import Row


def fallback_rows(taken: Sequence[str]) -> list[Row]:
    """Every fallback in its order, with what it freed; `taken` is `Runner.fallbacks`."""
    order = (
        ("forgot cached results", tr("Forget results that can be made again")),
        ("took idle weights off the device", tr("Move idle models off the device")),
        ("works in smaller pieces", tr("Work in smaller pieces")),
        ("keeps fewer blocks of the weights", tr("Read the model block by block")),
        ("runs on the CPU", tr("Run this node on the CPU")),
    )
    rows: list[Row] = []
    for action, words in order:
        done = next((text for text in reversed(taken) if text.startswith(action)), None)
        freed = "" if done is None else done[len(action) :].strip(" ()")
        rows.append(("spare" if done is None else "done", words, freed))
    return rows


def is_fallback(action: str) -> bool:
    """Whether it is one of the fallbacks; results that can no longer be kept on disk are none."""
    return not action.startswith("results are no longer")
