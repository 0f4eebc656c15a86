"""Which bytes does a file hold? Whole hashes, and when they still hold; the hashes of the world.

A hash is made of every byte: no two files that differ anywhere have one id. It is remembered by the
file's `Identity` and asked for again only when that differs. On POSIX a change of a file always
leaves another ctime, which no program can set; but a file that is written once more within the same
tick of the file system's clock looks as it did. So nothing is remembered of a file that was still
young when it was read (git calls such entries racy). What this cannot see: a change at the other
end of a network file system that its cache does not tell of, a clock that was set back in between,
what a program that has the file mapped writes into it before the disk has what it wrote last; and,
where there is no ctime (Windows, FAT, SFTP), a change of equal length by a program that puts the
old time of writing back.
"""

from __future__ import annotations

import errno
import hashlib
import os
import stat
import struct
import sys
import time
import zlib
from collections.abc import Callable, Hashable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from io import BufferedReader
from pathlib import Path
from typing import Any, Generic, NamedTuple, TypeVar, cast

from blake3 import blake3

from ponystudio.errors import ChangedFile, MissingFile, ModelFileError, UnknownModel, UnreadFile
from ponystudio.library.formats import tokenizers
from ponystudio.system.file_names import WEIGHTS, why_absent
from ponystudio.system.regular_file import NotRegular, open_regular

CHUNK = 4 << 20
AUTOV1_START, AUTOV1_LENGTH = 0x100000, 0x10000
# No clock of a file system is coarser: FAT's ticks last two seconds.
YOUNG_NS = 3 * 10**9
# How often a file is looked at anew that changes while it is read.
ATTEMPTS = 3
# What is remembered of so many files at most.
REMEMBERED = 50_000
# Of a diffusers folder: what is read of one, and what others read. Pictures and notes do not count.
FOLDER_SUFFIXES = (*WEIGHTS, ".json", ".txt", ".model", ".yaml", ".yml")

MOST_IN_FOLDER = 10_000

Heard = Callable[[int], object]


class Identity(NamedTuple):
    """What stays the same of a file as long as its bytes do; of an open file it is that file's."""

    device: int
    inode: int
    size: int
    mtime_ns: int
    ctime_ns: int

    @classmethod
    def of(cls, found: os.stat_result) -> Identity:
        return cls(found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns)

    @property
    def settled(self) -> bool:
        """Whether a change from now on would be seen: the last one is longer ago than a tick of any
        file system's clock, by ours, or by theirs where that is ahead of ours."""
        now = time.time_ns()
        # Anybody may set an mtime. On Windows the ctime is when the file was made, on FAT perhaps.
        ctime = 0 if sys.platform == "win32" else self.ctime_ns
        changed = max(ctime, self.mtime_ns) if self.mtime_ns <= now or not ctime else ctime
        age = now - changed
        if age >= 0:
            return age >= YOUNG_NS
        first = _seen_from_the_future.setdefault(self, time.monotonic_ns())
        return time.monotonic_ns() - first >= YOUNG_NS


# What each file is to a model, and its identity.
Identities = tuple[tuple[str, Identity], ...]
T = TypeVar("T")
_NOTHING = object()


class Remembered(Generic[T]):
    """What was found out about files in this process, as long as they stay as they were.

    Facts alone: what fails for the moment is to be raised, which keeps nothing.
    """

    def __init__(self) -> None:
        self._known: dict[tuple[Hashable, ...], T] = {}

    def of(self, identities: Sequence[Identity], find: Callable[[], T], *more: Hashable) -> T:
        """What `find` finds in files of these identities, unless it is known; `more` is what else
        it depends on. What `find` raises goes through."""
        key = (*identities, *more)
        known = self._known.get(key, _NOTHING)  # at once: others keep and clear meanwhile
        if known is not _NOTHING:
            return cast(T, known)
        settled, found = all(identity.settled for identity in identities), find()
        if settled:
            self.keep(key, found)
        return found

    def get(self, *key: Hashable) -> T | None:
        """What is known."""
        return self._known.get(key)

    def keep(self, key: tuple[Hashable, ...], found: T) -> None:
        """Of files that were settled before they were looked at."""
        if len(self._known) >= REMEMBERED:
            self._known.clear()
        self._known[key] = found


