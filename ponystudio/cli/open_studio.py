"""`ponystudio [FILE...]`: the studio's window, with these files open."""

from __future__ import annotations

import gc
import importlib
import os
import signal
import sys
from collections.abc import Sequence
from pathlib import Path

from ponystudio.errors import LONGEST, shortened


def main(words: Sequence[str], commands: Sequence[str]) -> int:
    """`words` should be files; one that is none may be meant as one of the `commands`."""
    missing = next((word for word in words if not os.path.exists(word)), None)  # noqa: PTH110
    if missing is not None:
        import difflib

        near = difflib.get_close_matches(missing, commands, 1)
        hint = f"Did you mean `{near[0]}`?" if near else "See `ponystudio --help`."
        return _refuse(f"{shortened(missing, LONGEST)} is neither a command nor a file.", hint, 2)
    # Until the window takes it, Ctrl+C ends the program; raised within an import of Qt it aborts.
    before = signal.signal(signal.SIGINT, signal.SIG_DFL)
    gc.disable()  # what is imported is no garbage; the studio collects by itself
    try:
        return _open([Path(word) for word in words])
    finally:
        gc.enable()
        signal.signal(signal.SIGINT, before)


def _open(files: Sequence[Path]) -> int:
    try:
        studio = importlib.import_module("ponystudio.app.studio_main")
    except ImportError as error:  # Qt's wheels need libraries that not every system has
        return _refuse(
            f"The studio's window cannot be opened ({error}).",
            "`ponystudio doctor` says what is missing; `ponystudio run GRAPH` needs no window.",
            1,
        )
    if not studio.can_show():
        return _refuse(
            "There is no display to open the studio on.",
            "`ponystudio run GRAPH` makes the picture, `ponystudio --help` shows the rest.",
            2,
        )
    code: int = studio.main(files)
    return code


def _refuse(what: str, hint: str, code: int) -> int:
    print(f"error: {what}\n  {hint}", file=sys.stderr)
    return code
