"""Which documents are open, and in what order, for the next start."""

from __future__ import annotations

import contextlib
from collections.abc import Collection, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

from ponystudio.graph.atomic_write import sweep_drafts
from ponystudio.studio.documents.file_lock import FileLock
from ponystudio.studio.documents.journal_format import SUFFIX
from ponystudio.studio.json_store import read_json, write_json


@dataclass(frozen=True)
class OpenDocuments:
    """`open` are ids in the order of the tabs; `clean` tells that the program ended as it should.

    The journals are what counts: one that is missing here is opened all the same.
    """

    open: tuple[str, ...] = ()
    current: str = ""
    clean: bool = False


def read(file: Path) -> OpenDocuments:
    return read_json(file, OpenDocuments) or OpenDocuments()


def store(file: Path, session: OpenDocuments) -> None:
    write_json(file, {"version": 1, **asdict(session)})


def survey(
    file: Path, folder: Path, shelved: Collection[str]
) -> tuple[OpenDocuments, tuple[str, ...]]:
    """The last session, and the ids of the journals to look into: the one to show first, first.

    `shelved` are ids of journals that were closed and are known. What a killed process left half
    is swept away.
    """
    sweep_drafts(folder)
    for draft in folder.glob("*.draft"):
        _remove_if_free(draft)
    session = read(file)
    there = [path.stem for path in journals(folder)]
    listed = [id for id in session.open if id in there]
    others = [id for id in there if id not in session.open and id not in shelved]
    ids = sorted([*listed, *others], key=lambda id: id != session.current)
    return session, tuple(ids)


def _remove_if_free(draft: Path) -> None:
    """A journal that was being written anew, unless somebody has that document."""
    lock = FileLock(draft.with_name(f"{draft.name.partition('.')[0]}.lock"))
    with contextlib.suppress(OSError):
        if lock.acquire():
            draft.unlink(missing_ok=True)
    lock.release()


def journals(folder: Path) -> Iterator[Path]:
    """All journals in a folder, oldest first."""
    try:
        found = [(path.stat().st_mtime, path) for path in folder.glob(f"*{SUFFIX}")]
    except OSError:
        return
    yield from (path for _, path in sorted(found))
