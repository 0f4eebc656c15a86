"""Where things go when nobody says: settings, work, models, caches, logs, results.

The places follow the platform's conventions. The environment variable PONYSTUDIO_HOME puts all of
them below one folder, for tests and for a studio on a stick.
"""

from __future__ import annotations

import contextlib
import os
import stat
import sys
from collections.abc import Iterator
from pathlib import Path

import platformdirs

from ponystudio.system.file_names import absolute

APP = "ponystudio"
HOME = "PONYSTUDIO_HOME"


def config() -> Path:
    """Where the settings are."""
    return _home("config") or Path(platformdirs.user_config_dir(APP, False))


def data() -> Path:
    """Where journals, the queue and the index of results are: what must not be lost."""
    return _home("data") or Path(platformdirs.user_data_dir(APP, False))


def cache() -> Path:
    """Where results and thumbnails are kept: what can be made again."""
    return _home("cache") or Path(platformdirs.user_cache_dir(APP, False))


def results_cache() -> Path:
    """Where results of nodes are kept."""
    return cache() / "results"


def model_index() -> Path:
    """Where the index of model files is, with their hashes, for studio, worker and command line."""
    return cache() / "models.sqlite"


def logs() -> Path:
    return _home("logs") or Path(platformdirs.user_log_dir(APP, False))


def pictures() -> Path:
    """Where results are saved unless the settings say otherwise."""
    return _home("pictures") or Path(platformdirs.user_pictures_dir()) / "PonyStudio"


def models() -> Path:
    """Where people put models, laid out as ours."""
    return data() / "models"


def nodes() -> Path:
    """Where people put nodes of their own."""
    return data() / "nodes"


def runtime() -> Path:
    """The folder of locks and sockets, which is there and this user's alone: never one that all
    users of the machine share, where anybody can guess a name and be there first.

    It is one for all studios of a user, wherever PONYSTUDIO_HOME is, so that they meet: the
    session's runtime folder, else one below the home. Raises OSError where there can be none.
    """
    failure: OSError | None = None
    for folder in _runtime_places():
        try:
            return private_folder(folder)
        except OSError as error:
            failure = failure or error
    raise failure or FileNotFoundError("no place for locks")


def make_private() -> None:
    """Make those that are not there yet, for this user alone: what is worked on, results that are
    kept and logs concern nobody else. Who has made one otherwise has had a reason."""
    for folder in (config(), data(), cache(), logs()):
        if not folder.exists():
            with contextlib.suppress(OSError):  # whoever writes there will say so
                private_folder(folder)


def private_folder(path: Path) -> Path:
    """This folder, made if it is not there; nobody else can read it or put anything into it.

    Raises OSError for a link, for what is no folder, and for a folder of somebody else's.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with contextlib.suppress(FileExistsError):
        path.mkdir(0o700)
    found = path.lstat()
    if not stat.S_ISDIR(found.st_mode):
        raise NotADirectoryError(f"{path} is no folder")
    if sys.platform == "win32":  # it inherits the rights of the profile that it lies in
        return path
    if found.st_uid != os.geteuid():
        raise PermissionError(f"{path} is another user's")
    if stat.S_IMODE(found.st_mode) & 0o077:
        path.chmod(0o700)
    return path


def _runtime_places() -> Iterator[Path]:
    if sys.platform != "win32":
        # Also for a process without a session, say of cron: it must meet those that have one.
        session = Path(os.environ.get("XDG_RUNTIME_DIR") or f"/run/user/{os.geteuid()}")
        if session.is_absolute() and _is_private(session):
            yield session / APP
    yield Path(platformdirs.user_state_dir(APP, False)) / "run"
    if home := _home("run"):  # where there is no home but this
        yield home


def _is_private(folder: Path) -> bool:
    """Whether it is this user's, and nobody else can write there."""
    try:
        found = folder.stat()
    except OSError:
        return False
    return found.st_uid == os.geteuid() and not stat.S_IMODE(found.st_mode) & 0o022


def _home(part: str) -> Path | None:
    home = os.environ.get(HOME)
    return absolute(home) / part if home else None
