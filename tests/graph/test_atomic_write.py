"""Files that are there whole or as they were, whatever fails and whenever."""

from __future__ import annotations

import errno
import os
import random
import stat
import sys
import time
from pathlib import Path

import pytest

from helpers.frail_disk import FrailDisk, every_failure
from ponystudio.errors import NotWritable, PonyStudioError, StorageFull
from ponystudio.graph.atomic_write import (
    make_folder,
    sweep_drafts,
    write_bytes,
    write_text,
    writing,
)

CODES = {
    errno.EIO: NotWritable,
    errno.ENOSPC: StorageFull,
    errno.EDQUOT: StorageFull,
    errno.EROFS: NotWritable,
}
OLD, NEW = b"old" * 5000, b"new" * 7000


def test_a_link_stays_and_what_it_points_at_is_replaced(tmp_path):
    real, link = tmp_path / "real", tmp_path / "link"
    real.write_text("old")
    link.symlink_to(real)
    write_text(link, "new ä")
    assert link.is_symlink()
    assert real.read_text(encoding="utf-8") == "new ä"


def test_permissions_are_kept_and_new_files_have_the_usual_ones(tmp_path):
    old, new, usual = (tmp_path / name for name in ("old", "new", "usual"))
    usual.touch()
    old.touch()
    old.chmod(0o600)
    write_bytes(old, b"x")
    write_bytes(new, b"x")
    assert stat.S_IMODE(old.stat().st_mode) == 0o600
    assert new.stat().st_mode == usual.stat().st_mode


@pytest.mark.parametrize(
    ("code", "error"),
    [(errno.ENOSPC, StorageFull), (errno.EACCES, NotWritable), (errno.EROFS, NotWritable)],
)
@pytest.mark.parametrize("step", ["fsync", "replace"])
def test_a_failure_leaves_the_old_file_and_nothing_else(tmp_path, monkeypatch, code, error, step):
    path = tmp_path / "file"
    path.write_text("old")

    def fail(*args):
        raise OSError(code, os.strerror(code))

    monkeypatch.setattr(os, step, fail)
    with pytest.raises(error) as caught:
        write_text(path, "new")
    assert caught.value.where == str(path)
    assert caught.value.remedy
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_a_missing_folder_is_said(tmp_path):
    with pytest.raises(NotWritable, match=r"folder is not there.*Make the folder .*nowhere"):
        write_text(tmp_path / "nowhere" / "file", "x")


@pytest.mark.parametrize("code", CODES)
@pytest.mark.parametrize("place", ["old", "link", "none"])
def test_whatever_fails_the_file_is_whole_and_what_was_said_is_true(tmp_path, place, code):
    def scenario(number: int) -> FrailDisk:
        folder = tmp_path / f"{number}"
        folder.mkdir()
        path = real = folder / "file"
        if place == "link":
            path, real = folder / "link", folder / "file"
            path.symlink_to(real)
        if place != "none":
            real.write_bytes(OLD)
        told = None
        with FrailDisk(folder, number, code) as disk:
            try:
                write_bytes(path, NEW)
            except PonyStudioError as error:
                told = error
            found = {
                content_of(disk.cut_power(random.Random(n), tmp_path / f"{number}-{n}") / "file")
                for n in range(20)
            }
        before = b"" if place == "none" else OLD
        if told is None:
            assert found == {NEW}, disk.failed
            assert real.read_bytes() == NEW
        else:
            assert type(told) is CODES[code] or "keep its name" in told.what
            assert told.remedy
            assert found <= {before, NEW}, disk.failed
            assert content_of(real) == (NEW if "keep its name" in told.what else before)
        assert len(list(folder.iterdir())) <= 2
        return disk

    every_failure(scenario)


def content_of(path) -> bytes:
    return path.read_bytes() if path.exists() else b""


