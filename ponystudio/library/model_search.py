"""Where a model file lies that a graph names: the same file by its hash under whatever name, else
one of the same file name in another folder."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property, partial
from pathlib import Path, PurePosixPath

from ponystudio.api.spec import NodeSpec
from ponystudio.errors import PonyStudioError
from ponystudio.graph.file_uses import FileName, FileUse, file_uses
from ponystudio.graph.model import Graph
from ponystudio.graph.model_facts import agree, facts_of, hashes_of, page_of
from ponystudio.library.formats.content_id import Identity, hashes, identity, known_sha256
from ponystudio.library.model_folders import (
    FOLDERS,
    PICTURE_KINDS,
    ModelFolders,
    is_network,
)
from ponystudio.library.model_index import ModelIndex, identity_text
from ponystudio.system.file_names import WEIGHTS, folded, without_suffix

# Bytes of files that are read while somebody waits; the rest waits for who asks for all.
AT_ONCE = 512 << 20
# A file that is read to the end without asking whether that is needed.
CHEAP = 64 << 20
# Hashes of which two files may well have the same one: they tell a file only where no other has it.
_WEAK = ("autov1", "crc32")
_KINDS = tuple(kind for kind in FOLDERS if kind not in (*PICTURE_KINDS, "tokenizers"))
# What is told of how much is read: bytes done of bytes in all.
Progress = Callable[[int, int], object]


@dataclass(frozen=True)
class FoundModel:
    """A file that lies here: `name` is what a graph calls it. `same`: it has the hash that is
    wanted; else it has the same file name, and nothing says that it is another."""

    name: str
    path: Path
    same: bool


@dataclass(frozen=True)
class NamedModel:
    """A model file that a graph names, `file`, and that is not there, or is another one than the
    graph says: then `other` has the hash of what lies there, and how it is called. `found` is what
    could be taken for it; `page` the address where it can be had, or ""; `wanted` the hash that it
    should have, with its kind."""

    file: FileName
    uses: tuple[FileUse, ...]
    found: FoundModel | None = None
    other: tuple[str, str] | None = None
    wanted: tuple[str, str] | None = None
    page: str = ""

    @property
    def kind(self) -> str:
        return self.file[0]

    @property
    def name(self) -> str:
        return self.file[1]


@dataclass
class _ModelOnDisk:
    kind: str
    name: str
    path: Path
    identity: Identity
    hashes: Mapping[str, str]
    read: bool


class ModelSearch:
    """Looks among the files of the model folders, as they are when it is made.

    Hashes come from `index`, and where that has none from `read`, which reads the files.
    """

    def __init__(self, folders: ModelFolders, index: ModelIndex | None = None) -> None:
        self._folders, self._index = folders.snapshot(), index
        self._resolved: dict[FileName, Path | None] = {}

    def read(
        self,
        most: int | None = AT_ONCE,
        enough: Callable[[], bool] = lambda: False,
        progress: Progress = lambda _done, _all: None,
    ) -> int:
        """Read the files whose hashes are not known, the smallest first, of `most` bytes together
        (None: all), or until there is `enough`; `progress` may raise Cancelled.

        Gives how many bytes are left unread. Files that cannot be read are passed over.
        """
        unread = sorted(
            (file for file in self._files if not file.read), key=lambda file: file.identity.size
        )
        whole = sum(file.identity.size for file in unread)
        left, done = whole, 0
        for file in unread:
            size = file.identity.size
            if (most is not None and done + size > most) or (size > CHEAP and enough()):
                break
            try:
                file.hashes = self._read(file.path, partial(_tell, progress, done, whole))
                file.read = True
                self._note(file)
            except PonyStudioError:
                file.hashes = {}
            done, left = done + size, left - size
        return left

    def look(
        self, graph: Graph, catalog: Mapping[str, NodeSpec], *, everything: bool = False,
        progress: Progress = lambda _done, _all: None,
    ) -> list[NamedModel]:  # fmt: skip
        """The model files that a graph names and that are not there, and those that are there and
        are others than it says, each with what was found in its place.

        Where one is searched by its hash, small files that nobody has read yet are read, and with
        `everything` all of them, until all are found.
        """
        uses: dict[FileName, list[FileUse]] = {}
        for use in file_uses(graph, catalog):
            if use.kind in _KINDS and not is_network(use.name):
                uses.setdefault(use.file, []).append(use)
        searched = {file: hashes_of(facts_of(graph.models, *file)) for file in uses}
        for file, said in searched.items():
            if said and (path := self._there(file)):  # is it the one that is meant?
                self._read_one(path, None if everything else AT_ONCE, progress)
        lost = [file for file in uses if searched[file] and self._is_lost(file, searched[file])]
        strong = [file for file in lost if searched[file].keys() - {*_WEAK}]

        def enough() -> bool:
            return len(strong) == len(lost) and all(
                self.same(searched[file], file) for file in strong
            )

        if lost:
            self.read(None if everything else AT_ONCE, enough, progress)
        found = (self._named(graph, file, tuple(of), searched[file]) for file, of in uses.items())
        return [named for named in found if named is not None]

    def same(self, said: Mapping[str, str], file: FileName) -> FoundModel | None:
        """The file with these hashes, the one that lies where files of that kind do before others;
        None where there is none, or where they do not tell one of several."""
        kind, name = file
        fits = {
            found.path: found
            for how, hash in said.items()
            for found in self._by_hash.get((how, hash), {}).values()
            if agree(said, found.hashes)
        }
        if len({found.hashes.get("sha256") for found in fits.values()}) != 1:
            return None
        last = folded(PurePosixPath(name).name)
        best = min(
            fits.values(),
            key=lambda found: (
                found.kind != kind,
                folded(PurePosixPath(found.name).name) != last,
                len(found.name),
                found.name,
            ),
        )
        return FoundModel(self._folders.name_for(kind, best.path), best.path, True)

    def named_so(self, said: Mapping[str, str], file: FileName) -> FoundModel | None:
        """The one file of that kind that has this file name in another folder, or with another
        suffix, and that is not known to be another one."""
        kind, name = file
        last = PurePosixPath(name.replace("\\", "/")).name
        for part in (last, without_suffix(last)):
            fits = [
                found
                for found in self._by_name.get((kind, folded(part)), ())
                if agree(said, found.hashes) is not False
            ]
            if len(fits) == 1:
                path = fits[0].path
                return FoundModel(self._folders.name_for(kind, path), path, False)
            if fits:
                return None
        return None

    # --- What is there ----------------------------------------------------------------------------

    @cached_property
    def _files(self) -> list[_ModelOnDisk]:
        kept = self._index.kept_hashes() if self._index else {}
        found: dict[str, _ModelOnDisk] = {}
        for kind, name, path in self._listed():
            place = os.path.realpath(path)
            if place in found:
                continue
            try:
                own = identity(path)
            except PonyStudioError:
                continue
            text, known = kept.get(path, ("", {}))
            if text != identity_text(own):
                sha256 = self._index.known_sha256(own) if self._index else known_sha256(own)
                known = {"sha256": sha256} if sha256 else {}
                found[place] = _ModelOnDisk(kind, name, path, own, known, False)
            else:
                found[place] = _ModelOnDisk(kind, name, path, own, known, True)
        return list(found.values())

    def _listed(self) -> Iterator[tuple[str, str, Path]]:
        for kind in _KINDS:
            for name in self._folders.names(kind):
                path = self._folders.find(kind, name)
                if path is not None and name.lower().endswith(WEIGHTS) and path.is_file():
                    yield kind, name, path

    @cached_property
    def _by_hash(self) -> dict[tuple[str, str], dict[Path, _ModelOnDisk]]:
        found: dict[tuple[str, str], dict[Path, _ModelOnDisk]] = {}
        for file in self._files:
            for key in _keys(file.hashes):
                found.setdefault(key, {})[file.path] = file
        return found

    @cached_property
    def _by_name(self) -> dict[tuple[str, str], list[_ModelOnDisk]]:
        """By kind and the folded name, with its suffix and without."""
        found: dict[tuple[str, str], list[_ModelOnDisk]] = {}
        for file in self._files:
            last = folded(PurePosixPath(file.name).name)
            for name in {last, without_suffix(last)}:
                found.setdefault((file.kind, name), []).append(file)
        return found

    def _note(self, file: _ModelOnDisk) -> None:
        """Its hashes are known now."""
        for key in _keys(file.hashes):
            self._by_hash.setdefault(key, {})[file.path] = file

    def _read(self, path: Path, heard: Callable[[int], object]) -> dict[str, str]:
        if self._index is not None:
            return self._index.all_hashes(path, heard)
        return hashes(path, heard, every=True)

    # --- What a graph names -----------------------------------------------------------------------

    def _there(self, file: FileName) -> Path | None:
        if file not in self._resolved:
            self._resolved[file] = self._folders.find(*file)
        return self._resolved[file]

    def _hashes_at(self, path: Path) -> Mapping[str, str]:
        found = self._at.get(os.path.realpath(path))
        return found.hashes if found else {}

    @cached_property
    def _at(self) -> dict[str, _ModelOnDisk]:
        return {os.path.realpath(file.path): file for file in self._files}

    def _is_lost(self, file: FileName, said: Mapping[str, str]) -> bool:
        """Whether nothing lies there, or as far as its hashes are known another file."""
        path = self._there(file)
        return path is None or agree(said, self._hashes_at(path)) is False

    def _read_one(self, path: Path, most: int | None, progress: Progress) -> None:
        file = self._at.get(os.path.realpath(path))
        if file is None or file.read or (most is not None and file.identity.size > most):
            return
        try:
            heard = partial(_tell, progress, 0, file.identity.size)
            file.hashes, file.read = self._read(path, heard), True
        except PonyStudioError:
            return
        self._note(file)

    def _named(
        self, graph: Graph, file: FileName, uses: tuple[FileUse, ...], said: Mapping[str, str]
    ) -> NamedModel | None:
        path, facts = self._there(file), facts_of(graph.models, *file)
        other: tuple[str, str] | None = None
        if path is not None:
            own = self._hashes_at(path) if said else {}
            if agree(said, own) is not False:
                return None
            how = next(how for how in said if agree({how: said[how]}, own) is False)
            other = how, own.get(how) or own.get("sha256", "")[: len(said[how])]
        found = self.same(said, file) or (None if path is not None else self.named_so(said, file))
        wanted = (other[0], said[other[0]]) if other else next(iter(said.items()), None)
        return NamedModel(file, uses, found, other, wanted, page_of(facts))


def names_found(named: Iterable[NamedModel]) -> dict[FileName, str]:
    """What the files that were found are called, to be taken in the place of those that a graph
    names."""
    return {one.file: one.found.name for one in named if one.found}


def _tell(progress: Progress, done: int, whole: int, count: int) -> None:
    progress(done + count, whole)


def _keys(known: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    """By what a file with these hashes is looked up."""
    for how in ("sha256", "blake3", "autov3", "autov1", "crc32"):
        if hash := known.get(how):
            yield how, hash
    if sha256 := known.get("sha256"):
        yield "autov2", sha256[:10]
        yield "autov3", sha256[:12]