_seen_from_the_future: dict[Identity, int] = {}
_sha256: Remembered[str] = Remembered()
_takes_tokenizer: Remembered[bool] = Remembered()


def sidecar(path: Path) -> Path:
    """Where the config lies that some models come with, and that says what they predict."""
    return path.with_suffix(".yaml")


def identity(path: Path) -> Identity:
    """Of a file or folder. Raises MissingFile."""
    return Identity.of(_stat(path))


@dataclass(frozen=True)
class ModelFiles:
    """All that decides what a model file or folder is, as it was when looked at.

    `files` has what each is there ("" the file itself, "config" and "tokenizer" those beside it, of
    a folder the name in it), where it lies and its identity.
    """

    path: Path
    files: tuple[tuple[str, Path, Identity], ...]

    @property
    def identities(self) -> Identities:
        return tuple((role, identity) for role, _, identity in self.files)

    @property
    def own(self) -> Identity | None:
        """Of the file; None of a folder."""
        return self.files[0][2] if self.files and not self.files[0][0] else None

    @property
    def settled(self) -> bool:
        """Whether a change of any of them from now on would be seen."""
        return all(identity.settled for _, _, identity in self.files)

    def content_id(self, sha256: Sequence[str]) -> str:
        """What the SHA-256 of each make together: of a file alone its own."""
        if len(self.files) == 1 and self.own:
            return sha256[0]
        roles = (role for role, _, _ in self.files)
        return _digest(part for pair in zip(roles, sha256, strict=True) for part in pair)


def model_files(path: Path) -> ModelFiles:
    """A file with the config and the tokenizer beside it, or a folder with its weights, configs and
    tokenizers. Reads no more than headers. Raises MissingFile, and UnknownModel for a pipe or such.
    """
    place = _stat(path)
    if stat.S_ISDIR(place.st_mode):
        listed = [
            (file.relative_to(path).as_posix(), file, found)
            for file in _files(path)
            if (found := _regular(file))
        ]
        weights = [file for _, file, _ in listed if file.suffix in WEIGHTS]
    elif stat.S_ISREG(place.st_mode):
        listed = [("", path, Identity.of(place))]
        weights = [path]
        if (config := _regular(sidecar(path))) and sidecar(path) != path:
            listed.append(("config", sidecar(path), config))
    else:
        with _reading(path):  # which says what it is
            raise UnknownModel("This is no file that can be read.", where=str(path))
    if tokenizer := _tokenizer(path, {file: identity for _, file, identity in listed}, weights):
        listed.append(("tokenizer", *tokenizer))
    return ModelFiles(path, tuple(listed))


def content_id(path: Path, heard: Heard = lambda _: None) -> str:
    """What stands for all bytes of a model file or folder, 64 hex digits: the same for the same
    bytes wherever they lie, and another one for any others.

    Of a file alone it is the SHA-256. The config and the tokenizer beside it change what it means
    and count too. What is not remembered is read to its end; `heard` is that of `sha256_of`.
    Raises MissingFile, DamagedFile, UnknownModel for what is no file, ChangedFile.
    """
    for _ in range(ATTEMPTS):
        try:
            files = model_files(path)
            return files.content_id(
                [
                    known_sha256(identity) or sha256_of(file, identity, heard)
                    for _, file, identity in files.files
                ]
            )
        except ChangedFile as error:
            changed = error
    raise changed


def known_sha256(identity: Identity) -> str:
    """The SHA-256 of a file that was read in this process; "" if it was not, or may have changed
    since."""
    return _sha256.get(identity) or ""


