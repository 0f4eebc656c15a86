"""What nodes with effects leave behind: numbered files in the output folder, never outside it."""

from __future__ import annotations

import os
import re
import secrets
from collections.abc import Callable
from pathlib import Path, PurePosixPath

from ponystudio.errors import PonyStudioError, UnsafePath
from ponystudio.graph.atomic import explained

# Names that Windows keeps for devices, with any ending; a folder is to open there too.
_RESERVED = re.compile(
    r"(con|prn|aux|nul|conin\$|conout\$|com[0-9¹²³]|lpt[0-9¹²³]) *(\..*)?", re.IGNORECASE
)
_FORBIDDEN = re.compile(r'[<>:"|?*\x00-\x1f\x7f]')
LONGEST_NAME = 200
DIGITS = 5


def checked_prefix(prefix: str) -> PurePosixPath:
    """The prefix as a relative path that stays inside the folder on every system.

    Raises UnsafePath for `..`, absolute paths, drives, reserved names and what no system stores.
    """
    path = PurePosixPath(prefix.replace("\\", "/"))
    reason = ""
    if not prefix.strip() or not path.parts or prefix.endswith(("/", "\\")):
        reason = "names no file"
    elif path.is_absolute() or ".." in path.parts:
        reason = "leads out of the output folder"
    elif _FORBIDDEN.search(prefix):
        reason = "has a character that file names cannot have"
    elif any(_RESERVED.fullmatch(part) for part in path.parts):
        reason = "is a name that Windows keeps for a device"
    elif any(part != part.strip() or part.endswith(".") for part in path.parts):
        reason = "has a space at an end or a dot at the end of a name"
    elif any(len(part.encode()) > LONGEST_NAME for part in path.parts):
        reason = "is too long for a file name"
    if reason:
        raise UnsafePath(
            f"The prefix {prefix!r} {reason}.",
            remedy="Write a name such as ponies/unicorn.",
            socket="prefix",
        )
    return path


def save_numbered(folder: Path, prefix: str, suffix: str, write: Callable[[Path], None]) -> Path:
    """Have `write` make PREFIX_00001.SUFFIX in `folder`, under the first number after the last.

    The file appears whole and replaces none, whoever else writes there. Raises UnsafePath,
    StorageFull, NotWritable.
    """
    relative = checked_prefix(prefix)
    target = folder.joinpath(*relative.parts)
    draft = target.with_name(f".{secrets.token_hex(8)}.tmp{suffix}")
    try:
        # Before any folder is made, which could be outside already.
        if not target.parent.resolve().is_relative_to(folder.resolve()):
            raise UnsafePath(
                f"The prefix {prefix!r} leads out of the output folder through a link.",
                remedy="Choose another prefix.",
                socket="prefix",
            )
        target.parent.mkdir(parents=True, exist_ok=True)
        try:
            write(draft)
            return _published(draft, target, suffix)
        finally:
            draft.unlink(missing_ok=True)
    except OSError as error:
        raise explained(error, target.parent) from None
    except PonyStudioError as error:
        error.where = error.where.replace(draft.name, f"{target.name}{suffix}")
        raise


def _published(draft: Path, target: Path, suffix: str) -> Path:
    """Give the draft its number. A link fails where a file stands, so nothing is replaced."""
    number = _last_number(target, suffix)
    while True:
        number += 1
        final = target.with_name(f"{target.name}_{number:0{DIGITS}}{suffix}")
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
    pattern = re.compile(rf"{re.escape(target.name)}_(\d+){re.escape(suffix)}", re.IGNORECASE)
    matches = (pattern.fullmatch(path.name) for path in target.parent.iterdir())
    return max((int(match[1]) for match in matches if match), default=0)
