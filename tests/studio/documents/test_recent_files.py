"""What was open lately."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from ponystudio.studio.documents import recent_files
from ponystudio.studio.documents.recent_files import MOST_FILES, MOST_UNSAVED, RecentFiles


@pytest.fixture
def file(tmp_path) -> Path:
    return tmp_path / "recent.json"


def recent(file: Path) -> RecentFiles:
    return RecentFiles(file, lambda job: job())


def test_a_file_stands_there_once_and_once_more_with_unsaved_work(qapp, file):
    files = recent(file)
    for path, id in (("a.json", ""), ("b.json", ""), ("a.json", "one"), ("a.json", "")):
        files.add(Path(path).stem, Path(path), id)
    assert [(entry.path, entry.id) for entry in files.entries()] == [
        ("a.json", ""),
        ("a.json", "one"),
        ("b.json", ""),
    ]
    assert files.last_unsaved(Path("a.json")) == files.last_unsaved()
    assert files.last_unsaved(Path("b.json")) is None
    assert recent(file).entries() == files.entries()
    assert list(json.loads(file.read_text())) == ["version", "entries"]


def test_what_is_open_again_keeps_its_journal_and_what_is_forgotten_loses_it(qapp, file):
    files, forgotten = recent(file), []
    files.forgotten.connect(forgotten.append)
    for id in ("one", "two"):
        files.add(id, None, id)
    files.take_unsaved("one")
    assert forgotten == []
    files.forget(files.entries()[0])
    assert forgotten == ["two"]
    assert files.entries() == ()


def test_only_the_latest_are_kept(qapp, file, monkeypatch):
    files, forgotten, now = recent(file), [], [0.0]
    files.forgotten.connect(forgotten.append)
    monkeypatch.setattr(recent_files.time, "time", lambda: now[0])
    for number in range(MOST_FILES + 3):
        files.add("", Path(f"{number}.json"))
    assert len(files.entries()) == MOST_FILES
    for number in range(MOST_UNSAVED + 2):
        files.add("", None, f"id {number}")
    assert sorted(forgotten) == ["id 0", "id 1"]
    now[0] = recent_files.LONGEST + 1
    files.add("", Path("new.json"))
    assert not files.last_unsaved(), "nobody came back to it for months"


def test_what_is_held_back_is_kept_however_old_it_is(qapp, file, monkeypatch):
    files = RecentFiles(file, lambda job: job(), is_held="held".__eq__)
    forgotten, now = [], [0.0]
    files.forgotten.connect(forgotten.append)
    monkeypatch.setattr(recent_files.time, "time", lambda: now[0])
    files.add("", None, "held")
    for number in range(MOST_UNSAVED):
        files.add("", None, f"id {number}")
    now[0] = recent_files.LONGEST + 1
    files.add("", Path("new.json"))
    assert len(forgotten) == MOST_UNSAVED
    assert files.last_unsaved().id == "held"
