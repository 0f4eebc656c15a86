"""The user folder in tests/data: what version 0.1.0 left, put where it can be opened."""

from __future__ import annotations

import binascii
import json
import os
import shutil
import sqlite3
import time
from pathlib import Path

from ponystudio import __version__

SOURCE = Path(__file__).parents[1] / "data" / "user_folder"
# What paths in its files begin with.
PREFIX = "/home/user"


def copy_user_folder(target: Path) -> Path:
    """Copy it to where there is nothing yet, as if it had been left there a minute ago.

    The catalog in it becomes this version's, since none of another is read.
    """
    shutil.copytree(SOURCE, target)
    (target / "models").mkdir()
    prefix = json.dumps(str(target))[1:-1]
    for path in [*target.rglob("*")]:
        if path.suffix == ".journal":
            lines = path.read_bytes().splitlines()
            path.write_bytes(b"".join(_journal_line(line, prefix) for line in lines))
        elif path.suffix == ".sqlite":
            _move_table(path, str(target))
        elif path.suffix == ".json":
            path.write_bytes(_moved(path.read_bytes(), prefix))
    recent = target / "PonyStudio" / "data" / "recent.json"
    value = json.loads(recent.read_text("utf-8"))
    later = time.time() - 60 - max(entry["time"] for entry in value["entries"])
    for entry in value["entries"]:  # unsaved work is forgotten after 60 days
        entry["time"] += later
    recent.write_text(json.dumps(value), encoding="utf-8")
    catalog = target / "PonyStudio" / "cache" / "catalog.json"
    value = json.loads(catalog.read_text("utf-8"))
    catalog.write_text(json.dumps(value | {"ponystudio": __version__}), encoding="utf-8")
    for name, written in json.loads((target / "TIMES.json").read_text("utf-8")).items():
        os.utime(target / name, ns=(written, written))
    return target


def _moved(text: bytes, prefix: str) -> bytes:
    return text.replace(PREFIX.encode(), prefix.encode())


def _journal_line(line: bytes, prefix: str) -> bytes:
    """In front of its JSON stands the CRC-32 of that."""
    text = _moved(line[9:], prefix)
    return b"%08x %s\n" % (binascii.crc32(text), text)


def _move_table(path: Path, prefix: str) -> None:
    """The pictures of the index of results; other tables hold nothing that is read here."""
    connection = sqlite3.connect(path)
    tables = {name for (name,) in connection.execute("SELECT name FROM sqlite_master")}
    if "pictures" in tables:
        with connection:
            connection.execute("UPDATE pictures SET path = replace(path, ?, ?)", (PREFIX, prefix))
    connection.close()
