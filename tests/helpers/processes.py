"""`ponystudio` in a process of its own, as a person starts it."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

PROGRAM = (sys.executable, "-m", "ponystudio")


def ponystudio(
    *words: str | Path, before: Sequence[str] = (), **options: Any
) -> subprocess.CompletedProcess[str]:
    """Run it to its end, behind the command `before`; `options` are those of subprocess.run."""
    return subprocess.run(
        [*before, *PROGRAM, *map(str, words)],
        capture_output=True,
        encoding="utf-8",
        timeout=200,
        **options,
    )


def start(*words: str | Path) -> subprocess.Popen[str]:
    """Start it, with its output to be read line by line; the caller waits for its end."""
    return subprocess.Popen(
        [*PROGRAM, *map(str, words)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        encoding="utf-8",
    )


def events_in(text: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in text.splitlines()]


def of_kind(events: Sequence[dict[str, Any]], kind: str, field: str) -> list[Any]:
    """One field of every event of a kind, in their order."""
    return [event[field] for event in events if event["event"] == kind]
