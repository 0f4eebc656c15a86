from __future__ import annotations

import errno
import os
import stat

import pytest

from ponystudio.errors import NotWritable, StorageFull
from ponystudio.graph.atomic_write import write_bytes, write_text


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
