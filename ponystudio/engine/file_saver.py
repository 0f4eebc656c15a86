"""What nodes with effects leave behind: numbered files in the output folder, never outside it."""

from __future__ import annotations

import contextlib
import os
import re
from collections.abc import Callable
from functools import cache
from pathlib import Path, PurePosixPath

from ponystudio.errors import PonyStudioError, UnsafePath
from ponystudio.graph.atomic_write import (
    draft_beside,
    make_folder,
    sweep_drafts,
    sync_folder,
    write_error,
)
from ponystudio.graph.name_tokens import NUMBER
from ponystudio.graph.output_names import checked_name

DIGITS = 5


def save_numbered(folder: Path, prefix: str, suffix: str, write: Callable[[Path], None]) -> Path:
    """Have `write` make PREFIX_00001.SUFFIX in `folder`, under the first number after the last;
    NUMBER in the prefix says where the number stands instead.

    The file appears whole, replaces none, whoever else writes there, and survives a power cut.
    Raises UnsafePath, StorageFull, NotWritable.
    """
    checked_name(prefix)
    target = folder.joinpath(*PurePosixPath(prefix.replace("\\", "/")).parts)
    if NUMBER not in target.name:
        target = target.with_name(f"{target.name}_{NUMBER}")
    draft = draft_beside(target.with_name(target.name.replace(NUMBER, "") or "_"), suffix)
    try:
        # Before any folder is made, which could be outside already.
        if not target.parent.resolve().is_relative_to(folder.resolve()):
            raise UnsafePath(
                f"The prefix {prefix!r} leads out of the output folder through a link.",
                remedy="Choose another prefix.",
                socket="prefix",
            )
        make_folder(target.parent)
        _sweep_once(target.parent)
        try:
            write(draft)
            final = _published(draft, target, suffix)
        finally:
            with contextlib.suppress(OSError):
                draft.unlink(missing_ok=True)
        sync_folder(target.parent)
        return final
    except OSError as error:
        raise write_error(error, target.parent) from None
    except PonyStudioError as error:
        name = target.name.replace(NUMBER, "…") + suffix
        error.where = error.where.replace(draft.name, name)
        raise


@cache
def _sweep_once(folder: Path) -> None:
    """What earlier processes left is gone after one look."""
    sweep_drafts(folder)


def _published(draft: Path, target: Path, suffix: str) -> Path:
    """Give the draft its number. A link fails where a file stands, so nothing is replaced."""
    number = _last_number(target, suffix)
    while True:
        number += 1
        final = target.with_name(target.name.replace(NUMBER, f"{number:0{DIGITS}}") + suffix)
        try:
            os.link(draft, final)
        except FileExistsError:
            continue
        except (OSError, NotImplementedError):  # no links here (exFAT, some network folders)
            if final.exists():
                continue
            draft.rename(final)
        return final


def _last_number(target: Path, suffix: str) -> int:
    first, *others = map(re.escape, target.name.split(NUMBER))
    rest = r"\1".join(others)
    pattern = re.compile(rf"{first}(\d+){rest}{re.escape(suffix)}", re.IGNORECASE)
    matches = (pattern.fullmatch(path.name) for path in target.parent.iterdir())
    return max((int(match[1]) for match in matches if match), default=0)
