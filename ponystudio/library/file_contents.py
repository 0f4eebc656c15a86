"""What files hold, for caches: at once where a hash is known or soon made, else for the time being
an id that stands for no other file's bytes.
"""

from __future__ import annotations

import hashlib
import itertools
import secrets
import threading
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from ponystudio.errors import Cancelled, ChangedFile, PonyStudioError
from ponystudio.library.formats.content_id import (
    ATTEMPTS,
    REMEMBERED,
    Heard,
    Identities,
    Identity,
    ModelFiles,
    known_sha256,
    model_files,
    sha256_of,
)
from ponystudio.library.model_index import ModelIndex

# Bytes that are hashed while somebody waits: a third of a second where the processor has
# instructions for SHA-256 (1.5 GB/s), a second where not.
AT_ONCE = 512 << 20


@dataclass(frozen=True)
class FileContent:
    """What a model file or folder held when it was looked at.

    `id` is the content id; or, where not all bytes are read yet (`read` is False), one that nothing
    else has, in no other process. `token` is the first id that these very files had in this
    process: it stays when all is read, so that what was loaded by it is still found. Unless
    `certain`, the files could have changed since without a trace. `sha256` is that of the file
    itself; "" of a folder and of what is not read.
    """

    files: ModelFiles
    id: str
    token: str
    read: bool
    certain: bool
    sha256: str = ""

    @property
    def unchanged(self) -> bool:
        """Whether the files lie there as they were, as far as their times tell."""
        try:
            return model_files(self.files.path).identities == self.files.identities
        except PonyStudioError:
            return False


class FileContents:
    """What is known of files in this process, and in `index` to all; for any thread."""

    def __init__(self, index: ModelIndex | None = None) -> None:
        self._index = index
        self._tokens: dict[Identities, str] = {}
        # No file can be made to have an id that another one got here.
        self._salt, self._count = secrets.token_hex(), itertools.count()
        self._closing = threading.Event()

    def look(self, paths: Iterable[Path], heard: Heard = lambda _: None) -> list[FileContent]:
        """What these hold. Of files that nobody has read yet the smallest are read at once.

        `heard` is that of `sha256_of`. Raises MissingFile, DamagedFile, ChangedFile, and
        UnknownModel for what is no file.
        """
        left = AT_ONCE
        found: list[FileContent] = []
        looked = [(self._unread_bytes(files), files) for files in map(model_files, paths)]
        for unread, files in sorted(looked, key=lambda each: each[0]):
            if unread <= left:
                left -= unread
                found.append(self._read_anew(files, heard))
            else:
                found.append(self._not_read(files))
        return found

    def whole(self, files: ModelFiles, heard: Heard = lambda _: None) -> FileContent:
        """What files hold, all of which are read unless their hashes are known.

        Raises ChangedFile for those that are no longer as they were, DamagedFile.
        """
        settled = files.settled
        hashes = [self._sha256(path, identity, heard) for _, path, identity in files.files]
        id, own = files.content_id(hashes), hashes[0] if files.own else ""
        return FileContent(files, id, self._token(files, id, settled), True, settled, own)

    def still_has(self, path: Path, token: str) -> bool:
        """Whether what lies there is surely what had this token. Reads no file."""
        try:
            return self._tokens.get(model_files(path).identities) == token
        except PonyStudioError:
            return False

    def _sha256(self, path: Path, identity: Identity, heard: Heard) -> str:
        def told(count: int) -> None:
            if self._closing.is_set():
                raise Cancelled("Cancelled.")
            heard(count)

        if known := self._known(identity):
            return known
        if self._index is not None:
            return self._index.read_sha256(path, identity, told)
        return sha256_of(path, identity, told)

    def close(self) -> None:
        """End what is being read, with Cancelled."""
        self._closing.set()

    def _read_anew(self, files: ModelFiles, heard: Heard) -> FileContent:
        for _ in range(ATTEMPTS - 1):
            try:
                return self.whole(files, heard)
            except ChangedFile:
                files = model_files(files.path)
        return self.whole(files, heard)

    def _not_read(self, files: ModelFiles) -> FileContent:
        # Files that may change without a trace have another id each time.
        settled = files.settled
        parts = (self._salt, files.identities, None if settled else next(self._count))
        id = f"unread-{hashlib.sha256(repr(parts).encode()).hexdigest()}"
        return FileContent(files, id, self._token(files, id, settled), False, False)

    def _token(self, files: ModelFiles, id: str, settled: bool) -> str:
        if not settled:
            return id
        if len(self._tokens) >= REMEMBERED:
            self._tokens.clear()
        return self._tokens.setdefault(files.identities, id)

    def _unread_bytes(self, files: ModelFiles) -> int:
        return sum(identity.size for _, _, identity in files.files if not self._known(identity))

    def _known(self, identity: Identity) -> str:
        return self._index.known_sha256(identity) if self._index else known_sha256(identity)