def remember_sha256(identity: Identity, sha256: str) -> None:
    """For a file that was settled when its reading began."""
    _sha256.keep((identity,), sha256)


def sha256_of(path: Path, expected: Identity, heard: Heard = lambda _: None) -> str:
    """The SHA-256 of a file of this identity, which is read to its end and then remembered.

    `heard` is told, piece after piece, how many bytes were read; what it raises ends the reading.
    Raises ChangedFile if it is another by now, or becomes one, DamagedFile if it cannot be read.
    """
    settled, whole, position = expected.settled, hashlib.sha256(), 0
    buffer = memoryview(bytearray(min(CHUNK, max(1, expected.size))))
    heard(0)
    with _reading(path) as file:
        if _of_open(file, path) != expected:
            raise _changed(path)
        while count := file.readinto(buffer):
            whole.update(buffer[:count])
            position += count
            heard(position)
            if position > expected.size:  # it grows, perhaps for ever
                raise _changed(path)
        if _of_open(file, path) != expected:
            raise _changed(path)
    if settled:
        remember_sha256(expected, whole.hexdigest())
    return whole.hexdigest()


def hashes(path: Path, heard: Heard | None = None, *, every: bool = False) -> dict[str, str]:
    """The hashes by which files are known elsewhere, in lower-case hex, in one reading.

    `heard` is told, piece after piece, how many bytes were read; what it raises ends the reading.

    `sha256`; `autov1` (64 KiB at 1 MiB), `autov2` (A1111's model hash); `crc32`; for safetensors
    `autov3` (of the bytes after the header) and, as hints, what the file says of itself
    (`sshs_model_hash`, `sshs_legacy_hash`, `modelspec.hash_sha256`). With `every` also those that
    some sites list beside them, `sha1` and `blake3`.

    Raises MissingFile, DamagedFile for a file that cannot be read, UnknownModel for what is none.
    """
    body = _body_start(path)
    more: dict[str, Any] = (
        {"sha1": hashlib.sha1(usedforsecurity=False), "blake3": blake3()} if every else {}
    )
    whole, tensors, crc, position = hashlib.sha256(), hashlib.sha256(), 0, 0
    for chunk in _chunks(path):
        for digest in (whole, *more.values()):
            digest.update(chunk)
        crc = zlib.crc32(chunk, crc)
        if body is not None:
            tensors.update(chunk[max(0, body - position) :])
        position += len(chunk)
        if heard is not None:
            heard(position)
    result = {
        "sha256": whole.hexdigest(),
        "autov1": _autov1(path),
        "autov2": whole.hexdigest()[:10],
        "crc32": f"{crc:08x}",
    }
    if body is not None:
        result["autov3"] = tensors.hexdigest()[:12]
        result.update(_embedded(path))
    return {**result, **{name: digest.hexdigest() for name, digest in more.items()}}


def _tokenizer(
    path: Path, listed: dict[Path, Identity], candidates: Iterable[Path]
) -> tuple[Path, Identity] | None:
    """The tokenizer beside a model, if one of its files of weights is of a kind that takes it."""
    candidates = [file for file in candidates if _takes_tokenizer.get(listed[file]) is not False]
    if not candidates or not (found := tokenizers.of_name(path) or tokenizers.beside(path)):
        return None
    if found in listed or not any(_takes(file, listed[file]) for file in candidates):
        return None
    return found, identity(found)


def _takes(path: Path, identity: Identity) -> bool:
    from ponystudio.library.formats.weights_file import open_weights

    def find() -> bool:
        try:
            with open_weights(path) as file:
                return tokenizers.counts(file.tensors)
        except UnreadFile:
            raise
        except ModelFileError:
            return False

    try:
        return _takes_tokenizer.of((identity,), find)
    except UnreadFile:
        return False


