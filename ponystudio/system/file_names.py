"""Names of files as people see them: which are spelt alike, which are near, and why one leads
nowhere.

One name can be stored in several ways: é as one letter or as e and an accent (macOS made the
latter), and in other letter cases, which Windows and macOS do not tell apart.
"""

from __future__ import annotations

import errno
import os
import re
import stat
import unicodedata
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import lru_cache
from pathlib import Path, PurePosixPath

from ponystudio.errors import UsageError

# Places that are followed at once where folders differ only in the spelling of their names.
MOST_PLACES = 16
# How much of two names must agree (difflib's ratio) for the one to be offered for the other.
NEAR = 0.75
# Longer names are near nothing: comparing takes the product of their lengths.
LONGEST = 200
# Behind the names of files of weights.
WEIGHTS = (".safetensors", ".sft", ".ckpt", ".pt", ".pth", ".bin", ".gguf")
# How Python spells bytes of names that are no UTF-8, and halves of surrogate pairs.
_BYTE = re.compile("[\ud800-\udfff]")


def composed(name: str) -> str:
    """The same for names that look the same but for how accents are stored (NFC).

    Bytes that are no UTF-8 are all alike: texts say U+FFFD in their place.
    """
    return name if name.isascii() else unicodedata.normalize("NFC", readable(name))


def readable(name: str) -> str:
    """A name or path as a text that any encoding can carry: U+FFFD for bytes that are no UTF-8."""
    return name if name.isascii() else _BYTE.sub("\ufffd", name)


def folded(name: str) -> str:
    """The same for names that differ in letter case and in how accents are stored."""
    if name.isascii():
        return name.lower()
    return unicodedata.normalize("NFC", unicodedata.normalize("NFD", readable(name)).casefold())


def without_suffix(name: str, suffixes: Iterable[str] = WEIGHTS) -> str:
    """Without that of these which a name ends with, in any letter case: what else stands behind a
    dot is a part of the name ("pony_v6.1")."""
    suffix = next((end for end in suffixes if name.lower().endswith(end)), "")
    return name[: len(name) - len(suffix)]


def model_name(file: str) -> str:
    """What people call a file of weights: without folders and suffix."""
    return without_suffix(PurePosixPath(file.replace("\\", "/")).name)


def spelt_out(name: str) -> str:
    """A name or path as another one for each: bytes that are no UTF-8 as escapes."""
    return name.encode("utf-8", "backslashreplace").decode()


def absolute(path: Path | str) -> Path:
    """From the working folder, without following links: a file is known by the name that the user
    gave it. Raises UsageError where that folder is gone."""
    try:
        return Path(os.path.abspath(path))  # noqa: PTH100
    except FileNotFoundError:
        raise UsageError(
            "The folder that this is to be found from, the working folder, is no longer there.",
            where=str(path),
            remedy="Go to another folder, or name the whole path.",
        ) from None


def spelt_alike(base: Path, parts: Sequence[str], key: Callable[[str], str]) -> list[Path]:
    """The paths below `base` whose parts have the same keys as these, `..` and `.` as they are."""
    places = [base]
    for part in parts:
        if part in ("..", "."):
            places = [place / part for place in places]
            continue
        wanted, found = key(part), []
        for place in places:
            found += [place / name for name in _listed(place) if key(name) == wanted]
        places = sorted(found)[:MOST_PLACES]
        if not places:
            break
    return places


def as_stored(path: Path) -> Path:
    """The path, or where nothing is there, the only one that is spelt alike and is there."""
    if os.path.lexists(path) or not path.name:
        return path
    base, parts = (Path(path.anchor), path.parts[1:]) if path.anchor else (Path(), path.parts)
    for key in (composed, folded):
        if found := spelt_alike(base, parts, key):
            return found[0] if len(found) == 1 else path
    return path


