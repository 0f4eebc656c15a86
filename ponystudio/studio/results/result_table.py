"""The table of pictures on disk. Used from one thread at a time; knows no Qt but its values.

The table only ever grows columns, so that an older PonyStudio goes on working with it.
"""

from __future__ import annotations

import contextlib
import os
import re
import sqlite3
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from ponystudio.studio.results.picture_record import PictureRecord

# Stars of pictures that have vanished are kept for a while: a folder may come back.
REMEMBERED_DAYS = 180
_TYPES: Mapping[str, str] = {
    "path": "TEXT PRIMARY KEY",
    "time": "REAL",
    "cfg": "REAL",
    **dict.fromkeys(
        ("bytes", "mtime", "width", "height", "steps", "receipt", "starred"), "INTEGER"
    ),
}
# Columns that hold lists.
_LISTS = ("files", "licences")
_COLUMNS = tuple(field.name for field in fields(PictureRecord))
# What a word may begin with, and where it then looks. Of a path only the name: folders hold too
# many words by chance.
_SEARCHED = {
    **{name: name for name in ("prompt", "negative", "model", "name", "seed", "sampler")},
    "file": "files",
}
_WORD = re.compile(r'(?:\w+:)?"(?P<whole>[^"]+)"|\S+')


def made_with(file: str) -> str:
    """What to search to find all that a model file of this title had a part in."""
    return f'file:"{file}"'


@dataclass(frozen=True)
class Query:
    """Which pictures: those in which every word of `text` occurs, the latest `limit` of them.

    A word may say where: `seed:77`. One in quotes may have blanks, and is the whole title of a
    `file`.
    """

    text: str = ""
    starred: bool = False
    limit: int = 1000


@dataclass(frozen=True)
class Answer:
    """The pictures found, the latest first; `total` counts those beyond the limit, too, and `all`
    what the index holds at all."""

    query: Query
    pictures: tuple[PictureRecord, ...] = ()
    total: int = 0
    all: int = 0


class ResultTable:
    """Raises sqlite3.Error where the disk fails; a damaged file is put aside and begun anew."""

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            self._connection = _opened(path)
        except sqlite3.OperationalError:
            raise  # locked, full, or a disk that fails: no reason to begin without stars
        except sqlite3.DatabaseError:
            with contextlib.suppress(OSError):
                path.replace(path.with_name(f"{path.name}.damaged"))
            self._connection = _opened(path)

    def close(self) -> None:
        self._connection.close()

    def stamps(self, folder: Path) -> dict[str, tuple[int, int]]:
        """(mtime, bytes) of the pictures known below a folder, by path."""
        rows = self._connection.execute(
            "SELECT path, mtime, bytes FROM pictures "
            "WHERE gone IS NULL AND path LIKE ? ESCAPE '\\'",
            (f"{_escaped(str(folder) + os.sep)}%",),
        )
        return {path: (mtime, size) for path, mtime, size in rows}

    def put(self, pictures: Iterable[PictureRecord]) -> None:
        """Add or renew; a star that is there stays."""
        names = [*(name for name in _COLUMNS if name != "starred"), "name"]
        marks = ", ".join("?" * len(names))
        renewed = ", ".join(f"{name} = excluded.{name}" for name in names if name != "path")
        with self._connection:
            self._connection.executemany(
                f"INSERT INTO pictures ({', '.join(names)}) VALUES ({marks}) "
                f"ON CONFLICT (path) DO UPDATE SET {renewed}, gone = NULL",
                [_row(picture, names) for picture in pictures],
            )

    def mark_gone(self, paths: Iterable[str]) -> None:
        with self._connection:
            self._connection.executemany(
                "UPDATE pictures SET gone = ? WHERE path = ?",
                [(time.time(), path) for path in paths],
            )

    def star(self, paths: Iterable[str], on: bool) -> None:
        with self._connection:
            self._connection.executemany(
                "UPDATE pictures SET starred = ? WHERE path = ?", [(on, path) for path in paths]
            )

    def find(self, query: Query) -> Answer:
        where, values = _where(query)
        count = self._connection.execute(f"SELECT count(*) FROM pictures WHERE {where}", values)
        (total,) = count.fetchone()
        rows = self._connection.execute(
            f"SELECT {', '.join(_COLUMNS)} FROM pictures WHERE {where} "
            "ORDER BY time DESC, path DESC LIMIT ?",
            (*values, query.limit),
        )
        pictures = tuple(_picture(row) for row in rows)
        (all,) = self._connection.execute(
            "SELECT count(*) FROM pictures WHERE gone IS NULL"
        ).fetchone()
        return Answer(query, pictures, total, all)


def _opened(path: Path) -> sqlite3.Connection:
    connection = sqlite3.connect(path, timeout=10, check_same_thread=False)
    try:
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = NORMAL")
        with connection:
            connection.execute("CREATE TABLE IF NOT EXISTS pictures (path TEXT PRIMARY KEY)")
            there = {row[1] for row in connection.execute("PRAGMA table_info(pictures)")}
            for name in (*_COLUMNS, "name", "gone"):
                if name not in there:
                    kind = _TYPES.get(name, "REAL" if name == "gone" else "TEXT")
                    connection.execute(f"ALTER TABLE pictures ADD COLUMN {name} {kind}")
            if not there.issuperset(_LISTS):  # which the next scan reads
                connection.execute("UPDATE pictures SET mtime = NULL")
            connection.execute("CREATE INDEX IF NOT EXISTS by_time ON pictures (gone, time)")
            connection.execute(
                "DELETE FROM pictures WHERE gone < ?", (time.time() - REMEMBERED_DAYS * 86_400,)
            )
    except BaseException:
        connection.close()
        raise
    return connection


def _where(query: Query) -> tuple[str, list[Any]]:
    parts, values = ["gone IS NULL"], []
    if query.starred:
        parts.append("starred = 1")
    for found in _WORD.finditer(query.text):
        name, _, value = found[0].partition(":")
        whole = found["whole"] or ""
        if value and name in _SEARCHED:
            columns = [_SEARCHED[name]]
            sought = f"\n{whole}\n" if whole and name == "file" else whole or value
        else:
            columns, sought = list(_SEARCHED.values()), whole or found[0]
        parts.append("(" + " OR ".join(f"{column} LIKE ? ESCAPE '\\'" for column in columns) + ")")
        values += [f"%{_escaped(sought)}%"] * len(columns)
    return " AND ".join(parts), values


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")


def _row(picture: PictureRecord, names: Iterable[str]) -> list[Any]:
    return [_stored(name, getattr(picture, name)) for name in names]


def _stored(name: str, value: Any) -> Any:
    """Seeds as text: SQLite's integers end at 2⁶³. Of lists each item in a line."""
    if name in _LISTS:
        return "\n".join(("", *value, "")) if value else ""
    if name in ("path", "seed"):
        return None if value is None else str(value)
    return value


def _picture(row: tuple[Any, ...]) -> PictureRecord:
    values = dict(zip(_COLUMNS, row, strict=True))
    values["path"] = Path(values["path"])
    values["seed"] = int(values["seed"]) if values["seed"] else None
    for name in _LISTS:
        values[name] = tuple((values[name] or "").split("\n")[1:-1])
    values["receipt"], values["starred"] = bool(values["receipt"]), bool(values["starred"])
    known = {name: value for name, value in values.items() if value is not None}
    return PictureRecord(**known)
