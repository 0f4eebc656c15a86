"""What the command line tells people to do, as it is done in the window."""

from __future__ import annotations

import re
from dataclasses import replace
from functools import partial

from ponystudio.qt.i18n import tr
from ponystudio.studio.documents.node_state import Problem


def in_window(problem: Problem) -> Problem:
    """The same problem with a remedy that speaks of settings in place of options."""
    remedy = remedy_in_window(problem.remedy)
    return problem if remedy == problem.remedy else replace(problem, remedy=remedy)


def remedy_in_window(remedy: str) -> str:
    if "--" not in remedy:
        return remedy
    for pattern, said in (
        (
            r"name a folder of models with --models DIR",
            tr("add a folder of models in the settings"),
        ),
        (
            r"name the folder above, with --models (.+?)\.?$",
            tr("add the folder above, {0}, in the settings."),
        ),
        (r"use --device ([\w:]+)", tr("choose {0} in the settings")),
    ):
        remedy = re.sub(pattern, partial(_said, said), remedy, flags=re.IGNORECASE)
    return remedy


def _said(said: str, found: re.Match[str]) -> str:
    text = said.format(*found.groups())
    return text[:1].upper() + text[1:] if found[0][:1].isupper() else text
