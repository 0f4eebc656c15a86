"""Where things go: the platform's places, or all below one folder."""

import os
import stat
import sys

import pytest

from ponystudio.library import user_folders

PLACES = (
    user_folders.config,
    user_folders.data,
    user_folders.cache,
    user_folders.logs,
    user_folders.pictures,
    user_folders.models,
    user_folders.nodes,
)


def test_all_below_one_folder(monkeypatch, tmp_path):
    monkeypatch.setenv("PONYSTUDIO_HOME", str(tmp_path))
    assert len({place() for place in PLACES}) == len(PLACES)
    assert all(tmp_path in place().parents for place in PLACES)


@pytest.mark.parametrize("place", PLACES)
def test_else_the_platforms(monkeypatch, place):
    monkeypatch.delenv("PONYSTUDIO_HOME")
    assert "ponystudio" in str(place()).lower()
    assert place().is_absolute()


posix = pytest.mark.skipif(sys.platform == "win32", reason="users and rights of POSIX")


@pytest.fixture
def session(monkeypatch, tmp_path):
    """The session's runtime folder, empty."""
    folder = tmp_path / "session"
    folder.mkdir(0o700)
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(folder))
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    return folder


def private(folder) -> bool:
    found = folder.lstat()
    return (
        stat.S_ISDIR(found.st_mode) and found.st_uid == os.geteuid() and not found.st_mode & 0o077
    )


@posix
def test_the_runtime_folder_is_one_for_all_homes_and_nobody_elses(session, monkeypatch, tmp_path):
    folder = user_folders.runtime()
    assert folder.parent == session
    assert private(folder)
    monkeypatch.setenv("PONYSTUDIO_HOME", str(tmp_path / "other"))
    assert user_folders.runtime() == folder
    folder.chmod(0o777)
    assert private(user_folders.runtime())


@posix
@pytest.mark.parametrize("what", ["open to all", "not there", "a file", "relative", "another's"])
def test_a_runtime_folder_that_is_not_ours_is_not_taken(session, monkeypatch, tmp_path, what):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "shared"))
    if what == "open to all":
        session.chmod(0o777)
    elif what == "relative":
        monkeypatch.setenv("XDG_RUNTIME_DIR", "run")
    elif what == "another's":
        if os.geteuid() != 0:
            pytest.skip("only root can give a folder away")
        os.chown(session, 12345, 12345)
    else:
        session.rmdir()
        if what == "a file":
            session.write_text("")
    folder = user_folders.runtime()
    assert folder.parent == tmp_path / "state" / "ponystudio"
    assert private(folder)


@posix
@pytest.mark.parametrize("what", ["a link", "a file", "another's"])
def test_what_stands_in_its_place_is_not_taken(session, tmp_path, what):
    place, target = session / "ponystudio", tmp_path / "target"
    target.mkdir()
    if what == "a link":
        place.symlink_to(target)
    elif what == "a file":
        place.write_text("")
    else:
        if os.geteuid() != 0:
            pytest.skip("only root can give a folder away")
        place.mkdir(0o777)
        os.chown(place, 12345, 12345)
    assert user_folders.runtime().parent == tmp_path / "state" / "ponystudio"
    assert not any(target.iterdir())


@posix
def test_a_private_folder_is_no_link_to_one(tmp_path):
    user_folders.private_folder(tmp_path / "real")
    (tmp_path / "link").symlink_to(tmp_path / "real")
    with pytest.raises(NotADirectoryError):
        user_folders.private_folder(tmp_path / "link")


@posix
def test_what_the_program_makes_is_the_users_alone_and_what_is_there_stays(monkeypatch, tmp_path):
    monkeypatch.setenv("PONYSTUDIO_HOME", str(tmp_path))
    (tmp_path / "cache").mkdir(mode=0o755)
    (tmp_path / "cache").chmod(0o755)
    user_folders.make_private()
    assert all(private(folder()) for folder in (user_folders.config, user_folders.data))
    assert user_folders.cache().stat().st_mode & 0o777 == 0o755
    assert not user_folders.pictures().exists()
