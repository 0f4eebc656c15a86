"""How this program starts itself again for another purpose, and where."""

from __future__ import annotations

import sys
from pathlib import Path


def own_command(*words: str) -> list[str]:
    """`ponystudio WORDS` as a command: a frozen program is its own interpreter, and any other one
    imports nothing that lies in the folder where the user stands (-P)."""
    if getattr(sys, "frozen", False):
        return [sys.executable, *words]
    return [sys.executable, "-P", "-m", "ponystudio", *words]


def working_folder() -> Path:
    """Where this process is, or the user's home where that was deleted: libraries ask for it while
    they are loaded, and a process that begins nowhere fails in odd places."""
    try:
        return Path.cwd()
    except OSError:
        home = Path.home()
        return home if home.is_dir() else Path(home.anchor)