def near(word: str, known: Iterable[str], most: int = 3) -> list[str]:
    """Those of the names that may have been meant, the nearest first.

    Folders, suffixes and letter case do not count: what all names share makes none of them near.
    """
    import difflib  # wanted seldom

    stem = _stem(word)
    if not stem or len(stem) > LONGEST:
        return []
    matcher = difflib.SequenceMatcher(None, "", stem, autojunk=False)
    found: list[tuple[float, str]] = []
    for name in known:
        other = _stem(name)
        if len(other) > LONGEST:
            continue
        matcher.set_seq1(other)
        ratio = 1.0 if _begins(stem, other) or _begins(other, stem) else 0.0
        if not ratio and matcher.real_quick_ratio() >= NEAR and matcher.quick_ratio() >= NEAR:
            ratio = matcher.ratio()
        if ratio >= NEAR:
            found.append((-ratio, name))
    return [name for _, name in sorted(found)[:most]]


def unlike(name: str, other: str) -> str:
    """How two names differ that look the same; "" where it can be seen.

    Letters that are not seen, and letters that are drawn as others are.
    """
    if _seen(name) != _seen(other):
        return ""
    odd = [letter for text in (name, other) for letter in text if not letter.isascii()]
    names = dict.fromkeys(
        f"U+{ord(letter):04X} {unicodedata.name(letter, '')}".strip() for letter in odd
    )
    return ", ".join(list(names)[:3])


def why_absent(path: Path) -> str:
    """Why a path leads nowhere, in a sentence: a dead link, a folder that may not be looked into, a
    file in place of a folder; "" where it simply is not there."""
    try:
        path.lstat()
    except (OSError, ValueError) as error:
        if getattr(error, "errno", errno.ENAMETOOLONG) == errno.ENAMETOOLONG:
            return ""
    for place in (*reversed(path.parents), path):
        try:
            place.stat()
        except PermissionError:
            return f"{place.parent} may not be looked into."
        except NotADirectoryError:
            return f"{place.parent} is a file, and no folder."
        except (OSError, ValueError):
            return _dead_link(place)
    return ""


def why_closed(folder: Path) -> str:
    """Why nothing can be written into a folder, which may have to be made first, in a sentence; ""
    where nothing speaks against it. Leaves nothing behind."""
    for place in (folder, *folder.parents):
        try:
            found = place.stat()
        except (FileNotFoundError, NotADirectoryError):
            if reason := _dead_link(place):
                return reason
            continue
        except (OSError, ValueError) as error:
            return f"{place} cannot be reached: {getattr(error, 'strerror', '') or error}."
        if not stat.S_ISDIR(found.st_mode):
            return f"{place} is no folder."
        if not os.access(place, os.W_OK | os.X_OK):
            return f"{place} may not be written to."
        try:
            _make_file(place, found.st_ino, found.st_mode)
        except OSError as error:
            return f"{place} may not be written to: {error.strerror or error}."
        return ""
    return f"{folder.anchor or folder} is not there."


@lru_cache(maxsize=64)
def _make_file(folder: Path, _inode: int, _mode: int) -> None:
    """Raises OSError where the system makes no file in a folder that it calls open; one that takes
    files is tried once."""
    import tempfile

    try:
        tempfile.TemporaryFile(dir=folder).close()
    except OSError as error:
        if error.errno not in (errno.ENOSPC, errno.EDQUOT):  # room can still be made
            raise


def _dead_link(place: Path) -> str:
    try:
        target = os.readlink(place)  # noqa: PTH115 - as it is written, not as a Path
    except (OSError, ValueError):
        return ""
    if os.path.lexists(place.parent / target):
        return f"{place} is a link to {target}, which leads nowhere."
    return f"{place} is a link to {target}, which is not there."


def _listed(folder: Path) -> list[str]:
    try:
        return os.listdir(folder)  # noqa: PTH208 - names are wanted, not paths
    except (OSError, ValueError):
        return []


def _stem(name: str) -> str:
    path = PurePosixPath(name.replace("\\", "/"))
    return folded(path.stem)


def _begins(stem: str, other: str) -> bool:
    """Whether one name is the other and more words."""
    return len(stem) >= 4 and other.startswith(stem) and not other[len(stem) :][:1].isalnum()


_INVISIBLE: Mapping[str, str] = {"Cf": "", "Zs": " "}


def _seen(name: str) -> str:
    """What of a name can be told apart by eye, nearly."""
    text = unicodedata.normalize("NFKC", name)
    drawn = (_INVISIBLE.get(unicodedata.category(letter), letter) for letter in text)
    return folded(" ".join("".join(drawn).split()))
