"""How names of saved files may begin: inside the output folder, on every system.

Tokens in them (`name_tokens.py`) are filled in when something is saved.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import PurePosixPath

from ponystudio.errors import UnsafePath, shortened
from ponystudio.graph.name_tokens import NUMBER, replaced, tokens

# Names that Windows keeps for devices, with any ending; a folder is to open there too.
_RESERVED = re.compile(
    r"(con|prn|aux|nul|conin\$|conout\$|com[0-9¹²³]|lpt[0-9¹²³]) *(\..*)?", re.IGNORECASE
)
_FORBIDDEN = re.compile(r'[<>:"|?*\x00-\x1f\x7f\ud800-\udfff]')
LONGEST_NAME = 200
# Letters of a whole prefix, with its folders and tokens.
LONGEST_PREFIX = 4096


def checked_prefix(prefix: str) -> PurePosixPath:
    """The prefix as a relative path that stays inside the folder on every system, whatever its
    tokens come to stand for.

    Raises UnsafePath for `..`, absolute paths, drives, reserved names and what no system stores,
    and for more than LONGEST_PREFIX letters; ParamChoice for a token that is none.
    """
    if len(prefix) > LONGEST_PREFIX:
        raise UnsafePath(
            f"The prefix {shortened(prefix)!r} has more than {LONGEST_PREFIX:,} letters.",
            remedy="Write a name such as ponies/unicorn.",
            socket="prefix",
        )
    found = tokens(prefix)
    shape = _checked(replaced(prefix, lambda _: "x"), prefix) if found else _checked(prefix, prefix)
    folders = prefix.replace("\\", "/").rpartition("/")[0]
    if any(token.name == "counter" and token.text in folders for token in found):
        raise UnsafePath(
            f"The prefix {shortened(prefix)!r} counts folders.",
            remedy="Put the counter behind the last /.",
            socket="prefix",
        )
    return shape


def filled(prefix: str, expand: Callable[[str], str]) -> str:
    """The prefix with its tokens filled in by `expand`, each of its parts a name that can be.

    Raises what `checked_prefix` raises.
    """
    checked_prefix(prefix)
    if not tokens(prefix):
        return prefix
    return "/".join(map(_made_fit, expand(prefix).replace("\\", "/").split("/")))


def checked_name(prefix: str) -> PurePosixPath:
    """A prefix without tokens as a relative path; NUMBER may stand in it. Raises UnsafePath."""
    return _checked(prefix.replace(NUMBER, "0"), prefix)


def _made_fit(part: str) -> str:
    """What values have made of a part, as a name: no ends that Windows drops, none of its own
    names, not too long."""
    number = NUMBER in part
    part = part.strip(" ").rstrip(". ") or "_"
    if len(part.encode()) > LONGEST_NAME:
        part = part.replace(NUMBER, "").encode()[: LONGEST_NAME - 8].decode(errors="ignore")
        part = f"{part.rstrip('. ')}_{NUMBER}" if number else part.rstrip(". ")
    return f"{part}_" if _RESERVED.fullmatch(part) else part


def _checked(text: str, prefix: str) -> PurePosixPath:
    path = PurePosixPath(text.replace("\\", "/"))
    reason = ""
    if not text.strip() or not path.parts or text.endswith(("/", "\\")):
        reason = "names no file"
    elif path.is_absolute() or ".." in path.parts:
        reason = "leads out of the output folder"
    elif _FORBIDDEN.search(text):
        reason = "has a character that file names cannot have"
    elif any(_RESERVED.fullmatch(part) for part in path.parts):
        reason = "is a name that Windows keeps for a device"
    elif any(part != part.strip() or part.endswith(".") for part in path.parts):
        reason = "has a space at an end or a dot at the end of a name"
    elif any(len(part.encode()) > LONGEST_NAME for part in path.parts):
        reason = "is too long for a file name"
    if reason:
        raise UnsafePath(
            f"The prefix {shortened(prefix)!r} {reason}.",
            remedy="Write a name such as ponies/unicorn.",
            socket="prefix",
        )
    return path
