"""The memory ladder in words: what was done against a lack of memory, what could still be done."""

from __future__ import annotations

from collections.abc import Sequence

from ponystudio.qt.i18n import tr
from ponystudio.widgets.toasts import Row


def rungs(taken: Sequence[str]) -> list[Row]:
    """Every rung of the ladder, in its order, with what it freed; from `Runner.rungs`."""
    ladder = (
        ("forgot cached results", tr("Forget results that can be made again")),
        ("took idle weights off the device", tr("Move idle models off the device")),
        ("works in smaller pieces", tr("Work in smaller pieces")),
        ("keeps fewer blocks of the weights", tr("Read the model block by block")),
        ("runs on the CPU", tr("Run this node on the CPU")),
    )
    rows: list[Row] = []
    for said, words in ladder:
        found = next((text for text in reversed(taken) if text.startswith(said)), None)
        freed = "" if found is None else found[len(said) :].strip(" ()")
        rows.append(("spare" if found is None else "done", words, freed))
    return rows


def is_rung(action: str) -> bool:
    """Whether it is one of the ladder; results that can no longer be kept on disk are none."""
    return not action.startswith("results are no longer")
