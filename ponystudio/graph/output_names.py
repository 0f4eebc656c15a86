"""How names of saved files may begin: inside the output folder, on every system."""

from __future__ import annotations

import re
from pathlib import PurePosixPath

from ponystudio.errors import UnsafePath

# Names that Windows keeps for devices, with any ending; a folder is to open there too.
_RESERVED = re.compile(
    r"(con|prn|aux|nul|conin\$|conout\$|com[0-9¹²³]|lpt[0-9¹²³]) *(\..*)?", re.IGNORECASE
)
_FORBIDDEN = re.compile(r'[<>:"|?*\x00-\x1f\x7f]')
LONGEST_NAME = 200


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