def test_what_is_said_to_be_written_stays_after_a_power_cut(tmp_path):
    """Also where the folders were made for it."""
    root = tmp_path / "root"
    root.mkdir()
    with FrailDisk(root) as disk:
        make_folder(root / "a" / "b")
        write_text(root / "a" / "b" / "file", "new")
        for n in range(20):
            after = disk.cut_power(random.Random(n), tmp_path / f"after{n}")
            assert (after / "a" / "b" / "file").read_text() == "new"


def test_an_error_while_tidying_up_hides_none(tmp_path, monkeypatch):
    def full(*_):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    def broken(*_, **__):
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    monkeypatch.setattr(os, "fsync", full)
    monkeypatch.setattr(os, "unlink", broken)
    with pytest.raises(StorageFull):
        write_text(tmp_path / "file", "x")


def test_a_draft_shows_nobody_what_only_its_owner_may_read(tmp_path):
    path = tmp_path / "file"
    path.touch(0o600)
    path.chmod(0o600)
    with writing(path):
        (draft,) = (other for other in tmp_path.iterdir() if other != path)
        assert stat.S_IMODE(draft.stat().st_mode) == 0o600


def test_a_file_that_another_removes_meanwhile_is_written(tmp_path, monkeypatch):
    """As an entry of a cache that a neighbour evicts."""
    path, stat = tmp_path / "x", Path.stat
    path.write_bytes(OLD)

    def then_remove(self, **how):
        found = stat(self, **how)
        if self == path:
            path.unlink()
        return found

    with monkeypatch.context() as patch:
        patch.setattr(Path, "stat", then_remove)
        write_bytes(path, NEW)
    assert path.read_bytes() == NEW


def test_the_longest_of_names_can_be_written(tmp_path):
    for name in ("x" * 255, "ä" * 127):
        path = tmp_path / name
        write_text(path, "old")
        write_text(path, "new")
        assert path.read_text() == "new"


@pytest.mark.skipif(sys.platform == "win32", reason="drafts are not swept on Windows")
def test_what_a_killed_writer_left_is_swept_and_nothing_else(tmp_path):
    import fcntl

    path = tmp_path / "graph.json"
    path.write_text("whole")
    left, other = (
        tmp_path / ".graph.json.0123abcd.ponystudio.tmp",
        tmp_path / ".other.json.0123abcd.ponystudio.tmp",
    )
    alike = [
        tmp_path / name
        for name in (
            ".graph.json.tmp",
            ".graph.json.0123abcd.tmp",
            ".0123456789abcdef.tmp",
            ".graph.json.0123abcg.ponystudio.tmp",
            "graph.json.0123abcd.ponystudio.tmp",
        )
    ]
    linked, folder = (
        tmp_path / ".graph.json.00000001.ponystudio.tmp",
        tmp_path / ".graph.json.00000002.ponystudio.tmp",
    )
    young, held = (
        tmp_path / ".graph.json.00000003.ponystudio.tmp",
        tmp_path / ".graph.json.00000004.ponystudio.tmp",
    )
    for file in (left, other, *alike, young, held):
        file.write_text("half")
    linked.symlink_to(path)
    folder.mkdir()
    hour_ago = time.time() - 3600
    for file in (left, other, *alike, held, folder):
        os.utime(file, (hour_ago, hour_ago))
    with held.open() as writer:
        fcntl.flock(writer, fcntl.LOCK_EX)
        sweep_drafts(path.parent, path)
    assert set(tmp_path.iterdir()) == {path, other, *alike, linked, folder, young, held}
    sweep_drafts(tmp_path)
    assert set(tmp_path.iterdir()) == {path, *alike, linked, folder, young}


def test_whoever_writes_for_hours_keeps_the_draft(tmp_path):
    path = tmp_path / "file"
    with writing(path) as file:
        file.write(b"whole")
        file.flush()
        (draft,) = tmp_path.iterdir()
        os.utime(draft, (0, 0))
        sweep_drafts(tmp_path)
    assert path.read_bytes() == b"whole"