def _digest(parts: Iterable[str | bytes]) -> str:
    """Of parts with their lengths, so that no two sequences run together into the same bytes."""
    result = hashlib.sha256()
    for part in parts:
        data = part if isinstance(part, bytes) else part.encode("utf-8", "surrogatepass")
        result.update(struct.pack("<Q", len(data)))
        result.update(data)
    return result.hexdigest()


def _files(folder: Path) -> list[Path]:
    """What counts in a folder, behind links to folders too, each of which is entered once."""
    found: list[Path] = []
    entered: set[tuple[int, int]] = set()
    for base, below, names in os.walk(folder, followlinks=True):
        place = _stat(Path(base))
        if (place.st_dev, place.st_ino) in entered:
            below.clear()
            continue
        entered.add((place.st_dev, place.st_ino))
        if len(entered) + len(found) > MOST_IN_FOLDER:
            raise UnknownModel(
                f"This folder holds more than {MOST_IN_FOLDER:,} files, which no model does.",
                where=str(folder),
                remedy="Choose a file, or a folder in the layout of diffusers.",
            )
        below[:] = sorted(name for name in below if not name.startswith("."))
        found += [Path(base) / name for name in names if Path(name).suffix in FOLDER_SUFFIXES]
    return sorted(found)


def _stat(path: Path) -> os.stat_result:
    try:
        return path.stat()
    except (OSError, ValueError) as error:
        raise _missing(path, error) from None


def _missing(path: Path, error: OSError | ValueError) -> MissingFile:
    reason = why_absent(path)
    if not reason and isinstance(error, OSError) and error.errno != errno.ENOENT:
        reason = f"{error.strerror}."
    return MissingFile(f"There is no such file. {reason}".rstrip(), where=str(path))


def _regular(path: Path) -> Identity | None:
    try:
        found = path.stat()
    except (OSError, ValueError):
        return None
    return Identity.of(found) if stat.S_ISREG(found.st_mode) else None


def _chunks(path: Path) -> Iterator[bytes]:
    with _reading(path) as file:
        while chunk := file.read(CHUNK):
            yield chunk


@contextmanager
def _reading(path: Path) -> Iterator[BufferedReader]:
    try:
        with open_regular(path) as file:
            yield file
    except NotRegular as error:
        raise UnknownModel(
            f"This is {error.what}, not a file that can be read.", where=str(path)
        ) from None
    except (FileNotFoundError, NotADirectoryError) as error:
        raise _missing(path, error) from None
    except OSError as error:
        raise UnreadFile(f"The file cannot be read: {error.strerror}.", where=str(path)) from None


def _of_open(file: BufferedReader, path: Path) -> Identity:
    found = os.fstat(file.fileno())
    # In place of an empty file, which may be the kernel's, another one is open.
    return Identity.of(found) if found.st_size else identity(path)


def _changed(path: Path) -> ChangedFile:
    return ChangedFile(
        "The file was changed while it was in use.",
        where=str(path),
        remedy="Run again once nothing writes to it any more.",
    )


def _body_start(path: Path) -> int | None:
    """Where the tensors of a safetensors file begin; None for other files."""
    from ponystudio.library.formats import safetensors_file

    with _reading(path) as file:
        head = file.read(9)
    return 8 + int(struct.unpack("<Q", head[:8])[0]) if safetensors_file.looks_like(head) else None


def _autov1(path: Path) -> str:
    with _reading(path) as file:
        file.seek(AUTOV1_START)
        return hashlib.sha256(file.read(AUTOV1_LENGTH)).hexdigest()[:8]


def _embedded(path: Path) -> dict[str, str]:
    from ponystudio.library.formats.weights_file import open_weights

    names = ("sshs_model_hash", "sshs_legacy_hash", "modelspec.hash_sha256")
    try:
        with open_weights(path) as file:
            return {name: file.metadata[name] for name in names if name in file.metadata}
    except ModelFileError:
        return {}
