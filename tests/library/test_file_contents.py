"""What files hold: read at once, later, or known already."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

import pytest

from ponystudio.errors import Cancelled
from ponystudio.library import file_contents, model_index
from ponystudio.library.file_contents import FileContent, FileContents
from ponystudio.library.formats import content_id
from ponystudio.library.model_index import ModelIndex


@pytest.fixture(autouse=True)
def _old_files(monkeypatch: pytest.MonkeyPatch) -> None:
    """As if all files were written long ago."""
    monkeypatch.setattr(content_id, "YOUNG_NS", 0)


@pytest.fixture
def paths(tmp_path: Path) -> list[Path]:
    paths = [tmp_path / name for name in ("large", "small", "middle")]
    for path, size in zip(paths, (400, 100, 200), strict=True):
        path.write_bytes(os.urandom(size))
    return paths


def one(contents: FileContents, path: Path) -> FileContent:
    (content,) = contents.look([path])
    return content


def test_the_smallest_are_read_at_once(paths: list[Path], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(file_contents, "AT_ONCE", 350)
    contents = FileContents()
    found = {content.files.path.name: content for content in contents.look(paths)}
    assert {name for name, content in found.items() if content.read} == {"small", "middle"}
    assert found["small"].id == hashlib.sha256(paths[1].read_bytes()).hexdigest()
    assert len({content.id for content in found.values()}) == 3
    assert one(contents, paths[0]).id == found["large"].id
    assert one(FileContents(), paths[0]).id != found["large"].id


def test_what_is_loaded_by_a_file_is_found_after_it_was_read(
    paths: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(file_contents, "AT_ONCE", 0)
    contents = FileContents()
    before = one(contents, paths[0])
    after = contents.whole(before.files)
    assert (after.token, after.read) == (before.id, True)
    assert one(contents, paths[0]) == after
    assert after.id == after.sha256 == hashlib.sha256(paths[0].read_bytes()).hexdigest()
    assert contents.still_has(paths[0], after.token)


def test_a_change_is_another_content(paths: list[Path]) -> None:
    contents = FileContents()
    before = one(contents, paths[0])
    paths[0].write_bytes(os.urandom(401))
    after = one(contents, paths[0])
    assert after.id != before.id
    assert not before.unchanged
    assert after.unchanged
    assert not contents.still_has(paths[0], before.token)
    assert not contents.still_has(paths[0].with_name("gone"), before.token)


def test_processes_tell_each_other(
    paths: list[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(model_index, "WORTH_KEEPING", 0)
    with ModelIndex(tmp_path / "index") as index:
        expected = one(FileContents(index), paths[0]).id
    monkeypatch.setattr(content_id, "_sha256", content_id.Remembered())
    monkeypatch.setattr(file_contents, "AT_ONCE", 0)
    with ModelIndex(tmp_path / "index") as index:
        assert one(FileContents(index), paths[0]).id == expected


def test_who_closes_it_ends_what_is_read(paths: list[Path]) -> None:
    contents = FileContents()
    contents.close()
    with pytest.raises(Cancelled):
        contents.look(paths)
